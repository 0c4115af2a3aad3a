"""`filmstill evaluate --report`: one command, five kinds of router, one page."""

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from filmstill.cli.main import cli
from filmstill.errors import MissingExtraError
from filmstill.task import parse_task
from tests.conftest import SHOP, SHOP_WORDS, make_examples, write_training
from tests.services import Service, point_at, remote_fixture, service

QUERIES = 12


def answer(system: str, user: str) -> str:
    """Half the replies in good form, half wrapped in prose with a wrong sum; judges with a 4."""
    if system.startswith("You judge"):
        return '{"explanation": "close <b>enough</b>", "score": 4}'
    even = len(user) % 2 == 0
    weights = {"visual": 0.7, "audio": 0.1, "transcription": 0.0, "metadata": 0.2 if even else 0.4}
    text = json.dumps({**weights, "reasoning": f"{user} & <script>alert(1)</script>"})
    return text if even else f"Sure: {text}"


remote = remote_fixture(answer)


@pytest.fixture
def small_set(training_file: Path, tmp_path: Path) -> Path:
    lines = training_file.read_text(encoding="utf-8").splitlines()[:QUERIES]
    path = tmp_path / "set.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def run(small_set: Path, training: Path, *words: str) -> Result:
    command = ["evaluate", "--set", str(small_set), "--train", str(training)]
    return CliRunner().invoke(cli, [*command, *words])


class Tags(HTMLParser):
    """Checks nesting, and collects what a page would load."""

    VOID = ("meta", "br", "link", "img", "hr")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        named = dict(attrs)
        self.loads += [
            str(named[name]) for name in ("src", "href", "xlink:href") if named.get(name)
        ]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_five_routers_one_command(
    remote: Service, small_set: Path, training_file: Path, student_folder: Path, tmp_path: Path
) -> None:
    addresses = [
        str(student_folder),
        "mean",
        "tfidf",
        "openai:small",
        "bedrock:amazon.nova-micro-v1:0",
    ]
    routers = [word for address in addresses for word in ("--router", address)]
    folder = tmp_path / "report"
    words = [*routers, "--judge", "openai:judge", "--report", str(folder)]
    result = run(small_set, training_file, *words)
    assert result.exit_code == 0, result.output
    assert f"Report: {folder / 'report.html'}" in result.output
    for name in ("tiny", "mean", "tfidf", "openai:small", "bedrock:amazon.nova-micro-v1:0"):
        assert name in result.output

    facts = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert facts["set"]["queries"] == QUERIES
    rows = {row["router"]: row for row in facts["routers"]}
    assert rows["openai:small"]["format"]["replies"] == QUERIES
    shares = rows["openai:small"]["format"]
    assert shares["has_keys"] == 1
    assert 0 < shares["is_json"] == shares["sums"] == shares["consistent"] < 1
    assert rows["openai:small"]["cost"] is None  # not in the price table
    expected = 1e6 * (100 * 0.000035 + 20 * 0.00014) / 1000
    assert rows["bedrock:amazon.nova-micro-v1:0"]["cost"] == pytest.approx(expected)
    assert rows["tiny"]["format"] is None
    assert rows["tiny"]["cost"] > 0
    assert rows["tiny"]["times_latency"] == rows["tiny"]["times_cost"] == 1
    [verdicts] = rows["mean"]["judges"]
    assert (verdicts["mean"], verdicts["scored"], verdicts["unscored"]) == (4, QUERIES, 0)
    assert [item["router"] for item in facts["differences"]] == list(rows)[1:]
    assert len(facts["answers"]) == QUERIES
    assert len(facts["hardest"]) == QUERIES

    for name, lines in (("scores", 6), ("answers", 1 + 6 * QUERIES)):
        with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            table = list(csv.reader(file))
        assert len(table) == lines
        assert len({len(row) for row in table}) == 1

    page = (folder / "report.html").read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert all(item.startswith("#") for item in tags.loads)  # nothing is fetched
    assert "url(http" not in page
    assert "<script" not in page.replace("<!doctype", "")
    assert "&lt;script&gt;" in page
    assert page.count("<svg ") == 5
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert not re.search(r"#fe01[0-9a-f]{2}", page)  # every colour is the page's
    assert "mathdefault" not in page
    assert "Before and after" in page

    before = len(remote.requests)
    again = run(small_set, training_file, *words)
    assert again.exit_code == 0
    assert len(remote.requests) == before  # all answers were in the journal
    second = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert second["routers"][3]["latency"] == {
        **rows["openai:small"]["latency"],
        "cpu": second["routers"][3]["latency"]["cpu"],
        "first": second["routers"][3]["latency"]["first"],
    }


