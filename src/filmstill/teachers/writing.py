"""Has a model write queries to a plan, drops near-duplicates, and asks again for what is short."""

import json
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from filmstill.errors import QueryError, RoutingError
from filmstill.models import ChatModel, Prompt
from filmstill.query import clean_query, same_query
from filmstill.records import Example
from filmstill.routers.reply import json_objects
from filmstill.task import Task
from filmstill.teachers.plan import Slot

NEAR = 0.85
"""Queries are near-duplicates from this normalised Levenshtein similarity on: at most 15 % of the
characters of the longer one have to be edited, after case and white space are folded."""
BATCH = 20  # queries a call
ROUNDS = 6  # of asking for what is still short
TEMPERATURE = 1.0
_TOKENS_PER_QUERY = 60
_AVOID = 12  # near-duplicates that a model is shown when it is asked again

SYSTEM = """\
You write search queries for tests of a search engine. It searches {task}. Each item can be found \
through several channels:
{channels}

For every numbered line, write one query of that kind, as a real person with a real need would \
type or say it. "leads" names the channels a good search would have to trust most for the query; \
several share the lead about equally; "none" is a query that hints at no channel. "adversarial" \
means that a word points at another channel than the one the query asks for; "ambiguous" that \
careful people could differ a little. Never name a channel to say what you want. Vary wording, \
length (1 to 40 words), openings and subjects: no two queries with the same frame. Real public \
names, places and titles are welcome, private persons are not.

Answer with one JSON object and nothing else: {{"queries": [{{"n": 1, "query": "..."}}]}}"""


@dataclass(slots=True)
class Written:
    """What was written.

    Attributes:
        examples: queries without a label, tagged with their slot's kind, in the plan's order.
        duplicates: queries dropped for being near another one.
        forbidden: queries dropped for being near one of an evaluation set.
        unusable: slots for which a reply held no query, each round counted.
        missing: slots that were still empty in the end.
    """

    examples: list[Example] = field(default_factory=list)
    duplicates: int = 0
    forbidden: int = 0
    unusable: int = 0
    missing: int = 0


class Near:
    """Queries, and whether another is a near-duplicate of one of them."""

    def __init__(self, queries: Iterable[str] = ()) -> None:
        """Take the first queries."""
        self._folded = [same_query(query) for query in queries]

    def add(self, query: str) -> None:
        """Take one more."""
        self._folded.append(same_query(query))

    def __contains__(self, query: str) -> bool:
        found = process.extractOne(
            same_query(query),
            self._folded,
            scorer=Levenshtein.normalized_similarity,
            score_cutoff=NEAR,
        )
        return found is not None


def write_queries(
    model: ChatModel,
    slots: Sequence[Slot],
    task: Task,
    *,
    forbidden: Iterable[str] = (),
    workers: int,
    stop: threading.Event,
    on_slot: Callable[[int], None] = lambda done: None,
) -> Written:
    """Have a model write one query per slot.

    With a journal around the model, the same slots give the same queries again, and nothing that
    was answered is asked twice.

    Args:
        model: the writer.
        slots: the plan.
        task: whose channels the queries are for.
        forbidden: queries that none may be near to, such as those of an evaluation set.
        workers: calls at a time.
        stop: set it to end after the calls under way.
        on_slot: called with the number of filled slots, batch by batch.

    Raises:
        RoutingError: the service failed, retries and all.
        ServiceError, BudgetError, StorageError: no call can succeed any more.
    """
    written, filled = Written(), dict[int, str]()
    held_out, known = Near(forbidden), Near()
    avoid: list[str] = []
    system = _system(task)
    empty = list(range(len(slots)))
    for number in range(ROUNDS):
        batches = [empty[start : start + BATCH] for start in range(0, len(empty), BATCH)]
        prompts = [_prompt(system, slots, batch, avoid, number) for batch in batches]
        avoid = []
        with ThreadPoolExecutor(workers, thread_name_prefix="writer") as pool:
            try:
                replies = pool.map(lambda prompt: _reply(model, prompt), prompts)
                for batch, reply in zip(batches, replies, strict=True):
                    queries = read_queries(reply, len(batch))
                    written.unusable += len(batch) - len(queries)
                    for place, query in sorted(queries.items()):
                        if query in held_out:
                            written.forbidden += 1
                        elif query in known:
                            written.duplicates += 1
                            avoid.append(query)
                        else:
                            known.add(query)
                            filled[batch[place]] = query
                    on_slot(len(filled))
            except BaseException:
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        empty = [place for place in range(len(slots)) if place not in filled]
        if not empty:
            break
    written.missing = len(empty)
    written.examples = [
        Example(filled[place], None, _tags(slots[place], model.address)) for place in sorted(filled)
    ]
    return written


