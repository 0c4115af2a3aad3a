"""Folders of queries, routed and labelled file by file: here, and on a Ray cluster of two nodes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from filmstill import Router, Task, load_examples
from filmstill.cli.main import cli
from filmstill.errors import FilmstillError
from tests.services import point_at, service

LABEL = {"visual": 0.1, "audio": 0.7, "transcription": 0.0, "metadata": 0.2}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three files of seven queries, one with a line that is none."""
    path = tmp_path / "queries"
    path.mkdir()
    for name in "abc":
        lines = [f"red car {name} number {number}" for number in range(7)]
        if name == "b":
            lines[3] = "a bell\x01"
        (path / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (path / "notes.md").write_text("not queries", encoding="utf-8")
    return path


def run(*words: object) -> Any:
    result = CliRunner().invoke(cli, [str(word) for word in words], standalone_mode=False)
    if result.exception and not isinstance(result.exception, FilmstillError):
        raise result.exception
    return result


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_line_has_its_row_in_order(
    folder: Path, student_folder: Path, student: Router, tmp_path: Path
) -> None:
    out = tmp_path / "routed"
    result = run("route", "--file", folder, "--out", out, "--router", student_folder)
    assert "21 queries in 3 files" in result.stdout
    assert sorted(path.name for path in out.iterdir()) == ["a.jsonl", "b.jsonl", "c.jsonl"]
    for name in "abc":
        lines = (folder / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        found = rows(out / f"{name}.jsonl")
        assert [row["query"] for row in found] == lines
        for number, row in enumerate(found):
            if (name, number) == ("b", 3):
                assert "control character" in row["error"]
            else:
                routing = student.route(row["query"])
                assert row["weights"] == routing.weights


def test_what_is_done_is_left_alone(folder: Path, student_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "routed"
    words = ("route", "--file", folder, "--out", out, "--router", student_folder)
    run(*words)
    (out / "b.jsonl").unlink()
    (out / "a.jsonl").write_text("mine", encoding="utf-8")
    result = run(*words)
    assert "7 queries in 1 files; 2 were done before" in result.stdout
    assert (out / "a.jsonl").read_text(encoding="utf-8") == "mine"
    assert len(rows(out / "b.jsonl")) == 7


def test_a_single_file(folder: Path, student_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "one" / "routed.jsonl"
    run("route", "--file", folder / "a.txt", "--out", out, "--router", student_folder, "--raw")
    assert len(rows(out)) == 7


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--file", "x"), "--file and --out go together"),
        (("--file", "x", "--out", "y", "a query"), "without a QUERY"),
        ((), "Missing argument"),
    ],
)
def test_words_that_do_not_go_together(words: tuple[str, ...], message: str) -> None:
    result = CliRunner().invoke(cli, ["route", *words])
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_folder_without_queries_is_named(tmp_path: Path) -> None:
    result = run("route", "--file", tmp_path, "--out", tmp_path / "out")
    assert "there is no file of queries in it" in str(result.exception)


def test_files_that_would_become_one_are_named(folder: Path, tmp_path: Path) -> None:
    (folder / "a.jsonl").write_text('{"query": "red car"}\n', encoding="utf-8")
    result = run("route", "--file", folder, "--out", tmp_path / "out")
    assert "a.jsonl and a.txt would both become a.jsonl; rename one" in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_tags_and_rejects_beside_a_file_are_no_queries(
    folder: Path, student_folder: Path, tmp_path: Path
) -> None:
    for name in ("tags", "rejects"):
        beside = folder / f"a.txt.{name}.jsonl"
        beside.write_text('{"query": "red car", "intent": "visual"}\n', encoding="utf-8")
    out = tmp_path / "out"
    result = run("route", "--file", folder, "--out", out, "--router", student_folder)
    assert "21 queries in 3 files" in result.stdout


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    answer = json.dumps({**LABEL, "reasoning": "heard"})
    with service(lambda system, user: answer) as running:
        point_at(running, monkeypatch)
        yield running.requests


def test_a_folder_is_labelled_file_by_file(
    folder: Path, remote: list[Any], task: Task, tmp_path: Path
) -> None:
    out = tmp_path / "labelled"
    words = ("prepare", "--queries", folder, "--out", out, "--teacher", "openai:small")
    assert "20 queries in 3 files" in run(*words).stdout
    assert [len(load_examples(out / f"{name}.jsonl", task).examples) for name in "abc"] == [7, 6, 7]
    [reject] = rows(out / "b.jsonl.rejects.jsonl")
    assert (reject["line"], reject["raw"]) == (4, "a bell\x01")
    asked = len(remote)
    (out / "c.jsonl").unlink()
    assert "7 queries in 1 files; 2 were done before" in run(*words).stdout
    assert len(remote) == asked  # out of the journal


def test_a_file_that_fails_leaves_the_others_done(
    folder: Path, remote: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "labelled"
    words = ("prepare", "--queries", folder, "--out", out, "--teacher", "openai:small")
    run(*words)
    (out / "b.jsonl").unlink()
    (out / "b.jsonl.journal.sqlite").unlink()
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    result = run(*words)
    assert "the key is refused" in str(result.exception)
    assert sorted(path.name for path in out.glob("*.jsonl") if path.stem in "abc") == [
        "a.jsonl",
        "c.jsonl",
    ]
