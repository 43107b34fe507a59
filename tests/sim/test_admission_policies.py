"""Admission policies on a whole control plane: what they see, refuse, warn of, annotate and change."""

# ruff: noqa: E501 (tables of expressions)

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from random import Random
from typing import Any

import pytest
from tests.sim.conftest import ControlPlane

from proa.api.admissionregistration_v1.resources import (
    MUTATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
)
from proa.api.core_v1.resources import CONFIG_MAPS
from proa.apiserver.admission import Attributes
from proa.apiserver.custom.conversion import converter_of
from proa.apiserver.custom.serving import CustomResources
from proa.apiserver.identity import User
from proa.apiserver.plugins.context import PluginContext
from proa.apiserver.plugins.validating_admission_policy import ValidatingAdmissionPolicies
from proa.machinery.status import StatusError

Simulate = Callable[..., float]
Document = dict[str, Any]

POLICIES = "/apis/admissionregistration.k8s.io/v1"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
MAPS = "/api/v1/namespaces/default/configmaps"


class Scene:
    """A control plane, written to in plain JSON."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane

    async def do(self, method: str, path: str, body: Any = None, **query: str) -> Document:
        found = await self.plane.client.document(method, path, body, query=query)
        await self.plane.clock.settle()
        return found

    async def refused(self, method: str, path: str, body: Any = None, **query: str) -> StatusError:
        with pytest.raises(StatusError) as caught:
            await self.do(method, path, body, **query)
        return caught.value

    async def create(self, path: str, name: str, **rest: Any) -> Document:
        return await self.do("POST", path, {"metadata": {"name": name, **rest.pop("metadata", {})}, **rest})

    async def policy(self, kind: str, spec: Document, binding: Document | None = None, name: str = "policy") -> None:
        constraints = {"resourceRules": [rule()], **spec.pop("matchConstraints", {})}
        more = {"reinvocationPolicy": "Never"} if kind == "mutating" else {}
        await self.create(
            f"{POLICIES}/{kind}admissionpolicies", name, spec={**more, "matchConstraints": constraints, **spec}
        )
        bound = {
            "policyName": name,
            **({"validationActions": ["Deny"]} if kind == "validating" else {}),
            **(binding or {}),
        }
        await self.create(f"{POLICIES}/{kind}admissionpolicybindings", f"{name}-binding", spec=bound)


@asynccontextmanager
async def custom_resources(plane: ControlPlane) -> AsyncIterator[None]:
    converter = partial(converter_of, plane.server.webhooks, Random(1))
    custom = CustomResources(plane.server, plane.client, plane.informers, plane.clock, converter_of=converter)
    await custom.start()
    try:
        yield
    finally:
        await custom.close()


async def define(plane: ControlPlane, plural: str, kind: str, schema: Document) -> None:
    """A cluster-wide resource of x.example.com/v1, and wait until it is served."""
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    spec = {"group": "x.example.com", "scope": "Cluster", "names": names, "versions": [version]}
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await Scene(plane).create(path, f"{plural}.x.example.com", spec=spec)
    await plane.until(lambda: any(each.plural == plural for each in plane.server.resources()))


def rule(*resources: str, group: str = "", **more: Any) -> Document:
    resources = resources or ("configmaps",)
    return {"apiGroups": [group], "apiVersions": ["*"], "operations": ["*"], "resources": list(resources), **more}


def config_map(name: str, labels: Document | None = None, **data: str) -> Document:
    return {"metadata": {"name": name, "labels": labels or {}}, "data": data}


def deployment(name: str, replicas: int) -> Document:
    labels = {"app": name}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "x"}]}}
    return {
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod},
    }


def denied(by: str = "policy") -> str:
    return f"ValidatingAdmissionPolicy '{by}' with binding '{by}-binding' denied request: "


def test_a_policy_with_variables_and_messages_refuses_what_does_not_hold(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        scene = Scene(plane)
        await scene.policy(
            "validating",
            {
                "matchConstraints": {"resourceRules": [rule("deployments", group="apps")]},
                "variables": [
                    {"name": "replicas", "expression": "object.spec.replicas"},
                    {"name": "odd", "expression": "variables.replicas % 2 == 1"},
                ],
                "validations": [
                    {
                        "expression": "variables.replicas > 1",
                        "messageExpression": "'wants > 1, got ' + string(variables.replicas)",
                    },
                    {"expression": "variables.odd", "message": "must be odd", "reason": "Forbidden"},
                    {
                        "expression": "namespaceObject.metadata.name == 'default' && namespaceObject.status.phase == 'Active'"
                    },
                ],
            },
        )
        refusal = await scene.refused("POST", DEPLOYMENTS, deployment("a", 1))
        assert (refusal.code, refusal.reason) == (422, "Invalid")
        assert refusal.message == f'deployments.apps "a" is forbidden: {denied()}wants > 1, got 1'
        assert refusal.status.details is not None
        assert [each.message for each in refusal.status.details.causes] == [f"{denied()}wants > 1, got 1"]
        refusal = await scene.refused("POST", DEPLOYMENTS, deployment("a", 2))
        assert (refusal.code, refusal.reason) == (403, "Forbidden")
        assert refusal.message.endswith(f"{denied()}must be odd")
        assert (await scene.do("POST", DEPLOYMENTS, deployment("a", 3)))["spec"]["replicas"] == 3

    simulate(body)


def test_a_policy_without_binding_does_nothing_and_a_deleted_one_no_more(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        scene = Scene(plane)
        await scene.policy("validating", {"validations": [{"expression": "false"}]})
        assert (await scene.refused("POST", MAPS, config_map("a"))).message.endswith(
            f"{denied()}failed expression: false"
        )
        await scene.do("DELETE", f"{POLICIES}/validatingadmissionpolicybindings/policy-binding")
        await scene.do("POST", MAPS, config_map("a"))

    simulate(body)


@pytest.mark.parametrize(
    ("constraints", "names"),
    [
        ({"objectSelector": {"matchLabels": {"strict": "yes"}}}, {"b"}),
        ({"namespaceSelector": {"matchLabels": {"strict": "yes"}}}, set()),
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "default"}}}, {"a", "b"}),
        ({"resourceRules": [rule(resourceNames=["a"])]}, {"a"}),
        ({"resourceRules": [rule("secrets")]}, set()),
        ({"excludeResourceRules": [rule(resourceNames=["a"])]}, {"b"}),
        ({"excludeResourceRules": [rule()]}, set()),
    ],
)  # fmt: skip
def test_a_policy_is_about_what_its_constraints_say(simulate: Simulate, constraints: Document, names: set[str]) -> None:
    async def body(plane: ControlPlane) -> None:
        scene = Scene(plane)
        await scene.policy("validating", {"matchConstraints": constraints, "validations": [{"expression": "false"}]})
        found = set()
        for name, labels in (("a", {}), ("b", {"strict": "yes"})):
            try:
                await scene.do("POST", MAPS, config_map(name, labels))
            except StatusError:
                found.add(name)
        assert found == names

    simulate(body)


def test_match_conditions_and_authorization_decide_who_is_concerned(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        scene = Scene(plane)
        spec = {
            "matchConditions": [{"name": "changes", "expression": "request.operation == 'UPDATE'"}],
            "validations": [
                {
                    "expression": "object.data.k == oldObject.data.k || authorizer.requestResource.check('shake').allowed() && false"
                }
            ],
        }
        await scene.policy("validating", spec)
        await scene.do("POST", MAPS, config_map("a", k="1"))
        await scene.refused("PUT", f"{MAPS}/a", config_map("a", k="2"))
        await scene.do("PUT", f"{MAPS}/a", config_map("a", k="1", other="x"))

    simulate(body)


def test_actions_warn_and_annotate_instead(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        scene = Scene(plane)
        spec = {
            "validations": [{"expression": "object.data.k == 'good'", "message": "not good"}],
            "auditAnnotations": [
                {"key": "seen", "valueExpression": "'k is ' + object.data.k"},
                {"key": "none", "valueExpression": "''"},
            ],
        }
        await scene.policy("validating", spec, {"validationActions": ["Warn", "Audit"]})
        attributes = await _admitted(plane, config_map("a", k="bad"))
        assert attributes.warnings == [
            "Validation failed for ValidatingAdmissionPolicy 'policy' with binding 'policy-binding': not good"
        ]
        assert attributes.annotations == {
            "policy/seen": "k is bad",
            "validation.policy.admission.k8s.io/validation_failure": '[{"message":"not good","policy":"policy",'
            '"binding":"policy-binding","expressionIndex":0,"validationActions":["Warn","Audit"]}]',
        }

    simulate(body)


async def _admitted(plane: ControlPlane, document: Document) -> Attributes:
    document = {**document, "metadata": {**document["metadata"], "namespace": "default"}}
    attributes = Attributes(
        "CREATE", CONFIG_MAPS, "", "default", document["metadata"]["name"], document, None, User("u")
    )
    context = PluginContext(plane.client, plane.informers, Random(1), clock=plane.clock, server=plane.server)
    waiting = ValidatingAdmissionPolicies(context).validate(attributes)
    assert waiting is not None
    await waiting
    return attributes


@pytest.mark.parametrize(
    ("policy", "binding", "message"),
    [
        ({"validations": [{"expression": "object.nothing == 1"}]}, {}, f"{denied()}expression 'object.nothing == 1' resulted in error: no such key: nothing"),
        ({"variables": [{"name": "v", "expression": "object.nothing"}], "validations": [{"expression": "variables.v == 1"}]}, {},
         f"{denied()}expression 'variables.v == 1' resulted in error: composited variable \"v\" fails to evaluate: no such key: nothing"),
        ({"matchConditions": [{"name": "m", "expression": "object.nothing == 1"}], "validations": [{"expression": "true"}]}, {},
         f"{denied()}expression 'object.nothing == 1' resulted in error: no such key: nothing"),
        ({"paramKind": {"apiVersion": "v1", "kind": "Nothing"}, "validations": [{"expression": "true"}]}, {},
         "ValidatingAdmissionPolicy 'policy' denied request: failed to configure policy: failed to find resource referenced by paramKind: 'v1, Kind=Nothing'"),
        ({"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}, "validations": [{"expression": "true"}]},
         {"paramRef": {"name": "p", "parameterNotFoundAction": "Deny"}},
         f"{denied()}failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("ignore", [False, True])
def test_the_failure_policy_decides_what_a_failure_means(
    simulate: Simulate, policy: Document, binding: Document, message: str, ignore: bool
) -> None:
    async def body(plane: ControlPlane) -> None:
        scene = Scene(plane)
        more = {"failurePolicy": "Ignore"} if ignore else {}
        constraints = {"resourceRules": [rule("secrets")]}
        await scene.policy("validating", {**policy, **more, "matchConstraints": constraints}, binding)
        secret = {"metadata": {"name": "a"}}
        path = "/api/v1/namespaces/default/secrets"
        if ignore:
            await scene.do("POST", path, secret)
        else:
            assert (await scene.refused("POST", path, secret)).message == f'secrets "a" is forbidden: {message}'

    simulate(body)


def test_parameters_are_objects_that_bindings_name_or_select(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        scene = Scene(plane)
        constraints = {"resourceRules": [rule("secrets")]}
        spec = {
            "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
            "matchConstraints": constraints,
            "validations": [
                {
                    "expression": "object.metadata.name != params.data.not",
                    "messageExpression": "'not ' + params.data.not",
                }
            ],
        }
        path = "/api/v1/namespaces/default/secrets"
        await scene.do("POST", MAPS, config_map("p1", {"p": "x"}, **{"not": "a"}))
        await scene.do("POST", MAPS, config_map("p2", {"p": "x"}, **{"not": "b"}))
        selected = {"selector": {"matchLabels": {"p": "x"}}, "parameterNotFoundAction": "Allow"}
        await scene.policy("validating", spec, {"paramRef": selected})
        assert (await scene.refused("POST", path, {"metadata": {"name": "a"}})).message.endswith("not a")
        assert (await scene.refused("POST", path, {"metadata": {"name": "b"}})).message.endswith("not b")
        await scene.do("POST", path, {"metadata": {"name": "c"}})
        await scene.do("DELETE", f"{MAPS}/p1")
        await scene.do("POST", path, {"metadata": {"name": "a"}})
        ref = {"name": "p1", "namespace": "default", "selector": None, "parameterNotFoundAction": "Allow"}
        patch = {"spec": {"paramRef": ref}}
        await plane.client.patch(VALIDATING_ADMISSION_POLICY_BINDINGS, "policy-binding", "", patch, type="merge")
        await plane.clock.settle()
        await scene.do("POST", path, {"metadata": {"name": "b"}})

    simulate(body)


def test_parameters_may_be_custom_resources(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        scene = Scene(plane)
        schema = {"type": "object", "properties": {"most": {"type": "integer"}}}
        async with custom_resources(plane):
            await define(plane, "limits", "Limit", schema)
            limit = {"apiVersion": "x.example.com/v1", "kind": "Limit", "metadata": {"name": "l"}, "most": 3}
            await scene.do("POST", "/apis/x.example.com/v1/limits", limit)
            spec = {
                "paramKind": {"apiVersion": "x.example.com/v1", "kind": "Limit"},
                "matchConstraints": {"resourceRules": [rule("deployments", group="apps")]},
                "validations": [{"expression": "object.spec.replicas <= params.most"}],
            }
            await scene.policy("validating", spec, {"paramRef": {"name": "l", "parameterNotFoundAction": "Deny"}})
            await scene.refused("POST", DEPLOYMENTS, deployment("a", 4))
            await scene.do("POST", DEPLOYMENTS, deployment("a", 3))

    simulate(body)


def apply(expression: str) -> Document:
    return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}


def patch(expression: str) -> Document:
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}


def test_an_apply_configuration_is_merged_by_the_schema(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        scene = Scene(plane)
        expression = """
            Object{
              metadata: Object.metadata{annotations: {"mutated-by": "policy"}},
              spec: Object.spec{
                replicas: object.spec.replicas + 1,
                template: Object.spec.template{spec: Object.spec.template.spec{
                  containers: [Object.spec.template.spec.containers{name: "side", image: "y", env: []}]
                }}
              }
            }"""
        spec = {"matchConstraints": {"resourceRules": [rule("deployments", group="apps", operations=["CREATE"])]}}
        await scene.policy("mutating", {**spec, "mutations": [apply(expression)]})
        made = await scene.do("POST", DEPLOYMENTS, deployment("a", 1))
        assert made["metadata"]["annotations"] == {"mutated-by": "policy"}
        assert made["spec"]["replicas"] == 2
        containers = made["spec"]["template"]["spec"]["containers"]
        assert [(each["name"], each["image"]) for each in containers] == [("main", "x"), ("side", "y")]
        assert containers[1]["terminationMessagePath"] == "/dev/termination-log"

    simulate(body)


def test_a_json_patch_is_made_of_expressions(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        scene = Scene(plane)
        expression = """[
            JSONPatch{op: "test", path: "/data/k", value: "v"},
            JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("example.com/x~y"), value: variables.who},
            JSONPatch{op: "add", path: "/data/more", value: string(object.data.size())}
        ]"""
        spec = {
            "matchConstraints": {"resourceRules": [rule(operations=["CREATE"])]},
            "variables": [{"name": "who", "expression": "request.userInfo.username"}],
            "mutations": [patch(expression), patch('[JSONPatch{op: "copy", from: "/data/more", path: "/data/again"}]')],
        }
        await scene.policy("mutating", {**spec, "matchConditions": [{"name": "m", "expression": "has(object.data)"}]})
        escaped = "[JSONPatch{op: 'add', path: '/metadata/annotations', value: {'a/b': 'd'}}]"
        await scene.policy(
            "mutating",
            {
                "matchConstraints": {"resourceRules": [rule("secrets", operations=["CREATE"])]},
                "mutations": [patch(escaped)],
            },
            name="second",
        )
        refusal = await scene.refused("POST", MAPS, config_map("a", {"l": "m"}, k="v"))
        assert "example.com/x~y" in refusal.message  # no label can have that name, but the path was right
        secret = await scene.do("POST", "/api/v1/namespaces/default/secrets", {"metadata": {"name": "s"}})
        assert secret["metadata"]["annotations"] == {"a/b": "d"}
        refusal = await scene.refused("POST", MAPS, config_map("a", {"l": "m"}, k="other"))
        assert "JSON Patch" in refusal.message

    simulate(body)


@pytest.mark.parametrize(
    ("mutation", "message"),
    [
        (
            apply("Object{data: Object.wrong{k: 'v'}}"),
            'type mismatch: unexpected type name "Object.wrong", expected "Object.data"',
        ),
        (
            apply("Object{nothing: 1}"),
            "error applying patch: failed to convert patch object to typed object: .nothing: field not declared in schema",
        ),
        (apply("Object{metadata: Object.metadata{name: object.nope}}"), "resulted in error: no such key: nope"),
        (patch("[JSONPatch{op: 'remove', path: '/data/nothing'}]"), "JSON Patch: "),
    ],
)
def test_a_mutation_that_cannot_be_made_is_a_failure(simulate: Simulate, mutation: Document, message: str) -> None:
    async def body(plane: ControlPlane) -> None:
        scene = Scene(plane)
        rules = {"matchConstraints": {"resourceRules": [rule(operations=["CREATE"])]}}
        await scene.policy("mutating", {**rules, "mutations": [mutation]})
        refusal = await scene.refused("POST", MAPS, config_map("a", k="v"))
        assert refusal.message.startswith("policy 'policy' with binding 'policy-binding' denied request: ")
        assert message in refusal.message
        assert (refusal.code, refusal.reason) == (403, "Invalid")
        ignore = {"spec": {"failurePolicy": "Ignore"}}
        await plane.client.patch(MUTATING_ADMISSION_POLICIES, "policy", "", ignore, type="merge")
        await plane.clock.settle()
        assert (await scene.do("POST", MAPS, config_map("a", k="v")))["data"] == {"k": "v"}

    simulate(body)


def test_atomic_parts_cannot_be_applied_in_part(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        scene = Scene(plane)
        expression = "Object{spec: Object.spec{selector: Object.spec.selector{matchLabels: {'a': 'b'}}}}"
        rules = {"matchConstraints": {"resourceRules": [rule("deployments", group="apps", operations=["CREATE"])]}}
        await scene.policy("mutating", {**rules, "mutations": [apply(expression)]})
        refusal = await scene.refused("POST", DEPLOYMENTS, deployment("a", 1))
        assert refusal.message.endswith(
            "invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.selector"
        )

    simulate(body)


def test_a_policy_runs_again_after_a_later_change_if_it_wants_to(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        scene = Scene(plane)
        rules = {"matchConstraints": {"resourceRules": [rule(operations=["CREATE"])]}}
        count = "Object{data: {'%s': string(has(object.data.%s) ? int(object.data.%s) + 1 : 1)}}"
        for name, again in (("a", "IfNeeded"), ("b", "Never"), ("c", "IfNeeded")):
            await scene.policy(
                "mutating",
                {**rules, "reinvocationPolicy": again, "mutations": [apply(count % (name, name, name))]},
                name=name,
            )
        assert (await scene.do("POST", MAPS, config_map("m")))["data"] == {"a": "2", "b": "1", "c": "2"}

    simulate(body)


@pytest.mark.parametrize(
    ("kind", "spec", "message"),
    [
        ("validating", {"validations": [{"expression": "nobody"}]}, "spec.validations[0].expression: Invalid value: \"nobody\": compilation failed: ERROR: <input>:1:1: undeclared reference to 'nobody'"),
        ("validating", {"validations": [{"expression": "1"}]}, 'spec.validations[0].expression: Invalid value: "1": must evaluate to bool but got int'),
        ("validating", {"validations": [{"expression": "true", "messageExpression": "authorizer.path('/x')"}]}, "undeclared reference to 'authorizer'"),
        ("validating", {"validations": [{"expression": "params == null"}]}, "undeclared reference to 'params'"),
        ("validating", {"variables": [{"name": "a", "expression": "variables.b"}, {"name": "b", "expression": "1"}], "validations": [{"expression": "true"}]}, "spec.variables[0].expression: Invalid value"),
        ("validating", {"variables": [{"name": "for", "expression": "1"}], "validations": [{"expression": "true"}]}, "must be a valid CEL identifier"),
        ("validating", {}, "spec.validations: Required value: validations or auditAnnotations must contain at least one item"),
        ("validating", {"auditAnnotations": [{"key": "k", "valueExpression": "1"}]}, "must evaluate to one of [string null_type] but got int"),
        ("mutating", {"mutations": [apply("1")]}, 'spec.mutations[0].applyConfiguration.expression: Invalid value: "1": must evaluate to Object but got int'),
        ("mutating", {"mutations": [{**apply("Object{}"), **patch("[]"), "patchType": "JSONPatch"}]}, 'spec.mutations[0].applyConfiguration: Invalid value: "{applyConfiguration}": must not be specified when patchType is JSONPatch'),
        ("mutating", {"mutations": [patch("[JSONPatch{op: 1}]")]}, "expected type of field 'op' is 'string' but provided type is 'int'"),
        ("mutating", {"mutations": [apply("Object{}")], "matchConstraints": {"resourceRules": [rule(operations=["DELETE"])]}}, 'Unsupported value: "DELETE": supported values: "*", "CREATE", "UPDATE"'),
    ],
)  # fmt: skip
def test_a_policy_that_cannot_work_is_refused_when_it_is_written(
    simulate: Simulate, kind: str, spec: Document, message: str
) -> None:
    async def body(plane: ControlPlane) -> None:
        rules = {"matchConstraints": {"resourceRules": [rule(operations=["CREATE"])]}, "reinvocationPolicy": "Never"}
        if kind == "validating":
            del rules["reinvocationPolicy"]
        document = {"metadata": {"name": "p"}, "spec": {**rules, **spec}}
        refusal = await Scene(plane).refused("POST", f"{POLICIES}/{kind}admissionpolicies", document)
        assert refusal.code == 422
        assert message in refusal.message

    simulate(body)


def test_a_binding_says_what_it_binds_and_does(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        spec = {
            "validationActions": ["Deny", "Warn"],
            "paramRef": {"name": "a", "selector": {}},
            "matchResources": {"resourceRules": [rule(resourceNames=["a", "a"], apiGroups=[])]},
        }
        document = {"metadata": {"name": "b"}, "spec": spec}
        refusal = await Scene(plane).refused("POST", f"{POLICIES}/validatingadmissionpolicybindings", document)
        assert refusal.status.details is not None
        assert sorted(each.field for each in refusal.status.details.causes) == [
            "spec.matchResources.resourceRules[0].apiGroups",
            "spec.matchResources.resourceRules[0].resourceNames[1]",
            "spec.paramRef.name",
            "spec.paramRef.parameterNotFoundAction",
            "spec.paramRef.selector",
            "spec.policyName",
            "spec.validationActions",
        ]

    simulate(body)


async def _checked(
    plane: ControlPlane, name: str, constraints: Document, *validations: Document, **spec: Any
) -> Document:
    spec = {"matchConstraints": {"resourceRules": [constraints]}, "validations": list(validations), **spec}
    scene = Scene(plane)
    await scene.create(f"{POLICIES}/validatingadmissionpolicies", name, spec=spec)

    async def status() -> Any:
        found = await scene.do("GET", f"{POLICIES}/validatingadmissionpolicies/{name}")
        return found if "typeChecking" in found.get("status", {}) else None

    policy = await plane.until(status)
    assert policy["status"]["observedGeneration"] == policy["metadata"]["generation"] == 1
    found: Document = policy["status"]["typeChecking"]
    return found


def test_expressions_are_checked_against_the_types_they_are_about(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        deployments = rule("deployments", group="apps", apiVersions=["v1"])
        assert (
            await _checked(
                plane,
                "right",
                deployments,
                {
                    "expression": "object.spec.replicas > 1 && object.spec.template.spec.containers.all(c, c.resources.limits['cpu'] != '')"
                },
            )
            == {}
        )
        wrong = {
            "expression": "object.spec.replicas > '1'",
            "messageExpression": "'wants replicas > 1, got ' + object.spec.replicas",
        }
        warnings = (await _checked(plane, "wrong", deployments, wrong))["expressionWarnings"]
        assert [each["fieldRef"] for each in warnings] == [
            "spec.validations[0].expression",
            "spec.validations[0].messageExpression",
        ]
        assert warnings[0]["warning"] == (
            "apps/v1, Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_>_' applied to '(int, string)'\n"
            " | object.spec.replicas > '1'\n | .....................^\n"
        )
        assert "found no matching overload for '_+_' applied to '(string, int)'" in warnings[1]["warning"]

    simulate(body)


def test_expressions_about_custom_resources_variables_and_parameters_are_checked_too(simulate: Simulate) -> None:
    async def body(plane: ControlPlane) -> None:
        async with custom_resources(plane):
            schema = {
                "type": "object",
                "properties": {"spec": {"type": "object", "properties": {"replicas": {"type": "integer"}}}},
            }
            await define(plane, "crontabs", "CronTab", schema)
            about = rule("crontabs", group="x.example.com", apiVersions=["v1"])
            variables = [{"name": "replicas", "expression": "object.spec.replicas"}]
            params = {"apiVersion": "x.example.com/v1", "kind": "CronTab"}
            found = await _checked(
                plane,
                "p",
                about,
                {"expression": "object.spec.replicas > 1"},
                {"expression": "object.spec.maxRetries < 10"},
                {"expression": "variables.replicas == 'a'"},
                {"expression": "params.spec.replicas == 'a'"},
                variables=variables,
                paramKind=params,
            )
            warnings = found["expressionWarnings"]
            assert [each["fieldRef"] for each in warnings] == [
                f"spec.validations[{position}].expression" for position in (1, 2, 3)
            ]
            assert "undefined field 'maxRetries'" in warnings[0]["warning"]

    simulate(body)
