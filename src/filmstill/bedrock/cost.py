"""What a run will cost on Bedrock, before it begins."""

from dataclasses import dataclass

from filmstill.bedrock.models import known_models
from filmstill.bedrock.order import Checked, Settings
from filmstill.models.chat import Prompt
from filmstill.models.limits import estimated_tokens
from filmstill.models.prices import Prices
from filmstill.task import Task

TOKENS_PER_LABEL = 80
"""Of an answer with a one-sentence reasoning."""


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


def estimate(settings: Settings, checked: Checked, task: Task, prices: Prices) -> list[Cost]:
    """The parts of a run's bill; estimates, since Bedrock may add prompts of its own."""
    known, student = known_models(), checked.student
    costs, listed = [], f"prices of {prices.as_of}: {prices.source}"
    if checked.file is not None:
        examples = checked.file.examples
        unlabelled = sum(example.routing is None for example in examples)
        prompt_tokens = sum(_tokens(example.query, task) for example in examples)
        share = unlabelled / len(examples)
        asked = prices.cost(settings.teacher, prompt_tokens * share, TOKENS_PER_LABEL * unlabelled)
        costs.append(
            Cost(
                "teacher's answers",
                asked,
                f"{unlabelled:,} records without a label; {listed}",
            )
        )
        trained = prompt_tokens + TOKENS_PER_LABEL * len(examples)
        price = student.training
        costs.append(
            Cost(
                "training",
                None if price is None else trained / 1000 * price,
                f"about {trained:,.0f} tokens, each read once; price of {known.as_of}, not listed "
                f"by AWS",
            )
        )
    costs.append(Cost("keeping the model, a month", student.storage, f"as of {known.as_of}"))
    per_query = prices.cost(student.inference, _tokens("a query of average length", task), 80)
    costs.append(
        Cost(
            "1,000 queries on demand",
            None if per_query is None else per_query * 1000,
            f"as for the base model; {listed}",
        )
    )
    return costs


def _tokens(query: str, task: Task) -> float:
    return estimated_tokens(Prompt(task.student_prompt, (query,)))
