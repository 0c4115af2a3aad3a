"""The main job on one screen: `make demo`.

Prepares a part of the shipped corpus, distils a student from it, compares it with the shipped
student (which saw all of it), with the undistilled encoder and with the baselines on queries that
were written apart from the corpus, routes a dozen queries, and ends with the report.
"""

import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from filmstill import Router

FOLDER = Path("runs/demo")
PART = 2000  # examples the demo trains on, so that it takes some three minutes
PUBLISHED_MS = 833.0  # mean latency of the published distilled model

QUERIES = (
    "Olivia talking about growing up in poverty",
    "a kettle whistles, then a door slams",
    "drone shot of a lighthouse at dawn",
    "Breaking Bad season 3",
    "what did the senator say about water rights",
    "slow sad piano with rain outside",
    "a sign that says listen",
    "silent disco on a rooftop",
    "Freddie Mercury at Live Aid",
    "crowd booing while the referee explains the penalty",
    "HOW DO I CHANGE A BICYCLE TYRE",
    "footage we may use in Japan until 2030",
)


def main() -> None:
    """Run the demo."""
    console = Console(highlight=False)
    FOLDER.mkdir(parents=True, exist_ok=True)
    train, student = FOLDER / "train.jsonl", FOLDER / "student"
    console.rule("1. Prepare and distil")
    run("prepare", "--out", train, "--count", PART, "--force")
    run("distill", train, "--out", student, "--force")
    console.rule("2. Compare")
    console.print("Queries that another writer wrote, in domains the corpus does not seek out:")
    console.print("filmstill is the student that ships, base the encoder before distillation.")
    routers = [
        word
        for name in ("filmstill", student, "base", "tfidf", "mean")
        for word in ("--router", name)
    ]
    report = FOLDER / "report"
    run("evaluate", *routers, "--train", train, "--report", report)
    console.rule("3. Route")
    show_routes(Router.load(), console)
    console.print(f"\nThe comparison with figures, for your browser:  {report / 'report.html'}")


def show_routes(router: Router, console: Console) -> None:
    """A table of a dozen queries with weights and reasoning."""
    table = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    table.add_column("query and reasoning", ratio=1)
    for name in router.task.channel_names:
        table.add_column(name, justify="right")
    times = []
    for query in QUERIES:
        start = time.perf_counter()
        router.route(query)
        times.append((time.perf_counter() - start) * 1000)
        routing = router.route(query, explain=True)
        cells = [
            Text(f"{weight:g}", style="bold green" if name in routing.leading else "")
            for name, weight in routing.weights.items()
        ]
        words = Text.assemble((query, "bold"), "\n", (routing.reasoning, "dim"), "\n")
        table.add_row(words, *cells)
    console.print(table)
    median = sorted(times)[len(times) // 2]
    console.print(
        f"A query takes {median:.1f} ms on one thread: {PUBLISHED_MS / median:,.0f} times faster "
        f"than the {PUBLISHED_MS:g} ms published for a distilled language model in the cloud.\n"
        f'Your turn:  .venv/bin/filmstill route "your query" --explain',
        soft_wrap=True,
    )


def run(*words: object) -> None:
    """Run one `filmstill` command, shown as it would be typed."""
    print(f"\n$ filmstill {' '.join(map(str, words))}", flush=True)
    subprocess.run([sys.executable, "-m", "filmstill.cli.main", *map(str, words)], check=True)


if __name__ == "__main__":
    main()
