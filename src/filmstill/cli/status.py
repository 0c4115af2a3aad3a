"""`filmstill status`: what a run made, and how it stands."""

import json
from pathlib import Path

import click

from filmstill.cli.options import PATH, json_option


@click.command()
@click.argument("run", type=PATH)
@click.option("--profile", default="", metavar="NAME", help="A profile of the AWS configuration.")
@json_option
def status(run: Path, profile: str, as_json: bool) -> None:
    """Show what the run in the folder RUN made on Amazon Bedrock, and how each thing stands there.

    \b
    Examples:
      filmstill status runs/july
    """
    from rich.table import Table

    from filmstill.bedrock.order import account_of
    from filmstill.bedrock.run import open_run
    from filmstill.bedrock.standing import standing
    from filmstill.cli.screen import err, out

    record = open_run(run)
    aws = account_of(record, profile)
    with err().status("Looking"):
        rows = [(item, standing(aws, record, item)) for item in record.things]
    if as_json:
        content = [
            {"kind": item.kind, "name": item.name, "arn": item.arn, "status": now}
            for item, now in rows
        ]
        click.echo(json.dumps(content, indent=2))
        return
    table = Table("what", "name", "status", box=None, pad_edge=False)
    for item, now in rows:
        table.add_row(item.kind, item.name, now)
    out().print(table)
