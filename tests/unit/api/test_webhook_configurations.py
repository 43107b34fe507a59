from __future__ import annotations

from typing import Any

import pytest

from proa.api.admissionregistration_v1 import MutatingWebhookConfiguration, ValidatingWebhookConfiguration
from proa.api.admissionregistration_v1.webhook_strategies import WebhookConfigurationStrategy
from proa.machinery.decode import to_typed
from proa.machinery.default import apply_defaults
from proa.machinery.fields import ErrorList
from proa.machinery.schema import schema_of
from proa.machinery.validate import validate_facts


def hook(**more: Any) -> dict[str, Any]:
    return {
        "name": "a.example.com",
        "clientConfig": {"url": "https://example.com/hook"},
        "rules": [rule()],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        **more,
    }


def rule(**more: Any) -> dict[str, Any]:
    return {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], **more}


def errors_of(*hooks: dict[str, Any], kind: Any = ValidatingWebhookConfiguration) -> list[str]:
    document = {"metadata": {"name": "x"}, "webhooks": list(hooks)}
    schema = schema_of(kind)
    apply_defaults(document, schema)
    errors = ErrorList()
    validate_facts(document, schema, errors)
    WebhookConfigurationStrategy().validate(to_typed(document, kind), errors)
    return [str(each) for each in errors]


def test_a_webhook_gets_upstreams_defaults() -> None:
    document: dict[str, Any] = {
        "metadata": {"name": "x"},
        "webhooks": [hook(clientConfig={"service": {"namespace": "n", "name": "s"}})],
    }
    apply_defaults(document, schema_of(MutatingWebhookConfiguration))
    [found] = document["webhooks"]
    assert found["clientConfig"]["service"]["port"] == 443
    assert found["rules"][0]["scope"] == "*"
    assert {name: found[name] for name in (
        "failurePolicy", "matchPolicy", "namespaceSelector", "objectSelector", "timeoutSeconds", "reinvocationPolicy"
    )} == {
        "failurePolicy": "Fail", "matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {},
        "timeoutSeconds": 10, "reinvocationPolicy": "Never",
    }  # fmt: skip


def test_a_whole_webhook_is_valid() -> None:
    assert errors_of(hook(), kind=MutatingWebhookConfiguration) == []


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ({"name": ""}, "webhooks[0].name: Required value"),
        (
            {"name": "short.name"},
            'webhooks[0].name: Invalid value: "short.name": should be a domain with at least three segments separated '
            "by dots",
        ),
        ({"sideEffects": "Some"}, 'webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", '
                                  '"NoneOnDryRun"'),
        ({"sideEffects": None}, "webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun"),
        (
            {"timeoutSeconds": 31},
            "webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds",
        ),
        (
            {"admissionReviewVersions": []},
            "webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1",
        ),
        (
            {"admissionReviewVersions": ["v2"]},
            'webhooks[0].admissionReviewVersions: Invalid value: ["v2"]: must include at least one of v1, v1beta1',
        ),
        (
            {"admissionReviewVersions": ["v1", "v1"]},
            'webhooks[0].admissionReviewVersions[1]: Invalid value: "v1": duplicate version',
        ),
        ({"failurePolicy": "Maybe"}, 'webhooks[0].failurePolicy: Unsupported value: "Maybe": supported values: '
                                     '"Fail", "Ignore"'),
        ({"clientConfig": {}}, "webhooks[0].clientConfig: Required value: exactly one of url or service is required"),
        (
            {"clientConfig": {"url": "https://x", "service": {"namespace": "n", "name": "s"}}},
            "webhooks[0].clientConfig: Required value: exactly one of url or service is required",
        ),
        (
            {"clientConfig": {"url": "http://x"}},
            "webhooks[0].clientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL scheme; desired "
            "format: https://host[/path]",
        ),
        (
            {"clientConfig": {"url": "https://me@x/a?b=c#d"}},
            'webhooks[0].clientConfig.url: Invalid value: "me": user information is not permitted in the URL',
        ),
        (
            {"clientConfig": {"service": {"namespace": "n", "name": "s", "path": "a/b//c"}}},
            "webhooks[0].clientConfig.service.path: Invalid value: \"a/b//c\": must start with a '/'",
        ),
        (
            {"clientConfig": {"service": {"namespace": "n", "name": ""}}},
            "webhooks[0].clientConfig.service.name: Required value",
        ),
        (
            {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
            "webhooks[0].namespaceSelector.matchExpressions[0].values: Required value: must be specified when "
            "`operator` is 'In' or 'NotIn'",
        ),
        (
            {"matchConditions": [{"name": "", "expression": "true"}]},
            "webhooks[0].matchConditions[0].name: Required value",
        ),
        ({"rules": [rule(operations=[])]}, "webhooks[0].rules[0].operations: Required value"),
        (
            {"rules": [rule(operations=["*", "CREATE"])]},
            "webhooks[0].rules[0].operations: Invalid value: [\"*\",\"CREATE\"]: if '*' is present, must not specify "
            "other operations",
        ),
        ({"rules": [rule(apiVersions=[""])]}, "webhooks[0].rules[0].apiVersions[0]: Required value"),
        (
            {"rules": [rule(resources=["pods/*", "pods/exec"])]},
            "webhooks[0].rules[0].resources[1]: Invalid value: \"pods/exec\": if 'pods/*' is present, must not specify "
            "pods/exec",
        ),
        (
            {"rules": [rule(resources=["*", "pods"])]},
            "webhooks[0].rules[0].resources: Invalid value: [\"*\",\"pods\"]: if '*' is present, must not specify "
            "other resources without subresources",
        ),
        (
            {"rules": [rule(resources=["*/*", "pods"])]},
            "webhooks[0].rules[0].resources: Invalid value: [\"*/*\",\"pods\"]: if '*/*' is present, must not specify "
            "other resources",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_webhook_is_named(more: dict[str, Any], wrong: str) -> None:
    assert errors_of(hook(**more))[0] == wrong


def test_webhooks_of_one_configuration_have_different_names() -> None:
    assert errors_of(hook(), hook()) == ['webhooks[1].name: Duplicate value: "a.example.com"']


def test_a_match_condition_must_compile() -> None:
    [wrong] = errors_of(hook(matchConditions=[{"name": "a", "expression": "object.x =="}]))
    assert wrong.startswith(
        'webhooks[0].matchConditions[0].expression: Invalid value: "object.x ==": compilation failed'
    )
