"""OpenAPI documents say what the declarations say, and hang together."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
import pytest

from proa.api.core_v1 import TopologySelectorTerm
from proa.api.groups import resources
from proa.machinery import discovery, openapi

GROUP_VERSIONS = list(dict.fromkeys((each.group, each.version) for each in resources()))


@cache
def v3(group: str, version: str) -> dict[str, Any]:
    found = openapi.document_v3(resources(), group, version, build="v1.36.0")
    return json.loads(msgspec.json.encode(found))  # type: ignore[no-any-return]


@cache
def v2() -> dict[str, Any]:
    found = openapi.document_v2(resources(), build="v1.36.0", extra=(TopologySelectorTerm,))
    return json.loads(msgspec.json.encode(found))  # type: ignore[no-any-return]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, below in value.items():
            if name == "$ref" and isinstance(below, str):  # JSONSchemaProps has a property of that name
                yield below
            else:
                yield from references(below)
    elif isinstance(value, list):
        for below in value:
            yield from references(below)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield path, method, operation


@pytest.mark.parametrize("gv", GROUP_VERSIONS)
def test_every_reference_of_a_version_3_document_leads_somewhere(gv: tuple[str, str]) -> None:
    names = {f"#/components/schemas/{name}" for name in v3(*gv)["components"]["schemas"]}
    assert set(references(v3(*gv))) <= names


def test_every_reference_of_the_version_2_document_leads_somewhere() -> None:
    assert set(references(v2())) <= {f"#/definitions/{name}" for name in v2()["definitions"]}
    assert "io.k8s.api.core.v1.TopologySelectorTerm" in v2()["definitions"]


@pytest.mark.parametrize("document", [v2(), *(v3(*each) for each in GROUP_VERSIONS)])
def test_operations_have_names_of_their_own_and_say_every_path_parameter(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    for path, item in document["paths"].items():
        said = {each["name"] for each in item.get("parameters", ()) if each["in"] == "path"}
        assert said == set(re.findall(r"{(\w+)}", path))


def test_every_verb_of_every_resource_is_an_operation() -> None:
    methods = {"create": "post", "get": "get", "update": "put", "patch": "patch", "delete": "delete"}
    for group, version in GROUP_VERSIONS:
        paths = v3(group, version)["paths"]
        root = f"/apis/{group}/{version}" if group else f"/api/{version}"
        for each in discovery.api_resources(resources(), group, version).resources:
            name, _, sub = each.name.partition("/")
            collection = f"{root}/namespaces/{{namespace}}/{name}" if each.namespaced else f"{root}/{name}"
            single = f"{collection}/{{name}}" + (f"/{sub}" if sub else "")
            for verb in each.verbs:
                if verb == "watch":
                    continue
                if not sub and verb in ("create", "list", "deletecollection"):
                    method = {"create": "post", "list": "get", "deletecollection": "delete"}[verb]
                    assert method in paths[collection], (collection, verb)
                else:
                    assert methods[verb] in paths[single], (single, verb)


def test_watches_have_their_old_paths_too() -> None:
    paths = v2()["paths"]
    for each in resources():
        if "watch" not in each.verbs:
            continue
        root = f"/apis/{each.group}/{each.version}" if each.group else f"/api/{each.version}"
        inside = f"{root}/watch/namespaces/{{namespace}}" if each.namespaced else f"{root}/watch"
        for path in {f"{root}/watch/{each.plural}", f"{inside}/{each.plural}", f"{inside}/{each.plural}/{{name}}"}:
            watch = paths[path]["get"]
            assert watch["x-kubernetes-action"] == ("watch" if path.endswith("{name}") else "watchlist")
            assert ". deprecated: use the 'watch' parameter of a list" in watch["description"]
            shape = watch["responses"]["200"]["schema"]
            assert shape == {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent"}
    ids = [paths[f"/api/v1/watch/{each}"]["get"]["operationId"] for each in ("pods", "nodes", "nodes/{name}")]
    assert ids == ["watchCoreV1PodListForAllNamespaces", "watchCoreV1NodeList", "watchCoreV1Node"]


def test_a_patch_tells_clients_how_to_validate() -> None:
    patch = v3("apps", "v1")["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert {each["name"] for each in patch["parameters"]} == {"dryRun", "fieldManager", "fieldValidation", "force"}
    assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}
    assert patch["x-kubernetes-action"] == "patch"
    assert "application/apply-patch+yaml" in patch["requestBody"]["content"]


def test_schemas_carry_what_merging_needs() -> None:
    schemas = v3("", "v1")["components"]["schemas"]
    spec = schemas["io.k8s.api.core.v1.PodSpec"]
    containers = spec["properties"]["containers"]
    assert containers["items"] == {"$ref": "#/components/schemas/io.k8s.api.core.v1.Container"}
    assert containers["x-kubernetes-list-type"] == "map"
    assert containers["x-kubernetes-list-map-keys"] == ["name"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["x-kubernetes-patch-strategy"] == "merge"
    assert spec["required"] == ["containers"]
    assert spec["properties"]["restartPolicy"]["enum"] == ["Always", "Never", "OnFailure"]
    assert spec["properties"]["restartPolicy"]["default"] == "Always"
    families = schemas["io.k8s.api.core.v1.ServiceSpec"]["properties"]["ipFamilies"]
    assert families["items"] == {"type": "string", "enum": ["", "IPv4", "IPv6"]}
    pod = schemas["io.k8s.api.core.v1.Pod"]
    assert pod["x-kubernetes-group-version-kind"] == [{"group": "", "version": "v1", "kind": "Pod"}]
    quantity = schemas["io.k8s.apimachinery.pkg.api.resource.Quantity"]
    assert quantity["oneOf"] == [{"type": "string"}, {"type": "number"}]


def test_version_2_says_neither_defaults_nor_closed_sets() -> None:
    policy = v2()["definitions"]["io.k8s.api.core.v1.PodSpec"]["properties"]["restartPolicy"]
    assert policy.keys() == {"description", "type"}
    assert v2()["definitions"]["io.k8s.apimachinery.pkg.api.resource.Quantity"]["type"] == "string"


def test_options_belong_to_every_group_version() -> None:
    kinds = v2()["definitions"]["io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"]["x-kubernetes-group-version-kind"]
    assert {(each["group"], each["version"]) for each in kinds} == set(GROUP_VERSIONS)


def test_the_index_names_each_document_by_its_content() -> None:
    found = openapi.index({("", "v1"): '"A"', ("apps", "v1"): '"B"'})
    assert list(found["paths"]) == ["api/v1", "apis/apps/v1"]
    url = found["paths"]["apis/apps/v1"]["serverRelativeURL"]
    assert url.startswith("/openapi/v3/apis/apps/v1?hash=")
    assert openapi.index({("apps", "v1"): '"C"'})["paths"]["apis/apps/v1"]["serverRelativeURL"] != url
