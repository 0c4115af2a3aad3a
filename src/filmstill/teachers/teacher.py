"""What labels a query: a large language model with a repair turn, or any other router."""

from abc import ABC, abstractmethod
from dataclasses import replace

from filmstill.errors import RoutingError
from filmstill.models import ChatModel, Completion, Prompt
from filmstill.query import clean_query
from filmstill.records import Routing
from filmstill.router import Router
from filmstill.routers.reply import read_reply
from filmstill.task import Task
from filmstill.weights import snap, weights_array, weights_mapping

TEMPERATURE = 0.7
"""Of a teacher that is asked more than once: at 0 it would repeat itself."""
REPAIR = """\
That answer cannot be used: {reason}. Answer with one JSON object and nothing else, with a number \
from 0.0 to 1.0 for each of {names} that sum to exactly 1.0, and "reasoning" with one sentence."""


class Teacher(ABC):
    """Labels queries.

    Attributes:
        name: which teacher made a label, as files and cards say it.
        task: the task whose channels it weighs.
    """

    name: str
    task: Task

    @abstractmethod
    def label(self, query: str, sample: int = 0) -> Routing:
        """A label for a query, on the task's grid; safe to call from several threads.

        Args:
            query: the query.
            sample: number of the label among several for this query.

        Raises:
            RoutingError: there is none; `of_service` tells whether asking again may help.
            ServiceError: no call can succeed.
            BudgetError: the label could cost more than is left.
        """


class RouterTeacher(Teacher):
    """A recording, a student, a baseline: always the same label for the same query."""

    def __init__(self, router: Router) -> None:
        """Take the router."""
        self.name = router.name
        self.task = router.task
        self._router = router

    def label(self, query: str, sample: int = 0) -> Routing:
        """See `Teacher.label`."""
        routing = self._router.route(query, explain=True)
        return _on_grid(routing, self.task)


class ChatTeacher(Teacher):
    """A large language model, asked with the task's teacher prompt."""

    def __init__(self, model: ChatModel, task: Task, *, temperature: float = 0.0) -> None:
        """Take the model to ask, the task to ask about, and how much answers may vary."""
        self.name = model.address
        self.task = task
        self.model = model
        self._temperature = temperature
        self._schema = answer_schema(task)

    def prompt(self, query: str, sample: int = 0) -> Prompt:
        """What the model is asked first for a label."""
        return Prompt(
            self.task.teacher_prompt,
            (clean_query(query),),
            temperature=self._temperature,
            schema=self._schema,
            sample=sample,
        )

    def label(self, query: str, sample: int = 0) -> Routing:
        """See `Teacher.label`; a reply that cannot be used is sent back once with the reason."""
        prompt = self.prompt(query, sample)
        answer = self.model.complete(prompt)
        try:
            return self._read(answer)
        except RoutingError as error:
            said = answer.text if answer.text.strip() else "(no answer)"
            names = ", ".join(self.task.channel_names)
            back = REPAIR.format(reason=error, names=names)
            turns = (*prompt.turns, said, back)
        return self._read(self.model.complete(replace(prompt, turns=turns)))

    def _read(self, answer: Completion) -> Routing:
        """The routing in an answer; weights that do not sum to 1 are not guessed at.

        Raises:
            RoutingError: there is none.
        """
        routing = read_reply(answer, self.task)
        if routing.reply is not None and not routing.reply.sums:
            raise RoutingError("the weights do not sum to 1", routing.reply)
        return _on_grid(routing, self.task)


def answer_schema(task: Task) -> dict[str, object]:
    """JSON schema of a label: a number per channel and a reasoning."""
    properties: dict[str, object] = {name: {"type": "number"} for name in task.channel_names}
    properties["reasoning"] = {"type": "string"}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _on_grid(routing: Routing, task: Task) -> Routing:
    snapped = snap(weights_array([routing], task), task.steps)[0]
    return replace(routing, weights=weights_mapping(snapped, task))
