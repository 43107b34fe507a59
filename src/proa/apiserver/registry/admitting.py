"""What admission is told of a write of one resource, and how a document is settled that it changed.

Not here: the plugins and their order (`apiserver.admission`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from proa.apiserver.admission import Attributes, Operation, ResourceChain
from proa.apiserver.metadata import Document
from proa.apiserver.options import WriteOptions
from proa.apiserver.writing import Preparation
from proa.machinery.decode import FieldValidation
from proa.machinery.form import DeclaredForm
from proa.machinery.resource import Resource


class Admitting:
    """The admission of one resource: its chain's `mutate` and `validate`, over `attributes`."""

    def __init__(self, resource: Resource[Any], chain: ResourceChain) -> None:
        self.mutate = chain.mutate
        self.validate = chain.validate
        self._resource = resource

    def attributes(
        self,
        operation: Operation,
        subresource: str,
        namespace: str,
        name: str,
        document: Document | None,
        options: WriteOptions,
        old: Mapping[str, Any] | None = None,
    ) -> Attributes:
        """A write as plugins see it."""
        return Attributes(
            operation,
            self._resource,
            subresource,
            namespace,
            name,
            document,
            old,
            options.user,
            options.dry_run,
            options.document,
            options.warnings,
            options.annotations,
        )

    async def admit(
        self,
        operation: Operation,
        subresource: str,
        namespace: str,
        name: str,
        document: Document | None,
        options: WriteOptions,
        act: Callable[[], Awaitable[Any]] | None = None,
        *,
        old: Mapping[str, Any] | None = None,
    ) -> Any:
        """All of admission before something that encodes no object here: delete, connect, binding, eviction, token."""
        attributes = self.attributes(operation, subresource, namespace, name, document, options, old)
        await self.mutate(attributes)
        await self.validate(attributes)
        return await act() if act is not None else None


def settle(attributes: Attributes) -> None:
    """Bring the document of a write in order again after somebody outside of the server changed it in admission.

    Raises StatusError when it is none of its kind any more.
    """
    document, resource = attributes.document, attributes.resource
    assert document is not None
    if document.get("kind") in (None, resource.kind):
        document["apiVersion"], document["kind"] = resource.api_version, resource.kind
        Preparation(resource).settled(document, attributes.old, attributes.subresource)
        return
    declared = resource.subresource(attributes.subresource)  # a binding, an eviction: no object of ours
    if declared is not None and declared.type is not None:
        form = DeclaredForm(declared.type)
        form.shape(document, FieldValidation.IGNORE)
        form.default(document)
