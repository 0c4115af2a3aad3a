"""What a million queries cost: tokens at a listed price, or seconds of a core at its price."""

from filmstill.evals.scores import Scores
from filmstill.models.prices import Prices

_MILLION = 1_000_000
_MS_PER_HOUR = 3_600_000


def cost_per_million(scores: Scores, prices: Prices) -> float | None:
    """US dollars for a million queries like those evaluated.

    A language model's queries cost its tokens; None where its price is not listed or its service
    does not count tokens. Any other router costs the time of the core that it keeps busy; None for
    a recording.
    """
    if not scores.timed:
        return None
    if not scores.billed:
        return scores.latency.cpu * _MILLION / _MS_PER_HOUR * prices.core_hour
    if not scores.tokens_in:
        return None
    per_query = prices.cost(scores.priced_as, scores.tokens_in, scores.tokens_out)
    return None if per_query is None else per_query * _MILLION
