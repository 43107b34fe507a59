"""Bodies as documents: what a request or an answer of any content type says, for the audit log."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from proa.apiserver import negotiation
from proa.machinery.declare import Object
from proa.machinery.meta import DeleteOptions, Status
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError


class Bodies:
    """resources: what is served now; protobuf can only be read by whose type is known."""

    def __init__(self, resources: Callable[[], Iterable[Resource[Any]]]) -> None:
        self._resources = resources
        self._kinds: Mapping[tuple[str, str], type[Object]] = {}

    def document(self, content_type: str, body: bytes, encoding: str = "") -> Any:
        """The document, None in a body that is none of ours. Raises ValueError for one that cannot be read."""
        if encoding == "gzip":
            body = gzip.decompress(body)
        kind = negotiation.media_type(content_type)
        try:
            if kind == negotiation.PROTOBUF:
                return self._protobuf(body)
            if kind in (negotiation.YAML, "application/apply-patch+yaml"):
                return negotiation.decode_yaml(body)
        except StatusError as error:
            raise ValueError(error.message) from error
        return msgspec.json.decode(body) if kind == "" or kind.endswith("json") else None

    def _protobuf(self, body: bytes) -> Any:
        from proa.machinery import protobuf

        api_version, kind, _ = protobuf.open_envelope(body)
        declared = self._kind(api_version, kind)
        return negotiation.decode_protobuf(body, declared) if declared is not None else None

    def _kind(self, api_version: str, kind: str) -> type[Object] | None:
        for well_known in (DeleteOptions, Status):
            if kind == well_known.__name__:
                return well_known
        found = self._kinds.get((api_version, kind))
        if found is None:
            self._kinds = dict(self._known())
            found = self._kinds.get((api_version, kind))
        return found

    def _known(self) -> Iterable[tuple[tuple[str, str], type[Object]]]:
        for resource in self._resources():
            if resource.custom:
                continue
            for each in (resource.type, resource.list_type):
                if each is not None:
                    yield (resource.api_version, each.__name__), each
            for part in resource.subresources:
                if part.type is not None:
                    group = resource.group if part.group is None else part.group
                    version = part.version or resource.version
                    yield (f"{group}/{version}" if group else version, part.type.__name__), part.type
