"""`filmstill deploy`: a student gets a name, or an address on Bedrock."""

from contextlib import closing
from pathlib import Path

import click

from filmstill.cli.options import PATH


@click.command()
@click.argument("student", type=PATH)
@click.option(
    "--name", default="", metavar="NAME", help="The deployment's name; needed but for a run."
)
@click.option(
    "--provisioned",
    type=click.IntRange(1),
    metavar="UNITS",
    help="Bedrock: buy so many units of throughput by the hour instead of paying by the token.",
)
@click.option("--profile", default="", metavar="NAME", help="Bedrock: an AWS profile.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Bedrock: show every call and what it will cost, and do nothing.",
)
def deploy(student: Path, name: str, provisioned: int | None, profile: str, dry_run: bool) -> None:
    """Deploy the student in the folder STUDENT under NAME.

    Servers that run with the same FILMSTILL_HOME serve it at once, and NAME is a router address for
    every command. The student is copied, so that the folder may change or go. STUDENT may also be
    the name of a student that a job distilled.

    Where STUDENT is the folder of a run on Amazon Bedrock, its model is deployed there, on demand
    or with --provisioned throughput, and the folder is a router address from then on.

    \b
    Examples:
      filmstill deploy student --name search
      filmstill route "a dog barking in the rain" --router search
      filmstill deploy runs/july
    """
    from filmstill.bedrock.run import record_path
    from filmstill.files import is_there

    if is_there(record_path(student)):
        if name:
            raise click.UsageError("a deployment of a run on Bedrock is called after the run")
        _on_bedrock(student, provisioned, profile, dry_run=dry_run)
        return
    if not name:
        raise click.UsageError("give the deployment a name: --name NAME")
    if provisioned or profile or dry_run:
        raise click.UsageError(
            "--provisioned, --profile and --dry-run are for the folder of a Bedrock run"
        )
    _on_this_machine(student, name)


def _on_this_machine(student: Path, name: str) -> None:
    from filmstill.cli.deployments import student_of
    from filmstill.cli.screen import out
    from filmstill.errors import ArtefactError
    from filmstill.registry import Registry
    from filmstill.registry.deployments import deploy as run

    with closing(Registry()) as registry:
        made = run(registry, name, student_of(registry, student))
    if made.failure:
        raise ArtefactError(f"{made.name} is {made.status}: {made.failure}")
    out().print(f"{made.name} is {made.status}: {made.source}", soft_wrap=True)


def _on_bedrock(folder: Path, units: int | None, profile: str, *, dry_run: bool) -> None:
    from filmstill.bedrock.cost import in_words, provisioned_costs, serving_costs
    from filmstill.bedrock.deployment import (
        PROVISIONED,
        ensure_deployment,
        ensure_provisioned,
        wait_until_served,
    )
    from filmstill.bedrock.models import student_called
    from filmstill.bedrock.order import account_of, task_of
    from filmstill.bedrock.plan import deploy_plan
    from filmstill.bedrock.run import open_run
    from filmstill.cli.bedrock_plan import show_calls, show_costs
    from filmstill.cli.screen import err, out
    from filmstill.models.prices import load_prices

    run = open_run(folder)
    aws = account_of(run, profile)
    student = student_called(run.settings["student"])
    if units is None:
        costs = serving_costs(student, task_of(run), load_prices())
        until = ""
    else:
        costs = provisioned_costs(student, units)
        until = f", until `filmstill cleanup {folder} --only {PROVISIONED}`"
    if dry_run:
        show_calls(aws, deploy_plan(run, units))
        show_costs(costs)
        return
    err().print(f"Costs, about: {in_words(costs)}{until}")
    talk, seen = err(), ""
    with run.alone(), talk.status("Deploying") as status:

        def look(word: str) -> None:
            nonlocal seen
            status.update(f"Deploying: {word}")
            if word != seen:
                seen = word
                talk.print(f"Deployment {run.name}: {word}")

        if units is None:
            ensure_deployment(aws, run)
        else:
            ensure_provisioned(aws, run, units)
        arn = wait_until_served(aws, run, on_look=look)
    out().print(f"{arn} answers. As a router: {folder}", soft_wrap=True)
