"""Custom resources as the stock kubectl meets them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e.kubectl import Document, Failed, Kubectl

SCHEMA: Document = {
    "type": "object",
    "description": "A tab of a cron.",
    "properties": {
        "spec": {
            "type": "object",
            "description": "What is wanted.",
            "required": ["when"],
            "properties": {
                "when": {"type": "string", "pattern": r"^(\d+|\*)( (\d+|\*)){4}$", "description": "When it is due."},
                "replicas": {"type": "integer", "minimum": 1, "maximum": 10, "default": 2},
                "lowest": {"type": "integer"},
            },
            "x-kubernetes-validations": [
                {"rule": "!has(self.lowest) || self.lowest <= self.replicas", "message": "too few replicas"}
            ],
        },
        "status": {"type": "object", "properties": {"replicas": {"type": "integer"}, "selector": {"type": "string"}}},
    },
}


@pytest.fixture
def tabs(kubectl: Kubectl) -> Iterator[str]:
    """The name of a resource that is defined for the test, in a group of its own."""
    group = f"{kubectl.namespace}.example.com"
    version: dict[str, Any] = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": SCHEMA},
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            },
        },
        "additionalPrinterColumns": [
            {"name": "When", "type": "string", "jsonPath": ".spec.when"},
            {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"},
        ],
        "selectableFields": [{"jsonPath": ".spec.when"}],
    }
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"tabs.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "tabs", "kind": "Tab", "shortNames": ["tb"], "categories": ["all"]},
            "versions": [version],
        },
    }
    kubectl.apply(crd)
    yield f"tabs.{group}"
    kubectl("delete", "crd", f"tabs.{group}", "--ignore-not-found")


def tab(resource: str, name: str = "nightly", **spec: Any) -> Document:
    group = resource.partition(".")[2]
    spec = {"when": "0 3 * * *", **spec}
    return {"apiVersion": f"{group}/v1", "kind": "Tab", "metadata": {"name": name}, "spec": spec}


def test_a_resource_can_be_used_as_soon_as_it_is_defined(kubectl: Kubectl, tabs: str) -> None:
    assert kubectl.apply(tab(tabs)) == f"tab.{tabs.partition('.')[2]}/nightly created\n"
    assert kubectl.apply(tab(tabs)).endswith("unchanged\n")
    shown = kubectl("get", tabs).splitlines()
    assert shown[0].split() == ["NAME", "WHEN", "REPLICAS"]
    assert shown[1].split() == ["nightly", "0", "3", "*", "*", "*", "2"]
    assert "nightly" in kubectl("get", "all")


def test_wrong_fields_are_named(kubectl: Kubectl, tabs: str) -> None:
    with pytest.raises(Failed, match=r"spec\.when in body should match"):
        kubectl.apply(tab(tabs, when="never"))
    with pytest.raises(Failed, match=r'unknown field "spec\.whan"'):
        kubectl.apply(tab(tabs, whan="0"))
    with pytest.raises(Failed, match="too few replicas"):
        kubectl.apply(tab(tabs, lowest=5))


def test_explain_tells_what_the_schema_says(kubectl: Kubectl, tabs: str) -> None:
    told = kubectl("explain", f"{tabs.partition('.')[0]}.spec", f"--api-version={tabs.partition('.')[2]}/v1")
    assert "What is wanted." in told
    assert "When it is due." in told


def test_scale_describe_wait_and_select(kubectl: Kubectl, tabs: str) -> None:
    kubectl.apply(tab(tabs), tab(tabs, "hourly", when="0 * * * *"))
    kubectl("scale", tabs, "nightly", "--replicas=4")
    assert kubectl.object(tabs, "nightly")["spec"]["replicas"] == 4
    kubectl("patch", tabs, "nightly", "--subresource=status", "--type=merge", "-p", '{"status":{"replicas":4}}')
    kubectl("wait", f"{tabs}/nightly", "--for=jsonpath={.status.replicas}=4")
    assert "Replicas:  4" in kubectl("describe", tabs, "nightly")
    assert kubectl("get", tabs, "--field-selector=spec.when=0 * * * *", "-o", "name").endswith("/hourly\n")


def test_a_definition_that_goes_takes_everything_along(kubectl: Kubectl, tabs: str) -> None:
    kubectl.apply(tab(tabs))
    kubectl("delete", "crd", tabs)
    with pytest.raises(Failed, match="the server doesn't have a resource type"):
        kubectl("get", tabs)
