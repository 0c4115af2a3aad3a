"""The native and OpenAI's API against their own description, by schemathesis.

Every documented operation gets requests that fit the description and requests that do not. There
must be no 5xx, no answer that the description does not have, and no bad request that is taken.
"""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from filmstill.config import ServeConfig
from filmstill.registry import Registry
from filmstill.serve.assemble import Options, assemble

schemathesis = pytest.importorskip("schemathesis")

OPERATIONS = 18
# A schema cannot say that a query has no control characters, or which names there are.
UNTOLD = [schemathesis.checks.positive_data_acceptance]
_FEW = settings(
    max_examples=50,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with closing(Registry(tmp_path_factory.mktemp("described"))) as registry:
        made = assemble(registry, Options(), ServeConfig(jobs=0), any_host=True)
        made.service.students.refresh()
        yield schemathesis.openapi.from_asgi("/openapi.json", made)
        made.service.students.close()


@pytest.mark.parametrize("mode", ["POSITIVE", "NEGATIVE"])
def test_every_operation_keeps_its_word(described: Any, mode: str) -> None:
    operations = [found.ok() for found in described.get_all_operations()]
    assert len(operations) == OPERATIONS
    for operation in operations:
        if mode == "NEGATIVE" and not operation.body:
            continue  # any text is a name, so that there is nothing to get wrong

        @_FEW
        @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode[mode]))
        def keeps_its_word(case: Any) -> None:
            case.call_and_validate(excluded_checks=UNTOLD)

        keeps_its_word()
