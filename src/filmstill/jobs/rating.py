"""Ratings of responses by the metrics of a job: by the rubric, or by a language model."""

import json
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from filmstill.data.labels import parse_label
from filmstill.errors import DataError, RoutingError
from filmstill.evals.judges import Case, RubricJudge
from filmstill.models import ChatModel, Completion, Prompt
from filmstill.models.chat import printable
from filmstill.routers.reply import json_objects, read_reply
from filmstill.task import Task

BUILTIN = "Builtin."
_MAX_TOKENS = 400
_FIELD = re.compile(r"\{\{\s*(prompt|prediction|ground_truth)\s*\}\}")
_FORM = """

Rate by this scale:
{scale}

Answer with one JSON object and nothing else: {{"explanation": "one or two sentences", \
"rating": {example}}}"""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric that was asked for.

    Attributes:
        name: as it was asked for, and as it is in the results.
        instructions: what the judge is told, with `{{prompt}}`, `{{prediction}}` and
            `{{ground_truth}}` in it.
        scale: each rating that may be given, with what it means; empty for a free one.
    """

    name: str
    instructions: str = ""
    scale: tuple[tuple[str | float, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Response:
    """One line of the data set, answered.

    Attributes:
        prompt: what was asked.
        text: what was answered.
        reference: the right answer; empty where there is none.
        category: of the prompt; empty where there is none.
    """

    prompt: str
    text: str
    reference: str = ""
    category: str = ""


@dataclass(frozen=True, slots=True)
class Rating:
    """What one metric made of one response; the result is None where there is none."""

    result: str | float | None
    explanation: str


class Rater(ABC):
    """Rates responses.

    Attributes:
        name: who rates.
    """

    name: str

    @abstractmethod
    def check(self, metric: Metric) -> None:
        """See whether this metric can be rated.

        Raises:
            DataError: it cannot; the message says why.
        """

    @abstractmethod
    def rate(self, metric: Metric, response: Response) -> Rating:
        """Rate a response; safe to call from several threads.

        Raises:
            ServiceError: no call of the model can succeed.
        """


class RubricRater(Rater):
    """The numeric part of the rubric: how far the weights are from the reference's, 1 to 5."""

    name = RubricJudge.name

    def __init__(self, task: Task) -> None:
        """Take the task that was routed."""
        self._task = task
        self._judge = RubricJudge()

    def check(self, metric: Metric) -> None:
        """See `Rater.check`; the scale must be numbers from 1 to 5, where there is one."""
        if metric.name.startswith(BUILTIN):
            raise DataError(
                f"the metric {metric.name} needs a language model as judge: start the server with "
                f"--judge openai:MODEL"
            )
        if metric.scale and {value for value, _ in metric.scale} != {1, 2, 3, 4, 5}:
            raise DataError(
                f"the metric {metric.name} has another scale than 1 to 5, which is the rubric's: "
                f"start the server with --judge openai:MODEL"
            )

    def rate(self, metric: Metric, response: Response) -> Rating:
        """See `Rater.rate`."""
        try:
            reference = parse_label(response.reference, self._task)
        except ValueError as error:
            return Rating(None, f"no reference to compare with: {error}")
        try:
            predicted = read_reply(Completion(response.text), self._task)
        except RoutingError:
            predicted = None
        verdict = self._judge.judge(Case(response.prompt, reference, predicted), self._task)
        result = None if verdict.score is None else float(verdict.score)
        return Rating(result, f"numeric part of the rubric: {verdict.explanation}")


class ChatRater(Rater):
    """A language model that follows a metric's instructions."""

    def __init__(self, model: ChatModel) -> None:
        """Take the model to ask."""
        self.name = model.address
        self._model = model

    def check(self, metric: Metric) -> None:
        """See `Rater.check`; a built-in metric's instructions are Bedrock's own, and not known."""
        if metric.name.startswith(BUILTIN):
            raise DataError(
                f"the metric {metric.name} is Bedrock's own and its instructions are not public: "
                f"use a custom metric"
            )

    def rate(self, metric: Metric, response: Response) -> Rating:
        """See `Rater.rate`; a call that fails leaves the response unrated."""
        try:
            answer = self._model.complete(
                Prompt("", (_question(metric, response),), max_tokens=_MAX_TOKENS)
            )
        except RoutingError as error:
            return Rating(None, str(error))
        return _read(answer.text, metric)


def _question(metric: Metric, response: Response) -> str:
    # One pass, so that what is filled in is never itself taken for a place to fill.
    fields = {"prompt": response.prompt, "prediction": response.text}
    fields["ground_truth"] = response.reference
    text = _FIELD.sub(lambda place: fields[place[1]], metric.instructions)
    if metric.scale:
        lines = "\n".join(f"{_shown(value)}: {meaning}" for value, meaning in metric.scale)
        example = json.dumps(_shown(metric.scale[0][0]))
        text += _FORM.format(scale=lines, example=example)
    return text


def _read(text: str, metric: Metric) -> Rating:
    """The rating in a judge's reply; none where it is not on the scale."""
    for found in json_objects(text):
        by_key: Mapping[str, Any] = {key.lower(): value for key, value in found.items()}
        given = by_key.get("rating", by_key.get("score"))
        explanation = printable(str(by_key.get("explanation", "")))
        if not metric.scale and _is_rating(given):
            return Rating(given, explanation)
        for value, _ in metric.scale:
            if given is not None and str(_shown(value)) == str(_shown(given)):
                return Rating(value, explanation)
    short = " ".join(text.split())[:120]
    return Rating(None, f"no rating in the judge's reply: {printable(short)!r}")


def _is_rating(given: object) -> TypeGuard[str | int | float]:
    if isinstance(given, float):
        return math.isfinite(given)  # or JSON could not hold it
    return isinstance(given, str | int) and not isinstance(given, bool)


def _shown(value: object) -> object:
    """A whole number without its ".0"."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
