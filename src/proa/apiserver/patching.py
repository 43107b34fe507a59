"""The one door to the four kinds of patch: by the request's content type to what computes the new document.

Here: reading the patch body and choosing. Not here: the algorithms (machinery.patch, machinery.apply), and retrying
against a newer object (registry).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from proa.apiserver import metadata
from proa.apiserver.metadata import Document
from proa.apiserver.negotiation import decode_yaml
from proa.apiserver.options import WriteOptions, refuse
from proa.apiserver.parts import Part
from proa.apiserver.registry import Registry
from proa.apiserver.registry.changing import Facet
from proa.apiserver.writing import Change
from proa.machinery import apply as machinery_apply
from proa.machinery import decode, patch
from proa.machinery import status as failures
from proa.machinery.fields import ErrorList, Path
from proa.machinery.resource import Resource
from proa.machinery.schema import Property
from proa.store.item import Item

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_YAML = "application/apply-patch+yaml"
APPLY_CBOR = "application/apply-patch+cbor"
ACCEPTED = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_YAML)

# How the client protocol names the kinds.
BY_NAME = {"json": JSON_PATCH, "merge": MERGE_PATCH, "strategic": STRATEGIC_PATCH, "apply": APPLY_YAML}


def parse_body(content_type: str, body: bytes) -> Any:
    """The patch as plain JSON. Raises StatusError 415 for another content type, 400 for what cannot be read."""
    if content_type not in ACCEPTED:
        raise failures.unsupported_media_type(ACCEPTED)
    if content_type == APPLY_YAML:
        return decode_yaml(body)
    try:
        return decode.decode_value(body)
    except ValueError as error:
        raise failures.bad_request(f"error decoding patch: {error}") from None


def patch_of(resource: Resource[Any], content_type: str, body: Any) -> Change:
    """What applies `body`, already parsed, to a stored document. Not for apply, which creates too (`apply`).

    Raises StatusError 400 for a body of the wrong shape.
    """
    if content_type == JSON_PATCH:
        if not isinstance(body, list):
            raise failures.bad_request("a JSON patch is a list of operations")
        return lambda stored: _object(patch.apply_json_patch(stored, body))
    if content_type == STRATEGIC_PATCH and resource.custom:
        raise failures.unsupported_media_type([each for each in ACCEPTED if each != STRATEGIC_PATCH])
    if not isinstance(body, dict):
        raise failures.bad_request("a merge patch is an object")
    if content_type == MERGE_PATCH:
        return lambda stored: _object(patch.merge(stored, body))
    tree = resource.schema

    def patched(stored: Document) -> Document:
        document = _object(patch.strategic(stored, body, tree))
        # What it is cannot be patched in this way, which never leaves its type.
        document["apiVersion"], document["kind"] = resource.api_version, resource.kind
        return document

    return patched


Applying = Callable[[Document | None], Document]
"""Makes the document from the stored one, None where there is none."""


def applying(
    registry: Registry | Part, name: str, body: Document, options: WriteOptions, subresource: str, *, force: bool
) -> Applying:
    """What applies `body` to a stored document. Raises StatusError 400, 422; what it returns, 409."""
    resource = registry.resource
    if not options.field_manager:
        errors = ErrorList()
        errors.required(Path("fieldManager"), "is required for apply patch")
        refuse("PatchOptions", errors)
    if not isinstance(body, dict):
        raise failures.bad_request("an apply patch is an object")
    version = body.get("apiVersion") or ""
    if version != resource.api_version:
        raise failures.bad_request(
            f"Incorrect version specified in apply patch. Specified patch version: {version}, expected: "
            f"{resource.api_version}"
        )
    _check_typed(resource, name, body)
    options.warnings += resource.form.shape(body, options.field_validation)
    options.applied = True
    options.field_validation = decode.FieldValidation.IGNORE
    writer = machinery_apply.Writer(
        options.field_manager, machinery_apply.APPLY, resource.api_version, registry.now(), subresource
    )

    def applied(stored: Document | None) -> Document:
        asked = metadata.of(body)
        asked.setdefault("name", name)
        if stored is not None and asked.get("resourceVersion") is None and "namespace" in stored["metadata"]:
            asked.setdefault("namespace", stored["metadata"]["namespace"])
        return machinery_apply.server_side_apply(stored, body, resource.schema, writer, force=force)

    return applied


async def apply(
    registry: Registry | Part,
    namespace: str,
    name: str,
    body: Document,
    options: WriteOptions,
    subresource: str = "",
    *,
    may_create: Callable[[], Awaitable[object]] | None,
    force: bool = False,
    facet: Facet | None = None,
) -> tuple[Item, bool]:
    """Server-side apply: the object, and whether it was created. Raises StatusError 409 naming each conflict.

    may_create: raises StatusError 403 for who may not, asked before an object is made; None where none ever is.
    """
    resource = registry.resource
    applied = applying(registry, name, body, options, subresource, force=force)
    for _ in range(5):
        try:
            return await registry.change(namespace, name, applied, options, subresource, facet=facet), False
        except failures.StatusError as error:
            if not failures.is_not_found(error) or may_create is None:
                raise
        if metadata.of(body).get("uid"):
            raise failures.conflict(
                resource, name, "uid mismatch: the provided object specified a uid, and none exists"
            )
        await may_create()
        try:
            whole = cast(Registry, registry)  # what has parts is not made by writing one
            return await whole.create(namespace, applied(None), options, name=name), True
        except failures.StatusError as error:
            if not failures.is_already_exists(error):
                raise
    raise failures.server_timeout(resource, "apply")


def _check_typed(resource: Resource[Any], name: str, body: Document) -> None:
    """Nobody can own a field that the schema does not know, or one of two elements that are named alike, or anything
    of another kind.

    Raises StatusError 500, as upstream does, whatever fieldValidation says.
    """
    kind = f"{resource.group}/{resource.version}, Kind={body.get('kind') or ''}"
    if body.get("kind") == resource.kind:
        defects = [f".{path}: field not declared in schema" for path in resource.form.undeclared(body)]
        defects += machinery_apply.list_defects(body, Property("", resource.schema))
    else:
        defects = [f"no corresponding type for {kind}"]
    if defects:
        meta = metadata.of(body)
        what = f"{meta.get('namespace', '')}/{meta.get('name', name)}; {kind}"
        raise failures.failed(f"failed to create typed patch object ({what}): {machinery_apply.told(defects)}")


def _object(document: Any) -> Document:
    if not isinstance(document, dict):
        raise failures.bad_request("the patch leaves no object")
    return document
