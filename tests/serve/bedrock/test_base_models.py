"""Models that are no students: who answers for them, and how that fails."""

import json
from dataclasses import replace

import pytest

from filmstill.models import open_model
from filmstill.serve.bedrock.handlers import bedrock_app
from tests.services import Service

from .test_boto3 import serving
from .test_runtime import EVENTS, QUERY, assistant, nova, streamed, user
from .worlds import ARN, BASE, TEACHER, Cloud, client, refused, text_of

NO_ID = "abcdefghijkl"


@pytest.mark.parametrize(
    ("model", "code", "match"),
    [
        (BASE, "ResourceNotFound", "Model not found"),
        (f"us.{BASE}", "ResourceNotFound", "Model not found"),
        ("amazon.nova-micro-v1:0", "AccessDenied", "start the server with --base-model openai:"),
        (f"us.{TEACHER}", "AccessDenied", "don't have access to the model us.amazon"),
        (f"arn:aws:bedrock:us-east-1::foundation-model/{TEACHER}", "AccessDenied", "access"),
        (f"{ARN}:inference-profile/us.{TEACHER}", "AccessDenied", "access"),
        (f"{ARN}:custom-model-deployment/{NO_ID}", "ResourceNotFound", "deployment"),
        (f"{ARN}:provisioned-model/{NO_ID}", "ResourceNotFound", "provisioned model"),
        (f"{ARN}:custom-model/{BASE}/{NO_ID}", "Validation", "regular expression pattern"),
    ],
)
def test_other_models(cloud: Cloud, model: str, code: str, match: str) -> None:
    with refused(f"{code}Exception", match):
        cloud.say(model, QUERY)
    with refused(f"{code}Exception", match):
        cloud.runtime.invoke_model_with_response_stream(modelId=model, body=nova(QUERY))


def test_a_deployment_of_another_place(cloud: Cloud, arn: str) -> None:
    for other in (
        arn.replace("us-east-1", "eu-west-1"),
        arn.replace("123456789012", "210987654321"),
        arn.replace("arn:aws:", "arn:aws-cn:"),
    ):
        with refused("ResourceNotFoundException"):
            cloud.say(other, QUERY)


def test_a_base_model_answers(modern: Cloud, remote: Service) -> None:
    remote.requests.clear()
    answer = modern.runtime.converse(
        modelId="amazon.nova-micro-v1:0",
        system=[{"text": "You route."}],
        messages=[user("loud bell"), assistant("{}"), user(QUERY)],
        inferenceConfig={"maxTokens": 77, "temperature": 0.5},
    )
    assert text_of(answer) == f"You said: {QUERY}"
    assert answer["stopReason"] == "end_turn"
    # as the service says
    assert answer["usage"] == {"inputTokens": 100, "outputTokens": 20, "totalTokens": 120}
    [(path, _, body)] = remote.requests
    assert path.endswith("/chat/completions")
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("base", 77, 0.5)
    assert body["messages"] == [
        {"role": "system", "content": "You route."},
        {"role": "user", "content": "loud bell"},
        {"role": "assistant", "content": "{}"},
        {"role": "user", "content": QUERY},
    ]


def test_a_base_model_in_every_form(modern: Cloud) -> None:
    model, said = f"us.{TEACHER}", f"You said: {QUERY}"
    stream = modern.runtime.converse_stream(modelId=model, messages=[user(QUERY)])["stream"]
    text, names, last = streamed(stream)
    assert (text, names) == (said, EVENTS)
    assert last["usage"]["totalTokens"] == 120
    body = modern.runtime.invoke_model(modelId=model, body=nova(QUERY))["body"].read()
    assert text_of(json.loads(body)) == said
    answer = modern.say(model, QUERY, inferenceConfig={"stopSequences": [" said"]})
    assert (text_of(answer), answer["stopReason"]) == ("You", "stop_sequence")


def test_a_base_model_beside_a_student(modern: Cloud, arn: str, remote: Service) -> None:
    remote.requests.clear()
    assert json.loads(text_of(modern.say(arn, QUERY)))
    assert remote.requests == []
    with refused("ResourceNotFoundException", "Model not found"):
        modern.say(BASE, QUERY)


@pytest.mark.parametrize(
    ("fault", "code", "match"),
    [
        (429, "ModelErrorException", "openai:base: .*error 429"),
        (500, "ModelErrorException", "openai:base: .*error 500"),
        (0, "ModelErrorException", "connection broke"),
        (400, "ValidationException", "openai:base: .*error 400"),
        (401, "ServiceUnavailableException", "the key is refused"),
        (404, "ServiceUnavailableException", "error 404"),
    ],
)
def test_a_base_model_that_fails(
    modern: Cloud, remote: Service, fault: int, code: str, match: str
) -> None:
    remote.faults.append(fault)
    with refused(code, match):
        modern.say(TEACHER, QUERY)
    assert remote.faults == []
    assert text_of(modern.say(TEACHER, QUERY))  # and the next one is answered


def test_an_error_says_where_it_comes_from(modern: Cloud, remote: Service) -> None:
    remote.faults.append(500)
    with pytest.raises(modern.runtime.exceptions.ModelErrorException) as caught:
        modern.say(TEACHER, QUERY)
    assert caught.value.response["originalStatusCode"] == 500
    assert caught.value.response["resourceName"] == TEACHER


def test_a_base_model_that_is_not_there(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "any")
    base = open_model("openai:base", retry=False)
    backend = replace(cloud.backend, base_model="openai:base")
    with serving(bedrock_app(backend, cloud.students, base)) as address:
        runtime = client(address, "bedrock-runtime")
        with refused("ServiceUnavailableException", "nothing answers at http://127.0.0.1:9"):
            runtime.converse(modelId=TEACHER, messages=[user(QUERY)])
        runtime.close()
    base.close()
