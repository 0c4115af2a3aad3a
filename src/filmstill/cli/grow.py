"""`filmstill grow`: more labelled examples from those there are."""

from pathlib import Path

import click

from filmstill.cli.options import PATH, read_task, task_option


@click.command()
@click.argument("file", type=PATH, required=False)
@click.option("--out", type=PATH, required=True, metavar="FILE", help="Where the examples go.")
@click.option(
    "--count",
    type=click.IntRange(1),
    default=20_000,
    show_default=True,
    help="How many examples there shall be, the given ones included.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same children.")
@click.option(
    "--words",
    type=PATH,
    metavar="FILE",
    help="TOML file of words to exchange and phrases to wrap with.  [default: the task's own]",
)
@click.option("--exclude", type=PATH, metavar="FILE", help="No child equals a query of this file.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@task_option
def grow(
    file: Path | None,
    out: Path,
    count: int,
    seed: int,
    words: Path | None,
    exclude: Path | None,
    force: bool,
    task_file: Path | None,
) -> None:
    """Grow the labelled examples in FILE (the task's own corpus if not given).

    Children ask for the same in other words: like exchanged for like, typos, lost capitals and
    accents, parts in another order, a polite phrase around. Each keeps its parent's weights and
    points to its parent, so that `filmstill distill` never validates on a child of a query it
    trained on.

    \b
    Examples:
      filmstill grow --out grown.jsonl
      filmstill grow train.jsonl --out grown.jsonl --count 5000 --seed 1
    """
    from filmstill.data.corpus import corpus_path, evaluation_path, growth_path
    from filmstill.data.formats import conversation_record
    from filmstill.data.growth import Growth
    from filmstill.data.growth import grow as run
    from filmstill.data.reading import load_examples, load_labelled, write_records
    from filmstill.errors import InputError
    from filmstill.files import is_there, make_folder, read_text
    from filmstill.task import Task

    if is_there(out) and not force:
        raise InputError(f"{out}: the file exists; give another --out, or --force to replace it")
    task = read_task(task_file) or Task.builtin()
    source = words or growth_path(task)
    growth = Growth.parse(read_text(source), str(source))
    read = load_labelled(file or corpus_path(task), task)
    for reject in read.rejects:
        click.echo(f"Left out {read.path}:{reject.line}: {reject.reason}", err=True)
    if exclude is None and file is None:
        exclude = evaluation_path(task)
    forbidden = load_examples(exclude, task).examples if exclude else ()
    grown = run(
        read.examples, growth, count=count, seed=seed, forbidden=[item.query for item in forbidden]
    )
    make_folder(out.parent)
    write_records(out, [conversation_record(example, task, with_tags=True) for example in grown])
    click.echo(
        f"{len(grown):,} examples in {out}, {len(grown) - len(read.examples):,} of them grown"
    )
    if len(grown) < count:
        click.echo("These examples do not yield more.", err=True)