def test_a_service_that_dies_halfway_is_said_and_resumed(
    remote: Service, small_set: Path, training_file: Path, tmp_path: Path
) -> None:
    words = ["--router", "mean", "--router", "openai:small", "--report", str(tmp_path / "r")]
    remote.faults = [401] * 100
    result = run(small_set, training_file, *words)
    assert result.exit_code == 0, result.output
    assert "openai:small: 7 of 12 queries were not asked" in result.output
    assert "first: openai:small: the key is refused" in result.output
    remote.faults = []
    result = run(small_set, training_file, *words)
    assert "not asked" not in result.output
    assert "failed" not in result.output


def test_own_prices(remote: Service, small_set: Path, training_file: Path, tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text(
        'core_hour = 0\n[models."small"]\ninput = 1000\noutput = 1000\n', encoding="utf-8"
    )
    words = ["--router", "openai:small", "--prices", str(prices)]
    result = run(small_set, training_file, *words)
    assert "120,000,000" in result.output  # 120 tokens a query at a dollar per thousand
    prices.write_text("core_our = 0", encoding="utf-8")
    result = run(small_set, training_file, *words)
    assert "core_our is not an entry of a price table" in str(result.exception)


def test_a_recording_that_lacks_queries(
    small_set: Path, training_file: Path, tmp_path: Path
) -> None:
    recording = tmp_path / "reference.jsonl"  # a name that answers.csv needs itself
    lines = small_set.read_text(encoding="utf-8").splitlines()
    recording.write_text("\n".join(lines[6:]) + "\n", encoding="utf-8")
    address = f"recorded:{recording}"
    words = ["--router", address, "--router", "mean", "--report", str(tmp_path / "r")]
    result = run(small_set, training_file, *words)
    assert result.exit_code == 0, result.output
    assert "not asked" not in result.output
    assert f"{address}: 6 failed" in result.output
    facts = json.loads((tmp_path / "r" / "report.json").read_text(encoding="utf-8"))
    [recorded, _] = facts["routers"]
    assert (recorded["router"], recorded["valid"]) == (address, 0.5)
    assert recorded["rubric"] == (6 * 1 + 6 * 5) / 12
    assert recorded["cost"] is None
    assert "not known" in (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    with (tmp_path / "r" / "answers.csv").open(encoding="utf-8", newline="") as file:
        assert [row[1] for row in csv.reader(file)].count("reference") == QUERIES


def test_half_an_emoji_breaks_nothing(
    small_set: Path, training_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(system: str, user: str) -> str:
        weights = {"visual": 1.0, "audio": 0.0, "transcription": 0.0, "metadata": 0.0}
        return json.dumps({**weights, "reasoning": "\ud83d a$_$b"})

    with service(half) as running:
        point_at(running, monkeypatch)
        words = ["--router", "openai:a$_$b", "--report", str(tmp_path / "r")]
        assert run(small_set, training_file, *words).exit_code == 0
    assert "a$_$b" in (tmp_path / "r" / "report.html").read_text(encoding="utf-8")


def test_a_fine_grid_has_no_more_columns_than_a_page(tmp_path: Path) -> None:
    text = SHOP.replace("grid_step = 0.05", "grid_step = 0.001")
    (tmp_path / "shop.toml").write_text(text, encoding="utf-8")
    task = parse_task(text, "shop.toml")
    examples = make_examples(task, SHOP_WORDS, 40, seed=1)
    train = write_training(tmp_path / "train.jsonl", examples, task)
    words = ["--task", str(tmp_path / "shop.toml"), "--router", "mean"]
    result = run(train, train, *words, "--report", str(tmp_path / "r"))
    assert result.exit_code == 0, result.output
    facts = json.loads((tmp_path / "r" / "report.json").read_text(encoding="utf-8"))
    for row in facts["training_labels"]:
        assert row["weights"] == pytest.approx([step / 20 for step in range(21)])
        assert sum(row["counts"]) == 40
        found = sum(w * n for w, n in zip(row["weights"], row["counts"], strict=True)) / 40
        assert found == pytest.approx(row["mean"])
    page = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    [table] = re.findall(r"Labels per weight</summary><table>(.*?)</table>", page)
    head, *rows = table.split("<tbody>")[0].split("<th>")[1:], *table.split("<tr><td>")[1:]
    assert [item.partition("<")[0] for item in head][:3] == ["channel", "0", "0.05"]
    assert len(head) == 22
    assert [row.count("<td>") for row in rows] == [21] * 3


def test_no_router_answers(
    remote: Service, small_set: Path, training_file: Path, tmp_path: Path
) -> None:
    remote.faults = [401] * 100
    words = ["--router", "openai:small", "--report", str(tmp_path / "r")]
    result = run(small_set, training_file, *words)
    assert result.exit_code == 0, result.output
    facts = json.loads((tmp_path / "r" / "report.json").read_text(encoding="utf-8"))
    assert facts["routers"][0]["unasked"] == QUERIES - 5
    assert facts["routers"][0]["leading"] is None


def test_a_router_named_twice(small_set: Path, training_file: Path) -> None:
    result = run(small_set, training_file, "--router", "mean", "--router", "mean")
    assert "--router mean is given twice" in str(result.exception)


def test_json_holds_the_verdicts(remote: Service, small_set: Path, training_file: Path) -> None:
    words = ["--router", "mean", "--judge", "openai:judge", "--json"]
    result = run(small_set, training_file, *words)
    [row] = json.loads(result.stdout)
    told = "up to 12 calls of models; of 12 the price is not known; --dry-run shows which"
    assert told in result.stderr
    assert row["judges"] == [{"judge": "openai:judge", "mean": 4, "scored": 12, "unscored": 0}]


def test_a_dry_run_shows_what_it_will_cost_and_asks_nothing(
    remote: Service, small_set: Path, training_file: Path, tmp_path: Path
) -> None:
    """4 characters a token, 16 tokens a turn; 80 tokens an answer."""
    prices = tmp_path / "prices.toml"
    prices.write_text('[models."openai:judge"]\ninput = 0.0\noutput = 1.0\n')
    words = ["--router", "openai:small", "--router", "mean", "--judge", "openai:judge"]
    asked = len(remote.requests)
    folder = tmp_path / "report"
    result = run(
        small_set, training_file, *words, "--prices", str(prices), "--report", str(folder),
        "--dry-run",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.stdout.splitlines() if line.startswith("openai:")]
    assert [(row[0], row[2], row[3], row[5], row[6:]) for row in rows] == [
        ("openai:small", "queries", "12", "960", ["not", "known"]),
        ("openai:judge", "openai:small", "12", "960", ["0.9600"]),
        ("openai:judge", "mean", "12", "960", ["0.9600"]),
    ]
    assert len(remote.requests) == asked
    assert not folder.exists()
    nothing = run(small_set, training_file, "--router", "mean", "--dry-run")
    assert nothing.stdout == "Nothing is asked of any model: this costs nothing.\n"


def test_a_missing_extra_is_named_before_the_work(
    small_set: Path, training_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    result = run(small_set, training_file, "--router", "mean", "--report", str(tmp_path / "r"))
    assert isinstance(result.exception, MissingExtraError)
    assert not (tmp_path / "r").exists()
