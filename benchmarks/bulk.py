"""One worker against two on Ray: `make bench-bulk`.

Routes queries of the corpus, as a folder of files, on a Ray cluster of one node with one CPU and
then of two such nodes, on this machine, and prints how long each took and the ratio. The workers
are warmed up first: loading the library and the student is not in the figures.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from filmstill import Task, load_examples
from filmstill.bulk.engine import RAY, run_partitions
from filmstill.bulk.partitions import Partition, partitions
from filmstill.bulk.routing import route_partition
from filmstill.data.corpus import corpus_path

WORK = partial(route_partition, address=None, task_file=None)


def main() -> None:
    """Measure both, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=20_000)
    parser.add_argument("--files", type=int, default=20)
    options = parser.parse_args()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    task = Task.builtin()
    queries = [item.query for item in load_examples(corpus_path(task), task).examples]
    queries = queries[: options.queries]
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "queries"
        given.mkdir()
        for number in range(options.files):
            text = "\n".join(queries[number :: options.files])
            (given / f"part-{number:03d}.txt").write_text(text + "\n", encoding="utf-8")
        for nodes in (1, 2):
            seconds[nodes] = measure(given, Path(folder) / str(nodes), nodes)
    facts = {
        "queries": len(queries),
        "seconds": {str(nodes): round(took, 1) for nodes, took in seconds.items()},
        "speed-up": round(seconds[1] / seconds[2], 2),
    }
    print(json.dumps(facts))


def measure(given: Path, out: Path, nodes: int) -> float:
    """Seconds for all files on so many nodes of one CPU each."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    for _ in range(nodes - 1):
        cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
    try:
        first = partitions(given, out)[0].source
        warm = [Partition(first, out / f"warm-{number}.jsonl") for number in range(4 * nodes)]
        run_partitions(WORK, warm, engine=RAY)
        start = time.monotonic()
        run_partitions(WORK, partitions(given, out), engine=RAY)
        return time.monotonic() - start
    finally:
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    sys.exit(main())
