"""OpenAPI 2 (`/openapi/v2`): everything in one document, for older clients and generators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proa.machinery.declare import Object
from proa.machinery.meta import APIGroup, APIGroupList, APIVersions, Status, WatchEvent
from proa.machinery.openapi import operations
from proa.machinery.openapi.definitions import GVK_EXTENSION, Dialect, kind_extension
from proa.machinery.openapi.operations import PATCH, Operation, Parameter, PathItem
from proa.machinery.openapi.v3 import WORDS, resources_path, tag
from proa.machinery.resource import Resource
from proa.machinery.schema import AnySchema, schema_of
from proa.machinery.version import Info

_PREFIX = "#/definitions/"

_VERSION = PathItem(
    "/version/",
    (),
    (Operation("get", "", "getCodeVersion", "get the code version", ("", "", ""), result=schema_of(Info)),),
)


def document(resources: Sequence[Resource[Any]], *, build: str, extra: Sequence[type[Object]] = ()) -> dict[str, Any]:
    """The whole document. build: the server's version. extra: types to define although no operation mentions them."""
    groups = list(dict.fromkeys((each.group, each.version) for each in resources))
    items = [*operations.paths(resources), *(resources_path(*each) for each in groups), _VERSION]
    dialect = Dialect(_PREFIX, modern=False, groups=groups)
    machinery = (Status, WatchEvent, APIGroup, APIGroupList, APIVersions)
    named = [*operations.schemas(items), *(schema_of(each) for each in (*extra, *machinery))]
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": build},
        "paths": {item.path: _path(item, dialect) for item in sorted(items, key=lambda item: item.path)},
        "definitions": dialect.definitions([*named, AnySchema("object", PATCH)]),
        "securityDefinitions": {
            "BearerToken": {
                "description": "Bearer Token authentication",
                "in": "header",
                "name": "authorization",
                "type": "apiKey",
            }
        },
        "security": [{"BearerToken": []}],
    }


def _path(item: PathItem, dialect: Dialect) -> dict[str, Any]:
    found: dict[str, Any] = {each.method: _operation(each, item, dialect) for each in item.operations}
    if item.parameters:
        found["parameters"] = [_parameter(each) for each in item.parameters]
    return found


def _parameter(parameter: Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "type": parameter.type,
        "uniqueItems": True,
    }
    return found | {"required": True} if parameter.place == "path" else found


def _operation(operation: Operation, item: PathItem, dialect: Dialect) -> dict[str, Any]:
    parameters = [_parameter(each) for each in operation.query]
    if operation.body is not None:
        name = operation.body if isinstance(operation.body, str) else operation.body.definition
        body: dict[str, Any] = {"name": "body", "in": "body", "schema": dialect.reference(name)}
        parameters.insert(0, body | {"required": True} if operation.method != "delete" else body)
    result = {"type": "string"} if operation.result is None else dialect.use(operation.result)
    responses: dict[str, Any] = {str(code): {"description": WORDS[code], "schema": result} for code in operation.codes}
    responses["401"] = {"description": "Unauthorized"}
    found: dict[str, Any] = {
        "tags": [tag(item.path)],
        "description": operation.description,
        "operationId": operation.id,
        "consumes": list(operation.consumes) or [operations.ANY_TYPE],
        "produces": list(operation.produces),
        "schemes": ["https"],
        "responses": responses,
    }
    if parameters:
        found["parameters"] = parameters
    if operation.action:
        found["x-kubernetes-action"] = operation.action
        found[GVK_EXTENSION] = kind_extension(*operation.kind)
    return found
