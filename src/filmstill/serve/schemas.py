"""What travels over the native API."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from filmstill.query import MAX_QUERY_CHARS
from filmstill.records import Routing
from filmstill.registry.deployments import Deployment
from filmstill.routers import SHIPPED

MAX_QUERIES = 256
"""Queries of one request."""

QueryText = Annotated[str, Field(min_length=1, max_length=MAX_QUERY_CHARS)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class _Sent(BaseModel):
    """A body that is sent to us: a field that we do not know is a mistake."""

    model_config = ConfigDict(extra="forbid")


class RouteRequest(_Sent):
    """One query or several, and how to route them."""

    query: QueryText | None = Field(None, description="One query; give this or `queries`.")
    queries: list[QueryText] | None = Field(
        None, min_length=1, max_length=MAX_QUERIES, description="Several queries."
    )
    deployment: Name = Field(SHIPPED, description="Name or id of a deployment.")
    explain: bool = Field(False, description="Add the reasoning and the evidence; 12 ms a query.")
    raw: bool = Field(False, description="Four decimals instead of the task's grid.")

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"query": "Olivia talking about growing up in poverty", "explain": True}],
            "oneOf": [
                {"required": ["query"], "properties": {"query": {"type": "string"}}},
                {"required": ["queries"], "properties": {"queries": {"type": "array"}}},
            ],
        },
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.query is None) == (self.queries is None):
            raise ValueError("give query or queries, one of them")
        return self

    def all(self) -> list[str]:
        """The queries."""
        return self.queries if self.queries is not None else [self.query or ""]


class EvidenceItem(BaseModel):
    """What one word of the query does to one channel."""

    word: str
    channel: str
    effect: float = Field(description="Above 0 the word speaks for the channel; -1 to 1.")


class RoutingItem(BaseModel):
    """The routing of one query."""

    query: str
    weights: dict[str, float] = Field(description="By channel; they sum to 1.")
    confidence: float | None = Field(
        None, description="Probability that the leading channel is the teacher's."
    )
    reasoning: str | None = None
    evidence: list[EvidenceItem] | None = None

    @classmethod
    def of(cls, query: str, routing: Routing) -> Self:
        """A query and its routing."""
        return cls.model_validate({"query": query, **routing.to_dict()})


class RouteResponse(BaseModel):
    """Routings, in the order of the queries."""

    deployment: str
    routings: list[RoutingItem]


class CreateDeployment(_Sent):
    """A student and the name under which to serve it."""

    name: str = Field(
        min_length=1,
        max_length=63,
        description="Letters and digits, with single hyphens and underscores between them.",
    )
    model: Name = Field(description="Name or id of a distilled model, or `filmstill`.")


class UpdateDeployment(_Sent):
    """The student that is to take over."""

    model: Name = Field(description="Name or id of a distilled model, or `filmstill`.")


class DeploymentItem(BaseModel):
    """A name under which a student is served."""

    id: str
    name: str
    status: str = Field(description="Creating, Active or Failed.")
    updating: bool
    student: str = Field(description="Where the student came from.")
    created: datetime
    modified: datetime
    failure: str | None = None

    @classmethod
    def of(cls, deployment: Deployment) -> Self:
        """A deployment."""
        return cls.model_validate(deployment.to_dict())


class Deployments(BaseModel):
    """All deployments, the oldest first."""

    deployments: list[DeploymentItem]


class Failure(BaseModel):
    """What is wrong."""

    type: str
    message: str
    request_id: str


class Refused(BaseModel):
    """An error."""

    error: Failure


_REFUSALS = {
    400: "The request is wrong.",
    401: "There is no API key, or one that is not known.",
    403: "A web page of another site asks.",
    404: "There is nothing of this name.",
    409: "The name is taken.",
    413: "The request is too large.",
    421: "The request was sent to another name than this server's.",
    500: "An unexpected error.",
    503: "Too much to do, or a disk that refuses: try again in a moment.",
    504: "It took too long.",
}


def refused(*statuses: int, model: type[BaseModel] = Refused) -> dict[int | str, dict[str, Any]]:
    """The errors of a route, for the documentation: these, and those that any may have."""
    every = {400, 401, 403, 413, 421, 500, 503, 504, *statuses}
    return {
        status: {"model": model, "description": text}
        for status, text in _REFUSALS.items()
        if status in every
    }
