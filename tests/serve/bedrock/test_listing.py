"""Lists: filters, order, pages; and `listed` against a model in plain Python."""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filmstill.registry import Resource
from filmstill.serve.bedrock.errors import ApiError
from filmstill.serve.bedrock.listing import DEFAULT_RESULTS, listed

from .worlds import ARN, BASE, JUDGE, SOURCE, TEACHER, Still, pages, refused

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Kind:
    """One list operation.

    Attributes:
        operation: its name in boto3.
        member: of the output, which holds the summaries.
        name: member of a summary.
        time: member of a summary.
        bounds: members of the request, for creation after and before.
        kind: of the resources in the registry.
    """

    operation: str
    member: str
    name: str
    kind: str
    time: str = "creationTime"
    bounds: tuple[str, str] = ("creationTimeAfter", "creationTimeBefore")

    def make(self, still: Still, name: str) -> str:
        """One more, of its name; its ARN."""
        if self.kind == "job":
            return still.distil(name)
        if self.kind == "model":
            return still.model(name)
        if self.kind == "evaluation":
            return still.evaluate(name)
        if still.has("model", "base") is None:
            still.model("base")
        arn = still.backend.arn(still.registry.get("model", "base"))
        return still.deploy(name, arn) if self.kind == "deployment" else still.provision(name, arn)

    def ask(self, still: Still, **given: Any) -> dict[str, Any]:
        found: dict[str, Any] = getattr(still.bedrock, self.operation)(**given)
        return found

    def names(self, still: Still, **given: Any) -> list[str]:
        return [item[self.name] for item in self.ask(still, **given)[self.member]]


JOBS = Kind("list_model_customization_jobs", "modelCustomizationJobSummaries", "jobName", "job")
MODELS = Kind("list_custom_models", "modelSummaries", "modelName", "model")
DEPLOYMENTS = Kind(
    "list_custom_model_deployments",
    "modelDeploymentSummaries",
    "customModelDeploymentName",
    "deployment",
    "createdAt",
    ("createdAfter", "createdBefore"),
)
PROVISIONED = Kind(
    "list_provisioned_model_throughputs",
    "provisionedModelSummaries",
    "provisionedModelName",
    "provisioned",
)
EVALUATIONS = Kind("list_evaluation_jobs", "jobSummaries", "jobName", "evaluation")
ALL = (JOBS, MODELS, DEPLOYMENTS, PROVISIONED, EVALUATIONS)
kinds = pytest.mark.parametrize("kind", ALL, ids=[kind.kind for kind in ALL])


def at(still: Still, kind: Kind, name: str, when: datetime) -> None:
    """Let something have been made at another time."""
    still.registry._database.execute(
        "UPDATE resources SET created = ? WHERE kind = ? AND name = ?",
        (when.timestamp(), kind.kind, name),
    )


@kinds
def test_filters_and_order(still: Still, kind: Kind) -> None:
    for number, name in enumerate(("red-car", "blue-car", "red-bell")):
        kind.make(still, name)
        at(still, kind, name, NOON + timedelta(hours=number, microseconds=400))

    def names(**given: Any) -> list[str]:
        return kind.names(still, **given)

    assert names() == ["red-bell", "blue-car", "red-car"]  # the newest first
    assert names(sortOrder="Descending", sortBy="CreationTime") == names()
    assert names(sortOrder="Ascending") == names()[::-1]
    assert names(nameContains="red") == ["red-bell", "red-car"]
    assert names(nameContains="car") == ["blue-car", "red-car"]
    assert names(nameContains="green") == []
    after, before = kind.bounds
    # Bounds as they are shown, which leave out what they were read from.
    times = [item[kind.time] for item in kind.ask(still)[kind.member]]
    assert times[1] == NOON + timedelta(hours=1)
    assert names(**{after: times[1]}) == ["red-bell"]
    assert names(**{before: times[1]}) == ["red-car"]
    assert names(**{after: times[2], before: times[0]}) == ["blue-car"]
    assert names(**{after: times[2], before: times[0], "nameContains": "red"}) == []
    assert names(**{after: NOON - timedelta(days=1), before: NOON}) == []
    assert kind.ask(still, maxResults=2)[kind.member] == kind.ask(still)[kind.member][:2]


