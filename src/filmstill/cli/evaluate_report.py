"""`filmstill evaluate --report`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filmstill.data.reading import ExampleFile
    from filmstill.evals.evaluate import Evaluation
    from filmstill.evals.judges import Judgement
    from filmstill.models.prices import Prices
    from filmstill.router import Router
    from filmstill.task import Task


def write(
    evaluation: "Evaluation",
    judgements: "dict[str, list[Judgement]]",
    prices: "Prices",
    path: Path,
    training: "ExampleFile | None",
    folder: Path,
    routers: "list[Router]",
) -> Path:
    """Write the report and all that belongs to it; the path of its page."""
    from filmstill.cli.screen import err
    from filmstill.evals.noise import teacher_noise
    from filmstill.evals.report import ReportFacts, write_report
    from filmstill.routers.base import BaseRouter
    from filmstill.routers.chat import ChatRouter
    from filmstill.student.router import StudentRouter
    from filmstill.weights import weights_array

    task = evaluation.task
    examples = training.examples if training else ()
    labels = [example.routing for example in examples if example.routing is not None]
    before = [router.name for router in routers if isinstance(router, BaseRouter)]
    before += [router.name for router in routers if isinstance(router, ChatRouter)]
    after = [router.name for router in routers if isinstance(router, StudentRouter)]
    facts = ReportFacts(
        evaluation,
        source=path.name,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        prices=prices,
        labels=weights_array(labels, task) if labels else None,
        labels_source=training.path.name if training else "",
        training_noise=teacher_noise(examples, task),
        judgements=judgements,
        before=before[0] if before else None,
        after=after[0] if after else None,
    )
    with err().status("Drawing the report"):
        return write_report(facts, folder)


def training_labels(training: Path | None, task: "Task") -> "ExampleFile | None":
    """The training data to show; None for a user's task where none is named."""
    from filmstill.data.corpus import corpus_path
    from filmstill.data.reading import load_labelled
    from filmstill.errors import InputError

    try:
        path = training or corpus_path(task)
    except InputError:
        return None
    return load_labelled(path, task)
