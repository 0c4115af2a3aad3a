"""What the baselines share: weights from a prediction, on the grid or raw, without a reasoning."""

from abc import abstractmethod
from collections.abc import Sequence

from filmstill.query import clean_query
from filmstill.records import Routing
from filmstill.router import Router
from filmstill.weights import RAW_STEPS, FloatArray, snap, weights_mapping


class Baseline(Router):
    """A router that only predicts weights; it has no reasoning, confidence or evidence to give."""

    explains = False

    @abstractmethod
    def predict(self, queries: Sequence[str]) -> FloatArray:
        """Raw weights `(n_queries, n_channels)`, not negative, each row with a sum above 0."""

    def route_many(
        self, queries: Sequence[str], *, explain: bool = False, raw: bool = False
    ) -> list[Routing]:
        """Route several queries; `explain` adds nothing. See `Router.route_many`."""
        cleaned = [clean_query(query) for query in queries]
        if not cleaned:
            return []
        weights = snap(self.predict(cleaned), RAW_STEPS if raw else self.task.steps)
        return [Routing(weights_mapping(row, self.task)) for row in weights]
