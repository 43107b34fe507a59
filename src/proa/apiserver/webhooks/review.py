"""AdmissionReview: what a webhook is told of a write, and what it may answer.

Pure. The versions v1 and v1beta1 differ only in what an answer must say. Not here: asking, and what a verdict does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from proa.apiserver.admission import Attributes
from proa.apiserver.matching import namespace_of
from proa.apiserver.webhooks.client import WebhookFailure
from proa.machinery import status as failures
from proa.machinery.fields import quoted
from proa.machinery.meta import Status
from proa.machinery.resource import Resource

Document = dict[str, Any]

_GROUP = "admission.k8s.io"
_KNOWN = ("v1", "v1beta1")
_OPTIONS = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}


class Response(msgspec.Struct, frozen=True):
    """AdmissionResponse."""

    uid: str = ""
    allowed: bool = False
    status: Status | None = None
    patch: bytes | None = None
    patchType: str | None = None
    auditAnnotations: dict[str, str] | None = None
    warnings: Sequence[str] | None = None


class _Answer(msgspec.Struct, frozen=True):
    apiVersion: str = ""
    kind: str = ""
    response: Response | None = None


def review_version(accepted: Sequence[str]) -> str:
    """The version to speak: the first of the webhook's that is known. Raises WebhookFailure."""
    for version in accepted:
        if version in _KNOWN:
            return f"{_GROUP}/{version}"
    why = "webhook does not accept known AdmissionReview versions (v1, v1beta1)"
    raise WebhookFailure(f"could not create admission objects: {why}", 400)


def review(
    api_version: str,
    uid: str,
    attributes: Attributes,
    target: Resource[Any],
    document: Mapping[str, Any] | None,
    old: Mapping[str, Any] | None,
) -> Document:
    """The question about a write, with its documents as `target`, the version the webhook asked for, says them."""
    resource, user = attributes.resource, attributes.user
    request: Document = {
        "uid": uid,
        "kind": _kind(target, attributes, document),
        "resource": _resource(target),
        "requestKind": _kind(resource, attributes, attributes.document),
        "requestResource": _resource(resource),
    }
    if attributes.subresource:
        request["subResource"] = request["requestSubResource"] = attributes.subresource
    if attributes.name:
        request["name"] = attributes.name
    namespace = namespace_of(attributes)
    if namespace:
        request["namespace"] = namespace
    request["operation"] = attributes.operation
    request["userInfo"] = {
        "username": user.name,
        **({"uid": user.uid} if user.uid else {}),
        "groups": list(user.groups),
        **({"extra": {key: list(values) for key, values in user.extra.items()}} if user.extra else {}),
    }
    request["object"] = document
    request["oldObject"] = old
    request["dryRun"] = attributes.dry_run
    request["options"] = _options(attributes)
    return {"kind": "AdmissionReview", "apiVersion": api_version, "request": request}


def checked(answer: Document, api_version: str, uid: str, *, mutating: bool) -> Response:
    """The response in an answer. Raises WebhookFailure when the answer is none to the question."""
    try:
        found = msgspec.convert(answer, _Answer)
    except msgspec.ValidationError as error:
        raise WebhookFailure(f"failed to call webhook: json: cannot unmarshal: {error}") from None
    response = found.response
    if response is None:
        raise _invalid("webhook response was absent")
    if not api_version.endswith("/v1"):
        return response
    if response.uid != uid:
        raise _invalid(f"expected response.uid={quoted(uid)}, got {quoted(response.uid)}")
    if (found.apiVersion, found.kind) != (api_version, "AdmissionReview"):
        raise _invalid(
            f"expected webhook response of {api_version}, Kind=AdmissionReview, got "
            f"{found.apiVersion}, Kind={found.kind}"
        )
    if not mutating and response.patch:
        raise _invalid("validating webhook may not return response.patch")
    if not mutating and response.patchType is not None:
        raise _invalid("validating webhook may not return response.patchType")
    if response.patch and response.patchType is None:
        raise _invalid("webhook returned response.patch but not response.patchType")
    if not response.patch and response.patchType is not None:
        raise _invalid("webhook returned response.patchType but not response.patch")
    if response.patchType == "":
        raise _invalid('webhook returned invalid response.patchType of ""')
    return response


def patch_of(response: Response) -> list[Any]:
    """The JSON patch in a response; empty for none. Raises WebhookFailure."""
    if not response.patch:
        return []
    if response.patchType not in (None, "JSONPatch"):
        raise WebhookFailure(f"unsupported patch type {quoted(response.patchType)}")
    try:
        return msgspec.json.decode(response.patch, type=list[dict[str, Any]])
    except msgspec.MsgspecError as error:
        raise WebhookFailure(f"received undecodable patch in webhook response: {error}") from None


def refusal(name: str, status: Status | None) -> failures.StatusError:
    """What the client is told when a webhook does not allow its request."""
    by = f"admission webhook {quoted(name)} denied the request"
    status = status or Status()
    why = status.message or status.reason
    return failures.StatusError(
        msgspec.structs.replace(
            status,
            status="Failure" if status.status in ("", "Success") else status.status,
            code=status.code if status.code >= 400 else 400,
            message=f"{by}: {why}" if why else f"{by} without explanation",
        )
    )


def _invalid(why: str) -> WebhookFailure:
    return WebhookFailure(f"received invalid webhook response: {why}")


def _resource(resource: Resource[Any]) -> Document:
    return {"group": resource.group, "version": resource.version, "resource": resource.plural}


def _kind(resource: Resource[Any], attributes: Attributes, document: Mapping[str, Any] | None) -> Document:
    """The kind of a write's object: a subresource may have one of its own, and its document then says so."""
    if attributes.subresource and document is not None and document.get("kind"):
        group, _, version = document.get("apiVersion", "").rpartition("/")
        return {"group": group, "version": version, "kind": document["kind"]}
    declared = resource.subresource(attributes.subresource) if attributes.subresource else None
    kind = resource.kind
    if declared is not None:
        kind = declared.kind or (declared.type.__name__ if declared.type is not None else kind)
    return {"group": resource.group, "version": resource.version, "kind": kind}


def _options(attributes: Attributes) -> Document | None:
    kind = _OPTIONS.get(attributes.operation)
    if kind is None:
        return None
    given = attributes.options
    options: Document = {"kind": kind, "apiVersion": "meta.k8s.io/v1"}
    if kind == "DeleteOptions":
        return {**given, **options}
    if attributes.dry_run:
        options["dryRun"] = ["All"]
    options |= {name: given[name] for name in ("fieldManager", "fieldValidation") if given.get(name)}
    return options
