"""The same on a real Ray cluster of two nodes, on this machine."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from filmstill import Task, load_examples
from tests.bulk.test_bulk import folder, remote, rows, run

__all__ = ["folder", "remote"]
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RAY_USAGE_STATS_ENABLED", "0")
        two = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        two.add_node(num_cpus=1)
        ray.init(address=two.address, log_to_driver=False)
        yield two
        ray.shutdown()
        two.shutdown()


def test_routing_on_two_nodes_is_routing_here(
    cluster: Any, folder: Path, student_folder: Path, tmp_path: Path
) -> None:
    import ray

    assert len([node for node in ray.nodes() if node["Alive"]]) == 2
    here, there = tmp_path / "here", tmp_path / "there"
    words = ("route", "--file", folder, "--router", student_folder)
    run(*words, "--out", here)
    result = run(*words, "--out", there, "--engine", "ray")
    assert "21 queries in 3 files" in result.stdout
    for name in "abc":
        assert rows(there / f"{name}.jsonl") == rows(here / f"{name}.jsonl")
    (there / "b.jsonl").unlink()
    again = run(*words, "--out", there, "--engine", "ray")
    assert "7 queries in 1 files; 2 were done before" in again.stdout


def test_parquet_in_parquet_out(
    cluster: Any, student_folder: Path, tmp_path: Path, task: Task
) -> None:
    import pyarrow
    import pyarrow.parquet

    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    queries = ["red car", "", "a bell"]
    table = pyarrow.table({"query": queries, "intent": ["visual", "none", "audio"]})
    pyarrow.parquet.write_table(table, source / "part-0.parquet")
    run("route", "--file", source, "--out", out, "--router", student_folder, "--engine", "ray")
    found = pyarrow.parquet.read_table(out / "part-0.parquet").to_pylist()
    assert [row["query"] for row in found][::2] == ["red car", "a bell"]
    assert "the query is empty" in found[1]["error"]
    assert sum(found[0][name] for name in task.channel_names) == pytest.approx(1)
    examples = load_examples(source / "part-0.parquet", task).examples
    assert [example.tags for example in examples] == [{"intent": "visual"}, {"intent": "audio"}]
    (source / "part-0.parquet").write_bytes(b"no parquet")
    result = run("route", "--file", source, "--out", tmp_path / "no", "--engine", "ray")
    assert "not a Parquet file" in str(result.exception)


def test_labelling_on_two_nodes(
    cluster: Any, folder: Path, remote: list[Any], task: Task, tmp_path: Path
) -> None:
    out = tmp_path / "labelled"
    words = ("prepare", "--queries", folder, "--out", out, "--teacher", "openai:small")
    result = run(*words, "--engine", "ray", "--requests-per-minute", 6000)
    assert "20 queries in 3 files" in result.stdout, json.dumps(str(result.exception))
    assert [len(load_examples(out / f"{name}.jsonl", task).examples) for name in "abc"] == [7, 6, 7]
