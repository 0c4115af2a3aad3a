"""One distillation run, step by step: read, split, train, export, check, write the manifest."""

import gzip
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from filmstill.config import DistillConfig
from filmstill.data.reading import ExampleFile, load_labelled, write_rejects
from filmstill.data.split import families, split
from filmstill.errors import DataError, InputError
from filmstill.files import is_there, make_folder, only_one, sha256_of, storage_errors, write_text
from filmstill.query import same_query
from filmstill.records import Example
from filmstill.student.artefact import Layout, write_manifest
from filmstill.student.base import BaseModel, find_base
from filmstill.student.glossary import PACKAGED, Glossary
from filmstill.student.runtime import mixed
from filmstill.student.train.assist import assistant_facts, with_assistants
from filmstill.student.train.batches import encode, open_tokenizer
from filmstill.student.train.card import card_text
from filmstill.student.train.checkpoint import load_checkpoint
from filmstill.student.train.export import export
from filmstill.student.train.facts import (
    data_facts,
    libraries,
    share_of_network,
    what_validation_tells,
)
from filmstill.student.train.loop import (
    ProgressCallback,
    cores,
    fit,
    has_fast_bfloat16,
    predict,
    torch_threads,
)
from filmstill.student.train.net import build_net, pad_id_of
from filmstill.student.train.ngrams import fit_ngrams
from filmstill.student.train.quantise import CALIBRATION
from filmstill.task import Task
from filmstill.weights import FloatArray, weights_array

MIN_QUERIES = 20
"""Fewest distinct labelled queries that are worth training on."""


@dataclass(frozen=True, slots=True)
class Distilled:
    """What a distillation run made.

    Attributes:
        folder: the student.
        manifest: the facts written to its manifest.
        rejects: how many lines of the file were left out; they are in `rejects.jsonl`.
    """

    folder: Path
    manifest: dict[str, Any]
    rejects: int


