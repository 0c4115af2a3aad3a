"""The CloudFormation template: by AWS's own linter, and beside the rights that a run asks for."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from filmstill.bedrock.role import data_policy, evaluation_policy, trust_policy
from filmstill.bedrock.run import Run
from tests.bedrock.account import NUMBER, REGION
from tests.bedrock.runs import PRO, make_run

cfn_yaml = pytest.importorskip("cfnlint.decode.cfn_yaml")

TEMPLATE = Path(__file__).parent.parent / "infra" / "bedrock.yaml"
JUDGE = "amazon.nova-lite-v1:0"
WITH_ALL = {
    "TeacherProfile": f"us.{PRO}",
    "Judge": JUDGE,
    "JudgeProfile": f"global.{JUDGE}",
    "LogBucket": "logs",
}


def lint(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), path], capture_output=True, text=True
    )


def test_the_template_is_clean() -> None:
    ran = lint(TEMPLATE)
    assert (ran.returncode, ran.stdout) == (0, "")


def test_the_linter_would_tell(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text(TEMPLATE.read_text().replace("SSEAlgorithm: AES256", "SSEAlgorithm: ROT13"))
    assert lint(broken).returncode != 0


class Stack:
    """What the template makes of its parameters."""

    def __init__(self, **given: str) -> None:
        template = cfn_yaml.load(TEMPLATE)
        self._conditions = template["Conditions"]
        defaults = {name: item["Default"] for name, item in template["Parameters"].items()}
        self._known: dict[str, Any] = {
            **defaults,
            **given,
            "AWS::Partition": "aws",
            "AWS::Region": REGION,
            "AWS::AccountId": NUMBER,
            "AWS::NoValue": None,
            "Bucket.Arn": "arn:aws:s3:::mine",
        }
        self.role = self._resolved(template["Resources"]["Role"]["Properties"])

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, list):
            return [item for item in map(self._resolved, value) if item is not None]
        if not isinstance(value, Mapping):
            return value
        match dict(value):
            case {"Ref": name}:
                return self._known[name]
            case {"Fn::GetAtt": path}:
                return self._known[".".join(path)]
            case {"Fn::Sub": text}:
                return re.sub(r"\$\{(.+?)\}", lambda name: str(self._known[name[1]]), text)
            case {"Fn::Equals": pair}:
                one, other = map(self._resolved, pair)
                return one == other
            case {"Fn::Not": [inner]}:
                return not self._resolved(inner)
            case {"Fn::If": [condition, then, otherwise]}:
                holds = self._resolved(self._conditions[condition])
                return self._resolved(then if holds else otherwise)
            case table:
                return {key: self._resolved(item) for key, item in table.items()}

    def missing(self, policy: dict[str, Any]) -> list[tuple[str, str]]:
        """What of a policy the role does not allow, by action and resource."""
        mine = [right for item in self.role["Policies"] for right in rights(item["PolicyDocument"])]
        return [
            (action, arn)
            for action, arn in rights(policy)
            if not any(action == own and fnmatchcase(arn, pattern) for own, pattern in mine)
        ]


def rights(policy: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The action and the resource of everything that a policy allows."""
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        resources = statement["Resource"]
        for action in statement["Action"]:
            for arn in [resources] if isinstance(resources, str) else resources:
                yield action, arn


@pytest.fixture
def plain(tmp_path: Path) -> Run:
    """A run in the bucket of the template."""
    return make_run(tmp_path / "plain", bucket="mine")


@pytest.fixture
def full(tmp_path: Path) -> Run:
    """Another one, from logs, taught through a profile."""
    teacher = WITH_ALL["TeacherProfile"]
    return make_run(tmp_path / "full", bucket="mine", teacher=teacher, logs="s3://logs/bedrock/")


def test_the_role_may_do_all_that_a_run_needs(plain: Run) -> None:
    stack = Stack()
    assert stack.missing(data_policy(plain)) == []
    assert stack.missing(evaluation_policy(plain, PRO)) == []


def test_the_role_may_ask_profiles_and_read_logs(full: Run) -> None:
    stack = Stack(**WITH_ALL)
    assert stack.missing(data_policy(full)) == []
    assert stack.missing(evaluation_policy(full, WITH_ALL["JudgeProfile"])) == []


def test_the_role_may_do_no_more_than_its_parameters_say(full: Run) -> None:
    stack = Stack()
    profile = f"arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.{PRO}"
    missing = stack.missing(data_policy(full))
    assert ("s3:GetObject", "arn:aws:s3:::logs/bedrock/*") in missing
    assert ("bedrock:InvokeModel", profile) in missing
    assert stack.missing(evaluation_policy(full, f"us.{PRO}")) != []


def test_the_role_is_trusted_to_the_same_jobs(plain: Run) -> None:
    assert Stack().role["AssumeRolePolicyDocument"] == trust_policy(plain)
