"""`filmstill cleanup`: all that a run made is removed."""

from pathlib import Path

import click

from filmstill.bedrock.run import KINDS
from filmstill.cli.options import PATH


@click.command()
@click.argument("run", type=PATH)
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and remove nothing.")
@click.option(
    "--only",
    "kinds",
    type=click.Choice(KINDS),
    multiple=True,
    help="Remove this kind only; repeatable.",
)
@click.option("--profile", default="", metavar="NAME", help="A profile of the AWS configuration.")
def cleanup(run: Path, dry_run: bool, kinds: tuple[str, ...], profile: str) -> int:
    """Remove all that the run in the folder RUN made on Amazon Bedrock, and nothing else.

    What is removed is in the run's record and carries its tag. What fails is told and can be tried
    again by the same command. A bucket or role of yours stays; the run's folder stays too.

    \b
    Examples:
      filmstill cleanup runs/july --dry-run
      filmstill cleanup runs/july
    """
    from filmstill.bedrock.cleanup import clean_up, to_remove
    from filmstill.bedrock.order import account_of
    from filmstill.bedrock.run import open_run
    from filmstill.cli.screen import err

    record = open_run(run)
    chosen = tuple(kind for kind in KINDS if not kinds or kind in kinds)
    left = [item for item in to_remove(record) if item.kind in chosen]
    if not left:
        click.echo("There is nothing to remove.")
        return 0
    if dry_run:
        for item in left:
            click.echo(f"{item.kind} {item.name}")
        click.echo(f"{len(left)} to remove, in this order. Nothing is done.", err=True)
        return 0
    talk = err()
    with record.alone(), talk.status("Removing"):
        aws = account_of(record, profile)
        done = clean_up(aws, record, kinds=chosen, say=talk.print)
    failed = [removal for removal in done if removal.failure]
    for removal in failed:
        click.echo(f"{removal.item.kind} {removal.item.name}: {removal.failure}", err=True)
    click.echo(
        f"{len(done) - len(failed)} of {len(done)} removed"
        + ("; run the same command again for the others" if failed else "")
    )
    return 1 if failed else 0
