"""Writes docs/cli.md from the help texts: `make docs`."""

from pathlib import Path

import click
from click.testing import CliRunner

from filmstill.cli.main import cli

PAGE = Path(__file__).with_name("cli.md")
HEAD = """\
# Commands

Made from the help texts by `make docs`. Data goes to stdout, talk and progress to stderr. Exit
codes: 0 done, 1 a known failure in one sentence (or lines that were rejected), 2 wrong usage,
130 Ctrl-C.
`filmstill --debug COMMAND ...` shows the traceback of an error.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for words in _commands(cli, []):
        ran = CliRunner().invoke(
            cli, [*words, "--help"], prog_name="filmstill", terminal_width=90, color=False
        )
        parts.append(f"## {' '.join(['filmstill', *words])}\n\n```\n{ran.output.strip()}\n```\n")
    return "\n".join(parts)


def _commands(group: click.Group, words: list[str]) -> list[list[str]]:
    """A group and all below it, depth first."""
    found, context = [words], click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        below = [*words, name]
        found += _commands(command, below) if isinstance(command, click.Group) else [below]
    return found


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
