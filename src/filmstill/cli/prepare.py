"""`filmstill prepare`: a labelled set, from queries and a teacher."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from filmstill.cli.options import PATH, engine_option, read_task, settings_options, task_option
from filmstill.config import PrepareConfig

if TYPE_CHECKING:
    from filmstill.teachers.plan import Slot


@click.command()
@click.option("--out", type=PATH, required=True, metavar="FILE", help="Where the set goes.")
@click.option(
    "--teacher",
    metavar="ADDRESS",
    help="Who labels: openai:MODEL, bedrock:MODEL_ID_OR_ARN, recorded:FILE or a student's folder.  "
    "[default: the labelled corpus that ships]",
)
@click.option(
    "--writer", metavar="ADDRESS", help="Which model writes the queries.  [default: the teacher]"
)
@click.option(
    "--queries",
    type=PATH,
    metavar="FILE",
    help="Label these queries instead of having some written.",
)
@click.option("--prompts-only", is_flag=True, help="Write queries without labels.")
@click.option(
    "--plan",
    "plan_file",
    type=PATH,
    metavar="FILE",
    help="TOML file: which kinds of queries to write.",
)
@click.option(
    "--domain",
    "words_file",
    type=PATH,
    metavar="FILE",
    help="TOML file with lists of your own words (titles, people, attributes) to write about.",
)
@click.option(
    "--exclude",
    type=PATH,
    metavar="FILE",
    help="No written query is near one of this file.  [default: the task's own evaluation set]",
)
@settings_options(PrepareConfig)
@click.option(
    "--max-cost",
    type=click.FloatRange(0),
    metavar="USD",
    help="Stop before more than this is spent.",
)
@click.option(
    "--prices", "prices_file", type=PATH, metavar="FILE", help="TOML file with prices of your own."
)
@click.option(
    "--batch",
    metavar="S3URI",
    help="Label in Bedrock batch jobs, through s3://BUCKET/PREFIX; at about half the price.",
)
@click.option(
    "--role", default="", metavar="ARN", help="Role with which batch jobs read and write there."
)
@engine_option
@click.option(
    "--tasks",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="Files at the same time on Ray; they share the limits on calls and tokens.",
)
@click.option("--dry-run", is_flag=True, help="Print plan, calls, tokens and cost; ask nothing.")
@click.option("--finish", is_flag=True, help="Ask nothing more: write what is labelled so far.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@task_option
def prepare(
    out: Path,
    teacher: str | None,
    writer: str | None,
    queries: Path | None,
    prompts_only: bool,
    plan_file: Path | None,
    words_file: Path | None,
    exclude: Path | None,
    max_cost: float | None,
    prices_file: Path | None,
    batch: str | None,
    role: str,
    engine: str,
    tasks: int,
    dry_run: bool,
    finish: bool,
    force: bool,
    task_file: Path | None,
    **settings: float,
) -> int:
    """Prepare a labelled set: write queries to a plan, label them with a teacher.

    Every answer is kept in FILE.journal.sqlite as it comes. A run that was stopped, by Ctrl-C or
    otherwise, goes on from there with the same command and pays for nothing twice. FILE holds
    bedrock-conversation-2024 records; what else is known of each is in FILE.tags.jsonl, what could
    not be labelled in FILE.rejects.jsonl, and how it was made in FILE.card.md.

    Where --queries is a folder, --out is one too: every file is labelled by itself, and those that
    are there already are left alone. --max-cost is shared out evenly among the files.

    \b
    Examples:
      filmstill prepare --out train.jsonl --count 5000
      filmstill prepare --out train.jsonl --teacher bedrock:us.amazon.nova-pro-v1:0 --dry-run
      filmstill prepare --out train.jsonl --teacher openai:gpt-4o-mini --queries log.txt
    """
    from filmstill.cli.prepare_files import label_files
    from filmstill.cli.prepare_screen import KEPT, show_estimate, show_prepared, watching
    from filmstill.data.corpus import plan_path
    from filmstill.errors import InputError
    from filmstill.files import is_there
    from filmstill.models.chat import is_model
    from filmstill.models.prices import load_prices
    from filmstill.task import Task
    from filmstill.teachers.order import Order, journal_path
    from filmstill.teachers.plan import Plan, read_words, with_words
    from filmstill.teachers.prepare import prepare as run

    task = read_task(task_file) or Task.builtin()
    config = PrepareConfig(**settings)  # type: ignore[arg-type]
    if queries is not None and (teacher is None or writer or plan_file or words_file):
        raise InputError("--queries need a --teacher, and no --writer, --plan or --domain")
    author = None if queries else writer or teacher
    author = author if author and is_model(author) else None
    slots: list[Slot] = []
    if author is not None:
        plans = [path for path in (plan_path(task), plan_file) if path]
        slots = Plan.load(task, *plans).slots(task, config.count, config.seed)
        if words_file is not None:
            slots = with_words(slots, read_words(words_file), config.seed)
    elif writer or plan_file or words_file:
        raise InputError("--writer, --plan and --domain need a model: openai:MODEL or bedrock:ID")
    order = Order(
        out,
        task,
        config,
        load_prices(prices_file),
        teacher=teacher,
        queries=queries,
        writer=author,
        slots=slots,
        exclude=exclude,
        label=not prompts_only,
        max_cost=max_cost,
        finish=finish,
        batch=batch,
        role=role,
    )
    if batch and not (role and teacher and teacher.startswith("bedrock:")):
        raise InputError("--batch needs --teacher bedrock:MODEL and --role ARN")
    if queries is not None and queries.is_dir():
        label_files(order, queries, engine, tasks, dry_run=dry_run)
        return 0
    if dry_run:
        show_estimate(order)
        return 0
    if is_there(out) and not force:
        raise InputError(f"{out}: the file exists; give another --out, or --force to replace it")
    stop = threading.Event()
    try:
        with watching() as watcher:
            prepared = run(order, watcher, stop)
    except KeyboardInterrupt:
        if order.models:
            click.echo(f"{KEPT.format(journal=journal_path(out))}", err=True)
        raise
    return show_prepared(prepared, order)
