"""What the operations share: the registry, the settings, and the names of things as ARNs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from filmstill.errors import TakenNameError
from filmstill.jobs.job import DISTILLATION, EVALUATION, MODEL
from filmstill.jobs.order import Places
from filmstill.jobs.rating import RubricRater
from filmstill.jobs.recipes import Recipes, load_recipes
from filmstill.registry import Registry, Resource
from filmstill.registry.deployments import DEPLOYMENT, PROVISIONED
from filmstill.serve.bedrock.errors import ApiError, conflict, not_found, validation

MAX_TAGS = 200
"""Most tags of one resource."""

_WORDS = {
    DISTILLATION: "model-customization-job",
    MODEL: "custom-model",
    DEPLOYMENT: "custom-model-deployment",
    PROVISIONED: "provisioned-model",
    EVALUATION: "evaluation-job",
}
"""Kinds of resources, and what their ARNs call them."""
_WITH_BASE = (DISTILLATION, MODEL)
"""Kinds whose ARN has the base model's id in it."""


@dataclass(frozen=True)
class Backend:
    """What Bedrock's operations work with.

    Attributes:
        registry: jobs, models and deployments.
        region: the region that the server stands for.
        account: the account number in its ARNs.
        places: where `s3://` addresses lead.
        task: the task, as TOML; empty for the built-in one.
        teacher: address of who labels records without a label; empty for nobody.
        judge: who rates in evaluation jobs: "rubric", or a language model's address.
        base_model: address of the language model that answers for base models; empty for none.
        recipes: which student a base model stands for.
        changed: called when what is served was changed.
    """

    registry: Registry
    region: str = "us-east-1"
    account: str = "123456789012"
    places: Places = field(default_factory=Places)
    task: str = ""
    teacher: str = ""
    judge: str = RubricRater.name
    base_model: str = ""
    recipes: Recipes = field(default_factory=load_recipes)
    changed: Callable[[], None] = lambda: None

    def arn(self, item: Resource) -> str:
        """The ARN of a resource that was made through Bedrock's API."""
        base = f"{item.body['bedrock']['base']}/" if item.kind in _WITH_BASE else ""
        return self.arn_of(item.kind, f"{base}{item.id}")

    def arn_of(self, kind: str, name: str) -> str:
        """An ARN of this account, by a resource's kind and the last part of its name."""
        return f"arn:aws:bedrock:{self.region}:{self.account}:{_WORDS[kind]}/{name}"

    def foundation_arn(self, base: str) -> str:
        """The ARN of a base model."""
        return f"arn:aws:bedrock:{self.region}::foundation-model/{base}"

    def key_arn(self, identifier: str | None) -> str | None:
        """The ARN of a KMS key; None for an alias, since only KMS knows which key it is."""
        if identifier is None or "alias/" in identifier:
            return None
        if identifier.startswith("arn:"):
            return identifier
        return f"arn:aws:kms:{self.region}:{self.account}:key/{identifier}"

    def all(self, kind: str) -> list[Resource]:
        """The resources of a kind that have an ARN, the oldest first."""
        return [item for item in self.registry.all(kind) if item.body.get("bedrock")]

    def find(self, kind: str, identifier: str) -> Resource:
        """The resource with this ARN or name.

        Raises:
            ApiError: there is none.
        """
        found = self.registry.find(kind, identifier.rpartition("/")[2])
        if found is not None and self._is(found, identifier):
            return found
        for item in self.registry.all(kind):  # one may be called by the id of another
            if self._is(item, identifier):
                return item
        raise not_found(f"Could not find {_WORDS[kind].replace('-', ' ')} {identifier}.")

    def _is(self, item: Resource, identifier: str) -> bool:
        return bool(item.body.get("bedrock")) and identifier in (self.arn(item), item.name)

    def by_arn(self, arn: str) -> Resource:
        """The resource with this ARN, of whatever kind.

        Raises:
            ApiError: there is none.
        """
        word = arn.rpartition(":")[2] if "/" not in arn else arn.split(":", 5)[5].partition("/")[0]
        for kind, name in _WORDS.items():
            if name == word:
                return self.find(kind, arn)
        raise not_found(f"Could not find a resource {arn}.")

    def add(
        self,
        kind: str,
        name: str,
        status: str,
        body: Mapping[str, Any],
        request: Mapping[str, Any],
        tags: Sequence[Mapping[str, str]] = (),
        **bedrock: Any,  # noqa: ANN401 - JSON data
    ) -> Resource:
        """Add a resource that a request asks for, once for a token.

        Args:
            kind: its kind.
            name: its name.
            status: its status.
            body: all else of it.
            request: the members of the request; kept, to be shown again.
            tags: as the request gives them.
            bedrock: what else Bedrock's API must know of it.

        Raises:
            ApiError: the name is taken, or the token was used for another request.
        """
        token = request.get("clientRequestToken")
        kept = {key: value for key, value in request.items() if key != "clientRequestToken"}
        facts = {**body, "bedrock": {"request": kept, **bedrock}}
        with self.registry.transaction():
            known = token is not None and self.registry.by_token(kind, token) is not None
            try:
                made = self.registry.add(kind, name, status, facts, token=token)
            except TakenNameError as error:
                raise taken(kind, name) from error
            if made.body["bedrock"]["request"] != kept:
                raise refused(
                    kind,
                    "The clientRequestToken was used for another request before; use a new one.",
                )
            if tags and not known:
                self.registry.set_tags(self.arn(made), as_dict(tags))
        return made


def taken(kind: str, name: str) -> ApiError:
    """There is something called so already."""
    return refused(
        kind, f"The name {name} is already in use by another {_WORDS[kind].replace('-', ' ')}."
    )


def refused(kind: str, message: str) -> ApiError:
    """What is there does not allow to add this.

    Deployments and provisioned throughputs declare no ConflictException.
    """
    declared = kind in (DISTILLATION, MODEL, EVALUATION)
    return conflict(message) if declared else validation(message)


def as_dict(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Tags by key.

    Raises:
        ApiError: a key comes twice.
    """
    found: dict[str, str] = {}
    for tag in tags:
        if tag["key"] in found:
            raise validation(f"Duplicate tag key: {tag['key']}.")
        found[tag["key"]] = tag["value"]
    return found
