"""How one version of a custom resource sees stored objects, whichever version and schema they were written with.

What is read from the store is brought in order once: unknown fields go, defaults come, other versions are converted.
The outcome is remembered at the item, and usually it is the item itself: what this server wrote needs no change. Not
here: how conversion is done (`conversion`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from proa.apiserver.custom.conversion import Converter, Document, NoneConverter, renamed
from proa.machinery.structural.form import StructuralForm
from proa.store.item import Codec, Index, Item
from proa.store.splice import served


class CustomView:
    """See `apiserver.conversion.View`. forms: of every version, by apiVersion. whole: whether items may be shown as
    they are; not when this version selects by fields that others do not know."""

    def __init__(
        self,
        api_version: str,
        storage: str,
        forms: Mapping[str, StructuralForm],
        converter: Converter,
        codec: Codec,
        *,
        whole: bool,
    ) -> None:
        self._api_version = api_version
        self._storage = storage
        self._forms = forms
        self._converter = converter
        self._codec = codec
        self._whole = whole
        self._plain = isinstance(converter, NoneConverter)

    async def prepare(self, items: Iterable[Item]) -> None:
        if self._plain:
            return
        waiting: list[tuple[Item, Document]] = []
        for item in items:
            if item.views is None or self not in item.views:
                document = self._in_order(item)
                if document["apiVersion"] == self._api_version:
                    self._remember(item, document)
                else:
                    waiting.append((item, document))
        if waiting:
            converted = await self._converter.convert([document for _, document in waiting], self._api_version)
            for (item, _), document in zip(waiting, converted, strict=True):
                self._forms[self._api_version].coerce(document, drop=True)
                self._remember(item, document)

    def of(self, item: Item) -> Item:
        if item.views is None or self not in item.views:
            document = self._in_order(item)
            if document["apiVersion"] != self._api_version:
                if not self._plain:
                    raise LookupError(f"{item.key} was not prepared for {self._api_version}")
                document = renamed(document, self._api_version)
                self._forms[self._api_version].coerce(document, drop=True)
            return self._remember(item, document)
        return item.views[self] or item

    def index(self, item: Item) -> Index:
        if not self._plain and (item.views is None or self not in item.views):
            return item.index  # it came after everything was prepared; what is shown of it is prepared again
        return self.of(item).index

    async def stored(self, body: bytes) -> bytes:
        if self._api_version == self._storage:
            return body
        document: Document = msgspec.json.decode(body)
        (converted,) = await self._converter.convert([document], self._storage)
        self._forms[self._storage].coerce(converted, drop=True)
        return _encoded(converted)

    def own(self) -> dict[Any, Item | None] | None:
        return {self: None} if self._whole and self._api_version == self._storage else None

    def _in_order(self, item: Item) -> Document:
        document: Document = msgspec.json.decode(item.body)
        form = self._forms.get(document.get("apiVersion", "")) or self._forms[self._storage]
        form.coerce(document, drop=True)
        form.default(document)
        if not document["metadata"].get("generation"):
            document["metadata"]["generation"] = 1
        return document

    def _remember(self, item: Item, document: Document) -> Item:
        same = document == msgspec.json.decode(item.body)
        shown = None
        if not (same and self._whole):
            body = item.body if same else served(_encoded(document), item.revision)
            shown = Item(item.key, item.revision, body, self._codec)
        if item.views is None:
            item.views = {}
        item.views[self] = shown
        return shown or item


def _encoded(document: Document) -> bytes:
    """The bytes of a document as they are stored: metadata first, without a resourceVersion."""
    metadata = {name: value for name, value in document["metadata"].items() if name != "resourceVersion"}
    rest = {name: value for name, value in document.items() if name != "metadata"}
    return msgspec.json.encode({"metadata": metadata, **rest})
