"""A judge and an evaluated router: what is judged, and where its verdicts belong."""

from collections.abc import Iterable, Iterator, Sequence

from filmstill.evals.evaluate import Evaluation, Result
from filmstill.evals.judges import NOT_ASKED, Case, Judgement, Verdict, judge_prompt
from filmstill.models.chat import Prompt
from filmstill.records import Example


def cases_of(result: Result, evaluation: Evaluation) -> list[Case]:
    """What there is to judge: queries that the router was not asked are left out."""
    return [
        Case(example.query, example.routing, answer.routing)
        for example, answer in zip(evaluation.examples, result.answers, strict=True)
        if answer.asked and example.routing is not None
    ]


def judgement_of(judge: str, verdicts: Iterable[Verdict], result: Result) -> Judgement:
    """A judge's verdicts on these cases as those on all queries."""
    found = iter(verdicts)
    return Judgement(
        judge, tuple(next(found) if answer.asked else NOT_ASKED for answer in result.answers)
    )


def usual_prompts(examples: Sequence[Example]) -> Iterator[Prompt]:
    """What a judge will be asked, about: with the references in the place of the predictions."""
    for example in examples:
        if example.routing is not None:
            yield judge_prompt(example.query, example.routing, example.routing)
