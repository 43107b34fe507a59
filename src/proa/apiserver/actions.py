"""Creates that store no object of their own: bindings, and what all such actions share.

An action takes a document and answers with one, over HTTP and in process alike. Registered by resource and
subresource in `compose`. Not here: subresources that show or change the object itself (`parts`, its Scale).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from proa.api.core_v1 import Binding
from proa.apiserver import metadata
from proa.apiserver.kinds import check_kind
from proa.apiserver.metadata import Document
from proa.apiserver.options import WriteOptions
from proa.apiserver.registry import Registry
from proa.machinery import decode
from proa.machinery import status as failures
from proa.machinery.declare import Object
from proa.machinery.default import apply_defaults
from proa.machinery.fields import ErrorList, Path
from proa.machinery.meta import Status
from proa.machinery.schema import schema_of
from proa.machinery.validate import validate_facts

Action = Callable[[str, str, Document, WriteOptions], Awaitable[Document]]
"""(namespace, name, body, options) -> the answer. Raises StatusError."""


def checked_body(body: Document, kind: type[Object], options: WriteOptions, *api_versions: str) -> Document:
    """The body of an action, of its declared shape, defaulted and valid. Raises StatusError 400, 422."""
    shaped = shaped_body(body, kind, options, *api_versions)
    check_facts(shaped, kind)
    return shaped


def shaped_body(body: Document, kind: type[Object], options: WriteOptions, *api_versions: str) -> Document:
    """The body of an action, of its declared shape and defaulted. Raises StatusError 400."""
    schema = schema_of(kind)
    said = body.get("apiVersion")
    if body.get("kind") not in (None, "", kind.__name__) or said not in (None, "", *api_versions):
        check_kind(body, api_versions[0], kind.__name__)
    body["apiVersion"], body["kind"] = said or api_versions[0], kind.__name__
    shaped = {**body, "apiVersion": api_versions[0]}
    options.warnings += decode.field_validation(shaped, schema, options.field_validation, options.raw)
    apply_defaults(shaped, schema)
    return shaped


def check_facts(shaped: Document, kind: type[Object]) -> None:
    """Raises StatusError 422 when a body breaks what its declaration says."""
    errors = ErrorList()
    validate_facts(shaped, schema_of(kind), errors)
    if errors:
        name = (shaped.get("metadata") or {}).get("name", "")
        raise failures.invalid(shaped["apiVersion"].rpartition("/")[0], kind.__name__, name, errors)


class PodActions:
    """pods/binding and the older bindings."""

    def __init__(self, pods: Registry) -> None:
        self._pods = pods

    async def bindings(self, namespace: str, name: str, body: Document, options: WriteOptions) -> Document:
        """POST bindings: the binding names its pod itself."""
        return await self.bind(namespace, (body.get("metadata") or {}).get("name", ""), body, options)

    async def bind(self, namespace: str, name: str, body: Document, options: WriteOptions) -> Document:
        """Assign a pod to a node, once. Raises StatusError 409 when it is bound or being deleted."""
        pods = self._pods
        body = checked_body(body, Binding, options, "v1")
        if metadata.of(body).get("name", name) != name:
            raise failures.bad_request("name in URL does not match name in Binding object")
        await pods.admit("CREATE", "binding", namespace, name, body, options)
        meta, target = metadata.of(body), body.get("target") or {}
        errors = ErrorList()
        if target.get("kind") not in (None, "", "Node"):
            errors.unsupported(Path("target", "kind"), target["kind"], ("Node", "<empty>"))
        node = target.get("name")
        if not node:
            errors.required(Path("target", "name"))
        if errors:
            raise failures.invalid("", "Binding", name, errors)

        def bound(pod: Document) -> Document:
            spec, held = pod["spec"], pod["metadata"]
            if meta.get("uid") and meta["uid"] != held["uid"]:
                raise failures.other_uid(pods.resource, name, meta["uid"], held["uid"])
            if "deletionTimestamp" in held:
                why = f"pod {name} is being deleted, cannot be assigned to a host"
                raise failures.conflict(pods.resource, name, why)
            if spec.get("nodeName"):
                why = f'pod {name} is already assigned to node "{spec["nodeName"]}"'
                raise failures.conflict(pods.resource, name, why)
            if spec.get("schedulingGates"):
                raise failures.conflict(pods.resource, name, f"pod {name} has non-empty .spec.schedulingGates")
            spec["nodeName"] = node
            for field in ("annotations", "labels"):
                if meta.get(field):
                    held[field] = {**held.get(field, {}), **meta[field]}
            if meta.get("resourceVersion"):
                held["resourceVersion"] = meta["resourceVersion"]
            else:
                held.pop("resourceVersion", None)  # only a binding that says so insists on the version it saw
            status = pod.setdefault("status", {})
            status.pop("nominatedNodeName", None)
            status["conditions"] = _scheduled(status.get("conditions") or [], pods.now())
            return pod

        await pods.change(namespace, name, bound, options, "binding", trusted=True, admitted=True)
        return _SUCCESS


_SUCCESS: Document = msgspec.to_builtins(Status(status="Success", code=201))


def _scheduled(conditions: list[Document], now: str) -> list[Document]:
    """The conditions with PodScheduled true."""
    found = next((each for each in conditions if each.get("type") == "PodScheduled"), None)
    if found is not None and found.get("status") == "True":
        return conditions
    condition = {"type": "PodScheduled", "status": "True", "lastTransitionTime": now}
    return [*(each for each in conditions if each is not found), condition]