def distill(
    train: str | Path,
    out: str | Path,
    *,
    task: Task | None = None,
    config: DistillConfig | None = None,
    assistants: Sequence[str | Path] = (),
    resume: bool = False,
    force: bool = False,
    progress: ProgressCallback | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Distilled:
    """Distil labelled queries into a student.

    Args:
        train: file of labelled examples.
        out: the student's folder; made if need be.
        task: what is routed; the built-in video search where None.
        config: the settings; defaults where None.
        assistants: folders of students whose mean is mixed into what is learned; see `assist`.
        resume: go on after the last finished epoch of a run that was stopped.
        force: replace a finished student in `out`.
        progress: called after every training step.
        say: called with a line of text at every stage.

    Raises:
        InputError: `out` holds a finished student or a stopped run, and neither `force` nor
            `resume` says what to do with it; or the file has too few examples.
        ArtefactError: an assistant is no student of these channels.
        BaseModelError: the base encoder is not found or not the one expected.
        TrainingError: the run cannot be resumed, or the export does not equal the trained network.
        StorageError: a file cannot be read or written; the state of the last epoch is kept.
    """
    started = time.monotonic()
    task, config, layout = task or Task.builtin(), config or DistillConfig(), Layout(Path(out))
    _check_out(layout, resume=resume, force=force)
    file = _read(train, task)
    base = find_base(config.base)
    make_folder(layout.training)
    with only_one(layout.training / "lock", layout.folder):
        made = layout.making
        shutil.rmtree(made.folder, ignore_errors=True)  # leftovers of a run with other settings
        make_folder(made.folder)
        if file.rejects:
            write_rejects(file, layout.folder / "rejects.jsonl")
        folders = [Path(folder) for folder in assistants]
        facts = _make(
            file, task, config, base, folders, layout, resume=resume, progress=progress, say=say
        )
        facts["seconds"] = round(time.monotonic() - started, 1)
        write_text(made.task, task.to_toml())
        write_text(made.card, card_text(task, facts))
        write_manifest(made, task, facts)
        _move(made, layout)
        shutil.rmtree(layout.training, ignore_errors=True)
    return Distilled(layout.folder, facts, len(file.rejects))


def _make(
    file: ExampleFile,
    task: Task,
    config: DistillConfig,
    base: BaseModel,
    assistants: list[Path],
    layout: Layout,
    *,
    resume: bool,
    progress: ProgressCallback | None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Train, export and measure; leaves the network and the tokenizer, returns the facts."""
    made = layout.making
    training, validation = split(file.examples, config.validation, config.seed)
    rejected = f", {len(file.rejects):,} lines rejected (rejects.jsonl)" if file.rejects else ""
    say(f"{len(training):,} examples to train on, {len(validation):,} to validate{rejected}")
    pad_id = pad_id_of(base)
    tokenizer = _copy_tokenizer(base, made, config.max_tokens)
    glossary = _copy_glossary(made) if config.glossary else None
    read = Glossary.load(glossary).read if glossary else str
    texts, held_out_texts = ([read(item.query) for item in part] for part in (training, validation))
    labels, reference = _labels(training, task), _labels(validation, task)
    held_out = encode(held_out_texts, reference, tokenizer, pad_id)
    learned = with_assistants(
        labels,
        [example.query for example in training],
        assistants,
        task,
        threads=config.threads or cores(),
        say=say,
    )
    run = {**_identity(file, task, config, base), "assistants": assistant_facts(assistants)}
    start = load_checkpoint(layout.state, run) if resume and is_there(layout.state) else None
    if start:
        say(f"Resuming after epoch {start.epoch}")
    with torch_threads(config.threads):
        net = build_net(base, len(task.channels), config.dropout, config.seed)
        state = fit(
            net,
            encode(texts, learned, tokenizer, pad_id),
            held_out,
            config,
            start=start,
            run=run,
            state_path=layout.state,
            progress=progress,
        )
        say("Exporting to ONNX, quantising to int8, comparing with the trained network")
        raw, parity = export(
            net,
            made.model,
            layout.training,
            tokenizer=made.tokenizer,
            max_tokens=config.max_tokens,
            pad_id=pad_id,
            calibration=[
                tokenizer.encode(text).ids for text in texts[:: max(1, len(texts) // CALIBRATION)]
            ],
            queries=held_out_texts,
            expected=predict(net, held_out).numpy().astype(np.float64),
        )
    say("Fitting the n-gram model")
    ngrams = fit_ngrams(texts, learned)
    with storage_errors("write", made.ngrams):
        ngrams.save(made.ngrams)
    counted = ngrams.weights(held_out_texts)
    share = share_of_network(raw, counted, labels, reference, task)
    return {
        "base": {"name": base.name, "sha256": base.sha256},
        "data": data_facts(file, training, validation),
        "config": {**asdict(config), "epochs": config.epochs_for(len(training))},
        "assistants": assistant_facts(assistants),
        "model": {"max_tokens": config.max_tokens, "pad_id": pad_id, "share": share},
        "ngrams": ngrams.to_json(),
        **what_validation_tells(task, labels, mixed(raw, counted, share), reference),
        "training": {
            "best_epoch": state.best_epoch,
            "history": state.history,
            "bfloat16": has_fast_bfloat16(),
        },
        "parity": asdict(parity),
        "libraries": libraries(),
    }


def _check_out(layout: Layout, *, resume: bool, force: bool) -> None:
    stopped = is_there(layout.state)
    if is_there(layout.manifest) and not force and not (stopped and resume):
        raise InputError(
            f"{layout.folder}: there is a finished student; give another --out, or --force to "
            f"replace it"
        )
    if stopped and not resume and not force:
        raise InputError(
            f"{layout.folder}: a training run was stopped here; give --resume to go on with it, "
            f"or --force to start over"
        )


def _read(train: str | Path, task: Task) -> ExampleFile:
    file = load_labelled(train, task)
    distinct = len({same_query(example.query) for example in file.examples})
    unrelated = len(set(families(file.examples)))
    if min(distinct, unrelated) < MIN_QUERIES:
        what = "distinct labelled queries"
        if unrelated < distinct:
            what += " that were not grown from each other (tags id and parent)"
        raise DataError(
            f"{train}: {min(distinct, unrelated)} {what} are too few; a student needs at least "
            f"{MIN_QUERIES}, and learns well from 1,000"
        )
    return file


def _move(made: Layout, layout: Layout) -> None:
    """Put a finished student in place: the old manifest goes first, the new one comes last."""
    with storage_errors("replace the student in", layout.folder):
        layout.manifest.unlink(missing_ok=True)
        layout.glossary.unlink(missing_ok=True)
        for source in made.folder.iterdir():
            if source != made.manifest:
                source.replace(layout.folder / source.name)
        made.manifest.replace(layout.manifest)


def _copy_tokenizer(base: BaseModel, made: Layout, max_tokens: int) -> Tokenizer:
    with storage_errors("copy the tokenizer to", made.tokenizer):
        shutil.copyfile(base.folder / made.tokenizer.name, made.tokenizer)
    return open_tokenizer(base, max_tokens)


def _copy_glossary(made: Layout) -> Path:
    with storage_errors("copy the glossary to", made.glossary):
        made.glossary.write_bytes(gzip.compress(PACKAGED.read_bytes(), mtime=0))
    return made.glossary


def _identity(
    file: ExampleFile, task: Task, config: DistillConfig, base: BaseModel
) -> dict[str, Any]:
    """What has to be the same for a run to be resumed."""
    settings = {key: value for key, value in asdict(config).items() if key != "base"}
    if config.glossary:
        settings["glossary"] = sha256_of(PACKAGED)
    return {"data": file.sha256, "task": task.fingerprint, "base": base.sha256, **settings}


def _labels(examples: list[Example], task: Task) -> FloatArray:
    return weights_array([example.routing for example in examples if example.routing], task)
