"""`filmstill judge`: how far a judge can be trusted."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from filmstill.cli.options import PATH, json_option, read_task, task_option

if TYPE_CHECKING:
    from filmstill.evals.judge_check import Agreement


@click.command()
@click.argument("addresses", nargs=-1, required=True, metavar="JUDGE...")
@click.option(
    "--cases",
    type=PATH,
    metavar="FILE",
    help="Cases with known verdicts.  [default: the forty for video-search that ship]",
)
@json_option
@task_option
def judge(
    addresses: tuple[str, ...], cases: Path | None, as_json: bool, task_file: Path | None
) -> int:
    """Run each JUDGE on cases whose verdict is known, and print how far it agrees.

    A JUDGE is rubric (exact and free, but blind to reasonings), openai:MODEL or
    bedrock:MODEL_ID_OR_ARN. Cohen's weighted kappa is 1 for full agreement and 0 for what chance
    gives. The exit code is 1 where a judge scored no case.

    \b
    Examples:
      filmstill judge rubric openai:gpt-4o-mini
      filmstill judge bedrock:us.amazon.nova-pro-v1:0 --cases mine.jsonl
    """
    from filmstill.cli.screen import progress_bar
    from filmstill.errors import InputError
    from filmstill.evals.judge_check import CASES, check_judge, load_cases
    from filmstill.evals.judges import open_judge
    from filmstill.evals.scores import without_nan
    from filmstill.task import Task

    task = read_task(task_file) or Task.builtin()
    if cases is None and task.fingerprint != Task.builtin().fingerprint:
        raise InputError(
            "the cases that ship are for video-search: give --cases FILE for this task"
        )
    known = load_cases(cases or CASES, task)
    judges = [open_judge(address) for address in addresses]
    found = []
    for item in judges:
        with progress_bar(f"{item.name} judges", len(known)) as shown:
            found.append(check_judge(item, known, task, on_verdict=shown.step))
    if as_json:
        plain = without_nan([asdict(item) for item in found])
        click.echo(json.dumps(plain, indent=2, ensure_ascii=False))
    else:
        _show(found, len(known))
    return int(any(not item.answered for item in found))


def _show(found: "list[Agreement]", cases: int) -> None:
    from rich.table import Table

    from filmstill.cli.screen import out

    console = out()
    console.print(f"{cases} cases with known verdicts", style="bold")
    console.print()
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("judge")
    for heading in ("kappa", "same score", "within one", "mean", "known mean", "unscored"):
        table.add_column(heading, justify="right")
    for item in found:
        if not item.answered:
            table.add_row(item.judge, *["-"] * 5, str(item.judgement.unscored))
            continue
        known = sum(item.known) / len(item.known)
        table.add_row(
            item.judge,
            f"{item.kappa:.2f}",
            f"{item.exact:.0%}",
            f"{item.near:.0%}",
            f"{item.judgement.mean:.2f}",
            f"{known:.2f}",
            str(item.judgement.unscored),
        )
    console.print(table)
    for item in found:
        reasons = [each.explanation for each in item.judgement.verdicts if each.score is None]
        if reasons:
            console.print(f"\n{item.judge}: {len(reasons)} unscored; first: {reasons[0]}")
