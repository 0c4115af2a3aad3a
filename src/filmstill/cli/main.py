"""The `filmstill` command: finds the verb, and turns errors into one sentence and an exit code."""

import io
import os
import sys
import traceback
from importlib import import_module

import click

from filmstill import __version__
from filmstill.errors import FilmstillError

INTERRUPTED = 130  # what shells report for a process ended by Ctrl-C

_VERBS = {
    "check": "Validate and describe a file of examples.",
    "cleanup": "Remove all that a run on Amazon Bedrock made.",
    "deploy": "Give a student a name under which it is served.",
    "deployments": "List, show, update and delete deployments.",
    "distill": "Distil labelled queries into a student.",
    "evaluate": "Score routers against reference labels.",
    "grow": "Grow labelled examples in other words.",
    "jobs": "Start, list, show and stop jobs that distil in the background.",
    "judge": "Measure how far a judge can be trusted.",
    "prepare": "Write queries and have a teacher label them.",
    "route": "Give queries their channel weights.",
    "serve": "Serve students over HTTP.",
    "status": "Show what a run on Amazon Bedrock made, and how it stands.",
}


class _Verbs(click.Group):
    """Loads a verb's module only when it is called, so that --help stays instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _VERBS:
            return None
        command: click.Command = getattr(import_module(f"filmstill.cli.{name}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_VERBS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="filmstill")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Distil a large model's judgement of search queries into a millisecond router.

    \b
    Examples:
      filmstill distill train.jsonl --out student
      filmstill route "a dog barking in the rain"
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 a known failure, 2 wrong usage, 130 Ctrl-C."""
    for stream in (sys.stdout, sys.stderr):
        # Queries are of any script, and a pipe or an old terminal may not be.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    words = sys.argv[1:] if arguments is None else arguments
    sys.exit(_run(words, debug="--debug" in words))


def _run(words: list[str], *, debug: bool) -> int:
    try:
        # standalone_mode=False hands errors to us; a command's return value is its exit code.
        return cli.main(words, prog_name="filmstill", standalone_mode=False) or 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.exceptions.Exit as error:
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output, such as `head`, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except FilmstillError as error:
        if debug:
            traceback.print_exc()
        click.echo(f"Error: {error}", err=True)
        return 1
    except Exception as error:
        if debug:
            traceback.print_exc()
        kind = type(error).__name__
        hint = "" if debug else " Run `filmstill --debug ...` for the traceback."
        click.echo(
            f"Error: unexpected {kind}: {error}. This is a bug in Filmstill.{hint}", err=True
        )
        return 1


if __name__ == "__main__":
    main()
