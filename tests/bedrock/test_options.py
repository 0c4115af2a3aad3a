"""Options of the command line, and of the file beside it."""

from pathlib import Path

import click
import pytest

from filmstill.bedrock.order import Settings
from filmstill.cli.bedrock_options import settings_of
from filmstill.cli.evaluate_job import check_run
from filmstill.errors import InputError


def test_an_option_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    file = tmp_path / "bedrock.toml"
    file.write_text(
        '[bedrock]\nregion = "us-west-2"\nbucket = "mine"\nuse_responses = false\n'
        "max_tokens = 500\n"
    )
    found = settings_of({"region": "us-east-1", "teacher": None, "bucket": None}, file)
    assert found == Settings(region="us-east-1", bucket="mine", use_responses=False, max_tokens=500)
    assert settings_of({"teacher": None}, None) == Settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[bedrock", "not valid TOML"),
        ("bedrock = 3", "must be a table"),
        ("[bedrock]\nbucked = 'x'", "unknown key 'bucked'; known are teacher, student"),
        ("[bedrock]\nmax_tokens = '5'", "max_tokens has a value of the wrong kind"),
        ("[bedrock]\nmax_tokens = true", "max_tokens has a value of the wrong kind"),
    ],
)
def test_a_wrong_file(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "bedrock.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        settings_of({}, file)


@pytest.mark.parametrize(("judges", "folder"), [(("bedrock-job",), None), (("rubric",), Path("x"))])
def test_jobs_and_a_run_go_together(judges: tuple[str, ...], folder: Path | None) -> None:
    with pytest.raises(click.UsageError, match="go together"):
        check_run(judges, folder)
