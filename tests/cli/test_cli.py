"""Every verb as a user meets it: exit code, stdout, stderr."""

import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from filmstill import DistillConfig, Task
from filmstill.cli.main import main
from tests.conftest import SHOP, SHOP_WORDS, WORDS, make_examples, record, write_training


class Ran(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def call(*words: object, stdin: bytes = b"") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        printed = capsys.readouterr()
        return Ran(int(ended.value.code or 0), printed.out, printed.err)

    return call


@pytest.fixture
def settings(tiny_config: DistillConfig) -> list[str]:
    return [
        f"--base={tiny_config.base}", "--epochs=6", "--learning-rate=3e-3", "--dropout=0",
        "--max-tokens=32",
    ]  # fmt: skip


@pytest.mark.parametrize("verb", [[], ["check"], ["distill"], ["evaluate"], ["route"]])
def test_every_help_has_examples(run: Run, verb: list[str]) -> None:
    ran = run(*verb, "--help")
    assert ran.code == 0
    examples = re.findall(r"^ {4}(.*filmstill .*)$", ran.out, re.MULTILINE)
    assert len(examples) >= 2
    assert "\b" not in ran.out


def test_version_and_wrong_usage(run: Run) -> None:
    assert run("--version").out.startswith("filmstill, version 0.")
    assert run("fly").code == 2
    assert "No such command 'fly'" in run("fly").err
    assert run("route").code == 2
    assert run("distill", "x", "--out", "y", "--epochs", "-1").code == 2


def test_check_a_good_file(run: Run, training_file: Path) -> None:
    ran = run("check", training_file)
    assert ran.code == 0
    assert "300, 300 of them labelled" in ran.out
    assert re.search(r"visual +0\.\d\d +\d+%", ran.out)
    assert ran.err == ""


def test_check_reports_rejects_and_keeps_them(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text(f"{record()}\n{{broken\n{record(' ')}\n", encoding="utf-8")
    ran = run("check", path)
    assert ran.code == 1
    assert "train.jsonl:2: not valid JSON" in ran.out
    assert "train.jsonl:3: the query is empty" in ran.out
    kept = tmp_path / "train.jsonl.rejects.jsonl"
    assert str(kept) in ran.err.replace("\n", "")
    assert len(kept.read_text(encoding="utf-8").splitlines()) == 2
    ran = run("check", path, "--json", "--rejects", tmp_path / "elsewhere")
    facts = json.loads(ran.out)
    assert (facts["examples"], [item["line"] for item in facts["rejects"]]) == (1, [2, 3])
    assert (tmp_path / "elsewhere").is_file()


def test_markup_in_queries_and_file_names_is_text(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "x[v2].txt"
    path.write_text("\n".join(f"{n} [music] [/b] here" for n in range(6)), encoding="utf-8")
    ran = run("check", path)
    assert ran.code == 0
    assert "x[v2].txt" in ran.out
    assert '"[music] [/b] here" in 6 of 6' in ran.out


def test_check_shows_the_teachers_noise(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    other = {"visual": 0.6, "audio": 0.2, "transcription": 0.0, "metadata": 0.2}
    path.write_text(f"{record()}\n{record(label=other)}\n", encoding="utf-8")
    ran = run("check", path)
    assert "1 queries are labelled more than once" in ran.out
    assert "differ by 0.050 a weight and score 4.00 against each other" in ran.out
    assert json.loads(run("check", path, "--json").out)["teacher_noise"]["rubric"] == 4


def test_check_plots(run: Run, training_file: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "weights.svg"
    assert run("check", training_file, "--plot", picture).code == 0
    assert picture.read_text(encoding="utf-8").startswith("<?xml")
    ran = run("check", training_file, "--plot", tmp_path / "weights.gif")
    assert (ran.code, "must end in .svg or .png" in ran.err) == (1, True)


def test_distill_evaluate_route(
    run: Run, tmp_path: Path, settings: list[str], training_file: Path, task: Task
) -> None:
    student = tmp_path / "student"
    ran = run("distill", training_file, "--out", student, *settings)
    assert ran.code == 0
    assert re.match(rf"Student in {student}: rubric \d\.\d\d of 5", ran.out)
    assert "270 examples to train on, 30 to validate" in ran.err
    evaluation = write_training(tmp_path / "e.jsonl", make_examples(task, WORDS, 40, 7), task)
    routers = ["--router", student, "--router", "mean", "--router", "tfidf"]
    ran = run("evaluate", *routers, "--set", evaluation, "--train", training_file)
    assert ran.code == 0
    assert re.search(r"^student +[345]\.\d\d +[345]\.\d\d to", ran.out, re.MULTILINE)
    assert re.search(r"^mean +1\.\d\d +", ran.out, re.MULTILINE)
    scores = json.loads(
        run("evaluate", *routers, "--set", evaluation, "--train", training_file, "--json").out
    )
    assert [item["router"] for item in scores] == ["student", "mean", "tfidf"]
    assert scores[0]["rubric"] > scores[1]["rubric"]
    assert scores[0]["valid"] == 1
    ran = run("route", "red car", "bell", "--router", student, "--explain")
    assert ran.code == 0
    assert ran.out.count("transcription") >= 2
    lines = run("route", "red car", "bell", "--router", student, "--json").out.splitlines()
    assert [json.loads(line)["query"] for line in lines] == ["red car", "bell"]


def test_evaluate_leaves_out_known_queries_and_names_bad_lines(
    run: Run, tmp_path: Path, student_folder: Path
) -> None:
    path, known = tmp_path / "e.jsonl", tmp_path / "known.txt"
    path.write_text(f"{record('red car')}\n{{broken\n{record('bell')}\n", encoding="utf-8")
    known.write_text("Red  car\n", encoding="utf-8")
    ran = run("evaluate", "--router", student_folder, "--set", path, "--exclude", known)
    assert ran.code == 0
    assert "1 queries" in ran.out
    assert "Left out" in ran.err
    assert "e.jsonl:2: not valid JSON" in ran.err
    known.write_text("red car\nbell\n", encoding="utf-8")
    ran = run("evaluate", "--router", student_folder, "--set", path, "--exclude", known)
    assert (ran.code, "all queries are in" in ran.err) == (1, True)


def test_stdin_gives_one_line_out_per_line_in(run: Run, student_folder: Path) -> None:
    stdin = "red car\r\n\nпоезд 🚂\n".encode() + b"caf\xe9\na\x07b\nbell"
    ran = run("route", "-", "--router", student_folder, "--explain", stdin=stdin)
    rows = [json.loads(line) for line in ran.out.splitlines()]
    assert [row["query"] for row in rows] == [
        "red car",
        "",
        "поезд 🚂",
        "caf\ufffd",
        "a\x07b",
        "bell",
    ]
    assert ["error" in row for row in rows] == [False, True, False, True, True, False]
    assert "empty" in rows[1]["error"]
    assert "UTF-8" in rows[3]["error"]
    assert "U+0007" in rows[4]["error"]
    assert rows[0]["reasoning"]
    assert ran.code == 1
    assert run("route", "-", "--router", student_folder, stdin=b"bell\n").code == 0
    assert run("route", "-", "x", "--router", student_folder).code == 2


def test_raw_weights(run: Run, student_folder: Path) -> None:
    ran = run("route", "red bell", "--router", student_folder, "--json", "--raw")
    weights = json.loads(ran.out)["weights"].values()
    assert sum(round(weight * 10_000) for weight in weights) == 10_000


def test_the_router_may_come_from_the_environment(
    run: Run, student_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FILMSTILL_ROUTER", str(student_folder))
    assert run("route", "red car").code == 0


def test_every_verb_takes_a_users_task(
    run: Run, tmp_path: Path, settings: list[str], shop: Task
) -> None:
    task_file = tmp_path / "shop.toml"
    task_file.write_text(SHOP, encoding="utf-8")
    train = write_training(tmp_path / "t.jsonl", make_examples(shop, SHOP_WORDS, 100, 1), shop)
    task = ["--task", task_file]
    assert "review" in run("check", train, *task).out
    ran = run("distill", train, "--out", tmp_path / "s", *task, *settings)
    assert ran.code == 0
    routers = ["--router", tmp_path / "s", "--router", "mean"]
    ran = run("evaluate", *routers, "--set", train, "--train", train, *task)
    assert ran.code == 0
    assert "review" in ran.out
    ran = run("route", "sturdy steel", "--router", tmp_path / "s", *task, "--json")
    assert list(json.loads(ran.out)["weights"]) == ["visual", "spec", "review"]
    ran = run("evaluate", "--router", tmp_path / "s", "--set", train)
    assert ran.code == 1  # without --task the labels are those of another task
    assert "misses channel" in ran.err


ERRORS: list[tuple[list[str], str]] = [
    (["route", "", "--router", "{student}"], "the query is empty: give at least one word"),
    (["route", " \t ", "--router", "{student}"], "the query is empty"),
    (["route", "x" * 20_000, "--router", "{student}"], "20,000 characters and the limit is 2,000"),
    (["route", "a\x1bb", "--router", "{student}"], "control character (U+001B) as character 2"),
    (["route", "x", "--router", "{tmp}/none"], "there is no such folder"),
    (["route", "x", "--router", "{tmp}"], "not a complete student (manifest.json is missing)"),
    (["route", "x", "--router", "{student}", "--task", "{tmp}/none"], "no such file or folder"),
    (["check", "{tmp}/none.jsonl"], "cannot read {tmp}/none.jsonl: no such file or folder"),
    (["check", "{tmp}/empty"], "the file is empty"),
    (["check", "{tmp}/utf16"], "the file is in UTF-16: convert it to UTF-8"),
    (["distill", "{tmp}/few", "--out", "{tmp}/s"], "1 distinct labelled queries are too few"),
    (["distill", "{tmp}/unlabelled", "--out", "{tmp}/s"], "there is no label"),
    (
        ["distill", "{train}", "--out", "{tmp}/few/s", "--base", "{base}"],
        "a part of this path is a",
    ),
    (["distill", "{train}", "--out", "{tmp}/s", "--base", "nope"], "there is no such folder; give"),
    (["distill", "{train}", "--out", "{student}"], "there is a finished student"),
    (["evaluate", "--router", "mean", "--set", "{tmp}/unlabelled"], "there is no label"),
]


@pytest.mark.parametrize(("words", "reason"), ERRORS)
def test_bad_input_gets_one_sentence_and_exit_code_1(
    run: Run,
    tmp_path: Path,
    student_folder: Path,
    training_file: Path,
    tiny_base: Path,
    words: list[str],
    reason: str,
) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "utf16").write_bytes(b"\xff\xfex\x00")
    (tmp_path / "few").write_text(record(), encoding="utf-8")
    (tmp_path / "unlabelled").write_text('{"query": "x"}\n', encoding="utf-8")
    places = {
        "tmp": tmp_path, "student": student_folder, "train": training_file, "base": tiny_base,
    }  # fmt: skip

    def place(text: str) -> str:
        for name, path in places.items():
            text = text.replace("{" + name + "}", str(path))
        return text

    ran = run(*(place(word) for word in words))
    assert ran.code == 1
    assert ran.out == ""
    last = ran.err.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert place(reason) in last
    assert "Traceback" not in ran.err


def test_debug_shows_the_traceback(run: Run, tmp_path: Path) -> None:
    ran = run("--debug", "check", tmp_path / "none")
    assert ran.code == 1
    assert "Traceback" in ran.err


def test_a_missing_extra_is_named_with_its_install_line(
    run: Run, tmp_path: Path, training_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("filmstill.student.train")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    ran = run("distill", training_file, "--out", tmp_path / "s")
    assert ran.code == 1
    assert 'needs torch, which is not installed: run pip install "filmstill[train]"' in ran.err
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ran = run("check", training_file, "--plot", tmp_path / "x.svg")
    assert ran.code == 1
    assert 'run pip install "filmstill[plot]"' in ran.err


def test_an_unforeseen_error_is_called_a_bug(
    run: Run, training_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*words: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("filmstill.data.description.describe", broken)
    ran = run("check", training_file)
    assert (ran.code, ran.out) == (1, "")
    assert "unexpected ZeroDivisionError: oh. This is a bug in Filmstill." in ran.err
