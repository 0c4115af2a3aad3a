"""The two service models of Bedrock, as botocore ships them."""

from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel

SERVICES = ("bedrock", "bedrock-runtime")

Shape = Any  # a botocore.model.Shape; botocore has no types
Value = Any  # what a shape describes: a str, a number, a list, a dict and so on


@cache
def service_models() -> tuple[Any, ...]:
    """The models of the control plane and of the runtime; read once, which takes some 50 ms."""
    loader = Loader()
    models = tuple(
        ServiceModel(loader.load_service_model(name, "service-2"), name) for name in SERVICES
    )
    for model in models:
        _share_shapes(model)
    return models


def _share_shapes(model: Value) -> None:
    """Make each shape once, wherever it occurs.

    botocore makes a shape for every path to it, and keeps it. As some shapes hold themselves, a
    client could fill the memory with requests that each take another path.
    """
    resolver = model._shape_resolver
    make = resolver.get_shape_by_name
    made: dict[tuple[str, str], Shape] = {}

    def shared(name: str, traits: dict[str, Any] | None = None) -> Shape:
        key = (name, repr(traits))
        if key not in made:
            made[key] = make(name, traits)
        return made[key]

    resolver.get_shape_by_name = shared
