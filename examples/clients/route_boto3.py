"""Route a query with boto3, through Converse: the same code for Amazon Bedrock and for Filmstill.

    export AWS_ENDPOINT_URL_BEDROCK=http://127.0.0.1:8080        # both are left out for AWS
    export AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://127.0.0.1:8080
    export AWS_ACCESS_KEY_ID=any AWS_SECRET_ACCESS_KEY=any AWS_DEFAULT_REGION=us-east-1
    python examples/clients/route_boto3.py DEPLOYMENT "slow sad piano with rain outside"

Converse takes a deployment's ARN. Only deployments made through Bedrock's API have one.
"""

import json
import sys

import boto3


def main() -> None:
    """Find the deployment by its name, and ask it."""
    name, query = sys.argv[1:]
    answer = boto3.client("bedrock-runtime").converse(
        modelId=find(name),
        messages=[{"role": "user", "content": [{"text": query}]}],
        inferenceConfig={"maxTokens": 300, "temperature": 0.0},
    )
    routing = json.loads(answer["output"]["message"]["content"][0]["text"])
    print(json.dumps(routing, indent=2, ensure_ascii=False))
    print(f"{answer['metrics']['latencyMs']} ms", file=sys.stderr)


def find(name: str) -> str:
    """The ARN of the active deployment of this name."""
    pages = boto3.client("bedrock").get_paginator("list_custom_model_deployments")
    for page in pages.paginate(nameContains=name, statusEquals="Active"):
        for deployment in page["modelDeploymentSummaries"]:
            if deployment["customModelDeploymentName"] == name:
                return str(deployment["customModelDeploymentArn"])
    sys.exit(f"There is no active deployment {name!r}.")


if __name__ == "__main__":
    main()
