"""What extension servers serve, as they say themselves, joined to what this server says of its own.

A controller asks every server in turn and whenever its APIService changes; a version that could not be asked stays in
the lists and is marked stale. Not here: the documents of our own resources (`machinery.discovery`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import aiohttp
import msgspec

from proa.aio.backoff import Backoff
from proa.api.apiregistration_v1 import APIService
from proa.api.apiregistration_v1.resources import API_SERVICES
from proa.apiserver.aggregation.extension import Extension, Extensions
from proa.apiserver.aggregation.priorities import GroupVersion
from proa.client.informer import Informer
from proa.control.controller import Context, Controller
from proa.control.outcome import DONE, Outcome, requeue_after
from proa.control.triggers import For, Trigger
from proa.machinery.meta import APIGroup, GroupVersionForDiscovery
from proa.machinery.status import StatusError

log = logging.getLogger(__name__)

Document = dict[str, Any]

_EVERY_SECONDS = 60.0
_RETRY = Backoff(base=0.5, factor=2.0, cap=_EVERY_SECONDS)
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"
_ACCEPT = ",".join((_AGGREGATED.format("v2"), _AGGREGATED.format("v2beta1"), "application/json"))


class RemoteVersion(msgspec.Struct, frozen=True):
    """One group version of an extension server: an APIVersionDiscovery."""

    group: str
    version: str
    resources: Sequence[Document] = ()
    fresh: bool = False

    @property
    def document(self) -> Document:
        return {
            "version": self.version,
            "resources": list(self.resources),
            "freshness": "Current" if self.fresh else "Stale",
        }


class Unanswered(Exception):
    """The server could not be asked."""


class RemoteDiscovery(Controller):
    """`versions()` is what is known; `on_change` is called when that is another."""

    name = "discovery-manager"

    def __init__(self, context: Context, extensions: Extensions, on_change: Callable[[], None]) -> None:
        super().__init__(context)
        self._extensions = extensions
        self._informer: Informer[APIService] = context.informer(API_SERVICES)
        self._on_change = on_change
        self._versions: dict[GroupVersion, RemoteVersion] = {}
        self._kept: dict[tuple[str, str, int], tuple[str, Mapping[GroupVersion, Sequence[Document]]]] = {}
        self._failures: dict[str, int] = {}

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(API_SERVICES, when=_is_remote),)

    def versions(self) -> Mapping[GroupVersion, RemoteVersion]:
        """By group and version."""
        return self._versions

    async def reconcile(self, key: str) -> Outcome:
        api_service = self._informer.get(key)
        extension = Extension.of(api_service) if api_service is not None else None
        if extension is None:
            version, _, group = key.partition(".")
            if self._versions.pop((group, version), None) is not None:
                self._on_change()
            self._failures.pop(key, None)
            return DONE
        identity = extension.group, extension.version
        try:
            resources = (await self._ask(extension)).get(identity, ())
        except Unanswered as error:
            self._keep(RemoteVersion(*identity))
            failures = self._failures[key] = self._failures.get(key, -1) + 1
            return requeue_after(_RETRY.delay(failures), str(error))
        self._failures.pop(key, None)
        self._keep(RemoteVersion(*identity, resources, fresh=True))
        return requeue_after(_EVERY_SECONDS)

    def _keep(self, version: RemoteVersion) -> None:
        key = version.group, version.version
        if self._versions.get(key) != version:
            self._versions[key] = version
            self._on_change()

    async def _ask(self, extension: Extension) -> Mapping[GroupVersion, Sequence[Document]]:
        """Everything its server serves, or as little as an old one tells. Raises Unanswered."""
        if not extension.available:
            raise Unanswered("not available")
        etag, known = self._kept.get(extension.place, ("", {}))
        try:
            answer = await self._extensions.ask(extension, "/apis", accept=_ACCEPT, etag=etag)
            if answer.status == 304:
                return known
            if answer.status == 200 and "apidiscovery.k8s.io" in answer.content_type:
                found = _by_version(msgspec.json.decode(answer.body))
                self._kept[extension.place] = answer.etag, found
                return found
            if answer.status == 503:
                raise Unanswered("service unavailable")
            answer = await self._extensions.ask(extension, extension.path)
            if answer.status != 200:
                raise Unanswered(f"GET {extension.path}: {answer.status}")
            listed: Document = msgspec.json.decode(answer.body)
            return {(extension.group, extension.version): _from_legacy(listed, extension)}
        except (aiohttp.ClientError, OSError, TimeoutError, StatusError, msgspec.DecodeError, ValueError) as error:
            raise Unanswered(str(error) or type(error).__name__) from None


def _is_remote(old: APIService | None, new: APIService | None) -> bool:
    return any(each is not None and each.spec.service is not None for each in (old, new))


def _by_version(groups: Document) -> Mapping[GroupVersion, Sequence[Document]]:
    found: dict[GroupVersion, Sequence[Document]] = {}
    for group in groups.get("items") or []:
        name = (group.get("metadata") or {}).get("name", "")
        for version in group.get("versions") or []:
            resources = version.get("resources") or []
            for each in resources:
                for part in (each, *(each.get("subresources") or [])):
                    # Clients of some versions cannot do without.
                    part.setdefault("responseKind", {"group": "", "version": "", "kind": ""})
            found[name, version.get("version", "")] = resources
    return found


def _from_legacy(listed: Document, extension: Extension) -> Sequence[Document]:
    """An APIResourceList as the aggregated form has it."""
    found: dict[str, Document] = {}
    parts: list[tuple[str, str, Document]] = []
    for each in listed.get("resources") or []:
        name, slash, part = str(each.get("name", "")).partition("/")
        kind = {
            "group": each.get("group") or extension.group,
            "version": each.get("version") or extension.version,
            "kind": each.get("kind", ""),
        }
        verbs, scope = each.get("verbs") or [], "Namespaced" if each.get("namespaced") else "Cluster"
        if slash:
            parts.append((name, scope, {"subresource": part, "responseKind": kind, "verbs": verbs}))
            continue
        found[name] = {
            "resource": name,
            "responseKind": kind,
            "scope": scope,
            "singularResource": each.get("singularName", ""),
            "verbs": verbs,
            **{field: each[field] for field in ("shortNames", "categories") if each.get(field)},
        }
    for name, scope, subresource in parts:
        owner = found.setdefault(name, {"resource": name, "scope": scope, "singularResource": "", "verbs": []})
        owner.setdefault("subresources", []).append(subresource)
    return list(found.values())


def api_groups(order: Sequence[GroupVersion]) -> tuple[APIGroup, ...]:
    """Every named group, own and remote, in listing order; the first version is the preferred one."""
    groups: dict[str, list[GroupVersionForDiscovery]] = {}
    for group, version in order:
        if group:
            listed = GroupVersionForDiscovery(groupVersion=f"{group}/{version}", version=version)
            groups.setdefault(group, []).append(listed)
    return tuple(
        APIGroup(name=group, versions=tuple(versions), preferredVersion=versions[0])
        for group, versions in groups.items()
    )


def joined(
    own: Iterable[Document], remote: Mapping[GroupVersion, RemoteVersion], order: Sequence[GroupVersion]
) -> list[Document]:
    """APIGroupDiscoveries of every named group, own and remote, in listing order."""
    mine = {
        ((group.get("metadata") or {}).get("name", ""), version["version"]): version
        for group in own
        for version in group["versions"]
    }
    groups: dict[str, list[Document]] = {}
    for key in order:
        if not key[0]:
            continue
        version = remote[key].document if key in remote else mine[key]
        groups.setdefault(key[0], []).append(version)
    return [{"metadata": {"name": group}, "versions": versions} for group, versions in groups.items()]
