"""What a run will cost on Bedrock, before it begins."""

from collections.abc import Sequence
from dataclasses import dataclass

from filmstill.bedrock.data import MOST
from filmstill.bedrock.models import Student, known_models
from filmstill.bedrock.order import Checked, Settings
from filmstill.models.chat import Prompt
from filmstill.models.estimate import TOKENS_PER_LABEL
from filmstill.models.limits import estimated_tokens
from filmstill.models.prices import Prices
from filmstill.task import Task

_USUAL = "a query of average length"


@dataclass(frozen=True, slots=True)
class Cost:
    """One part of the bill.

    Attributes:
        what: what is paid.
        dollars: about how much; None where there is no price.
        basis: how it was worked out, and where the price is from.
    """

    what: str
    dollars: float | None
    basis: str


def distillation_costs(
    settings: Settings, checked: Checked, task: Task, prices: Prices
) -> list[Cost]:
    """What a distillation job comes to."""
    if checked.file is None:
        return [Cost("distilling", None, "how much the logs hold is not looked at")]
    known, price = known_models(), checked.student.training
    examples = checked.file.examples
    unlabelled = sum(example.routing is None for example in examples)
    prompt_tokens = sum(_tokens(example.query, task) for example in examples)

    def teacher(records: float) -> float | None:
        tokens_in = prompt_tokens / len(examples) * records
        return prices.cost(settings.teacher, tokens_in, TOKENS_PER_LABEL * records)

    trained = prompt_tokens + TOKENS_PER_LABEL * len(examples)
    training = None if price is None else trained / 1000 * price
    added = MOST - len(examples)
    more = teacher(unlabelled + added)
    return [
        Cost(
            "teacher's answers",
            teacher(unlabelled),
            f"{unlabelled:,} records without a label; {_listed(prices)}",
        ),
        Cost(
            "training",
            training,
            f"about {trained:,.0f} tokens, each read once; price of {known.as_of}, not listed by "
            f"AWS",
        ),
        Cost(
            "both at most",
            None if more is None or training is None else more + training / len(examples) * MOST,
            f"if Bedrock adds prompts of its own, up to {MOST:,}; when it does is not published",
        ),
    ]


def serving_costs(student: Student, task: Task, prices: Prices) -> list[Cost]:
    """What a distilled model costs from then on, where it is deployed on demand."""
    one = prices.cost(student.inference, _tokens(_USUAL, task), TOKENS_PER_LABEL)
    return [
        _keeping(student),
        Cost(
            "1,000 queries on demand",
            None if one is None else one * 1000,
            f"as for the base model; {_listed(prices)}",
        ),
    ]


def provisioned_costs(student: Student, units: int) -> list[Cost]:
    """What a distilled model costs from then on, with so many units of throughput."""
    known = known_models()
    return [
        _keeping(student),
        Cost(
            "an hour of throughput",
            None if student.provisioned is None else units * student.provisioned,
            f"model units: {units}, used or not; without commitment, as of {known.as_of}, not "
            f"listed by AWS",
        ),
    ]


def in_words(costs: Sequence[Cost]) -> str:
    """The costs in one line."""
    return ", ".join(f"{cost.what} {_amount(cost.dollars)}" for cost in costs)


def _amount(dollars: float | None) -> str:
    """An amount as people write it."""
    return "unknown" if dollars is None else f"${dollars:,.2f}"


def _keeping(student: Student) -> Cost:
    return Cost(
        "keeping the model, a month",
        student.storage,
        f"as of {known_models().as_of}, not listed by AWS",
    )


def _listed(prices: Prices) -> str:
    return f"prices of {prices.as_of}: {prices.source}"


def _tokens(query: str, task: Task) -> float:
    return estimated_tokens(Prompt(task.student_prompt, (query,)))
