"""What a server says it serves: group and resource lists, plain and aggregated, computed from resource declarations.

Everything is a function of a sequence of resources in registration order, so custom and aggregated APIs join by being
in it; the first version of a group is its preferred one. Not here: HTTP, and caching of the encoded documents.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from proa.machinery.meta import (
    APIGroup,
    APIGroupList,
    APIResource,
    APIResourceList,
    APIVersions,
    GroupVersionForDiscovery,
    ServerAddressByClientCIDR,
)
from proa.machinery.resource import Resource, Subresource

Resources = Sequence[Resource[Any]]

AGGREGATED_VERSIONS = ("v2", "v2beta1")
"""Versions of apidiscovery.k8s.io whose documents are the same but for their apiVersion, best first."""


def api_versions(address: str) -> APIVersions:
    """`/api`: the legacy group's versions. address: `host:port` of this server."""
    return APIVersions(
        versions=("v1",),
        serverAddressByClientCIDRs=(ServerAddressByClientCIDR(clientCIDR="0.0.0.0/0", serverAddress=address),),
    )


def api_groups(resources: Resources) -> APIGroupList:
    """`/apis`: every named group, in registration order."""
    return APIGroupList(groups=tuple(api_group(resources, group) for group in _groups(resources) if group))


def api_group(resources: Resources, group: str) -> APIGroup:
    """`/apis/<group>`. The group must have a resource."""
    versions = tuple(
        GroupVersionForDiscovery(groupVersion=f"{group}/{version}", version=version)
        for version in _versions(resources, group)
    )
    return APIGroup(name=group, versions=versions, preferredVersion=versions[0])


def api_resources(resources: Resources, group: str, version: str) -> APIResourceList:
    """`/api/v1` or `/apis/<group>/<version>`: resources and subresources, by name."""
    found: list[APIResource] = []
    for each in _of(resources, group, version):
        found.append(
            APIResource(
                name=each.plural,
                singularName=each.singular,
                namespaced=each.namespaced,
                kind=each.kind,
                verbs=tuple(sorted(each.verbs)),
                shortNames=each.short_names,
                categories=each.categories,
                storageVersionHash=storage_version_hash(each),
            )
        )
        for sub in each.subresources:
            group_of, version_of, kind = response_kind(each, sub)
            elsewhere = (group_of, version_of) != (each.group, each.version)
            found.append(
                APIResource(
                    name=f"{each.plural}/{sub.name}",
                    namespaced=each.namespaced,
                    group=group_of if elsewhere else "",
                    version=version_of if elsewhere else "",
                    kind=kind,
                    verbs=tuple(sorted(sub.verbs)),
                )
            )
    found.sort(key=lambda each: each.name)
    return APIResourceList(groupVersion=f"{group}/{version}" if group else version, resources=tuple(found))


def aggregated(resources: Resources, *, legacy: bool, version: str = "v2") -> dict[str, Any]:
    """The `APIGroupDiscoveryList` of `/api` (legacy) or `/apis`: everything in one document."""
    groups = [""] if legacy else [group for group in _groups(resources) if group]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": [_aggregated_group(resources, group) for group in groups],
    }


def _aggregated_group(resources: Resources, group: str) -> dict[str, Any]:
    return {
        "metadata": {"name": group} if group else {},
        "versions": [
            {
                "version": version,
                "resources": [
                    _aggregated_resource(each)
                    for each in sorted(_of(resources, group, version), key=lambda each: each.plural)
                ],
                "freshness": "Current",
            }
            for version in _versions(resources, group)
        ],
    }


def _aggregated_resource(resource: Resource[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "resource": resource.plural,
        "responseKind": _kind(resource.group, resource.version, resource.kind),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": sorted(resource.verbs),
    }
    if resource.short_names:
        found["shortNames"] = list(resource.short_names)
    if resource.categories:
        found["categories"] = list(resource.categories)
    if resource.subresources:
        found["subresources"] = [
            {
                "subresource": sub.name,
                "responseKind": _kind(*response_kind(resource, sub)),
                "verbs": sorted(sub.verbs),
            }
            for sub in sorted(resource.subresources, key=lambda each: each.name)
        ]
    return found


def _kind(group: str, version: str, kind: str) -> dict[str, str]:
    return {"group": group, "version": version, "kind": kind}


def response_kind(resource: Resource[Any], sub: Subresource) -> tuple[str, str, str]:
    """Group, version and kind of a subresource's body."""
    kind = sub.kind or (sub.type.__name__ if sub.type else resource.kind)
    group = resource.group if sub.group is None else sub.group
    return group, sub.version or resource.version, kind


def storage_version_hash(resource: Resource[Any]) -> str:
    """Tells clients when the stored version of a resource changes; '' for what is never stored."""
    if not {"create", "get"} <= set(resource.verbs):
        return ""
    name = f"{resource.group}/{resource.version}/{resource.kind}"
    return base64.b64encode(hashlib.sha256(name.encode()).digest()[:8]).decode()


def etag(body: bytes) -> str:
    """The ETag header of a document: clients send it back as If-None-Match."""
    return f'"{hashlib.sha512(body).hexdigest().upper()}"'


def _groups(resources: Resources) -> Iterable[str]:
    return dict.fromkeys(each.group for each in resources)


def _versions(resources: Resources, group: str) -> Iterable[str]:
    return dict.fromkeys(each.version for each in resources if each.group == group)


def _of(resources: Resources, group: str, version: str) -> Iterable[Resource[Any]]:
    return (each for each in resources if (each.group, each.version) == (group, version))
