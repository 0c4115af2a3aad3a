"""What a run will cost, before it begins."""

from collections import Counter
from collections.abc import Iterable

from filmstill.models.estimate import Estimate, estimate_calls
from filmstill.models.prices import Prices
from filmstill.task import Task
from filmstill.teachers.plan import Slot
from filmstill.teachers.teacher import ChatTeacher
from filmstill.teachers.writing import write_prompts

TOKENS_PER_WRITTEN = 25


def estimate_writing(model: str, slots: list[Slot], task: Task, prices: Prices) -> Estimate:
    """What it takes to have queries written."""
    prompts = write_prompts(slots, task)
    each = TOKENS_PER_WRITTEN * len(slots) / max(1, len(prompts))
    return estimate_calls(model, "write queries", prompts, prices, tokens_out=each)


def estimate_labelling(
    teacher: ChatTeacher, queries: Iterable[str], samples: int, prices: Prices
) -> Estimate:
    """What it takes to have queries labelled."""
    prompts = (teacher.prompt(query) for query in queries for _ in range(samples))
    return estimate_calls(teacher.name, "label queries", prompts, prices)


def kinds(slots: list[Slot]) -> dict[str, Counter[str]]:
    """How many slots of which kind, per table of the plan."""
    return {
        "leads": Counter(slot.intent for slot in slots),
        "difficulty": Counter(slot.difficulty for slot in slots),
        "style": Counter(slot.style for slot in slots),
        "domain": Counter(slot.domain for slot in slots if slot.domain),
    }
