"""Latency, throughput, memory and size of a student: `make bench`.

Every figure is taken in a process of its own that does nothing but route, on one thread.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np

PUBLISHED_MS = 833.0  # mean latency of the published distilled model
TARGETS = {
    "route p50 (ms)": ("<=", 2.0),
    "route p99 (ms)": ("<=", 5.0),
    "explain p50 (ms)": ("<=", 25.0),
    "explain p99 (ms)": ("<=", 25.0),
    "batch (queries/s)": (">=", 600.0),
    "peak memory (MB)": ("<=", 200.0),
    "artefact (MB)": ("<=", 25.0),
    "import over bare python (ms)": ("<=", 300.0),
    "--help over bare python (ms)": ("<=", 300.0),
}


def measure(address: str) -> dict[str, float]:
    """All figures of one student, in this process."""
    from filmstill import Router, Task, load_examples
    from filmstill.data.corpus import evaluation_path

    start = time.perf_counter()
    router = Router.load(address)
    router.route("warm up")
    cold_ms = (time.perf_counter() - start) * 1000
    task = Task.builtin()
    queries = [item.query for item in load_examples(evaluation_path(task), task).examples]

    def times(**options: bool) -> np.ndarray:
        taken = []
        for query in queries:
            begin = time.perf_counter()
            router.route(query, **options)
            taken.append((time.perf_counter() - begin) * 1000)
        return np.array(taken)

    times()  # warm
    # The quietest of five rounds per query: other processes of the machine only ever add time.
    plain = np.min([times() for _ in range(5)], axis=0)
    noisy = np.concatenate([times() for _ in range(3)])
    explained = times(explain=True)
    begin = time.perf_counter()
    for _ in range(5):
        router.route_many(queries)
    rate = 5 * len(queries) / (time.perf_counter() - begin)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    files = router.artefact.layout.folder.iterdir()
    size = sum(path.stat().st_size for path in files if path.is_file()) / 1e6
    return {
        "load and first query (ms)": cold_ms,
        "route p50 (ms)": float(np.percentile(noisy, 50)),
        "route p99 (ms)": float(np.percentile(noisy, 99)),
        "route p99, best of 5 (ms)": float(np.percentile(plain, 99)),
        "explain p50 (ms)": float(np.percentile(explained, 50)),
        "explain p99 (ms)": float(np.percentile(explained, 99)),
        "batch (queries/s)": rate,
        "peak memory (MB)": peak,
        "artefact (MB)": size,
        "times faster than published": PUBLISHED_MS / float(np.mean(noisy)),
    }


def start_up() -> dict[str, float]:
    """Median time of starting, beyond that of an interpreter that does nothing."""

    def median(*words: str) -> float:
        taken = []
        for _ in range(9):
            begin = time.perf_counter()
            subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
            taken.append((time.perf_counter() - begin) * 1000)
        return float(np.median(taken))

    bare = median("-c", "pass")
    return {
        "import over bare python (ms)": median("-c", "import filmstill") - bare,
        "--help over bare python (ms)": median("-m", "filmstill.cli.main", "--help") - bare,
    }


def main() -> None:
    """Measure, print a table, and exit with 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--router", default="filmstill", help="a student's address")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(measure(options.router)))
        return
    command = [sys.executable, __file__, "--inside", "--router", options.router]
    figures = start_up() | json.loads(
        subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    )
    missed = 0
    for name, value in figures.items():
        sign, bound = TARGETS.get(name, ("", 0.0))
        met = not sign or (value <= bound if sign == "<=" else value >= bound)
        missed += not met
        target = f"target {sign} {bound:g}" + ("" if met else "  MISSED") if sign else ""
        print(f"{name:<28} {value:>9.2f}  {target}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
