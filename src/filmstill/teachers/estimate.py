"""What a run will cost, before it begins."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from filmstill.models.limits import estimated_tokens
from filmstill.models.prices import Prices
from filmstill.task import Task
from filmstill.teachers.plan import Slot
from filmstill.teachers.teacher import ChatTeacher
from filmstill.teachers.writing import write_prompts

TOKENS_PER_LABEL = 80
"""Of an answer with a one-sentence reasoning; 40 of them are the weights."""
TOKENS_PER_WRITTEN = 25


@dataclass(frozen=True, slots=True)
class Estimate:
    """Calls and tokens of one model, about, before retries and repairs.

    Attributes:
        model: its address.
        what: what it is asked for.
        calls: how many calls.
        tokens_in, tokens_out: of all of them.
        dollars: at the listed price; None where none is listed.
    """

    model: str
    what: str
    calls: int
    tokens_in: float
    tokens_out: float
    dollars: float | None


def estimate_writing(model: str, slots: list[Slot], task: Task, prices: Prices) -> Estimate:
    """What it takes to have queries written."""
    prompts = write_prompts(slots, task)
    tokens_in = sum(map(estimated_tokens, prompts))
    tokens_out = float(TOKENS_PER_WRITTEN * len(slots))
    return Estimate(
        model,
        "write queries",
        len(prompts),
        tokens_in,
        tokens_out,
        prices.cost(model, tokens_in, tokens_out),
    )


def estimate_labelling(
    teacher: ChatTeacher, queries: Iterable[str], samples: int, prices: Prices
) -> Estimate:
    """What it takes to have queries labelled."""
    calls, tokens_in = 0, 0.0
    for query in queries:
        calls += samples
        tokens_in += samples * estimated_tokens(teacher.prompt(query))
    tokens_out = float(TOKENS_PER_LABEL * calls)
    return Estimate(
        teacher.name,
        "label queries",
        calls,
        tokens_in,
        tokens_out,
        prices.cost(teacher.name, tokens_in, tokens_out),
    )


def kinds(slots: list[Slot]) -> dict[str, Counter[str]]:
    """How many slots of which kind, per table of the plan."""
    return {
        "leads": Counter(slot.intent for slot in slots),
        "difficulty": Counter(slot.difficulty for slot in slots),
        "style": Counter(slot.style for slot in slots),
        "domain": Counter(slot.domain for slot in slots if slot.domain),
    }
