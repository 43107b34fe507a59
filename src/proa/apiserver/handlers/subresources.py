"""The Scale of an object, and actions over HTTP.

`status` is an ordinary write with rules of its own (`writing`), and so are `parts`. Not here: connections to kubelets
(`connect`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from proa.api.autoscaling_v1 import Scale
from proa.apiserver import metadata, patching
from proa.apiserver.actions import Action, checked_body
from proa.apiserver.handlers.resources import patch_options, write_options
from proa.apiserver.metadata import Document
from proa.apiserver.negotiation import COMPUTED, decode_body, media_type
from proa.apiserver.options import WriteOptions, flag
from proa.apiserver.registry import Registry
from proa.apiserver.reply import warning_headers
from proa.apiserver.representation import answer
from proa.apiserver.request import Request, Response
from proa.machinery import patch
from proa.machinery import status as failures
from proa.machinery.declare import Object
from proa.machinery.fields import ErrorList, Path, quoted
from proa.machinery.meta import LabelSelector
from proa.machinery.resource import ScalePaths
from proa.machinery.schema import schema_of
from proa.machinery.selectors import label_selector
from proa.store.item import Item


def action_handler(action: Action, kind: type[Object]) -> Callable[[Request], Awaitable[Response]]:
    """The HTTP side of an action whose body is a `kind`."""

    async def handle(request: Request) -> Response:
        info = request.info
        COMPUTED(request.headers.get("Accept", ""))  # refused before anything is done
        body, raw = decode_body(request.headers.get("Content-Type", ""), await request.body(), kind)
        options = write_options(request, raw)
        done = await action(info.namespace, info.name, body, options)
        return answer(request, done, kind, 201, warning_headers(options.warnings))

    return handle


class ScaleHandlers:
    """autoscaling/v1 Scale over any resource that says where its replicas are."""

    def __init__(self, registry: Registry, paths: ScalePaths) -> None:
        self._registry = registry
        self._paths = paths

    async def get(self, request: Request) -> Response:
        info = request.info
        item = await self._registry.get(info.namespace, info.name)
        document: Document = msgspec.json.decode(item.body)
        if self._unsaid(document):
            raise failures.internal_error(f"the spec replicas field {self._spec_path} does not exist")
        return answer(request, self.show(document), Scale)

    async def update(self, request: Request) -> Response:
        body, raw = decode_body(request.headers.get("Content-Type", ""), await request.body(), Scale)
        options = write_options(request, raw, "UpdateOptions")
        scale = checked_body(body, Scale, options, "autoscaling/v1")
        meta, info = metadata.of(scale), request.info
        metadata.match_name(metadata.name_of(scale), info.name)
        metadata.match_namespace(self._registry.resource, meta, info.namespace)
        return await self._write(request, lambda _, unsaid: scale, options)

    async def patch(self, request: Request) -> Response:
        kind = media_type(request.headers.get("Content-Type", ""))
        body = patching.parse_body(kind, await request.body())
        options = patch_options(request, kind)
        if kind == patching.APPLY_YAML:
            return await self._apply(request, body, options)

        def patched(scale: Document, unsaid: bool) -> Document:
            if unsaid:
                del scale["spec"]["replicas"]
            if kind == patching.JSON_PATCH:
                changed = patch.apply_json_patch(scale, body)
            elif kind == patching.MERGE_PATCH:
                changed = patch.merge(scale, body)
            else:
                changed = patch.strategic(scale, body, schema_of(Scale))
            if unsaid and _dig(changed, "spec.replicas") is None:
                raise failures.bad_request(f"the spec replicas field {self._spec_path} cannot be empty")
            return checked_body(changed, Scale, options, "autoscaling/v1")

        return await self._write(request, patched, options)

    async def _apply(self, request: Request, body: Document, options: WriteOptions) -> Response:
        """Apply what the Scale says to the object itself: its manager owns the replicas there, through `scale`."""
        said = (body.get("spec") or {}).get("replicas") is not None if isinstance(body.get("spec"), dict) else False
        scale = checked_body(body, Scale, options, "autoscaling/v1")
        resource, meta = self._registry.resource, metadata.of(scale)
        kept = {name: meta[name] for name in ("name", "namespace", "uid", "resourceVersion") if meta.get(name)}
        part: Document = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": kept}
        if said:
            _put(part, self._paths.spec, scale["spec"]["replicas"])
        info, force = request.info, flag(request.query, "force")
        item, _ = await patching.apply(
            self._registry,
            info.namespace,
            info.name,
            part,
            options,
            "scale",
            may_create=None,
            force=force,
            facet=self,
        )
        return answer(request, self.scale_of(item), Scale, headers=warning_headers(options.warnings))

    def scale_of(self, item: Item) -> Document:
        """The Scale of an object."""
        document: Document = msgspec.json.decode(item.body)
        return self.show(document)

    def show(self, document: Document) -> Document:
        """The Scale of a whole object (`registry.changing.Facet`)."""
        meta, paths = document["metadata"], self._paths
        kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        scale: Document = {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": {name: meta[name] for name in kept if name in meta},
            "spec": {"replicas": _dig(document, paths.spec) or 0},
            "status": {"replicas": _dig(document, paths.status) or 0},
        }
        selector = _selector_text(_dig(document, paths.selector))
        if selector:
            scale["status"]["selector"] = selector
        return scale

    def take(self, part: Document, document: Document) -> None:
        """Put the replicas of a Scale into the whole object (`registry.changing.Facet`). Raises StatusError 422."""
        replicas = (part.get("spec") or {}).get("replicas", 0)
        if replicas < 0 and not self._registry.resource.custom:  # whose own strategy says so, in its own words
            errors = ErrorList()
            errors.invalid(Path("spec", "replicas"), replicas, "must be greater than or equal to 0")
            raise failures.invalid("autoscaling", "Scale", document["metadata"]["name"], errors)
        _put(document, self._paths.spec, replicas)

    def _unsaid(self, document: Document) -> bool:
        """Whether nothing says how many replicas are wanted, as may be of custom resources: others have a default."""
        return self._registry.resource.custom and _dig(document, self._paths.spec) is None

    @property
    def _spec_path(self) -> str:
        return quoted("." + self._paths.spec)

    async def _write(
        self, request: Request, change: Callable[[Document, bool], Document], options: WriteOptions
    ) -> Response:
        """change: of a Scale; it is told whether nothing says how many replicas are wanted."""
        info = request.info

        def scaled(document: Document) -> Document:
            scale = change(self.show(document), self._unsaid(document))
            meta = metadata.of(scale)
            if meta.get("name", info.name) != info.name:
                raise failures.bad_request(
                    f"the name of the Scale ({meta['name']}) does not match the URL ({info.name})"
                )
            self.take(scale, document)
            version = meta.get("resourceVersion")
            if version:
                document["metadata"]["resourceVersion"] = version
            else:
                document["metadata"].pop("resourceVersion", None)
            return document

        item = await self._registry.change(info.namespace, info.name, scaled, options, "scale", facet=self)
        return answer(request, self.scale_of(item), Scale, headers=warning_headers(options.warnings))


def _dig(document: Mapping[str, Any], path: str) -> Any:
    at: Any = document
    for name in path.split("."):
        if not isinstance(at, Mapping):
            return None
        at = at.get(name)
    return at


def _put(document: Document, path: str, value: Any) -> None:
    *above, last = path.split(".")
    for name in above:
        document = document.setdefault(name, {})
    document[last] = value


def _selector_text(selector: Any) -> str:
    """As text: a workload's LabelSelector, the plain map of a ReplicationController, or what is text already."""
    if isinstance(selector, str):
        return selector
    if not isinstance(selector, Mapping):
        return ""
    if selector.keys() <= {"matchLabels", "matchExpressions"}:
        return str(label_selector(msgspec.convert(selector, LabelSelector)))
    return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
