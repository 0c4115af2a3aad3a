"""What is to be prepared, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filmstill.config import PrepareConfig
from filmstill.evals.noise import TeacherNoise
from filmstill.models.chat import is_model
from filmstill.models.prices import Prices
from filmstill.task import Task
from filmstill.teachers.plan import Slot
from filmstill.teachers.writing import Written

CORPUS = "corpus"
"""Who labelled the examples of the corpus that ships, as tags say it."""


class Watcher(Protocol):
    """Is told how a run gets on."""

    def begin(self, what: str, total: int | None) -> None:
        """A part of the run begins; it has so many steps, where that is known."""

    def step(self, done: int, spent: float, rejected: int = 0) -> None:
        """So many steps are done, dollars spent and labels rejected, in all."""


@dataclass(frozen=True)
class Order:
    """What to prepare.

    Attributes:
        out: the file of the set.
        task: the task.
        config: settings.
        prices: what tokens cost.
        teacher: address of who labels; None takes the corpus that ships, queries and labels.
        queries: file of queries; None to have them written, or take those of the corpus.
        writer: address of the model that writes queries; None for none.
        slots: the kinds of the queries to write.
        exclude: file of queries that no written one may be near to; None for the task's own
            evaluation set.
        label: False leaves the queries without labels.
        max_cost: the most to spend, in US dollars, over all runs on this file; None for no limit.
        finish: ask nothing more: write what is there.
        batch: s3:// prefix for Bedrock batch jobs that label; None to ask one by one.
        role: ARN of the role with which batch jobs read and write there.
    """

    out: Path
    task: Task
    config: PrepareConfig
    prices: Prices
    teacher: str | None = None
    queries: Path | None = None
    writer: str | None = None
    slots: Sequence[Slot] = ()
    exclude: Path | None = None
    label: bool = True
    max_cost: float | None = None
    finish: bool = False
    batch: str | None = None
    role: str = ""

    @property
    def models(self) -> list[str]:
        """Addresses of the large language models that are asked, each once."""
        asked = (self.writer, self.teacher if self.label else None)
        return [address for address in dict.fromkeys(asked) if address and is_model(address)]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a run came to.

    Attributes:
        examples: how many are in the file; 0 where none was written.
        rejected: queries without a usable label, and lines that were no query.
        pending: queries that another run may label.
        stopped: why the run ended before all was asked; None where it did not.
        spent: US dollars over all runs on this file; tokens of models without a price cost 0.
        calls: answers that this run asked for.
        written: how the writing of the queries went; None where none were written.
        noise: how much several labels of a query differ; None where there is one each.
    """

    examples: int
    rejected: int
    pending: int
    stopped: Exception | None
    spent: float
    calls: int
    written: Written | None = None
    noise: TeacherNoise | None = None


def journal_path(out: Path) -> Path:
    """Where a run keeps what models answered."""
    return out.with_name(out.name + ".journal.sqlite")
