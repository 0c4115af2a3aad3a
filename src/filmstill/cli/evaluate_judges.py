"""`filmstill evaluate`: its judges, and what asking models will cost."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from filmstill.cli.evaluate_job import EvaluationJobs, is_job
from filmstill.cli.screen import out, progress_bar

if TYPE_CHECKING:
    from filmstill.evals.evaluate import Evaluation, Result
    from filmstill.evals.judges import Judge, Judgement
    from filmstill.models.estimate import Estimate
    from filmstill.models.journal import Journal
    from filmstill.models.prices import Prices
    from filmstill.records import Example
    from filmstill.router import Router


def open_judges(
    addresses: tuple[str, ...],
    run_folder: Path | None,
    profile: str,
    queries: int,
    journal: "Journal | None",
) -> "list[Judge | EvaluationJobs]":
    """The judges; the answers of models are kept in the journal where there is one.

    Raises:
        AwsError, DataError: see `EvaluationJobs`.
        InputError: there is no such judge, or no such run.
        MissingExtraError, ServiceError: a judge's model cannot be used.
    """
    from filmstill.evals.judges import open_judge
    from filmstill.models.journal import JournaledModel

    return [
        EvaluationJobs(address, run_folder, queries, profile)
        if run_folder is not None and is_job(address)
        else open_judge(
            address, lambda model: model if journal is None else JournaledModel(model, journal)
        )
        for address in addresses
    ]


def judge_all_routers(
    judges: "Sequence[Judge | EvaluationJobs]", evaluation: "Evaluation"
) -> "dict[str, list[Judgement]]":
    """The judgements by router, in the order of the judges; empty without judges.

    Raises:
        AwsError: an evaluation job cannot be begun, or failed.
    """
    by_judge = [
        judge.judge(evaluation)
        if isinstance(judge, EvaluationJobs)
        else [_judge(judge, result, evaluation) for result in evaluation.results]
        for judge in judges
    ]
    if not by_judge:
        return {}
    names = [result.scores.router for result in evaluation.results]
    return dict(zip(names, map(list, zip(*by_judge, strict=True)), strict=True))


def estimates(
    routers: "Sequence[Router]",
    judges: "Sequence[Judge | EvaluationJobs]",
    examples: "Sequence[Example]",
    prices: "Prices",
) -> "list[Estimate]":
    """What models will be asked: by routers, then by judges."""
    from filmstill.evals.judges import ChatJudge
    from filmstill.evals.judging import usual_prompts
    from filmstill.models.estimate import estimate_calls
    from filmstill.routers.chat import ChatRouter

    labelled = [example for example in examples if example.routing is not None]
    found = [
        estimate_calls(
            router.name,
            "route queries",
            (router.prompt(example.query) for example in labelled),
            prices,
            priced_as=router.priced_as,
        )
        for router in routers
        if isinstance(router, ChatRouter)
    ]
    found += [
        estimate_calls(judge.name, f"judge {router.name}", usual_prompts(labelled), prices)
        for judge in judges
        if isinstance(judge, ChatJudge | EvaluationJobs)
        for router in routers
    ]
    return found


def show_plan(
    calls: "list[Estimate]", judges: "list[Judge | EvaluationJobs]", routers: int, prices: "Prices"
) -> None:
    """Print what would be asked of models, and done on Bedrock."""
    from filmstill.bedrock.plan import evaluate_plan
    from filmstill.cli.bedrock_plan import show_calls
    from filmstill.cli.estimates import show_estimates

    for judge in judges:
        if isinstance(judge, EvaluationJobs):
            show_calls(judge.aws, evaluate_plan(judge.run, routers, judge.model))
    show_estimates(out(), calls, prices)


def _judge(judge: "Judge", result: "Result", evaluation: "Evaluation") -> "Judgement":
    """Judge one router's answers; queries that it was not asked have none."""
    from filmstill.evals.judges import judge_all
    from filmstill.evals.judging import cases_of, judgement_of

    cases = cases_of(result, evaluation)
    with progress_bar(f"{judge.name} judges {result.scores.router}", len(cases)) as shown:
        verdicts = judge_all(judge, cases, evaluation.task, on_verdict=shown.step).verdicts
    return judgement_of(judge.name, verdicts, result)
