"""The student that ships with the package: no account, no network, no training."""

import json

import pytest
from click.testing import CliRunner

import filmstill
from filmstill import Router, Task, load_examples
from filmstill.cli.main import cli
from filmstill.data.corpus import evaluation_path, student_path
from filmstill.errors import ArtefactError, InputError


def test_routes_without_naming_a_router() -> None:
    routing = filmstill.route("a dog barks twice and then whines")
    assert routing.leading == ("audio",)
    assert sum(routing.weights.values()) == pytest.approx(1)
    assert routing == Router.load().route("a dog barks twice and then whines")
    assert routing == Router.load("filmstill").route("a dog barks twice and then whines")


@pytest.mark.parametrize(
    ("query", "leading"),
    [
        ("two women in red coats cross a snowy bridge", "visual"),
        ("thunder rolls in the distance", "audio"),
        ("what does the minister say about rents", "transcription"),
        ("Breaking Bad season 3 episode 2", "metadata"),
        ("perro ladrando toda la noche", "audio"),
        ("что сказал министр о пенсиях", "transcription"),
    ],
)
def test_knows_the_plain_cases(query: str, leading: str) -> None:
    assert leading in filmstill.route(query).leading


def test_an_answer_does_not_depend_on_what_shares_its_batch(task: Task) -> None:
    router = Router.load()
    queries = [item.query for item in load_examples(evaluation_path(task), task).examples]
    together = router.route_many(queries)
    assert [router.route(query).weights for query in queries] == [
        routing.weights for routing in together
    ]


def test_the_command_needs_no_router() -> None:
    result = CliRunner().invoke(cli, ["route", "thunder rolls in the distance", "--json"])
    assert result.exit_code == 0, result.output
    weights = json.loads(result.output)["weights"]
    assert max(weights, key=weights.__getitem__) == "audio"


def test_it_is_small_enough_for_a_wheel(task: Task) -> None:
    assert sum(path.stat().st_size for path in student_path(task).iterdir()) < 25_000_000


def test_a_users_task_has_none(shop: Task) -> None:
    with pytest.raises(InputError, match="'shop' has no student of its own"):
        Router.load(task=shop)


def test_a_folder_is_still_a_folder(tmp_path: object) -> None:
    with pytest.raises(ArtefactError):
        Router.load(str(tmp_path))
