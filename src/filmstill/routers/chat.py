"""A router that asks a large language model, query by query."""

from collections.abc import Sequence

from filmstill.models import ChatModel, Prompt
from filmstill.prompts import render
from filmstill.query import clean_query
from filmstill.records import Routing
from filmstill.router import Router
from filmstill.routers.reply import read_reply
from filmstill.task import Task


class ChatRouter(Router):
    """Routes with the task's teacher prompt, or with one that its model was trained with."""

    billed = True

    def __init__(self, model: ChatModel, task: Task, *, prompt: str | None = None) -> None:
        """Take the model to ask, the task to ask it about, and a system prompt of its own."""
        self.model = model
        self.task = task
        self.name = model.address
        self._system = render("teacher", task) if prompt is None else prompt

    def route_many(
        self, queries: Sequence[str], *, explain: bool = False, raw: bool = False
    ) -> list[Routing]:
        """Ask once per query, one after the other.

        The weights are the model's own, made to sum to 1; `raw` changes nothing, and the reasoning
        is there in any case. See `Router.route_many`.

        Raises:
            RoutingError: a call failed, or a reply holds no routing.
            ServiceError: no call can succeed.
        """
        return [
            read_reply(self.model.complete(self.prompt(clean_query(query))), self.task)
            for query in queries
        ]

    def prompt(self, query: str) -> Prompt:
        """What the model is asked about a query."""
        return Prompt(self._system, (query,))
