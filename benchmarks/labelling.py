"""Labelling against a server that misbehaves, and under `kill -9`: `make bench-labelling`.

Labels queries through `benchmarks/flaky_server.py`, once undisturbed and once with the process
killed at random moments, and checks that no query is lost, none is paid for twice (but for the
calls under way at a kill), the order is right, the rate limit is used, and memory stays small.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from flaky_server import CHANNELS, label

SERVER = Path(__file__).with_name("flaky_server.py")
USE, MEMORY_MB = 0.9, 300  # at least so much of the rate, at most so much memory


def main() -> None:
    """Run both, print, exit with 1 where something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--workers", type=int, default=48)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--lenient", action="store_true", help="do not judge speed and memory, for busy machines"
    )
    options = parser.parse_args()
    failed = []
    for kills in dict.fromkeys((0, options.kills)):
        with tempfile.TemporaryDirectory() as folder, served(options.rate, options.seed) as url:
            facts = run(Path(folder), url, options, kills)
        print(json.dumps(facts), flush=True)
        failed += [f"{name} ({kills} kills)" for name, good in facts["checks"].items() if not good]
    if failed:
        sys.exit("NOT AS IT MUST BE: " + ", ".join(failed))


def run(folder: Path, url: str, options: argparse.Namespace, kills: int) -> dict[str, object]:
    """Label, with so many kills; the figures."""
    queries = [f"query {number} about thing {number % 97}" for number in range(options.queries)]
    given, out = folder / "queries.txt", folder / "train.jsonl"
    given.write_text("\n".join(queries) + "\n", encoding="utf-8")
    words = [sys.executable, "-m", "filmstill.cli.main", "prepare", "--teacher", "openai:flaky"]
    words += ["--queries", str(given), "--out", str(out), "--workers", str(options.workers)]
    words += ["--requests-per-minute", str(options.rate * 60), "--timeout", "2"]
    environment = {**os.environ, "OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "none"}
    chooser = random.Random(options.seed)  # noqa: S311
    usual = options.queries / options.rate  # seconds, about
    start, memory = time.monotonic(), 0.0
    for number in range(kills + 1):
        process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
        if number < kills:
            time.sleep(1 + chooser.random() * usual / kills * 1.2)
            process.kill()
        memory = max(memory, wait(process))
        if process.returncode == 0:
            break
    seconds = time.monotonic() - start
    with urlopen(f"{url}/counts") as answer:  # noqa: S310 - loopback
        counts = json.load(answer)
    records = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    labelled = [record["messages"][0]["content"][0]["text"] for record in records]
    rejects = out.with_name(out.name + ".rejects.jsonl")
    lines = rejects.read_text(encoding="utf-8").splitlines() if rejects.exists() else []
    rejected = {json.loads(line)["query"] for line in lines}
    handled = sum(count for what, count in counts["did"].items() if what != "over the rate")
    used = handled / (counts["seconds"] * options.rate)
    return {
        "queries": options.queries,
        "kills": number,
        "seconds": round(seconds, 1),
        "labelled": len(labelled),
        "rejected": len(rejected),
        "rate_used": round(used, 3),
        "memory_mb": round(memory),
        "paid": counts["paid"],
        "paid_again": counts["paid_again"],
        "server": counts["did"],
        "checks": {
            "none lost": len(labelled) + len(rejected) == options.queries,
            "order": labelled == [query for query in queries if query not in rejected],
            "labels are the server's": all(map(as_served, records)),
            "none paid twice": counts["paid_again"] <= number * options.workers,
            "rate used": bool(kills) or options.lenient or used >= USE,
            "memory": options.lenient or memory <= MEMORY_MB,
        },
    }


def as_served(record: dict[str, object]) -> bool:
    """Whether a record's label is what the server says of its query."""
    query, answer = (turn["content"][0]["text"] for turn in record["messages"])
    given, right = json.loads(answer), json.loads(label(query))
    return all(abs(given[name] - right[name]) < 1e-9 for name in CHANNELS)


def wait(process: "subprocess.Popen[bytes]") -> float:
    """Wait for a process; its peak memory in MB."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss / 1024


@contextmanager
def served(rate: float, seed: int) -> Iterator[str]:
    """The server, in a process of its own."""
    words = [sys.executable, str(SERVER), "--rate", str(rate), "--seed", str(seed)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        finally:
            server.kill()


if __name__ == "__main__":
    main()
