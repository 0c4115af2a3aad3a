"""The records that travel between the stages: queries, routings and their evidence."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Two weights closer than this are the same weight: tenths are not exact in binary.
TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one word of the query does to one channel.

    Attributes:
        word: the word as it stands in the query.
        channel: the channel whose weight the word changes.
        effect: weight with the word minus weight without it, -1..1; above 0 the word speaks for
            the channel.
    """

    word: str
    channel: str
    effect: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What a language model answered to a query, and how well it kept to the form asked for.

    Attributes:
        text: the reply as it came.
        tokens_in: tokens of the prompt, as the service counted them; 0 where it did not say.
        tokens_out: tokens of the reply.
        milliseconds: how long the service took.
        is_json: the reply is one JSON object and nothing else.
        has_keys: it names every channel, each with a number.
        sums: the weights as given sum to 1.
    """

    text: str
    tokens_in: int = 0
    tokens_out: int = 0
    milliseconds: float = 0.0
    is_json: bool = False
    has_keys: bool = False
    sums: bool = False

    @property
    def consistent(self) -> bool:
        """Whether the reply has the form asked for in every respect."""
        return self.is_json and self.has_keys and self.sums


@dataclass(frozen=True, slots=True)
class Routing:
    """How much to trust each channel for one query.

    Attributes:
        weights: channel name to weight, each 0..1, in the task's channel order; they sum to 1.
        reasoning: one or two sentences on why; empty where none was asked for.
        confidence: estimated probability (0..1) that the leading channel is the one the teacher
            would lead with; None where the router has no estimate.
        evidence: what the query's words did, strongest first; empty unless asked for.
        reply: what the language model answered, where one was asked.
    """

    weights: Mapping[str, float]
    reasoning: str = ""
    confidence: float | None = None
    evidence: tuple[Evidence, ...] = ()
    reply: Reply | None = None

    @property
    def leading(self) -> tuple[str, ...]:
        """The channel with the highest weight; several, in the task's order, where they tie."""
        top = max(self.weights.values())
        return tuple(name for name, weight in self.weights.items() if weight >= top - TOLERANCE)

    def to_dict(self) -> dict[str, Any]:
        """Weights, then whatever else is known, ready for JSON."""
        known: dict[str, Any] = {"weights": dict(self.weights)}
        if self.confidence is not None:
            known["confidence"] = self.confidence
        if self.reasoning:
            known["reasoning"] = self.reasoning
        if self.evidence:
            known["evidence"] = [
                {"word": item.word, "channel": item.channel, "effect": item.effect}
                for item in self.evidence
            ]
        return known

    def to_label(self) -> str:
        """The routing as a label is stored: JSON text of the weights and the reasoning."""
        label: dict[str, Any] = dict(self.weights)
        if self.reasoning:
            label["reasoning"] = self.reasoning
        return json.dumps(label, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Example:
    """A query, with its routing where it is labelled.

    Attributes:
        query: the query as a person would type it.
        routing: the label, or None.
        tags: what else is known of the example (intent, style, domain, language, ...), for slices.
    """

    query: str
    routing: Routing | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
