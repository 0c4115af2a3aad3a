"""What a distillation job is to do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Places:
    """Where `s3://` addresses lead.

    Attributes:
        root: a local folder: `s3://bucket/key` is `root/bucket/key`; empty for a real S3.
        endpoint: address of the S3 service; empty for what boto3 finds by itself.
    """

    root: str = ""
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class Distillation:
    """What a distillation job is to do; plain data, so that it can be kept.

    Attributes:
        training: file of examples: a path or an `s3://` address.
        model: name of the student it makes.
        model_id: id of that student; chosen when it is made where it is empty.
        task: the task, as TOML; empty for the built-in one.
        settings: settings of `DistillConfig`; defaults for those not named.
        teacher: address of who labels the examples without a label; empty for nobody.
        output: `s3://` prefix for metrics and reports; empty to write none.
        least: fewest usable examples.
        most: most usable examples; 0 for any number.
        logs: `training` is a prefix with logs of a model's invocations.
        responses_of: of logs, use the answers of this model as labels; empty to use none.
        filters: which entries of the logs to use, as Bedrock's `requestMetadataFilters`.
        places: where `s3://` addresses lead.
    """

    training: str
    model: str
    model_id: str = ""
    task: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    teacher: str = ""
    output: str = ""
    least: int = 20
    most: int = 0
    logs: bool = False
    responses_of: str = ""
    filters: Mapping[str, Any] = field(default_factory=dict)
    places: Places = Places()

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Distillation":
        """The order that `asdict` made plain data of."""
        return Distillation(**{**data, "places": Places(**data["places"])})