def write_prompts(slots: Sequence[Slot], task: Task) -> list[Prompt]:
    """What a model is asked in the first round; for estimates."""
    system = _system(task)
    places = list(range(len(slots)))
    return [
        _prompt(system, slots, places[start : start + BATCH], [], 0)
        for start in range(0, len(places), BATCH)
    ]


def read_queries(text: str, count: int) -> dict[int, str]:
    """The usable queries in a reply, by place from 0; what is no query is left out."""
    found: dict[int, str] = {}
    for record in json_objects(text):
        items = record.get("queries")
        if not isinstance(items, list):
            continue
        for place, item in enumerate(items):
            number, query = place + 1, item
            if isinstance(item, dict):
                number, query = item.get("n", number), item.get("query")
            if not isinstance(number, int) or not 1 <= number <= count:
                continue
            try:
                if isinstance(query, str):
                    found.setdefault(number - 1, clean_query(query))
            except QueryError:
                continue
        break
    return found


def _reply(model: ChatModel, prompt: Prompt) -> str:
    """What the model answered; nothing where it refuses this very prompt."""
    try:
        return model.complete(prompt).text
    except RoutingError as error:
        if error.of_service:
            raise
        return ""


def _system(task: Task) -> str:
    channels = "\n".join(
        f"- {channel.name}: {channel.description}. {channel.guidance}".rstrip()
        for channel in task.channels
    )
    return SYSTEM.format(task=task.description, channels=channels)


def _prompt(
    system: str, slots: Sequence[Slot], batch: Sequence[int], avoid: Sequence[str], round_: int
) -> Prompt:
    lines = [f"{number}. {_line(slots[place])}" for number, place in enumerate(batch, start=1)]
    if avoid:
        told = json.dumps(list(avoid[:_AVOID]), ensure_ascii=False)
        lines.append(f"These are there already, so write others: {told}")
    return Prompt(
        system,
        ("\n".join(lines),),
        max_tokens=_TOKENS_PER_QUERY * len(batch) + 100,
        temperature=TEMPERATURE,
        schema=_schema(),
        sample=round_,
    )


def _line(slot: Slot) -> str:
    parts = [f"leads: {' and '.join(slot.leads) or 'none'}", slot.difficulty, f"as {slot.style}"]
    if slot.domain:
        parts.append(f"about {slot.domain}")
    if slot.words:
        parts.append(f"with {', '.join(slot.words)}")
    return "; ".join(parts)


def _schema() -> dict[str, object]:
    item = {
        "type": "object",
        "properties": {"n": {"type": "integer"}, "query": {"type": "string"}},
        "required": ["n", "query"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"queries": {"type": "array", "items": item}},
        "required": ["queries"],
        "additionalProperties": False,
    }


def _tags(slot: Slot, writer: str) -> dict[str, str]:
    tags = {"intent": slot.intent, "difficulty": slot.difficulty, "style": slot.style}
    if slot.domain:
        tags["domain"] = slot.domain
    return {**tags, "writer": writer}
