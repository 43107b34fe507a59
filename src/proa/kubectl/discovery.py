"""What the words for resources mean: names, short names and groups, as the server says; kept in a file for a while.

One request for the core group and one for all others (aggregated discovery, KEP-3352). What the file does not know is
asked for again, so that a new CRD is found at once.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from proa.base.errors import ProaError
from proa.kubectl.client import Client

KEPT = 6 * 3600
"""Seconds."""

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class UnknownResourceError(ProaError):
    """The server has no such resource type."""

    def __init__(self, words: str) -> None:
        super().__init__(f'the server doesn\'t have a resource type "{words}"')


class Resource(NamedTuple):
    """One resource in one version."""

    name: str
    singular: str
    kind: str
    group: str
    version: str
    namespaced: bool
    short_names: tuple[str, ...]
    categories: tuple[str, ...]
    verbs: tuple[str, ...]

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self) -> str:
        """`pods`, `deployments.apps`."""
        return f"{self.name}.{self.group}" if self.group else self.name

    def display(self, name: str) -> str:
        """`pod/web`, `deployment.apps/web`."""
        kind = self.singular or self.kind.lower()
        return f"{kind}.{self.group}/{name}" if self.group else f"{kind}/{name}"

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL's path; without a namespace, that of all of them."""
        base = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        if self.namespaced and namespace:
            base += f"/namespaces/{namespace}"
        return "/".join((base, self.name, *([name] if name else []), *([subresource] if subresource else [])))


class Discovery:
    """The resources of one server."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._file = _cache_directory() / f"{client.authority.replace(':', '_')}.json"
        self._fresh = False
        self._resources: list[Resource] | None = None

    def resources(self) -> list[Resource]:
        """Every resource, each group's preferred version first."""
        if self._resources is None:
            self._resources = self._load() or self._fetch()
        return self._resources

    def find(self, words: str) -> Resource:
        """By plural, singular, short name or kind, with or without `.group` or `.version.group`.

        Raises UnknownResourceError.
        """
        found = self._find(words.lower())
        if found is None and not self._fresh:
            self._resources = self._fetch()
            found = self._find(words.lower())
        if found is None:
            raise UnknownResourceError(words)
        return found

    def of_kind(self, api_version: str, kind: str) -> Resource:
        """The resource of a manifest. Raises UnknownResourceError."""
        for attempt in (False, True):
            for each in self.resources():
                if each.kind == kind and each.api_version == api_version:
                    return each
            if attempt or self._fresh:
                break
            self._resources = self._fetch()
        raise UnknownResourceError(f'{kind}" in version "{api_version}')

    def in_category(self, category: str) -> list[Resource]:
        """What `kubectl get all` means by `all`."""
        seen: dict[tuple[str, str], Resource] = {}
        for each in self.resources():
            if category in each.categories and "list" in each.verbs:
                seen.setdefault((each.group, each.name), each)
        return list(seen.values())

    def _find(self, words: str) -> Resource | None:
        name, _, rest = words.partition(".")
        for each in self.resources():
            names = (each.name, each.singular, each.kind.lower(), *each.short_names)
            if name in names and rest in ("", each.group, f"{each.version}.{each.group}", each.version):
                return each
        return None

    def _load(self) -> list[Resource] | None:
        try:
            if time.time() - self._file.stat().st_mtime > KEPT:
                return None
            return [_resource(each) for each in json.loads(self._file.read_bytes())]
        except (OSError, ValueError, TypeError):
            return None

    def _fetch(self) -> list[Resource]:
        found = [each for path in ("/api", "/apis") for each in _listed(self._client.get(path, accept=_AGGREGATED))]
        self._fresh = True
        temporary = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            temporary.write_text(json.dumps(found))
            temporary.replace(self._file)
        except OSError:
            # Without a place to keep it, it is asked for each time.
            temporary.unlink(missing_ok=True)
        return found


def _resource(values: list[Any]) -> Resource:
    return Resource._make(tuple(each) if isinstance(each, list) else each for each in values)


def _listed(document: dict[str, Any]) -> Iterator[Resource]:
    if document.get("kind") != "APIGroupDiscoveryList":
        raise ProaError("the server is too old: it does not know aggregated discovery (Kubernetes 1.27)")
    for group in document["items"]:
        for version in group.get("versions", ()):
            for each in version.get("resources", ()):
                if "responseKind" not in each:
                    continue
                yield Resource(
                    each["resource"],
                    each.get("singularResource", ""),
                    each["responseKind"]["kind"],
                    group["metadata"].get("name", ""),
                    version["version"],
                    each["scope"] == "Namespaced",
                    tuple(each.get("shortNames") or ()),
                    tuple(each.get("categories") or ()),
                    tuple(each.get("verbs") or ()),
                )


def _cache_directory() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "proa" / "discovery"
