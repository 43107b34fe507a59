"""The parameters of a policy: objects of any kind that a binding names or selects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from proa.base.errors import ProaError
from proa.client.protocol import Client
from proa.machinery.decode import to_document
from proa.machinery.resource import Resource
from proa.machinery.selectors import label_selector
from proa.machinery.status import StatusError, is_not_found
from proa.machinery.unstructured import Unstructured

Document = Mapping[str, Any]


class ConfigurationError(ProaError):
    """A policy or a binding does not fit to what is there; what that means is the failure policy's business."""


class Params:
    """Looks parameters up. client acts as the server itself; served: the resources the server has now."""

    def __init__(self, client: Client, served: Callable[[], tuple[Resource[Any], ...]]) -> None:
        self._client = client
        self._served = served

    def resource_of(self, kind: Any) -> Resource[Any]:
        """Of a declared ParamKind. Raises ConfigurationError."""
        for each in self._served():
            if each.api_version == kind.apiVersion and each.kind == kind.kind and "get" in each.verbs:
                return each
        said = f"{kind.apiVersion}, Kind={kind.kind}"
        raise ConfigurationError(f"failed to find resource referenced by paramKind: '{said}'")

    async def collect(self, resource: Resource[Any] | None, ref: Any, namespace: str) -> Sequence[Document | None]:
        """The parameters for a write in `namespace`; one None where the policy or the binding has none.

        Raises ConfigurationError.
        """
        if resource is None or ref is None:
            return (None,)
        where = _namespace(resource, ref, namespace)
        try:
            found = await self._find(resource, ref, where)
        except StatusError as error:
            raise ConfigurationError(error.message) from None
        if not found and ref.parameterNotFoundAction == "Deny":
            raise ConfigurationError("no params found for policy binding with `Deny` parameterNotFoundAction")
        return found

    async def _find(self, resource: Resource[Any], ref: Any, namespace: str) -> Sequence[Document]:
        if ref.name:
            try:
                return (_document(resource, await self._client.get(resource, ref.name, namespace)),)
            except StatusError as error:
                if is_not_found(error):
                    return ()
                raise
        selector = str(label_selector(ref.selector))
        listing = await self._client.list(resource, namespace, label_selector=selector)
        return tuple(_document(resource, each) for each in listing.items)


def _namespace(resource: Resource[Any], ref: Any, namespace: str) -> str:
    if not resource.namespaced:
        if ref.namespace:
            raise ConfigurationError("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
        return ""
    found = str(ref.namespace or namespace)
    if not found:
        raise ConfigurationError(
            "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources"
        )
    return found


def _document(resource: Resource[Any], obj: Any) -> Document:
    content = obj.document if isinstance(obj, Unstructured) else to_document(obj)
    return {**content, "apiVersion": resource.api_version, "kind": resource.kind}
