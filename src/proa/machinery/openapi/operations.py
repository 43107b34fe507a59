"""Which operations the server offers on which paths: derived from resources, before any OpenAPI dialect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from proa.machinery.declare import Field
from proa.machinery.discovery import response_kind
from proa.machinery.meta import DeleteOptions, ListMeta, Status, WatchEvent
from proa.machinery.resource import Resource, Subresource
from proa.machinery.schema import STRING, ListSchema, ObjectSchema, Property, schema_of

JSON = "application/json"
OBJECT_TYPES = (JSON, "application/yaml")
LIST_TYPES = (*OBJECT_TYPES, "application/json;stream=watch")
PATCH_TYPES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)
ANY_TYPE = "*/*"


@dataclass(frozen=True, slots=True)
class Parameter:
    """place: 'query' or 'path'. type: JSON type."""

    name: str
    description: str
    type: str = "string"
    place: str = "query"


@dataclass(frozen=True, slots=True)
class Operation:
    """method: of HTTP, lower case. action: x-kubernetes-action. kind: (group, version, kind) it is about. body: shape
    of the request, `PATCH` for a patch. result: shape of the answer, None for plain text. codes: of success."""

    method: str
    action: str
    id: str
    description: str
    kind: tuple[str, str, str]
    query: tuple[Parameter, ...] = ()
    body: ObjectSchema | str | None = None
    consumes: tuple[str, ...] = ()
    produces: tuple[str, ...] = OBJECT_TYPES
    result: ObjectSchema | None = None
    codes: tuple[int, ...] = (200,)


@dataclass(frozen=True, slots=True)
class PathItem:
    path: str
    parameters: tuple[Parameter, ...]
    operations: tuple[Operation, ...]


PATCH = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch"
PRETTY = Parameter("pretty", "If 'true', the output is indented.")
_NAMESPACE = Parameter("namespace", "The object's namespace.", place="path")
_PATH = Parameter("path", "The path behind the proxy.", place="path")

_DRY_RUN = Parameter("dryRun", "'All': go through every stage but do not store anything.")
_MANAGER = Parameter("fieldManager", "Who makes the change, for managedFields; at most 128 printable characters.")
_FIELD_VALIDATION = Parameter(
    "fieldValidation", "What to do about unknown and duplicate fields: 'Ignore', 'Warn' (the default) or 'Strict'."
)
_FORCE = Parameter("force", "Take over fields that other managers own. Only for apply patches.", "boolean")
_IGNORE_READ = Parameter(
    "ignoreStoreReadErrorWithClusterBreakingPotential", "Delete even what cannot be read any more.", "boolean"
)
_SELECTION = (
    Parameter("continue", "The token of the page to go on with.", "string"),
    Parameter("fieldSelector", "Restricts the answer by fields."),
    Parameter("labelSelector", "Restricts the answer by labels."),
    Parameter("limit", "The largest number of items in a page.", "integer"),
    Parameter("resourceVersion", "Which versions the answer may show."),
    Parameter("resourceVersionMatch", "How resourceVersion is meant: 'Exact' or 'NotOlderThan'."),
    Parameter("sendInitialEvents", "Begin a watch with the existing objects and a bookmark.", "boolean"),
    Parameter("timeoutSeconds", "Seconds after which the server ends the call.", "integer"),
)
_DELETION = (
    _DRY_RUN,
    Parameter("gracePeriodSeconds", "Seconds until the object is deleted; 0 is at once.", "integer"),
    _IGNORE_READ,
    Parameter("orphanDependents", "Deprecated: use propagationPolicy.", "boolean"),
    Parameter("propagationPolicy", "What happens to dependents: 'Orphan', 'Background' or 'Foreground'."),
)
_WRITING = (_DRY_RUN, _MANAGER, _FIELD_VALIDATION)
_LISTING = (
    Parameter("allowWatchBookmarks", "Ask for bookmark events.", "boolean"),
    *_SELECTION,
    Parameter("watch", "Answer with a stream of changes instead of a list.", "boolean"),
)
_STREAMS = tuple(
    Parameter(each, f"Whether to connect {each}.", "boolean") for each in ("stderr", "stdin", "stdout", "tty")
)
_CONTAINER = Parameter("container", "The container; the default is the only or the annotated one.")
_PROXY_PATH = (Parameter("path", "The path behind the proxy."),)

_DELETE_OPTIONS, _STATUS = schema_of(DeleteOptions), schema_of(Status)

_CONNECT = {
    "attach": (_CONTAINER, *_STREAMS),
    "exec": (Parameter("command", "The program and its arguments, one parameter each."), _CONTAINER, *_STREAMS),
    "portforward": (Parameter("ports", "The ports to forward.", "integer"),),
    "proxy": _PROXY_PATH,
}
_LOG = (
    _CONTAINER,
    Parameter("follow", "Go on with what is written from now on.", "boolean"),
    Parameter("insecureSkipTLSVerifyBackend", "Do not verify the kubelet's certificate.", "boolean"),
    Parameter("limitBytes", "The largest number of bytes.", "integer"),
    Parameter("previous", "Of the container's previous run.", "boolean"),
    Parameter("sinceSeconds", "Only what is at most so many seconds old.", "integer"),
    Parameter("stream", "'All', 'Stdout' or 'Stderr'."),
    Parameter("tailLines", "The number of lines from the end.", "integer"),
    Parameter("timestamps", "Begin every line with its time.", "boolean"),
)

_METHODS = {"create": "post", "get": "get", "update": "put", "patch": "patch", "delete": "delete"}


def paths(resources: Sequence[Resource[Any]]) -> Iterator[PathItem]:
    """Every path of the resources, in order."""
    for resource in resources:
        yield from _resource(resource)


def root(group: str, version: str) -> str:
    """`/api/v1` or `/apis/<group>/<version>`."""
    return f"/apis/{group}/{version}" if group else f"/api/{version}"


def _resource(resource: Resource[Any]) -> Iterator[PathItem]:
    base = root(resource.group, resource.version)
    inside = f"{base}/namespaces/{{namespace}}" if resource.namespaced else base
    space = (_NAMESPACE,) if resource.namespaced else ()
    name = Parameter("name", f"The name of the {resource.kind}.", place="path")
    if operations := tuple(_collection(resource)):
        yield PathItem(f"{inside}/{resource.plural}", (*space, PRETTY), operations)
    if operations := tuple(_single(resource)):
        yield PathItem(f"{inside}/{resource.plural}/{{name}}", (name, *space, PRETTY), operations)
    for sub in resource.subresources:
        at = f"{inside}/{resource.plural}/{{name}}/{sub.name}"
        yield PathItem(at, (name, *space, PRETTY), tuple(_sub(resource, sub)))
        if sub.name == "proxy":
            operations = tuple(_sub(resource, sub, "WithPath"))
            yield PathItem(f"{at}/{{path}}", (name, *space, _PATH), operations)
    if resource.namespaced and "list" in resource.verbs:
        yield PathItem(f"{base}/{resource.plural}", (PRETTY,), (_list(resource, everywhere=True),))
    if "watch" in resource.verbs and not resource.custom:  # upstream lists them for what is built in only
        yield from _watches(resource, base, inside, name, space)


def _id(resource: Resource[Any], verb: str, what: str) -> str:
    group = resource.group.removesuffix(".k8s.io") or "core"
    title = "".join(part.capitalize() for part in group.split("."))
    return f"{verb}{title}{resource.version.capitalize()}{what}"


def _named(resource: Resource[Any]) -> str:
    return ("Namespaced" if resource.namespaced else "") + resource.kind


def _gvk(resource: Resource[Any]) -> tuple[str, str, str]:
    return resource.group, resource.version, resource.kind


def _list(resource: Resource[Any], *, everywhere: bool = False) -> Operation:
    what = f"{resource.kind}ForAllNamespaces" if everywhere else _named(resource)
    return Operation(
        "get", "list", _id(resource, "list", what), f"list or watch objects of kind {resource.kind}", _gvk(resource),
        query=_LISTING, produces=LIST_TYPES, result=list_schema(resource),
    )  # fmt: skip


def _watches(
    resource: Resource[Any], base: str, inside: str, name: Parameter, space: tuple[Parameter, ...]
) -> Iterator[PathItem]:
    """The paths that watches had before a list could be asked to be one."""
    at = f"{base}/watch{inside.removeprefix(base)}/{resource.plural}"
    named = _named(resource)
    yield PathItem(at, (*space, PRETTY), (_watch(resource, f"{named}List"),))
    yield PathItem(f"{at}/{{name}}", (name, *space, PRETTY), (_watch(resource, named, single=True),))
    if resource.namespaced:
        everywhere = _watch(resource, f"{resource.kind}ListForAllNamespaces")
        yield PathItem(f"{base}/watch/{resource.plural}", (PRETTY,), (everywhere,))


def _watch(resource: Resource[Any], what: str, *, single: bool = False) -> Operation:
    text = f"watch changes to an object of kind {resource.kind}" if single else f"watch a list of {resource.kind}"
    instead = "the 'watch' parameter of a list" + " with a 'fieldSelector' for the name" * single
    return Operation(
        "get", "watch" if single else "watchlist", _id(resource, "watch", what), f"{text}. deprecated: use {instead}",
        _gvk(resource), query=_LISTING, produces=LIST_TYPES, result=schema_of(WatchEvent),
    )  # fmt: skip


def _collection(resource: Resource[Any]) -> Iterator[Operation]:
    kind, gvk = resource.kind, _gvk(resource)
    if "list" in resource.verbs:
        yield _list(resource)
    if "create" in resource.verbs:
        yield Operation(
            "post", "post", _id(resource, "create", _named(resource)), f"create a {kind}", gvk,
            query=_WRITING, body=resource.schema, consumes=OBJECT_TYPES, result=resource.schema, codes=(200, 201, 202),
        )  # fmt: skip
    if "deletecollection" in resource.verbs:
        yield Operation(
            "delete", "deletecollection", _id(resource, "delete", "Collection" + _named(resource)),
            f"delete collection of {kind}", gvk,
            query=(*_SELECTION, *_DELETION), body=_DELETE_OPTIONS, consumes=OBJECT_TYPES, result=_STATUS,
        )  # fmt: skip


def _single(resource: Resource[Any]) -> Iterator[Operation]:
    kind, gvk, named = resource.kind, _gvk(resource), _named(resource)
    if "get" in resource.verbs:
        yield Operation(
            "get", "get", _id(resource, "read", named), f"read the specified {kind}", gvk, result=resource.schema
        )
    if "update" in resource.verbs:
        yield _replace(resource, named, resource.schema, gvk, f"replace the specified {kind}")
    if "patch" in resource.verbs:
        yield _patch(resource, named, resource.schema, gvk, f"partially update the specified {kind}")
    if "delete" in resource.verbs:
        yield Operation(
            "delete", "delete", _id(resource, "delete", named), f"delete a {kind}", gvk,
            query=_DELETION, body=_DELETE_OPTIONS, consumes=OBJECT_TYPES, result=_STATUS, codes=(200, 202),
        )  # fmt: skip


def _replace(
    resource: Resource[Any], named: str, schema: ObjectSchema, gvk: tuple[str, str, str], text: str
) -> Operation:
    return Operation(
        "put", "put", _id(resource, "replace", named), text, gvk,
        query=_WRITING, body=schema, consumes=OBJECT_TYPES, result=schema, codes=(200, 201),
    )  # fmt: skip


def _patch(
    resource: Resource[Any], named: str, schema: ObjectSchema, gvk: tuple[str, str, str], text: str
) -> Operation:
    kinds = tuple(each for each in PATCH_TYPES if not (resource.custom and "strategic" in each))
    return Operation(
        "patch", "patch", _id(resource, "patch", named), text, gvk,
        query=(*_WRITING, _FORCE), body=PATCH, consumes=kinds, result=schema, codes=(200, 201),
    )  # fmt: skip


def _sub(resource: Resource[Any], sub: Subresource, suffix: str = "") -> Iterator[Operation]:
    gvk = response_kind(resource, sub)
    named = _named(resource) + sub.name.capitalize() + suffix
    about = f"{sub.name} of the specified {resource.kind}"
    if sub.name in _CONNECT:
        for verb in sorted(sub.verbs):
            method = _METHODS[verb]
            yield Operation(
                method, "connect", _id(resource, "connect", method.capitalize() + named),
                f"connect {method.upper()} requests to {about}", gvk, query=_CONNECT[sub.name], produces=(ANY_TYPE,),
            )  # fmt: skip
        return
    schema = schema_of(sub.type) if sub.type is not None else resource.schema
    for verb in sub.verbs:
        match verb:
            case "get" if sub.name == "log":
                yield Operation(
                    "get", "get", _id(resource, "read", named), f"read {about}", _gvk(resource),
                    query=_LOG, produces=("text/plain", *OBJECT_TYPES),
                )  # fmt: skip
            case "get":
                yield Operation("get", "get", _id(resource, "read", named), f"read {about}", gvk, result=schema)
            case "create":
                yield Operation(
                    "post", "post", _id(resource, "create", named), f"create {about}", gvk,
                    query=_WRITING, body=schema, consumes=OBJECT_TYPES, result=schema, codes=(200, 201, 202),
                )  # fmt: skip
            case "update":
                yield _replace(resource, named, schema, gvk, f"replace {about}")
            case "patch":
                yield _patch(resource, named, schema, gvk, f"partially update {about}")
            case other:
                raise ValueError(f"{resource.plural}/{sub.name}: a subresource cannot be asked to {other}")


def schemas(items: Sequence[PathItem]) -> list[ObjectSchema]:
    """The shape of every request and answer."""
    found: dict[int, ObjectSchema] = {}
    for item in items:
        for each in item.operations:
            for used in (each.body, each.result):
                if used is not None and not isinstance(used, str):
                    found[id(used)] = used
    return list(found.values())


def list_schema(resource: Resource[Any]) -> ObjectSchema | None:
    """The shape of a list of the resource's objects."""
    if not resource.custom:
        return schema_of(resource.list_type) if resource.list_type is not None else None
    return _custom_list(resource.schema, resource.list_kind)


def _custom_list(item: ObjectSchema, kind: str) -> ObjectSchema:
    group, version, _ = item.gvk or ("", "", "")
    properties = {
        "apiVersion": Property("apiVersion", STRING),
        "kind": Property("kind", STRING),
        "metadata": Property("metadata", schema_of(ListMeta)),
        "items": Property("items", ListSchema(item), Field(required=True)),
    }
    definition = item.definition.rpartition(".")[0] + f".{kind}" if item.definition else ""
    return ObjectSchema(kind, properties, definition=definition, gvk=(group, version, kind))
