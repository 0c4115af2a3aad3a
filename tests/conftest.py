"""What all tests share: no network, a tiny base encoder, tiny students."""

import json
import random
import socket
from pathlib import Path

import pytest

from filmstill import DistillConfig, Example, Router, Routing, Task
from filmstill.data.formats import conversation_record
from filmstill.data.reading import write_records
from filmstill.task import parse_task

WORDS = {
    "visual": ["red", "car", "mountain", "smiling", "sunset", "wearing", "dancing", "tower"],
    "audio": ["barking", "thunder", "piano", "whispering", "siren", "applause", "humming", "bell"],
    "transcription": ["explains", "argues", "says", "discusses", "quotes", "asks", "tells", "why"],
    "metadata": ["season", "episode", "2019", "netflix", "title", "director", "genre", "licence"],
}

SHOP = """\
name = "shop"
description = "a shop's products"
grid_step = 0.05

[[channels]]
name = "visual"
description = "how it looks"

[[channels]]
name = "spec"
description = "what it measures"

[[channels]]
name = "review"
description = "what buyers think of it"
"""
SHOP_WORDS = {
    "visual": ["red", "striped", "round", "glossy", "floral", "slim"],
    "spec": ["litres", "watt", "inch", "usb", "waterproof", "steel"],
    "review": ["comfortable", "sturdy", "disappointing", "loved", "noisy", "reliable"],
}


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make any connection beyond this machine an error."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = str(address[0])  # type: ignore[index]
            if host not in ("127.0.0.1", "::1", "localhost"):
                raise OSError(f"tests may not connect to {host}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def task() -> Task:
    """The built-in task."""
    return Task.builtin()


@pytest.fixture(scope="session")
def shop() -> Task:
    """A user's task with three channels on a grid of twentieths."""
    return parse_task(SHOP, "shop.toml")


def make_examples(task: Task, words: dict[str, list[str]], count: int, seed: int) -> list[Example]:
    """Queries of two words of one channel and one of another, labelled 0.6 / 0.3 / rest."""
    chooser = random.Random(seed)
    names, examples = list(task.channel_names), []
    for _ in range(count):
        first, second = chooser.sample(names, 2)
        query = [*chooser.sample(words[first], 2), chooser.choice(words[second])]
        chooser.shuffle(query)
        weights = dict.fromkeys(names, 0.0)
        weights[first], weights[second] = 0.6, 0.3
        rest = next(name for name in names if name not in (first, second))
        weights[rest] = 0.1
        examples.append(Example(" ".join(query), Routing(weights, reasoning=f"{first} leads.")))
    return examples


def write_training(path: Path, examples: list[Example], task: Task) -> Path:
    """Write examples in the conversation format."""
    write_records(path, [conversation_record(example, task) for example in examples])
    return path


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base encoder with random weights, small enough to train in seconds."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    return write_tiny_base(tmp_path_factory.mktemp("tiny-base"))


def write_tiny_base(folder: Path) -> Path:
    """Write the tiny base encoder; benchmarks use it, too."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    words = sorted(
        {word for group in (WORDS, SHOP_WORDS) for row in group.values() for word in row}
    )
    letters = [
        f"{mark}{letter}"
        for letter in "abcdefghijklmnopqrstuvwxyz0123456789"
        for mark in ("", "##")
    ]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *words]
    ids = {word: number for number, word in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    transformers.BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_config(tiny_base: Path) -> DistillConfig:
    """Settings that train the tiny base in seconds."""
    return DistillConfig(
        base=str(tiny_base), epochs=6, learning_rate=3e-3, dropout=0.0, max_tokens=32
    )


@pytest.fixture(scope="session")
def training_file(tmp_path_factory: pytest.TempPathFactory, task: Task) -> Path:
    """300 labelled queries of the built-in task."""
    path = tmp_path_factory.mktemp("training") / "train.jsonl"
    return write_training(path, make_examples(task, WORDS, 300, seed=1), task)


@pytest.fixture(scope="session")
def student_folder(
    tmp_path_factory: pytest.TempPathFactory, training_file: Path, tiny_config: DistillConfig
) -> Path:
    """A tiny student of the built-in task. Copy it before changing it."""
    from filmstill import distill

    folder = tmp_path_factory.mktemp("students") / "tiny"
    distill(training_file, folder, config=tiny_config)
    return folder


@pytest.fixture(scope="session")
def quick_student(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path, task: Task) -> Path:
    """A student that has seen little, for tests that need one and not a good one."""
    from filmstill import distill

    folder = tmp_path_factory.mktemp("quick")
    data = write_training(folder / "train.jsonl", make_examples(task, WORDS, 30, seed=1), task)
    distill(
        data,
        folder / "quick",
        config=DistillConfig(base=str(tiny_base), epochs=1, max_tokens=32, glossary=False),
    )
    return folder / "quick"


@pytest.fixture(scope="session")
def student(student_folder: Path) -> Router:
    """The tiny student, loaded."""
    return Router.load(student_folder)


def record(query: str = "red car", label: object = None, **changes: object) -> str:
    """A line in the conversation format, with a good label where none is given."""
    if label is None:
        label = {"visual": 0.7, "audio": 0.1, "transcription": 0.0, "metadata": 0.2}
    text = label if isinstance(label, str) else json.dumps(label)
    fields: dict[str, object] = {
        "schemaVersion": "bedrock-conversation-2024",
        "messages": [
            {"role": "user", "content": [{"text": query}]},
            {"role": "assistant", "content": [{"text": text}]},
        ],
    }
    return json.dumps(fields | changes)
