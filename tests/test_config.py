"""Settings: ranges, and what is chosen by the size of the data."""

import pytest

from filmstill.config import DistillConfig, PrepareConfig
from filmstill.errors import InputError


@pytest.mark.parametrize(
    ("examples", "epochs"),
    [(0, 12), (20, 12), (3_334, 12), (5_000, 8), (10_000, 4), (25_000, 4), (28_654, 3), (10**6, 1)],
)
def test_epochs_by_size(examples: int, epochs: int) -> None:
    assert DistillConfig().epochs_for(examples) == epochs
    assert DistillConfig(epochs=7).epochs_for(examples) == 7


def test_ranges_are_kept() -> None:
    with pytest.raises(InputError, match=r"dropout is 1; it must lie between 0 and 0\.9"):
        DistillConfig(dropout=1)
    with pytest.raises(InputError, match="workers is 0; it must lie between 1 and 1024"):
        PrepareConfig(workers=0)
