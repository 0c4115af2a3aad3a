"""Lists: filters, order and pages, which all list operations have alike."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from filmstill.registry import Resource
from filmstill.serve.bedrock.errors import validation

DEFAULT_RESULTS = 100

Summary = dict[str, Any]


def listed(
    request: Mapping[str, Any],
    items: Sequence[Resource],
    member: str,
    summary: Callable[[Resource], Summary],
    *,
    after: str = "creationTimeAfter",
    before: str = "creationTimeBefore",
    equals: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """One page of resources, newest first unless asked otherwise, as a list operation's output.

    Args:
        request: the members of the request.
        items: all there are.
        member: the member of the output that holds them.
        summary: how one is shown.
        after: the member that bounds the time of creation below.
        before: and above; both bounds are exclusive.
        equals: members of the request that must equal a member of the summary.

    Raises:
        ApiError: the token is none that a page ended with.
    """
    found = [
        (item, shown)
        for item in items
        if request.get("nameContains", "") in item.name
        and (after not in request or _as_shown(item.created) > request[after])
        and (before not in request or _as_shown(item.created) < request[before])
        for shown in (summary(item),)
        if all(
            shown.get(name) == request[key]
            for key, name in (equals or {}).items()
            if key in request
        )
    ]
    ascending = request.get("sortOrder") == "Ascending"
    found.sort(key=lambda pair: _place(pair[0]), reverse=not ascending)
    if "nextToken" in request:
        last = _read(request["nextToken"])
        found = [
            pair
            for pair in found
            if (_place(pair[0]) > last) == ascending and _place(pair[0]) != last
        ]
    size = request.get("maxResults", DEFAULT_RESULTS)
    output: dict[str, Any] = {member: [shown for _, shown in found[:size]]}
    if len(found) > size:
        output["nextToken"] = _token(_place(found[size - 1][0]))
    return output


def _as_shown(when: datetime) -> datetime:
    """In milliseconds, so that a bound that was read from a summary leaves that one out."""
    return when.replace(microsecond=when.microsecond // 1000 * 1000)


def _place(item: Resource) -> tuple[float, str]:
    """Where an item stands in the order; no two stand alike, and none moves."""
    return item.created.timestamp(), item.id


def _token(place: tuple[float, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place, allow_nan=False).encode()).decode()


def _read(token: str) -> tuple[float, str]:
    try:
        created, item_id = json.loads(base64.urlsafe_b64decode(token.encode()))
        place = float(created), str(item_id)
        if _token(place) != token:  # another text that says the same: no list gave it out
            raise ValueError(token)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise validation("The nextToken is not one that a list ended with.") from error
    return place
