"""The files of a prepared set: records, tags, rejects and a card, whole or not at all."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from filmstill.data.formats import conversation_record, to_line
from filmstill.data.reading import Reject, tags_path
from filmstill.evals.noise import TeacherNoise, teacher_noise
from filmstill.files import replacing
from filmstill.records import Example
from filmstill.task import Task
from filmstill.teachers.labelling import Label

_NOISE_QUERIES = 1000  # whose several labels are compared, so that memory does not grow


def rejects_path(out: Path) -> Path:
    """Where what could not be labelled goes."""
    return out.with_name(out.name + ".rejects.jsonl")


def card_path(out: Path) -> Path:
    """Where the card of a set goes."""
    return out.with_name(out.name + ".card.md")


@dataclass
class Output:
    """Takes the examples of a set one by one.

    Attributes:
        task: the task.
        samples: labels that were asked for per query.
        examples: how many were written.
        rejected: how many queries got no label, and lines that were no query.
        pending: how many queries were not asked, or failed by their service.
        leading: labels by the channels that lead them.
        teachers: labels by the teacher that made them.
    """

    task: Task
    samples: int
    _records: IO[str]
    _tags: IO[str]
    _rejects: IO[str]
    examples: int = 0
    rejected: int = 0
    pending: int = 0
    leading: Counter[str] = field(default_factory=Counter)
    teachers: Counter[str] = field(default_factory=Counter)
    _noise: list[Example] = field(default_factory=list)

    def add(self, example: Example) -> None:
        """Write an example; strict readers find nothing in the record but the conversation."""
        self._records.write(to_line(conversation_record(example, self.task)) + "\n")
        self._tags.write(to_line({"query": example.query, **example.tags}) + "\n")
        self.examples += 1
        if example.routing is not None:
            self.leading["+".join(example.routing.leading)] += 1
            self.teachers[example.tags.get("teacher", "not recorded")] += 1

    def add_label(self, example: Example, label: Label, teacher: str) -> None:
        """Write what a teacher made of an example: a labelled one, or a reject."""
        if label.routing is not None:
            tags = {**example.tags, "teacher": teacher}
            if self.samples > 1:
                tags["samples"] = str(len(label.samples))
                if len(self._noise) < _NOISE_QUERIES * self.samples:
                    self._noise += [Example(example.query, one) for one in label.samples]
            self.add(Example(example.query, label.routing, tags))
        elif label.pending:
            self.pending += 1
        else:
            self.rejected += 1
            row = {"query": label.query, "reason": label.reason, "reply": label.reply}
            self._rejects.write(to_line(row) + "\n")

    def add_reject(self, reject: Reject) -> None:
        """Note a line of the input that is no query."""
        self.rejected += 1
        row = {"line": reject.line, "reason": reject.reason, "raw": reject.raw}
        self._rejects.write(to_line(row) + "\n")

    @property
    def noise(self) -> TeacherNoise | None:
        """How much the teacher's labels of one query differ; None where it gave one per query."""
        return teacher_noise(self._noise, self.task)


@contextmanager
def writing(out: Path, task: Task, samples: int) -> Iterator[Output]:
    """Write a set beside its final place; the files appear when the block ends without an error.

    The records come last: where they are, the rest is there too. An empty file of rejects is not
    kept.

    Raises:
        StorageError: the disk is full or the folder cannot be written to.
    """
    with ExitStack() as stack:
        # Left in the opposite order, so the records are renamed last.
        paths = [
            stack.enter_context(replacing(path))
            for path in (out, tags_path(out), rejects_path(out))
        ]
        records, tags, rejects = (
            stack.enter_context(path.open("w", encoding="utf-8", newline="\n")) for path in paths
        )
        yield Output(task, samples, records, tags, rejects)
    if not rejects_path(out).stat().st_size:
        rejects_path(out).unlink()
