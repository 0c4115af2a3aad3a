"""The card of a prepared set: who wrote and labelled it, what it cost, what is missing."""

from datetime import UTC, datetime

from filmstill import __version__
from filmstill.data.reading import tags_path
from filmstill.teachers.order import Order
from filmstill.teachers.output import Output, rejects_path
from filmstill.teachers.writing import NEAR, Written

_CARD = """\
# {name}

{examples:,} examples for the task {task}, made {made} with Filmstill {version}.

| what | |
|---|---|
{rows}

Records are `bedrock-conversation-2024`, with nothing in them but the conversation. What else is
known of a query (its teacher, the kind it was planned as) is in `{tags}`, which Filmstill reads
together with this file.
"""

_CORPUS = (
    "the corpus that ships with Filmstill: written and labelled by a large language model under "
    "Filmstill's labelling guide, each label read twice; no label is of the teacher you will use"
)


def card_text(
    order: Order, output: Output, written: Written | None, spent: float, tokens: tuple[int, int]
) -> str:
    """The card as Markdown; dollars and tokens (in, out) are those of all runs on the file."""
    rows = _rows(order, output, written, spent, tokens)
    return _CARD.format(
        name=order.out.name,
        examples=output.examples,
        task=order.task.name,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        version=__version__,
        rows="\n".join(f"| {name} | {value} |" for name, value in rows),
        tags=tags_path(order.out).name,
    )


def _rows(
    order: Order, output: Output, written: Written | None, spent: float, tokens: tuple[int, int]
) -> list[tuple[str, str]]:
    rows = [("queries", _queries(order, written))]
    if not order.label:
        rows.append(("labels", "none: the records hold queries alone"))
    elif order.teacher is None:
        rows.append(("labels", _CORPUS))
    else:
        made = ", ".join(f"{count:,} by {name}" for name, count in output.teachers.items())
        each = f", each the mean of up to {output.samples}" if output.samples > 1 else ""
        rows.append(("labels", f"{made}{each}"))
    if output.leading:
        shares = ", ".join(
            f"{name} {count / sum(output.leading.values()):.1%}"
            for name, count in output.leading.most_common()
        )
        rows.append(("leading channel", shares))
    noise = output.noise
    if noise is not None:
        rows.append(
            (
                "teacher's noise",
                f"two labels of one query differ by {noise.mean_absolute_error:.3f} a weight and "
                f"score {noise.rubric:.2f} of 5 against each other ({noise.queries:,} queries)",
            )
        )
    if output.rejected:
        rows.append(("rejected", f"{output.rejected:,}, in `{rejects_path(order.out).name}`"))
    if output.pending:
        rows.append(("not labelled yet", f"{output.pending:,}; run again without --finish"))
    if order.models:
        known = all(order.prices.of(address) for address in order.models)
        cost = f"{spent:.4f} USD" if known else "dollars not known, since no price is listed"
        rows.append(("cost", f"{cost}; {tokens[0]:,} tokens in, {tokens[1]:,} out"))
    return rows


def _queries(order: Order, written: Written | None) -> str:
    if order.queries is not None:
        return f"given: `{order.queries.name}`"
    if written is None:
        return f"from the corpus that ships with Filmstill, seed {order.config.seed}"
    dropped = (
        f"{written.duplicates:,} dropped as near-duplicates of another (Levenshtein similarity of "
        f"{NEAR:g} and more), {written.forbidden:,} as such of an evaluation query"
    )
    short = f", {written.missing:,} fewer than planned" if written.missing else ""
    return f"written by {order.writer} to a plan, seed {order.config.seed}{short}; {dropped}"
