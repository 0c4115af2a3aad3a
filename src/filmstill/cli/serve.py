"""`filmstill serve`: students over HTTP."""

import os
from ipaddress import ip_address
from pathlib import Path

import click

from filmstill.cli.options import PATH, read_task, settings_options, task_option
from filmstill.config import ServeConfig


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Port to listen at; 0 takes a free one.",
)
@click.option(
    "--api-key-file",
    type=PATH,
    metavar="FILE",
    help="API keys that are let in, one a line; FILMSTILL_API_KEYS holds more, comma-separated.",
)
@click.option(
    "--insecure", is_flag=True, help="Listen to other machines though there are no API keys."
)
@click.option(
    "--region",
    default="us-east-1",
    show_default=True,
    help="AWS region that it stands for; requests signed for another one are refused.",
)
@click.option(
    "--s3-root",
    type=PATH,
    metavar="DIR",
    help="Folder that stands for S3: s3://bucket/key is DIR/bucket/key.",
)
@click.option(
    "--s3-endpoint",
    default="",
    metavar="URL",
    help="S3 service for s3:// addresses.  [default: what boto3 finds]",
)
@click.option(
    "--teacher",
    default="",
    metavar="ADDRESS",
    help="Who labels the records of a job that have no label.",
)
@click.option(
    "--judge",
    default="rubric",
    show_default=True,
    metavar="ADDRESS",
    help="Who rates in evaluation jobs: rubric, or openai:MODEL.",
)
@click.option(
    "--base-model",
    default="",
    metavar="ADDRESS",
    help="Who answers for Bedrock's base models, such as openai:MODEL.  [default: nobody]",
)
@click.option(
    "--recipes",
    type=PATH,
    metavar="FILE",
    help="Which students base models stand for; see the shipped recipes.toml.",
)
@task_option
@settings_options(ServeConfig)
def serve(
    host: str,
    port: int,
    api_key_file: Path | None,
    insecure: bool,
    region: str,
    s3_root: Path | None,
    s3_endpoint: str,
    teacher: str,
    judge: str,
    base_model: str,
    recipes: Path | None,
    task_file: Path | None,
    **settings: float,
) -> None:
    """Serve students over HTTP: the native API, OpenAI's and Bedrock's.

    The student that ships with Filmstill answers as `filmstill`, every deployment under its own
    name. Deployments that change while the server runs are followed without losing a request.

    A key is sent as `Authorization: Bearer KEY`, as `x-api-key: KEY`, or by an AWS client as its
    access key id; the signature of the latter is not checked.

    SIGTERM and Ctrl-C finish what is under way; the second one ends at once.

    \b
    Examples:
      filmstill serve
      filmstill serve --s3-root ./s3 --jobs 2
      filmstill serve --host 0.0.0.0 --api-key-file keys.txt
    """
    from filmstill.errors import require

    require("fastapi", "serve", "the server")
    from filmstill.jobs.order import Places
    from filmstill.jobs.recipes import load_recipes
    from filmstill.registry import Registry
    from filmstill.serve.assemble import Options, assemble
    from filmstill.serve.keys import ENVIRONMENT, Keys
    from filmstill.serve.observe import log_to_stderr
    from filmstill.serve.server import listen
    from filmstill.serve.server import serve as run

    config = ServeConfig(**settings)  # type: ignore[arg-type]
    keys = Keys.read(api_key_file, os.environ.get(ENVIRONMENT, ""))
    if not (keys or insecure or _is_loopback(host)):
        raise click.UsageError(
            f"--host {host} lets other machines in and there are no API keys: give "
            f"--api-key-file FILE, or --insecure to let everyone in"
        )
    task = read_task(task_file)
    options = Options(
        region,
        Places(str(s3_root.resolve()) if s3_root else "", s3_endpoint),
        task=task.to_toml() if task else "",
        teacher=teacher,
        judge=judge,
        base_model=base_model,
        recipes=load_recipes(recipes),
    )
    registry = Registry()
    try:
        listener = listen(host, port)
        address = _address(host, listener.getsockname()[1])
        log_to_stderr()
        app = assemble(registry, options, config, keys, any_host=insecure)
        run(app, listener, started=lambda: click.echo(_greeting(address), err=True))
    finally:
        registry.close()


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address(host: str, port: int) -> str:
    """The server's address as a client on this machine writes it."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not to bind to
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _greeting(address: str) -> str:
    return (
        f"Listening at {address}; documentation: {address}/docs; for boto3: "
        f"export AWS_ENDPOINT_URL_BEDROCK={address} AWS_ENDPOINT_URL_BEDROCK_RUNTIME={address}"
    )
