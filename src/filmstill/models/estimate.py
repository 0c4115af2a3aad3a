"""What questions to a model will cost, before it is asked."""

from collections.abc import Iterable
from dataclasses import dataclass

from filmstill.models.chat import Prompt
from filmstill.models.limits import estimated_tokens
from filmstill.models.prices import Prices

TOKENS_PER_LABEL = 80
"""Of an answer with a one-sentence reasoning; 40 of them are the weights."""


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


def estimate_calls(
    model: str,
    what: str,
    prompts: Iterable[Prompt],
    prices: Prices,
    *,
    tokens_out: float = TOKENS_PER_LABEL,
    priced_as: str = "",
) -> Estimate:
    """What it takes to ask a model all of these.

    Args:
        model: its address.
        what: what for.
        prompts: one per call.
        prices: what tokens cost.
        tokens_out: of one answer.
        priced_as: the model whose price it has, where its address does not say so.
    """
    calls, tokens_in = 0, 0.0
    for prompt in prompts:
        calls += 1
        tokens_in += estimated_tokens(prompt)
    out = float(tokens_out * calls)
    dollars = prices.cost(priced_as or model, tokens_in, out)
    return Estimate(model, what, calls, tokens_in, out, dollars)
