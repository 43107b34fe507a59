"""Authorization configuration files, and the conditions under which webhooks are asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from proa.aio.clock import SystemClock
from proa.apiserver.authz.configuration import AuthorizerSettings, ConfigurationError, load
from proa.apiserver.authz.match_conditions import ConditionError, MatchConditions
from proa.apiserver.authz.webhook import WebhookAuthorizer
from proa.apiserver.identity import AccessAttributes, User, Verdict

KNOWN = ("Node", "RBAC", "Webhook")


def hook(folder: Path, **more: Any) -> dict[str, Any]:
    kubeconfig = folder / "webhook.kubeconfig"
    kubeconfig.write_text("")
    return {
        "authorizedTTL": "5m",
        "unauthorizedTTL": "30s",
        "timeout": "3s",
        "subjectAccessReviewVersion": "v1",
        "failurePolicy": "Deny",
        "connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": str(kubeconfig)},
        **more,
    }


def written(folder: Path, *authorizers: dict[str, Any]) -> list[AuthorizerSettings]:
    path = folder / "authorization.yaml"
    head = {"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthorizationConfiguration"}
    path.write_text(yaml.safe_dump({**head, "authorizers": list(authorizers)}))
    return load(path, KNOWN)


def webhook(folder: Path, **more: Any) -> dict[str, Any]:
    return {"type": "Webhook", "name": "hook", "webhook": hook(folder, **more)}


def test_authorizers_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    conditions = [{"expression": "has(request.resourceAttributes)"}]
    found = written(
        tmp_path,
        webhook(tmp_path, matchConditions=conditions, matchConditionSubjectAccessReviewVersion="v1"),
        {"type": "Node", "name": "node"},
        {"type": "RBAC", "name": "rbac"},
    )
    assert [each.type for each in found] == ["Webhook", "Node", "RBAC"]
    made = found[0].webhook
    assert made is not None
    assert (made.timeout, made.allowed, made.refused, made.on_failure) == (3.0, 300.0, 30.0, Verdict.DENY)
    assert (made.version, made.kubeconfig) == ("v1", tmp_path / "webhook.kubeconfig")
    assert made.conditions is not None


def test_answers_need_not_be_remembered(tmp_path: Path) -> None:
    found = written(tmp_path, webhook(tmp_path, cacheAuthorizedRequests=False, cacheUnauthorizedRequests=False))
    assert found[0].webhook is not None
    assert (found[0].webhook.allowed, found[0].webhook.refused) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("authorizers", "why"),
    [
        ([], "at least one authorization mode must be defined"),
        ([{"name": "a"}], r"authorizers\[0\].type: Required value"),
        ([{"type": "ABAC", "name": "a"}], "Unsupported value"),
        ([{"type": "RBAC", "name": "a"}, {"type": "RBAC", "name": "b"}], "type: Duplicate value"),
        ([{"type": "RBAC", "name": "a"}, {"type": "Node", "name": "a"}], "name: Duplicate value"),
        ([{"type": "RBAC"}], "name: Required value"),
        ([{"type": "RBAC", "name": "A"}], "authorizer name is invalid"),
        ([{"type": "Webhook", "name": "a"}], "required when type=Webhook"),
        ([{"type": "RBAC", "name": "a", "webhook": {}}], "may only be specified when type=Webhook"),
    ],
)
def test_what_names_no_authorizers_is_refused(tmp_path: Path, authorizers: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        written(tmp_path, *authorizers)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"timeout": "31s"}, "must be > 0s and <= 30s"),
        ({"timeout": ""}, "timeout: Required value"),
        ({"authorizedTTL": "-1s"}, "must be > 0s"),
        ({"unauthorizedTTL": "soon"}, "is no duration"),
        ({"subjectAccessReviewVersion": "v2"}, "Unsupported value"),
        ({"failurePolicy": "Allow"}, "Unsupported value"),
        ({"connectionInfo": {"type": "InClusterConfig"}}, "this server runs in no pod"),
        ({"connectionInfo": {"type": "KubeConfigFile"}}, "kubeConfigFile: Required value"),
        ({"connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": "x"}}, "must be an absolute path"),
        ({"connectionInfo": {"type": "KubeConfigFile", "kubeConfigFile": "/missing"}}, "must be a regular file"),
        ({"matchConditions": [{"expression": "true"}]}, "required if match conditions are specified"),
        ({"matchConditions": [{"expression": "request.usr == ''"}]}, "undefined field 'usr'"),
        ({"matchConditions": [{"expression": "'x'"}]}, "must evaluate to bool"),
        ({"matchConditions": [{"expression": " "}]}, r"matchConditions\[0\].expression: Required value"),
    ],
)
def test_a_webhook_must_be_sensible(tmp_path: Path, more: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        written(tmp_path, webhook(tmp_path, **more))


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "authorization.yaml"
    for text in ("kind: Pod", "authorizers: 1", ":"):
        path.write_text(text)
        with pytest.raises(ConfigurationError):
            load(path, KNOWN)


SPEC = {"user": "ann", "groups": ["a"], "resourceAttributes": {"verb": "list", "resource": "pods"}}


@pytest.mark.parametrize(
    ("sources", "holds"),
    [
        (["has(request.resourceAttributes)"], True),
        (["has(request.nonResourceAttributes)"], False),
        (["request.resourceAttributes.namespace == ''"], True),
        (["request.user == 'ann'", "!('b' in request.groups)"], True),
        (["request.nonResourceAttributes.path == '/'", "request.user == 'bob'"], False),
    ],
)
def test_conditions_look_at_the_review(sources: list[str], holds: bool) -> None:
    assert MatchConditions(sources).hold(SPEC) is holds


def test_what_cannot_be_said_is_told() -> None:
    with pytest.raises(ConditionError, match="resulted in error: no such key"):
        MatchConditions(["request.extra['x'] == []"]).hold(SPEC)


class Unasked:
    async def ask(self, body: Any, timeout: float = 0.0) -> Any:
        raise AssertionError("it must not be asked")


async def test_a_webhook_is_not_asked_about_what_its_conditions_leave_out() -> None:
    asked = AccessAttributes(User("ann"), "list", resource="pods")

    def authorizer(source: str) -> WebhookAuthorizer:
        conditions = MatchConditions([source])
        hook: Any = Unasked()
        return WebhookAuthorizer(hook, SystemClock(), on_failure=Verdict.DENY, conditions=conditions)

    assert (await authorizer("request.user == 'bob'").decide(asked)).verdict is Verdict.NO_OPINION
    failed = await authorizer("request.extra['x'] == []").decide(asked)
    assert failed.verdict is Verdict.DENY
    assert "no such key" in failed.error
