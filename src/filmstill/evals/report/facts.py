"""What the report says, as plain values: the same for the page, the JSON and the CSV files."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from filmstill.data.description import histogram
from filmstill.evals.cost import cost_per_million
from filmstill.evals.evaluate import Evaluation, Result
from filmstill.evals.judges import Judgement
from filmstill.evals.noise import TeacherNoise
from filmstill.models.prices import Prices
from filmstill.records import Routing
from filmstill.weights import FloatArray

SAMPLE = 12  # queries shown before and after
_SEED = 0


@dataclass(frozen=True)
class ReportFacts:
    """An evaluation and what belongs to it.

    Attributes:
        evaluation: the routers' results.
        source: the evaluation set, as the user named it.
        made: day and time of the run, ISO 8601.
        prices: what things cost.
        labels: training labels, `(n, c)`, or None where there are none to show.
        labels_source: the training data, as the user named it.
        training_noise: how far the training labels disagree among themselves; None if unknown.
        judgements: per router, in order, the judges' verdicts.
        before: name of the undistilled router to show beside the student; None for none.
        after: name of the student to show.
    """

    evaluation: Evaluation
    source: str
    made: str
    prices: Prices
    labels: FloatArray | None = None
    labels_source: str = ""
    training_noise: TeacherNoise | None = None
    judgements: Mapping[str, Sequence[Judgement]] = field(default_factory=dict)
    before: str | None = None
    after: str | None = None


def rows_of(facts: ReportFacts) -> list[dict[str, Any]]:
    """One row per router with the figures that the tables and charts show."""
    first = facts.evaluation.results[0].scores
    first_cost = cost_per_million(first, facts.prices)
    rows = []
    for result in facts.evaluation.results:
        scores = result.scores
        cost = cost_per_million(scores, facts.prices)
        rows.append(
            {
                "router": scores.router,
                **{key: value for key, value in scores.to_dict().items() if key != "router"},
                "p50": scores.latency.p50,
                "cost": cost,
                "times_latency": scores.latency.mean / max(first.latency.mean, 1e-9)
                if scores.timed and first.timed
                else None,
                "times_cost": cost / first_cost if cost is not None and first_cost else None,
                "calibration_error": result.calibration_error,
                "reasoning": asdict(result.reasoning) if result.reasoning else None,
            }
        )
    return rows


def to_dict(facts: ReportFacts) -> dict[str, Any]:
    """Everything, ready for JSON."""
    evaluation = facts.evaluation
    return {
        "made": facts.made,
        "set": {"file": facts.source, "queries": len(evaluation.examples)},
        "task": evaluation.task.name,
        "channels": list(evaluation.task.channel_names),
        "prices": {"as_of": facts.prices.as_of, "source": facts.prices.source},
        "reference_noise": asdict(evaluation.noise) if evaluation.noise else None,
        "training_noise": asdict(facts.training_noise) if facts.training_noise else None,
        "routers": [
            {
                **row,
                "slices": [asdict(item) for item in result.slices],
                "confusion": np.round(result.confusion, 3).tolist(),
                "calibration": [asdict(item) for item in result.bins],
                "judges": [item.to_dict() for item in facts.judgements.get(row["router"], ())],
            }
            for row, result in zip(rows_of(facts), evaluation.results, strict=True)
        ],
        "training_labels": label_counts(facts),
        "differences": [asdict(item) for item in evaluation.differences],
        "hardest": evaluation.hardest,
        "answers": [answer_of(facts, index) for index in range(len(evaluation.examples))],
    }


def answer_of(facts: ReportFacts, index: int) -> dict[str, Any]:
    """One query with its reference and what every router made of it."""
    example = facts.evaluation.examples[index]
    return {
        "query": example.query,
        "tags": dict(example.tags),
        "reference": plain(example.routing),
        "routers": {
            result.scores.router: {
                **plain(result.answers[index].routing),
                "rubric": int(result.rubric[index]) or None,
                "failure": result.answers[index].failure,
            }
            for result in facts.evaluation.results
        },
    }


def plain(routing: Routing | None) -> dict[str, Any]:
    """Weights and reasoning; empty for no routing."""
    if routing is None:
        return {"weights": {}, "reasoning": ""}
    return {"weights": dict(routing.weights), "reasoning": routing.reasoning}


def before_and_after(facts: ReportFacts) -> list[dict[str, Any]]:
    """Queries drawn at random, as the undistilled router and the student routed them."""
    names = [result.scores.router for result in facts.evaluation.results]
    if facts.before not in names or facts.after not in names:
        return []
    count = len(facts.evaluation.examples)
    drawn = random.Random(_SEED).sample(range(count), min(SAMPLE, count))  # noqa: S311
    found = []
    for index in sorted(drawn):
        answer = answer_of(facts, index)
        found.append(
            {
                "query": answer["query"],
                "reference": answer["reference"],
                "before": answer["routers"][facts.before],
                "after": answer["routers"][facts.after],
            }
        )
    return found


def slice_tables(facts: ReportFacts) -> list[dict[str, Any]]:
    """Per tag, a row per value with every router's slice; a router may lack a value."""
    results: Sequence[Result] = facts.evaluation.results
    by_key = [{(item.tag, item.value): item for item in result.slices} for result in results]
    keys = list(dict.fromkeys(key for table in by_key for key in table))
    tables = []
    for tag in dict.fromkeys(tag for tag, _ in keys):
        rows = [
            {
                "value": value,
                "queries": max(
                    table[tag, value].queries for table in by_key if (tag, value) in table
                ),
                "cells": [table.get((tag, value)) for table in by_key],
            }
            for found, value in keys
            if found == tag
        ]
        tables.append({"tag": tag, "rows": rows})
    return tables


def label_counts(facts: ReportFacts) -> list[dict[str, Any]]:
    """Per channel, its mean and how many training labels are in each bin; empty without labels."""
    if facts.labels is None:
        return []
    weights, counts = histogram(facts.labels, facts.evaluation.task)
    means = facts.labels.mean(axis=0)
    return [
        {"channel": name, "mean": float(mean), "weights": weights, "counts": counts[name]}
        for name, mean in zip(counts, means, strict=True)
    ]