@kinds
def test_pages(still: Still, kind: Kind) -> None:
    expected = [f"number-{number}" for number in range(7)]
    for name in expected:
        kind.make(still, name)
        at(still, kind, name, NOON)  # all at the same moment
    for size in (1, 2, 7, 1000):
        for order in ("Ascending", "Descending"):
            found, token, sizes = [], {}, []
            while True:
                page = kind.ask(still, maxResults=size, sortOrder=order, **token)
                found += [item[kind.name] for item in page[kind.member]]
                sizes.append(len(page[kind.member]))
                assert len(found) <= 7
                if "nextToken" not in page:
                    break
                token = {"nextToken": page["nextToken"]}
            assert sorted(found) == expected
            assert sizes == [size] * (7 // size) + ([7 % size] if 7 % size else [])
    paged = pages(still, kind.operation, PaginationConfig={"PageSize": 2})
    assert paged == kind.ask(still)[kind.member]
    only = pages(still, kind.operation, nameContains="3", PaginationConfig={"PageSize": 1})
    assert [item[kind.name] for item in only] == ["number-3"]


def test_a_page_holds_a_hundred_unless_asked(still: Still) -> None:
    still.deploy("first", still.model("m"))
    body = still.registry.get("deployment", "first").body
    with still.registry.transaction():
        for number in range(DEFAULT_RESULTS):
            still.registry.add("deployment", f"d{number}", "Active", body)
    page = still.bedrock.list_custom_model_deployments()
    assert len(page["modelDeploymentSummaries"]) == DEFAULT_RESULTS == 100
    rest = still.bedrock.list_custom_model_deployments(nextToken=page["nextToken"])
    assert [item["customModelDeploymentName"] for item in rest["modelDeploymentSummaries"]] == [
        "first"
    ]
    assert "nextToken" not in rest


@kinds
def test_items_come_and_go_between_pages(still: Still, kind: Kind) -> None:
    for number in range(6):
        kind.make(still, f"old-{number}")
    # By hand: what is to be deleted may not be deletable through the API.
    first = kind.ask(still, maxResults=2)
    kind.make(still, "new-0")
    for gone in ("old-5", "old-4", "old-2"):  # seen; seen, the last of its page; not seen yet
        still.registry.remove(still.registry.get(kind.kind, gone))
    second = kind.ask(still, maxResults=2, nextToken=first["nextToken"])
    kind.make(still, "new-1")
    third = kind.ask(still, nextToken=second["nextToken"])
    seen = [item[kind.name] for page in (first, second, third) for item in page[kind.member]]
    assert seen == ["old-5", "old-4", "old-3", "old-1", "old-0"]
    assert "nextToken" not in third


def token(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


BROKEN = {
    "no base64": "!!!",
    "cut": token(1.5, "abcdefghijkl")[:-3],
    "not JSON": base64.urlsafe_b64encode(b"{").decode(),
    "not UTF-8": base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    "no list": base64.urlsafe_b64encode(b"7").decode(),
    "one part": token(1.5),
    "three parts": token(1.5, "a", "b"),
    "no number": token("x", "abcdefghijkl"),
    "no text": token(1.5, 7),
    "a whole number": token(1, "abcdefghijkl"),
    "not a number": token(float("nan"), "abcdefghijkl"),
    "infinite": token(float("inf"), "abcdefghijkl"),
    "huge": token(10**400, "abcdefghijkl"),
    "deep": base64.urlsafe_b64encode(b"[" * 1500).decode(),
    "an object": base64.urlsafe_b64encode(b'{"1.5": 1, "2.5": 2}').decode(),
    "more after it": token(1.5, "abcdefghijkl") + "!!!!",
    "other letters": "é" * 8,
}


@pytest.mark.parametrize("kind", [JOBS, PROVISIONED, EVALUATIONS], ids=["job", "pt", "evaluation"])
def test_a_token_that_no_list_gave_out(still: Still, kind: Kind) -> None:
    kind.make(still, "one")
    for broken in BROKEN.values():
        with refused("ValidationException", "nextToken is not one that a list ended with"):
            kind.ask(still, nextToken=broken)
    with refused("ValidationException", "'nextToken' failed to satisfy"):
        kind.ask(still, nextToken="a b")
    with refused("ValidationException", "'maxResults' failed to satisfy"):
        kind.ask(still, maxResults=1001)


def test_lists_by_status(still: Still) -> None:
    arn = still.distil("stopped")
    still.distil("waiting")
    still.bedrock.stop_model_customization_job(jobIdentifier=arn)
    model = still.model("made")
    for status, names in (
        ("Stopped", ["stopped"]),
        ("InProgress", ["waiting"]),
        ("Completed", ["job-of-made"]),
        ("Failed", []),
    ):
        assert JOBS.names(still, statusEquals=status) == names
    assert MODELS.names(still, modelStatus="Active") == ["made"]
    assert MODELS.names(still, modelStatus="Creating") == []

    still.deploy("d", model)
    still.provision("p", model)
    assert DEPLOYMENTS.names(still, statusEquals="Creating") == ["d"]
    assert PROVISIONED.names(still, statusEquals="Creating") == ["p"]
    still.settle()
    assert DEPLOYMENTS.names(still, statusEquals="Creating") == []
    assert DEPLOYMENTS.names(still, statusEquals="Active") == ["d"]
    assert PROVISIONED.names(still, statusEquals="InService") == ["p"]
    still.bedrock.update_provisioned_model_throughput(provisionedModelId="p", desiredModelId="made")
    assert PROVISIONED.names(still, statusEquals="Updating") == ["p"]
    assert PROVISIONED.names(still, statusEquals="InService") == []

    job = still.evaluate("stopped")
    still.evaluate("waiting")
    still.bedrock.stop_evaluation_job(jobIdentifier=job)
    assert EVALUATIONS.names(still, statusEquals="Stopped") == ["stopped"]
    assert EVALUATIONS.names(still, statusEquals="InProgress") == ["waiting"]


def test_lists_by_model(still: Still) -> None:
    lite = "amazon.nova-lite-v1:0:300k"
    one, two = still.model("one"), still.model("two", base=lite)
    for number, model in enumerate((one, two, one)):
        still.deploy(f"d{number}", model)
        still.provision(f"p{number}", model)
    assert DEPLOYMENTS.names(still, modelArnEquals=one) == ["d2", "d0"]
    assert PROVISIONED.names(still, modelArnEquals=two) == ["p1"]
    assert DEPLOYMENTS.names(still, modelArnEquals=one, nameContains="0") == ["d0"]
    foundation = "arn:aws:bedrock:us-east-1::foundation-model/"
    for name in ("baseModelArnEquals", "foundationModelArnEquals"):
        assert MODELS.names(still, **{name: foundation + BASE}) == ["one"]
        assert MODELS.names(still, **{name: foundation + lite}) == ["two"]
        assert MODELS.names(still, **{name: foundation + "amazon.nova-pro-v1:0:300k"}) == []


def test_lists_by_owner(still: Still) -> None:
    still.model("mine")
    assert MODELS.names(still, isOwned=True) == ["mine"]
    assert MODELS.names(still, isOwned=False) == []


def test_lists_by_application(still: Still) -> None:
    still.evaluate("said")
    still.evaluate("unsaid", applicationType=None)
    assert EVALUATIONS.names(still, applicationTypeEquals="ModelEvaluation") == ["unsaid", "said"]
    assert EVALUATIONS.names(still, applicationTypeEquals="RagEvaluation") == []


def test_what_summaries_show(still: Still) -> None:
    job = still.distil("job")
    [shown] = JOBS.ask(still)[JOBS.member]
    same = still.job(job)
    fields = "jobArn baseModelArn jobName status statusDetails lastModifiedTime creationTime"
    assert shown == {key: same[key] for key in [*fields.split(), "customizationType"]} | {
        "customModelName": "job"
    }
    model = still.model("m")
    summary = JOBS.ask(still, nameContains="job-of")[JOBS.member][0]
    assert summary["customModelArn"] == model
    [shown] = MODELS.ask(still)[MODELS.member]
    assert shown.pop("creationTime").utcoffset() is not None
    assert shown == {
        "modelArn": model,
        "modelName": "m",
        "baseModelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{BASE}",
        "baseModelName": "amazon.nova-micro-v1",
        "customizationType": "DISTILLATION",
        "ownerAccountId": "123456789012",
        "modelStatus": "Active",
    }
    arn = still.deploy("d", model)
    [shown] = DEPLOYMENTS.ask(still)[DEPLOYMENTS.member]
    whole = still.deployment(arn)
    fields = "customModelDeploymentArn modelArn createdAt status lastUpdatedAt"
    assert shown == {key: whole[key] for key in fields.split()} | {"customModelDeploymentName": "d"}


def test_what_the_summary_of_an_evaluation_shows(still: Still) -> None:
    arn = still.evaluate("of-responses")
    [shown] = EVALUATIONS.ask(still)[EVALUATIONS.member]
    assert shown.pop("creationTime").utcoffset() is not None
    judge = JUDGE["bedrockEvaluatorModels"][0]["modelIdentifier"]
    assert judge == TEACHER
    assert shown == {
        "jobArn": arn,
        "jobName": "of-responses",
        "status": "InProgress",
        "jobType": "Automated",
        "evaluationTaskTypes": ["General"],
        "evaluatorModelIdentifiers": [TEACHER],
        "customMetricsEvaluatorModelIdentifiers": [TEACHER],
        "applicationType": "ModelEvaluation",
        "inferenceConfigSummary": {
            "modelConfigSummary": {"precomputedInferenceSourceIdentifiers": [SOURCE]}
        },
    }
    throughput = still.provision("p", still.model("m"))
    still.evaluate("of-a-model", models=[{"bedrockModel": {"modelIdentifier": throughput}}])
    [shown] = EVALUATIONS.ask(still, nameContains="of-a-model")[EVALUATIONS.member]
    assert shown["modelIdentifiers"] == [throughput]
    assert shown["inferenceConfigSummary"] == {
        "modelConfigSummary": {"bedrockModelIdentifiers": [throughput]}
    }
    assert throughput.startswith(f"{ARN}:provisioned-model/")


# `listed` alone

TIMES = st.integers(0, 3).map(lambda hours: NOON + timedelta(hours=hours))
ITEMS = st.lists(
    st.builds(
        lambda item_id, name, when, status: Resource(
            "thing", item_id, name, status, when, when, None, {}
        ),
        st.text("ab", min_size=2, max_size=4),
        st.text("xy", min_size=1, max_size=3),
        TIMES,
        st.sampled_from(["Active", "Failed"]),
    ),
    unique_by=lambda item: item.id,
    max_size=12,
)


def shown(item: Resource) -> dict[str, Any]:
    return {"id": item.id, "name": item.name, "created": item.created, "status": item.status}


def ask(items: list[Resource], **request: Any) -> dict[str, Any]:
    return listed(request, items, "things", shown, equals={"statusEquals": "status"})


@given(items=ITEMS, size=st.integers(1, 13), ascending=st.booleans(), data=st.data())
def test_listed(items: list[Resource], size: int, ascending: bool, data: Any) -> None:
    request: dict[str, Any] = {"sortOrder": "Ascending" if ascending else "Descending"}
    expected = items
    if data.draw(st.booleans()):
        request["nameContains"] = part = data.draw(st.text("xy", max_size=2))
        expected = [item for item in expected if part in item.name]
    if data.draw(st.booleans()):
        request["creationTimeAfter"] = when = data.draw(TIMES)
        expected = [item for item in expected if item.created > when]
    if data.draw(st.booleans()):
        request["creationTimeBefore"] = when = data.draw(TIMES)
        expected = [item for item in expected if item.created < when]
    if data.draw(st.booleans()):
        request["statusEquals"] = status = data.draw(st.sampled_from(["Active", "Failed", "No"]))
        expected = [item for item in expected if item.status == status]
    expected = sorted(expected, key=lambda item: (item.created, item.id), reverse=not ascending)
    found: list[str] = []
    page = ask(items, maxResults=size, **request)
    while True:
        assert len(page["things"]) <= size
        found += [item["id"] for item in page["things"]]
        assert len(found) <= len(expected)
        if "nextToken" not in page:
            break
        assert len(page["things"]) == size
        shuffled = data.draw(st.permutations(items))  # the order of what is given is no matter
        page = ask(shuffled, maxResults=size, nextToken=page["nextToken"], **request)
    assert found == [item.id for item in expected]


@given(items=ITEMS, ascending=st.booleans(), size=st.integers(1, 4), data=st.data())
def test_pages_while_items_come_and_go(
    items: list[Resource], ascending: bool, size: int, data: Any
) -> None:
    there = data.draw(st.lists(st.sampled_from(items), unique_by=id)) if items else []
    stayed, seen = {item.id for item in there}, []
    request: dict[str, Any] = {
        "maxResults": size,
        "sortOrder": "Ascending" if ascending else "Descending",
    }
    while True:
        page = ask(there, **request)
        seen += [item["id"] for item in page["things"]]
        assert len(seen) == len(set(seen))
        if "nextToken" not in page:
            break
        request["nextToken"] = page["nextToken"]
        there = data.draw(st.lists(st.sampled_from(items), unique_by=id))
        stayed &= {item.id for item in there}
    assert stayed <= set(seen)


@given(
    st.text(max_size=60) | st.binary(max_size=40).map(lambda raw: base64.b64encode(raw).decode())
)
def test_any_token(text: str) -> None:
    with pytest.raises(ApiError, match="nextToken is not one"):
        ask([], nextToken=text)
