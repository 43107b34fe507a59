"""Which resources the API serves right now, including those no declaration of ours knows (custom resources).

For those who must act on everything there is: deleting a namespace, collecting garbage. Plain documents, not types.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from proa.base.errors import ProaError
from proa.client.protocol import Client


class Served(msgspec.Struct, frozen=True):
    """One resource in one version."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    verbs: frozenset[str]

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str = "", name: str = "") -> str:
        """The URL path of its collection, or of one object."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        inner = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return f"{root}{inner}/{self.plural}" + (f"/{name}" if name else "")


class Discovery(msgspec.Struct, frozen=True):
    """What was found, one version (the preferred) of each resource; and which group versions could not be asked."""

    resources: Sequence[Served]
    failures: dict[str, str] = msgspec.field(default_factory=dict)

    def find(self, api_version: str, kind: str) -> Served | None:
        """The resource of a kind, in whatever version of its group is preferred."""
        group, _, _ = api_version.rpartition("/")
        return next((each for each in self.resources if each.kind == kind and each.group == group), None)


async def discover(client: Client) -> Discovery:
    """Ask the API. Raises StatusError only when not even the list of groups can be had."""
    versions = [("", version) for version in (await client.document("GET", "/api")).get("versions", ())]
    for group in (await client.document("GET", "/apis")).get("groups", ()):
        preferred = group.get("preferredVersion", {}).get("version", "")
        named = [each["version"] for each in group["versions"]]
        ordered = sorted(named, key=lambda version: version != preferred)
        versions += [(group["name"], version) for version in ordered]
    found: dict[tuple[str, str], Served] = {}
    failures: dict[str, str] = {}
    for group, version in versions:
        path = f"/apis/{group}/{version}" if group else f"/api/{version}"
        try:
            listed = await client.document("GET", path)
        except ProaError as error:
            failures[path.split("/", 2)[2]] = str(error)
            continue
        for served in _served(group, version, listed.get("resources", ())):
            found.setdefault((group, served.plural), served)
    return Discovery(tuple(found.values()), failures)


def _served(group: str, version: str, resources: Iterable[dict[str, Any]]) -> Iterable[Served]:
    for each in resources:
        if "/" not in each["name"]:
            verbs = frozenset(each.get("verbs", ()))
            yield Served(group, version, each["name"], each["kind"], each["namespaced"], verbs)
