from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmstill import Channel, Task
from filmstill.errors import InputError, StorageError, TaskError
from filmstill.task import parse_task

CHANNELS = (
    '[[channels]]\nname = "a"\ndescription = "x"\n[[channels]]\nname = "b"\ndescription = "y"\n'
)
HEAD = 'name = "t"\ndescription = "d"\n'

texts = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)
    .map(str.strip)
    .filter(bool)
)


def test_the_built_in_task(task: Task) -> None:
    assert task.channel_names == ("visual", "audio", "transcription", "metadata")
    assert task.steps == 10
    assert "\n" not in task.student_prompt
    for channel in task.channels:
        assert channel.name in task.student_prompt
        assert f"- {channel.name}: {channel.description}" in task.teacher_prompt
        assert channel.examples[0] in task.teacher_prompt
    assert "{" not in task.teacher_prompt.split("The form:")[0]


@given(
    st.lists(
        st.builds(
            Channel,
            st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter("reasoning".__ne__),
            texts,
            texts,
            st.lists(texts, max_size=3).map(tuple),
        ),
        min_size=2,
        max_size=12,
        unique_by=lambda channel: channel.name,
    ),
    st.sampled_from([2, 4, 5, 10, 20, 25, 100, 1000]),
    st.dictionaries(st.sampled_from(["teacher", "student"]), texts, max_size=2),
)
def test_toml_round_trip(channels: list[Channel], steps: int, prompts: dict[str, str]) -> None:
    task = Task("t", "things", tuple(channels), steps, prompts or None)
    assert parse_task(task.to_toml(), "round trip") == task


def test_a_task_may_bring_its_own_prompts() -> None:
    text = HEAD + '[prompts]\nstudent = """Weigh {names}\nas {"json": {step}}"""\n' + CHANNELS
    assert parse_task(text, "t").student_prompt == 'Weigh a, b as {"json": 0.1}'


def test_wording_does_not_change_the_fingerprint_but_channels_do() -> None:
    one = parse_task(HEAD + CHANNELS, "t")
    assert parse_task(HEAD + CHANNELS.replace('"x"', '"z"'), "t").fingerprint == one.fingerprint
    assert parse_task(HEAD + CHANNELS.replace('"b"', '"c"'), "t").fingerprint != one.fingerprint
    assert parse_task(HEAD + "grid_step = 0.05\n" + CHANNELS, "t").fingerprint != one.fingerprint


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name = ", "not valid TOML"),
        (HEAD, "2 to 12"),
        (HEAD + CHANNELS[: len(CHANNELS) // 2], "2 to 12"),
        (
            HEAD + "".join(f'[[channels]]\nname="c{i}"\ndescription="x"\n' for i in range(13)),
            "2 to 12",
        ),
        (HEAD + CHANNELS.replace('"b"', '"a"'), "'a' is defined twice"),
        (HEAD + CHANNELS.replace('"b"', '"B b"'), "'B b' must be a lower-case word"),
        (HEAD + CHANNELS.replace('"b"', '"reasoning"'), "not 'reasoning'"),
        (HEAD + CHANNELS.replace('"y"', '" "'), "description is missing"),
        (HEAD + CHANNELS + "colour = 1\n", "unknown key 'colour'"),
        ("flavour = 1\n" + HEAD + CHANNELS, "unknown key 'flavour'"),
        (HEAD.replace('"t"', '"T T"') + CHANNELS, "name 'T T'"),
        (HEAD + "grid_step = 0.3\n" + CHANNELS, "grid_step 0.3 must divide 1"),
        (HEAD + "grid_step = 0\n" + CHANNELS, "grid_step 0"),
        (HEAD + "grid_step = -0.1\n" + CHANNELS, "grid_step -0.1"),
        (HEAD + "grid_step = nan\n" + CHANNELS, "grid_step nan"),
        (HEAD + "grid_step = 1\n" + CHANNELS, "grid_step 1"),
        (HEAD + "grid_step = 0.0015625\n" + CHANNELS, "grid_step 0.0015625"),
        (HEAD + 'grid_step = "0.1"\n' + CHANNELS, "must be a number"),
        (HEAD + CHANNELS + "examples = [1]\n", "examples must be a list of texts"),
        (HEAD + CHANNELS + "guidance = 1\n", "guidance must be text"),
        (HEAD + "[prompts]\njudge = 'x'\n" + CHANNELS, "unknown key 'judge'"),
        (HEAD + "prompts = 1\n" + CHANNELS, "must be a table"),
    ],
)
def test_a_bad_task_says_why(text: str, reason: str) -> None:
    with pytest.raises(TaskError, match=r"shop\.toml: ") as caught:
        parse_task(text, "shop.toml")
    assert reason in str(caught.value)


def test_files(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such file"):
        Task.load(tmp_path / "none.toml")
    path = tmp_path / "task.toml"
    path.write_bytes(b"\xff\xfe" + HEAD.encode("utf-16-le"))
    with pytest.raises(InputError, match="not UTF-8"):
        Task.load(path)
    path.write_bytes(b"\xef\xbb\xbf" + (HEAD + CHANNELS).replace("\n", "\r\n").encode())
    assert Task.load(path).channel_names == ("a", "b")
    with pytest.raises(TaskError, match="no built-in task 'shop'"):
        Task.builtin("shop")
