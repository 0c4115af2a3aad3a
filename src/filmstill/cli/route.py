"""`filmstill route`: queries in, channel weights out."""

import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from filmstill.cli.options import (
    ADDRESSES,
    PATH,
    engine_option,
    json_option,
    read_task,
    task_option,
)
from filmstill.errors import FilmstillError

if TYPE_CHECKING:
    from filmstill.records import Routing
    from filmstill.router import Router

STDIN = "-"
_BAR_WIDTH = 30


@click.command()
@click.argument("queries", nargs=-1, metavar="[QUERY]...")
@click.option(
    "--file",
    "source",
    type=PATH,
    metavar="PATH",
    help="Route a file of queries, or a folder of such files (.jsonl, .txt, .parquet).",
)
@click.option("--out", type=PATH, metavar="PATH", help="Where the routings of --file go.")
@engine_option
@click.option(
    "--router",
    "address",
    metavar="ADDRESS",
    envvar="FILMSTILL_ROUTER",
    show_envvar=True,
    help=f"{ADDRESSES}  [default: filmstill]",
)
@click.option("--explain", is_flag=True, help="Add the reasoning and what each word speaks for.")
@click.option("--raw", is_flag=True, help="Leave the weights off the grid, with four decimals.")
@json_option
@task_option
@click.pass_context
def route(
    ctx: click.Context,
    queries: tuple[str, ...],
    source: Path | None,
    out: Path | None,
    engine: str,
    address: str | None,
    explain: bool,
    raw: bool,
    as_json: bool,
    task_file: Path | None,
) -> int:
    """Give each QUERY its channel weights; - reads one query a line from standard input.

    With -, every line in gives one JSON line out, in order and at once; a line that is no query
    gives {"query", "error"}, and the exit code is 1 at the end.

    With --file, results go to --out: a file, or a folder with a file for each one given, Parquet
    for Parquet. Files that are there already are left alone, so a stopped run goes on where it was.

    \b
    Examples:
      filmstill route "Olivia talking about her childhood" --explain
      cat queries.txt | filmstill route - --router runs/mine/student
      filmstill route --file queries/ --out routed/ --engine ray
    """
    from filmstill.router import Router

    if source is not None or out is not None:
        if source is None or out is None or queries or explain or as_json:
            raise click.UsageError(
                "--file and --out go together, without a QUERY, --explain, --json"
            )
        _route_files(source, out, engine, address, task_file, raw=raw)
        return 0
    if not queries:
        raise click.UsageError("Missing argument 'QUERY...': give queries, - or --file")
    router = Router.load(address, task=read_task(task_file))
    if STDIN in queries:
        if len(queries) > 1:
            raise click.UsageError(f"{STDIN} stands alone: it reads all queries from stdin")
        return _stream(router, explain=explain, raw=raw)
    for query, routing in zip(
        queries, router.route_many(queries, explain=explain, raw=raw), strict=True
    ):
        if as_json:
            click.echo(_line(query, routing))
        else:
            _show(query, routing)
    return 0


def _route_files(
    source: Path, out: Path, engine: str, address: str | None, task_file: Path | None, *, raw: bool
) -> None:
    from filmstill.bulk.partitions import partitions
    from filmstill.bulk.routing import route_partition
    from filmstill.cli.bulk import run_bulk

    work = partial(route_partition, address=address, task_file=task_file, raw=raw)
    run_bulk(work, partitions(source, out), engine=engine, what="Routing files")


def _stream(router: "Router", *, explain: bool, raw: bool) -> int:
    failed = 0
    for line in _stdin_lines():
        query = line.decode("utf-8", "replace")
        try:
            line.decode("utf-8")
            click.echo(_line(query, router.route(query, explain=explain, raw=raw)))
        except (FilmstillError, UnicodeDecodeError) as error:
            failed = 1
            reason = str(error) if isinstance(error, FilmstillError) else "the line is not UTF-8"
            click.echo(json.dumps({"query": query, "error": reason}, ensure_ascii=False))
    return failed


def _stdin_lines() -> Iterator[bytes]:
    """Lines as they come, without line end: reading ahead would make a caller wait."""
    while line := sys.stdin.buffer.readline():
        yield line.rstrip(b"\r\n")


def _line(query: str, routing: "Routing") -> str:
    return json.dumps({"query": query, **routing.to_dict()}, ensure_ascii=False)


def _show(query: str, routing: "Routing") -> None:
    from rich.text import Text

    from filmstill.cli.screen import bar, out

    console = out()
    console.print(Text(query, style="bold"))
    width = max(map(len, routing.weights))
    for name, weight in routing.weights.items():
        style = "green" if name in routing.leading else ""
        console.print(Text(f"  {name:<{width}}  {weight:<6g}  {bar(weight, _BAR_WIDTH)}", style))
    if routing.confidence is not None:
        console.print(Text(f"  {'confidence':<{width}}  {routing.confidence:g}", style="dim"))
    if routing.reasoning:
        console.print(Text(f"  {routing.reasoning}"))
    for item in routing.evidence:
        console.print(Text(f"    {item.effect:+.2f} {item.channel}: {item.word}", style="dim"))
