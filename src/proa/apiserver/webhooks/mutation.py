"""What mutating webhooks and policies see of the object, and how what they make of it changes the write.

Not here: who is asked, and when again (the plugins).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from proa.apiserver.admission import Attributes
from proa.apiserver.kinds import check_kind
from proa.apiserver.registry.admitting import settle
from proa.apiserver.webhooks.hooks import Concern
from proa.apiserver.webhooks.versions import Documents
from proa.machinery import patch
from proa.machinery import status as failures
from proa.machinery.apply.defects import defect
from proa.machinery.fields import quoted

if TYPE_CHECKING:
    from proa.apiserver.webhooks.admission import Answer, Server

Document = dict[str, Any]

# What the server says of a new object only after mutation, as upstream does: webhooks are not shown it yet.
_LATER = ("uid", "creationTimestamp", "generation")
# And what is never said of one: it begins to live here.
_NEVER = ("deletionTimestamp", "deletionGracePeriodSeconds")


class Mutation:
    """Changes the objects of writes."""

    def __init__(self, server: Server) -> None:
        self._server = server

    @staticmethod
    def shown(documents: Documents, attributes: Attributes) -> Documents:
        """The documents without what the server has filled in early: what those are shown who may change them."""
        document = documents.document
        if document is None or not _is_new(attributes):
            return documents
        hidden = _LATER if attributes.name else (*_LATER, "name")
        metadata = {name: value for name, value in document["metadata"].items() if name not in hidden}
        return Documents(documents.resource, {**document, "metadata": metadata}, documents.old)

    async def apply(self, operations: Sequence[Any], name: str, seen: Documents, attributes: Attributes) -> bool:
        """Patch the object of the write, of which a webhook has seen `seen`; whether that changed it.

        Raises StatusError.
        """
        if not operations:
            return False
        document = attributes.document
        if document is None:
            why = f"admission webhook {quoted(name)} attempted to modify the object, which is not supported for this"
            raise failures.internal_error(f"{why} operation")
        try:
            return await self.put(patch.apply_json_patch(seen.document, list(operations)), seen, attributes)
        except failures.StatusError as error:
            raise failures.internal_error(error.message) from None

    async def put(self, patched: Any, seen: Documents, attributes: Attributes) -> bool:
        """Make `patched`, what became of `seen`, the object of the write; whether it changed. Raises StatusError."""
        document = attributes.document
        assert document is not None
        before = msgspec.json.encode(document, order="sorted")
        if not isinstance(patched, dict) or not isinstance(patched.get("metadata"), dict):
            raise failures.bad_request("the patch leaves no object")
        asked = seen.document or {}
        check_kind(patched, asked.get("apiVersion", ""), asked.get("kind", ""))
        if _is_new(attributes):
            _give_back(patched, document)
        if seen.resource != attributes.resource:
            back = await Documents(seen.resource, patched, None).as_(attributes.resource, self._server.registry)
            patched = back.document
        _keep_owners(patched or {}, document, attributes.warnings)
        status = document.get("status")
        document.clear()
        document.update(patched or {})
        settle(attributes)
        if _is_new(attributes) and "status" not in document and status is not None:
            document["status"] = status  # it is nobody's outside, but a plugin of ours may have begun it
        return msgspec.json.encode(document, order="sorted") != before

    def annotate(self, concern: Concern, attributes: Attributes, answer: Answer | None, *, changed: bool) -> None:
        """Tell the audit log which webhook changed what."""
        where = f"webhook.admission.k8s.io/round_{attributes.round}_index_{concern.position}"
        said: Document = {"configuration": concern.hook.configuration, "webhook": concern.hook.name}
        attributes.annotations[f"mutation.{where}"] = _json({**said, "mutated": changed})
        if answer is not None and answer.patch:
            attributes.annotations[f"patch.{where}"] = _json({**said, "patch": answer.patch, "patchType": "JSONPatch"})


def _is_new(attributes: Attributes) -> bool:
    return attributes.operation == "CREATE" and not attributes.subresource


def _give_back(patched: Document, document: Mapping[str, Any]) -> None:
    """What was hidden is the server's to say; but a webhook may name an object whose name was to be generated.

    Raises StatusError for a version, which only the store gives.
    """
    metadata, kept = patched["metadata"], document["metadata"]
    if metadata.get("resourceVersion"):
        raise failures.bad_request("resourceVersion should not be set on objects to be created")
    for name in _LATER + _NEVER:
        if name in kept:
            metadata[name] = kept[name]
        else:
            metadata.pop(name, None)
    if not metadata.get("name") and "name" in kept:
        metadata["name"] = kept["name"]


def _keep_owners(patched: Document, document: Mapping[str, Any], warnings: list[str]) -> None:
    """managedFields that came back broken are as they were: a program that knows an older form of them must not
    disown everybody."""
    kept, found = document["metadata"].get("managedFields"), patched["metadata"].get("managedFields")
    wrong = defect(found) if found != kept else ""
    if wrong:
        patched["metadata"]["managedFields"] = kept
        warnings.append(
            ".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated "
            f"mutating admission controller; please fix your requests: {wrong}"
        )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
