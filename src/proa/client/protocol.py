"""The client protocol: how every component speaks to the API, in process or over HTTPS.

Two implementations pass one contract suite: `http` (sockets) and `inprocess` (same authentication result,
authorization, admission and validation, no sockets and no re-encoding). Objects are typed and frozen. API failures
raise `proa.machinery.status.StatusError`. Not here: informers and events, which are built on this.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Generic, Literal, Protocol, TypeVar

import msgspec

from proa.base.errors import ProaError
from proa.machinery.declare import Object
from proa.machinery.resource import Resource

T = TypeVar("T", bound=Object)
Document = dict[str, Any]
PatchType = Literal["json", "merge", "strategic", "apply"]


class UnreachableError(ProaError):
    """No answer, or none that makes sense: whether a write happened is not known."""


class Listing(msgspec.Struct, Generic[T], frozen=True):
    """One page: `continue_` is empty on the last."""

    items: Sequence[T]
    resource_version: str
    continue_: str = ""


class WatchEvent(msgspec.Struct, Generic[T], frozen=True):
    """type: ADDED, MODIFIED, DELETED, or BOOKMARK (then only metadata.resourceVersion of the object counts)."""

    type: str
    object: T


class Client(Protocol):
    """One identity's door to the API. `namespace` is empty for cluster-scoped resources and for all namespaces."""

    async def get(self, resource: Resource[T], name: str, namespace: str = "", *, resource_version: str = "") -> T: ...

    async def list(
        self,
        resource: Resource[T],
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        limit: int = 0,
        continue_: str = "",
        resource_version: str = "",
    ) -> Listing[T]: ...

    def watch(
        self,
        resource: Resource[T],
        namespace: str = "",
        *,
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
        bookmarks: bool = True,
        timeout: float | None = None,
    ) -> AsyncIterator[Sequence[WatchEvent[T]]]:
        """Batches of events after `resource_version`, until the server ends it. Raises StatusError (410 Expired)."""

    async def create(self, resource: Resource[T], obj: T, *, dry_run: bool = False) -> T:
        """The namespace is the object's own."""

    async def update(self, resource: Resource[T], obj: T, *, subresource: str = "", dry_run: bool = False) -> T:
        """Replace, guarded by the object's resourceVersion. `subresource='status'` writes only the status. What is not
        there is made, where the resource `creates_on_update` and the object names no uid."""

    async def patch(
        self,
        resource: Resource[T],
        name: str,
        namespace: str,
        patch: Any,
        *,
        type: PatchType = "strategic",
        subresource: str = "",
        field_manager: str = "",
        force: bool = False,
        dry_run: bool = False,
    ) -> T:
        """`patch` is plain JSON (a document, or a list of operations for type 'json')."""

    async def delete(
        self,
        resource: Resource[T],
        name: str,
        namespace: str = "",
        *,
        grace_period_seconds: int | None = None,
        propagation: Literal["", "Background", "Foreground", "Orphan"] = "",
        uid: str = "",
        resource_version: str = "",
    ) -> None: ...

    async def delete_collection(
        self, resource: Resource[T], namespace: str = "", *, label_selector: str = "", field_selector: str = ""
    ) -> None: ...

    async def post(self, resource: Resource[T], name: str, namespace: str, subresource: str, body: Object) -> Document:
        """Create a subresource: pods/binding, pods/eviction, serviceaccounts/token. Returns the plain document."""

    async def document(
        self, method: str, path: str, body: Any = None, *, query: Mapping[str, str] | None = None
    ) -> Document:
        """Any API path with plain JSON, for what has no declared type (discovery, custom resources)."""

    async def close(self) -> None: ...
