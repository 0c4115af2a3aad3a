"""`filmstill prepare`, from the command line to the files, against a service on loopback."""

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click import Abort
from click.testing import CliRunner

from filmstill import Task, load_examples
from filmstill.cli.main import cli
from filmstill.data.corpus import corpus_path, evaluation_path
from filmstill.errors import FilmstillError
from filmstill.query import same_query
from filmstill.task import parse_task
from tests.conftest import SHOP
from tests.services import Service, point_at, service

QUERIES = ["a dog barks", "what did she say", "Heat (1995)", "un cão late", "'quoted' | <b>"]
LABEL = {"visual": 0.1, "audio": 0.7, "transcription": 0.0, "metadata": 0.2}
MODEL = "openai:small"


def label(query: str, **changes: object) -> str:
    return json.dumps({**LABEL, "reasoning": f"{query} is heard", **changes})


def write(user: str) -> str:
    """One query a line, as asked for, each unlike the others."""
    lines = [line for line in user.splitlines() if line[:1].isdigit()]
    queries = [
        {"n": number, "query": hash_of(user + line)} for number, line in enumerate(lines, start=1)
    ]
    return json.dumps({"queries": queries})


def hash_of(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()


def teach(system: str, user: str) -> str:
    """Writes and labels without a fault."""
    return write(user) if system.startswith("You write") else label(user)


@dataclass(frozen=True)
class Ran:
    """How a command ended; stderr without its line breaks."""

    exit_code: int
    stdout: str
    stderr: str
    error: str

    @property
    def output(self) -> str:
        return f"{self.stdout}\n{self.stderr}\n{self.error}"


Serve = Callable[[Callable[[str, str], str]], AbstractContextManager[Service]]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    @contextmanager
    def start(answer: Callable[[str, str], str]) -> Iterator[Service]:
        with service(answer) as running:
            point_at(running, monkeypatch)
            yield running

    return start


@pytest.fixture
def given(tmp_path: Path) -> Path:
    path = tmp_path / "queries.txt"
    path.write_text("\n".join(QUERIES) + "\n", encoding="utf-8")
    return path


def run(*words: object) -> Ran:
    result = CliRunner().invoke(cli, ["prepare", *map(str, words)], standalone_mode=False)
    failed = isinstance(result.exception, FilmstillError | Abort)
    if result.exception is not None and not failed:
        raise result.exception
    code = 1 if failed else result.return_value
    return Ran(code, result.stdout, " ".join(result.stderr.split()), str(result.exception))


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def queries_of(path: Path) -> list[str]:
    return [record["messages"][0]["content"][0]["text"] for record in records(path)]


@pytest.mark.parametrize("kind", ["openai", "bedrock"])
def test_queries_of_ones_own_are_labelled_in_order(
    kind: str, serve: Serve, given: Path, task: Task, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "train.jsonl"
    with serve(teach) as running:
        result = run("--queries", given, "--teacher", f"{kind}:small", "--out", out)
    assert result.exit_code == 0, result.output
    assert queries_of(out) == QUERIES
    assert len(running.requests) == len(QUERIES)
    # strict readers find nothing but the conversation
    assert {tuple(record) for record in records(out)} == {("schemaVersion", "system", "messages")}
    examples = load_examples(out, task).examples
    assert [example.routing.weights for example in examples if example.routing] == [LABEL] * 5
    assert [example.tags for example in examples] == [{"teacher": f"{kind}:small"}] * 5
    card = Path(f"{out}.card.md").read_text(encoding="utf-8")
    assert f"5 by {kind}:small" in card
    assert "audio 100.0%" in card
    assert "500 tokens in, 100 out" in card
    assert not Path(f"{out}.rejects.jsonl").exists()
    _, _, body = running.requests[0]
    if kind == "openai":
        schema = body["response_format"]["json_schema"]["schema"]
        assert schema["required"] == [*LABEL, "reasoning"]
    else:
        assert body["toolConfig"]["toolChoice"] == {"tool": {"name": "answer"}}


def test_a_second_run_asks_nothing(serve: Serve, given: Path, tmp_path: Path) -> None:
    out = tmp_path / "train.jsonl"
    words = ("--queries", given, "--teacher", MODEL, "--out", out)
    with serve(teach) as running:
        assert run(*words).exit_code == 0
        first, asked = out.read_bytes(), len(running.requests)
        refused = run(*words)
        assert refused.exit_code == 1
        assert "the file exists" in refused.error
        assert run(*words, "--force").exit_code == 0
        assert len(running.requests) == asked
    assert out.read_bytes() == first


def test_a_bad_reply_is_sent_back_once_then_rejected(
    serve: Serve, given: Path, tmp_path: Path
) -> None:
    first_replies = {
        QUERIES[0]: "I would rather not.",
        QUERIES[1]: label("x", visual=0.9),  # the weights sum to 1.8
        QUERIES[2]: f"Sure!\n```json\n{label('wrapped')}\n```",
        QUERIES[3]: "",
    }
    seen: list[str] = []

    def answer(system: str, user: str) -> str:
        seen.append(user)
        if user in QUERIES:
            return first_replies.get(user, label(user))
        assert "cannot be used" in user
        assert "visual, audio, transcription, metadata" in user
        return label("mended") if "1.8" not in user and "sum" not in user.split(".")[0] else "no!"

    out = tmp_path / "train.jsonl"
    with serve(answer) as running:
        result = run("--queries", given, "--teacher", MODEL, "--out", out)
    assert result.exit_code == 0, result.output
    assert "1 rejected" in result.stderr
    assert queries_of(out) == [QUERIES[0], *QUERIES[2:]]
    [reject] = records(Path(f"{out}.rejects.jsonl"))
    assert reject == {"query": QUERIES[1], "reason": reject["reason"], "reply": "no!"}
    assert len(seen) == len(QUERIES) + 3  # three came back; prose around a good label is fine
    repaired = [body["messages"] for _, _, body in running.requests if len(body["messages"]) > 2]
    roles = [[message["role"] for message in messages] for messages in repaired]
    assert roles == [["system", "user", "assistant", "user"]] * 3


def test_a_filtered_query_is_rejected_without_a_second_call(
    serve: Serve, given: Path, tmp_path: Path
) -> None:
    out = tmp_path / "train.jsonl"
    with serve(teach) as running:
        running.faults = [400]
        result = run("--queries", given, "--teacher", MODEL, "--out", out, "--workers", 1)
        assert result.exit_code == 0, result.output
        assert len(running.requests) == len(QUERIES)
    assert queries_of(out) == QUERIES[1:]
    [reject] = records(Path(f"{out}.rejects.jsonl"))
    assert reject["query"] == QUERIES[0]
    assert "error 400" in reject["reason"]


def test_a_server_without_schemas_is_asked_without(
    serve: Serve, given: Path, tmp_path: Path
) -> None:
    out = tmp_path / "train.jsonl"
    with serve(teach) as running:
        running.faults = [500, 400]  # llama.cpp's server calls an unknown field its own error
        running.messages = ["('body', 'response_format', 'type')", "no such schema"]
        words = ("--queries", given, "--teacher", MODEL, "--out", out, "--workers", 1)
        assert run(*words).exit_code == 0
        bodies = [body for _, _, body in running.requests]
    asked = [body.get("response_format", {}).get("type") for body in bodies]
    assert asked == ["json_schema", "json_object"] + [None] * len(QUERIES)
    assert queries_of(out) == QUERIES


def test_a_wrong_key_stops_at_once(
    serve: Serve, given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "train.jsonl"
    with serve(teach) as running:
        monkeypatch.setenv("OPENAI_API_KEY", "wrong")
        result = run("--queries", given, "--teacher", MODEL, "--out", out, "--workers", 1)
        assert result.exit_code == 1
        assert "the key is refused" in result.stderr
        assert "run the same command again" in result.stderr
        assert not out.exists()
        asked = len(running.requests)
        assert asked <= 3
        monkeypatch.setenv("OPENAI_API_KEY", "test-key")
        assert run("--queries", given, "--teacher", MODEL, "--out", out).exit_code == 0
    assert queries_of(out) == QUERIES


def test_a_limit_on_the_cost_stops_and_the_rest_can_be_paid_later(
    serve: Serve, given: Path, tmp_path: Path
) -> None:
    prices = tmp_path / "prices.toml"
    # a call has 100 tokens in and 20 out: 0.02 dollars; the answer could have 300: 0.30
    prices.write_text("[models.small]\ninput = 0.0\noutput = 1.0\n", encoding="utf-8")
    out = tmp_path / "train.jsonl"
    words = ("--queries", given, "--teacher", MODEL, "--out", out, "--workers", 1)
    with serve(teach) as running:
        free = run(*words, "--max-cost", 1)
        assert "has no price in the table" in free.error
        words = (*words, "--prices", prices)
        result = run(*words, "--max-cost", 0.35)
        assert result.exit_code == 1
        assert "0.0600 USD are spent" in result.stderr
        assert not out.exists()
        # 0.30 fits while no more than 0.05 are spent: three calls, and none too many
        assert len(running.requests) == 3
        again = run(*words, "--max-cost", 0.35)
        assert "0.0600 USD are spent" in again.stderr  # what earlier runs spent counts
        assert len(running.requests) == 3
        part = run(*words, "--finish")
        assert part.exit_code == 0
        assert "2 are not labelled yet" in part.stderr
        assert queries_of(out) == QUERIES[:3]
        assert len(running.requests) == 3
        assert run(*words, "--max-cost", 5, "--force").exit_code == 0
        assert len(running.requests) == 5
    assert queries_of(out) == QUERIES


def test_several_labels_are_averaged_and_show_the_noise(
    serve: Serve, given: Path, task: Task, tmp_path: Path
) -> None:
    counts: Counter[str] = Counter()

    def answer(system: str, user: str) -> str:
        counts[user] += 1
        if counts[user] == 2:
            return label(user, visual=0.3, audio=0.5)
        return label(user)

    out = tmp_path / "train.jsonl"
    with serve(answer) as running:
        result = run("--queries", given, "--teacher", MODEL, "--out", out, "--samples", 4)
        assert result.exit_code == 0, result.output
        assert len(running.requests) == 4 * len(QUERIES)
        assert {body["temperature"] for _, _, body in running.requests} == {0.7}
    for example in load_examples(out, task).examples:
        assert example.routing is not None
        # the mean of 0.1, 0.3, 0.1, 0.1, and so on
        assert example.routing.weights == {**LABEL, "visual": 0.15, "audio": 0.65}
        assert example.routing.reasoning == f"{example.query} is heard"
        assert example.tags["samples"] == "4"
    # of six pairs of labels three are equal (5) and three differ by 0.2 twice (3): 4.00
    assert "score 4.00 of 5 against each other" in result.stdout


def test_queries_are_written_to_the_plan(serve: Serve, task: Task, tmp_path: Path) -> None:
    out = tmp_path / "train.jsonl"
    with serve(teach) as running:
        result = run("--teacher", MODEL, "--count", 50, "--out", out)
        assert result.exit_code == 0, result.output
        assert len(running.requests) == 3 + 50  # batches of 20, then the labels
    examples = load_examples(out, task).examples
    assert len(examples) == len({same_query(example.query) for example in examples}) == 50
    assert Counter(example.tags["intent"] for example in examples)["audio"] == 8  # 16 %
    assert {example.tags["writer"] for example in examples} == {MODEL}
    assert {example.tags["teacher"] for example in examples} == {MODEL}
    assert "written by openai:small to a plan, seed 0" in Path(f"{out}.card.md").read_text("utf-8")


def test_duplicates_and_evaluation_queries_are_written_anew(
    serve: Serve, task: Task, tmp_path: Path
) -> None:
    held_out = load_examples(evaluation_path(task), task).examples[0].query
    rounds: list[str] = []

    def answer(system: str, user: str) -> str:
        if not system.startswith("You write"):
            return label(user)
        rounds.append(user)
        if len(rounds) > 1:
            return write(user)
        queries = ["the same query about trains", "The same  query about train", held_out.upper()]
        return json.dumps({"queries": [{"n": n, "query": q} for n, q in enumerate(queries, 1)]})

    out = tmp_path / "train.jsonl"
    with serve(answer):
        result = run("--teacher", MODEL, "--count", 5, "--out", out, "--workers", 1)
    assert result.exit_code == 0, result.output
    assert "1 near-duplicates and 1 queries near an evaluation query were dropped" in result.stdout
    queries = queries_of(out)
    assert len(queries) == 5
    assert same_query(held_out) not in {same_query(query) for query in queries}
    assert len(rounds) == 2
    assert "The same query about train" in rounds[1]  # told what to stay away from
    assert len([line for line in rounds[1].splitlines() if line[:1].isdigit()]) == 4


def test_queries_of_a_file_are_not_written_again(serve: Serve, tmp_path: Path) -> None:
    mine, out = tmp_path / "mine.txt", tmp_path / "train.jsonl"
    mine.write_text("a query of mine about harbours\n", encoding="utf-8")
    rounds = 0

    def answer(system: str, user: str) -> str:
        nonlocal rounds
        rounds += 1
        query = "A query of mine about harbour" if rounds == 1 else "another one altogether"
        return json.dumps({"queries": [{"n": 1, "query": query}]})

    with serve(answer):
        words = ("--writer", MODEL, "--prompts-only", "--count", 1, "--exclude", mine)
        assert run(*words, "--out", out).exit_code == 0
    assert queries_of(out) == ["another one altogether"]


def test_finish_needs_the_queries_to_be_written(serve: Serve, tmp_path: Path) -> None:
    out = tmp_path / "train.jsonl"
    with serve(teach) as running:
        early = run("--teacher", MODEL, "--count", 5, "--out", out, "--finish")
        assert early.exit_code == 1
        assert "the queries are not all written yet" in early.error
        assert not running.requests
    assert not out.exists()


def test_what_a_writer_never_delivers_is_said(serve: Serve, tmp_path: Path) -> None:
    def answer(system: str, user: str) -> str:
        if system.startswith("You write"):
            return '{"queries": ["always this", 7, {"n": 99, "query": "beyond"}, {"n": "x"}]}'
        return label(user)

    out = tmp_path / "train.jsonl"
    with serve(answer):
        result = run("--teacher", MODEL, "--count", 4, "--out", out)
    assert result.exit_code == 0, result.output
    assert "3 of the planned queries are missing" in result.stderr
    assert queries_of(out) == ["always this"]


def test_prompts_alone_and_words_of_ones_own(serve: Serve, shop: Task, tmp_path: Path) -> None:
    task_file, words, out = (tmp_path / name for name in ("shop.toml", "words.toml", "p.jsonl"))
    task_file.write_text(SHOP, encoding="utf-8")
    words.write_text('products = ["kettle", "sofa"]\n', encoding="utf-8")
    with serve(teach) as running:
        common = ("--task", task_file, "--out", out, "--count", 10, "--domain", words)
        result = run(*common, "--writer", MODEL, "--prompts-only")
        assert result.exit_code == 0, result.output
        assert len(running.requests) == 1
        asked = running.requests[0][2]["messages"]
    assert "a shop's products" in asked[0]["content"]
    assert "what it measures" in asked[0]["content"]
    assert "with products: " in asked[1]["content"]
    assert [len(record["messages"]) for record in records(out)] == [1] * 10
    assert "none: the records hold queries alone" in Path(f"{out}.card.md").read_text("utf-8")
    assert parse_task(SHOP, "shop") == shop


def test_without_a_teacher_the_corpus_makes_the_set(task: Task, tmp_path: Path) -> None:
    out, again = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    assert run("--count", 300, "--out", out).exit_code == 0
    assert run("--count", 300, "--out", again).exit_code == 0
    assert out.read_bytes() == again.read_bytes()
    examples = load_examples(out, task).examples
    assert len(examples) == 300
    assert {example.tags["teacher"] for example in examples} == {"corpus"}
    corpus = load_examples(corpus_path(task), task).examples
    written = [example for example in corpus if "parent" not in example.tags]
    for intent in ("visual", "audio+metadata"):
        share = sum(example.tags["intent"] == intent for example in written) / len(written)
        mine = sum(example.tags["intent"] == intent for example in examples) / 300
        assert abs(mine - share) < 0.01
    card = Path(f"{out}.card.md").read_text("utf-8")
    assert "no label is of the teacher you will use" in card


def test_a_recording_and_a_student_can_teach(
    given: Path, student_folder: Path, training_file: Path, tmp_path: Path, task: Task
) -> None:
    out = tmp_path / "train.jsonl"
    assert run("--queries", given, "--teacher", student_folder, "--out", out).exit_code == 0
    assert queries_of(out) == QUERIES
    recorded = f"recorded:{training_file}"
    result = run("--queries", given, "--teacher", recorded, "--out", out, "--force")
    assert result.exit_code == 1
    assert "no query got a label" in result.error
    assert queries_of(out) == QUERIES  # the old file stands
    words = ("--queries", training_file, "--teacher", recorded, "--out", out, "--force")
    assert run(*words).exit_code == 0
    before = load_examples(training_file, task).examples
    after = load_examples(out, task).examples
    assert [item.routing for item in after] == [item.routing for item in before]
    twice = run(*words, "--samples", 2)
    assert "labels a query always alike" in twice.error


def test_a_dry_run_tells_the_cost_and_asks_nothing(
    serve: Serve, given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "train.jsonl"
    with serve(teach) as running:
        monkeypatch.delenv("OPENAI_API_KEY")
        nova = "bedrock:us.amazon.nova-pro-v1:0"
        result = run("--queries", given, "--teacher", nova, "--out", out, "--dry-run")
        assert result.exit_code == 0, result.output
        [row] = [line.split() for line in result.stdout.splitlines() if line.startswith(nova)]
        calls, tokens_in, tokens_out, dollars = row[-4:]
        assert (calls, tokens_out) == ("5", "400")
        # 0.0008 and 0.0032 dollars for 1,000 tokens
        count = int(tokens_in.replace(",", ""))
        assert 2000 < count < 4000
        assert float(dollars) == pytest.approx(count / 1000 * 0.0008 + 0.4 * 0.0032, abs=1e-4)
        planned = run("--teacher", MODEL, "--count", 1000, "--out", out, "--dry-run")
        assert "leads: audio 160, metadata 160" in " ".join(planned.stdout.split())
        assert "not known" in planned.stdout
        assert not running.requests
    assert list(tmp_path.iterdir()) == [given]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--queries", "q.txt"), "--queries need a --teacher"),
        (("--queries", "q.txt", "--teacher", MODEL, "--writer", MODEL), "and no --writer"),
        (("--writer", "mean"), "need a model"),
        (("--plan", "p.toml"), "need a model"),
        (("--teacher", "nonsense:x"), "is no router"),
        (("--queries", "missing.txt", "--teacher", MODEL), "missing.txt: no such file"),
    ],
)
def test_orders_that_make_no_sense(
    words: tuple[str, ...], message: str, serve: Serve, tmp_path: Path
) -> None:
    with serve(teach):
        result = run(*words, "--out", tmp_path / "out.jsonl")
    assert result.exit_code == 1
    assert message in result.error


def test_ctrl_c_keeps_what_was_answered(
    serve: Serve, given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from filmstill.cli.prepare_screen import Bars

    out = tmp_path / "train.jsonl"
    words = ("--queries", given, "--teacher", MODEL, "--out", out, "--workers", 1)

    def interrupt(self: Bars, done: int, spent: float, rejected: int = 0) -> None:
        raise KeyboardInterrupt

    with serve(teach) as running:
        before = threading.active_count()
        with monkeypatch.context() as patched:
            patched.setattr(Bars, "step", interrupt)
            stopped = run(*words)
            assert stopped.exit_code == 1
            assert "run the same command again to go on" in stopped.stderr
        assert not out.exists()
        assert threading.active_count() < before + 10
        assert 1 <= len(running.requests) < len(QUERIES)
        assert run(*words).exit_code == 0
        assert len(running.requests) == len(QUERIES)
    assert queries_of(out) == QUERIES


@pytest.mark.parametrize("source", ["corpus", "teacher"])
def test_the_file_is_what_bedrock_takes(source: str, serve: Serve, tmp_path: Path) -> None:
    """The rules of AWS's sample validator, which is stricter than the documentation."""
    out = tmp_path / "train.jsonl"
    with serve(teach):
        words = ("--teacher", MODEL) if source == "teacher" else ()
        result = run("--count", 100, "--out", out, *words)
    assert result.exit_code == 0, result.output
    assert "distils from" not in result.stderr
    lines = out.read_text(encoding="utf-8").splitlines()
    assert 100 <= len(lines) <= 15_000
    for line in lines:
        assert len(line.encode()) <= 16_000
        found = json.loads(line)
        assert set(found) == {"schemaVersion", "system", "messages"}
        assert found["schemaVersion"] == "bedrock-conversation-2024"
        assert [set(item) for item in found["system"]] == [{"text"}]
        assert [set(turn) for turn in found["messages"]] == [{"role", "content"}] * 2
        assert [turn["role"] for turn in found["messages"]] == ["user", "assistant"]
        for turn in found["messages"]:
            [content] = turn["content"]
            assert list(content) == ["text"]
            assert content["text"].strip()
    checked = CliRunner().invoke(cli, ["check", str(out)], standalone_mode=False)
    assert checked.return_value == 0
    few = run("--count", 99, "--out", tmp_path / "few.jsonl")
    assert "Amazon Bedrock distils from 100 to 15,000 records" in few.stderr


def test_two_runs_on_one_file_do_not_meet(serve: Serve, given: Path, tmp_path: Path) -> None:
    import fcntl

    out = tmp_path / "train.jsonl"
    with (tmp_path / ".train.jsonl.lock").open("w") as held, serve(teach) as running:
        fcntl.flock(held, fcntl.LOCK_EX)
        result = run("--queries", given, "--teacher", MODEL, "--out", out)
        assert "another process is at work here" in result.error
        assert not running.requests
    assert not out.exists()
