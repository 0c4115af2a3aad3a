"""Labels from a real small language model, over HTTP: `make demo-labels`.

Serves SmolLM2-135M-Instruct as `examples/demo_llm.py` does, and has `filmstill prepare` label
queries with it: structured output, the repair turn, rejects with the raw reply, the journal. The
model is far too small to judge well; what is shown is a whole run, not good labels.
"""

import argparse
import os
import subprocess
import sys

from demo_llm import FOLDER, served
from filmstill import Task, load_examples
from filmstill.data.corpus import evaluation_path


def main() -> None:
    """Serve, label, describe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=40, help="how many of the evaluation set")
    options = parser.parse_args()
    task = Task.builtin()
    examples = load_examples(evaluation_path(task), task).examples[: options.queries]
    FOLDER.mkdir(parents=True, exist_ok=True)
    given, out = FOLDER / "queries.txt", FOLDER / "labels.jsonl"
    given.write_text("".join(f"{item.query}\n" for item in examples), encoding="utf-8")
    with served() as url:
        words = ["prepare", "--queries", str(given), "--teacher", "openai:smollm2"]
        words += ["--out", str(out), "--workers", "1", "--timeout", "300", "--force"]
        run(words, {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "none"})
    print(out.with_name(out.name + ".card.md").read_text(encoding="utf-8"))
    run(["check", str(out)], {})


def run(words: list[str], environment: dict[str, str]) -> None:
    """A command as a user would give it."""
    shown = " ".join(f"{name}={value}" for name, value in environment.items())
    print(f"$ {shown} filmstill {' '.join(words)}".replace("$  ", "$ "), flush=True)
    command = [sys.executable, "-m", "filmstill.cli.main", *words]
    subprocess.run(command, check=True, env={**os.environ, **environment})


if __name__ == "__main__":
    main()
