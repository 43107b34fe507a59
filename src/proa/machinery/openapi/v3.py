"""OpenAPI 3 (`/openapi/v3`): an index, and one document for each group version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from proa.machinery.declare import Object
from proa.machinery.meta import APIResourceList, Status, WatchEvent
from proa.machinery.openapi import operations
from proa.machinery.openapi.definitions import GVK_EXTENSION, Dialect, kind_extension
from proa.machinery.openapi.operations import PATCH, Operation, Parameter, PathItem
from proa.machinery.resource import Resource
from proa.machinery.schema import AnySchema, schema_of

_PREFIX = "#/components/schemas/"


def index(hashes: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """`/openapi/v3`: where each group version's document is, with the hash that lets clients cache it for ever.

    hashes: quoted, as an ETag is.
    """
    paths = {}
    for (group, version), digest in hashes.items():
        path = operations.root(group, version)
        url = f"/openapi/v3{path}?hash={digest.strip(chr(34))}"
        paths[path.removeprefix("/")] = {"serverRelativeURL": url}
    return {"paths": paths}


def document(
    resources: Sequence[Resource[Any]], group: str, version: str, *, build: str, extra: Sequence[type[Object]] = ()
) -> dict[str, Any]:
    """The document of one group version. build: the server's version (`v1.36.0`). extra: types to define although no
    operation mentions them."""
    mine = [each for each in resources if (each.group, each.version) == (group, version)]
    items = list(operations.paths(mine))
    items.append(resources_path(group, version))
    dialect = Dialect(_PREFIX, modern=True, groups=[(group, version)])
    named = [*operations.schemas(items), *(schema_of(each) for each in (*extra, Status, WatchEvent))]
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": build},
        "paths": {item.path: _path(item, dialect) for item in sorted(items, key=lambda item: item.path)},
        "components": {
            "schemas": dialect.definitions([*named, AnySchema("object", PATCH)]),
            "securitySchemes": {
                "BearerToken": {
                    "description": "Bearer Token authentication",
                    "in": "header",
                    "name": "authorization",
                    "type": "apiKey",
                }
            },
        },
    }


def resources_path(group: str, version: str) -> PathItem:
    """The discovery of a group version is an operation, too."""
    path = operations.root(group, version)
    title = "".join(part.capitalize() for part in (group.removesuffix(".k8s.io") or "core").split("."))
    read = Operation(
        "get", "", f"get{title}{version.capitalize()}APIResources", "get available resources", ("", "", ""),
        result=schema_of(APIResourceList),
    )  # fmt: skip
    return PathItem(path + "/", (), (read,))


def _path(item: PathItem, dialect: Dialect) -> dict[str, Any]:
    found: dict[str, Any] = {each.method: _operation(each, item, dialect) for each in item.operations}
    if item.parameters:
        found["parameters"] = [_parameter(each) for each in item.parameters]
    return found


def _parameter(parameter: Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {"name": parameter.name, "in": parameter.place, "description": parameter.description}
    if parameter.place == "path":
        found["required"] = True
    return found | {"schema": {"type": parameter.type, "uniqueItems": True}}


def _operation(operation: Operation, item: PathItem, dialect: Dialect) -> dict[str, Any]:
    found: dict[str, Any] = {
        "tags": [tag(item.path)],
        "description": operation.description,
        "operationId": operation.id,
    }
    if operation.query:
        found["parameters"] = [_parameter(each) for each in operation.query]
    if operation.body is not None:
        name = operation.body if isinstance(operation.body, str) else operation.body.definition
        found["requestBody"] = {
            "content": {each: {"schema": dialect.reference(name)} for each in operation.consumes},
            "required": operation.method != "delete",
        }
    result = {"type": "string"} if operation.result is None else dialect.use(operation.result)
    content = {each: {"schema": result} for each in operation.produces}
    found["responses"] = {str(code): {"description": WORDS[code], "content": content} for code in operation.codes}
    found["responses"]["401"] = {"description": "Unauthorized"}
    if operation.action:
        found["x-kubernetes-action"] = operation.action
        found[GVK_EXTENSION] = kind_extension(*operation.kind)
    return found


WORDS = {200: "OK", 201: "Created", 202: "Accepted"}


def tag(path: str) -> str:
    """`apps_v1`: what generators group operations by."""
    parts = path.strip("/").split("/")
    if len(parts) == 1:
        return parts[0]
    if parts[0] == "api":
        return f"core_{parts[1]}"
    title = parts[1].removesuffix(".k8s.io").split(".")
    return f"{title[0] + ''.join(part.capitalize() for part in title[1:])}_{parts[2]}"
