"""The prompts a task's channels make: one that teaches a large model, one line for a student.

A task file may bring templates of its own; `{channels}`, `{names}`, `{task}` and `{step}` are
replaced in them, and every other brace stays as it is.
"""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filmstill.task import Task

TEACHER = """\
You decide how a search engine should trust its channels. It searches {task}. Each item can be \
matched through several channels; for one query you say what share of the match each channel \
deserves.

Channels:
{channels}

How to decide:
1. Read the query as the person who typed it: what would they have to see, hear, read or know to \
recognise the right item?
2. Give each channel a weight from 0.0 to 1.0 in steps of {step}. The weights sum to exactly 1.0.
3. Judge the meaning, not single words: a word may name one channel and ask for another.
4. If the query gives no hint, stay close to an even split.

Answer with one JSON object and nothing else: the keys {names}, each with its weight, and \
"reasoning" with one sentence that quotes the words of the query which decided. The form:
{form}"""

STUDENT = (
    "Weigh the channels {names} for the search query: one JSON object with a weight per channel "
    "in steps of {step}, sum 1.0, and a one-sentence reasoning."
)

TEMPLATES = {"teacher": TEACHER, "student": STUDENT}


def render(role: str, task: "Task") -> str:
    """The prompt of a role ("teacher" or "student") for a task."""
    own = task.prompt_templates or {}
    text = own.get(role, TEMPLATES[role])
    for field, value in _fields(task).items():
        text = text.replace("{" + field + "}", value)
    return " ".join(text.split()) if role == "student" else text


def _fields(task: "Task") -> dict[str, str]:
    blocks = []
    for channel in task.channels:
        lines = [f"- {channel.name}: {channel.description}."]
        if channel.guidance:
            lines.append(f"  {channel.guidance}")
        if channel.examples:
            lines.append("  For example: " + "; ".join(f'"{query}"' for query in channel.examples))
        blocks.append("\n".join(lines))
    form: dict[str, float | str] = dict.fromkeys(task.channel_names, 0.0)
    form[task.channel_names[0]] = 1.0
    form["reasoning"] = "..."
    return {
        "channels": "\n".join(blocks),
        "names": ", ".join(task.channel_names),
        "task": task.description,
        "step": f"{task.grid_step:g}",
        "form": json.dumps(form),
    }
