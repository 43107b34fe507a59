"""What a body says it is, against what its path serves, and what who is wrong is told. Raises StatusError.

Nothing said is no mistake: the path knows. Not here: whether the body has the shape of its kind (`machinery.form`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from proa.api import groups
from proa.machinery import status as failures
from proa.machinery.fields import ErrorList, Path, quoted
from proa.machinery.resource import Resource


def check_kind(document: Mapping[str, Any], api_version: str, kind: str) -> None:
    """Of a body that is a built-in object: 400."""
    version, said = _said(document, api_version, kind)
    if version == api_version and said == kind:
        return
    why = _unlike(version, said, api_version, kind)
    if not why:
        raise failures.bad_request(_other_version(version, api_version))
    short = version.rpartition("/")[2]
    raise failures.bad_request(f"{said} in version {quoted(short)} cannot be handled as a {kind}: {why}")


def check_patched(document: Mapping[str, Any], api_version: str, kind: str) -> None:
    """Of what a patch made of a built-in object: 422. Another version of the same kind is one way to say it."""
    version, said = _said(document, api_version, kind)
    if version == api_version and said == kind:
        return
    errors = ErrorList()
    if why := _unlike(version, said, api_version, kind):
        errors.invalid(Path("patch"), msgspec.json.encode(document).decode(), why)
        raise failures.invalid("", "", "", errors)


def check_custom(document: Mapping[str, Any], resource: Resource[Any], *, patched: bool = False) -> None:
    """Of a custom object: 400 where a body says another version, else 422."""
    version, said = _said(document, resource.api_version, resource.kind)
    if version == resource.api_version and said == resource.kind:
        return
    if version != resource.api_version and not patched:
        raise failures.bad_request(_other_version(version, resource.api_version))
    errors = ErrorList()
    if said != resource.kind:
        errors.invalid(Path("kind"), said, f"must be {resource.kind}")
    if version != resource.api_version:
        errors.invalid(Path("apiVersion"), version, f"must be {resource.api_version}")
    metadata = document.get("metadata")
    name = metadata.get("name") or "" if isinstance(metadata, Mapping) else ""
    raise failures.invalid(version.rpartition("/")[0], said, name, errors)


def _said(document: Mapping[str, Any], api_version: str, kind: str) -> tuple[str, str]:
    version, said = document.get("apiVersion") or api_version, document.get("kind") or kind
    if not isinstance(version, str) or not isinstance(said, str):
        raise failures.bad_request("couldn't get version/kind; json parse error: apiVersion and kind must be strings")
    return version, said


def _other_version(said: str, served: str) -> str:
    return f"the API version in the data ({said}) does not match the expected API version ({served})"


def _unlike(version: str, said: str, api_version: str, kind: str) -> str:
    """Why what is said cannot become what is served; '' where it can, being another version of it."""
    if (version, said) not in _known():
        return f"no kind {quoted(said)} is registered for version {quoted(version)}"
    if said == kind and _family(version) == _family(api_version):
        return ""
    short = version.rpartition("/")[2]
    return f"converting ({short}.{said}) to ({_family(api_version)}.{kind}): unknown conversion"


def _family(api_version: str) -> str:
    """Whose kinds convert into each other: a group's, and both groups' of events."""
    group = api_version.rpartition("/")[0].partition(".")[0]
    return "core" if group in ("", "events") else group


@cache
def _known() -> frozenset[tuple[str, str]]:
    """Every built-in kind with its apiVersion."""
    found = set()
    for resource in groups.resources():
        found |= {(resource.api_version, resource.kind), (resource.api_version, resource.list_kind)}
        for each in resource.subresources:
            if each.type is not None:
                group = resource.group if each.group is None else each.group
                version = each.version or resource.version
                found.add((f"{group}/{version}" if group else version, each.kind or each.type.__name__))
    return frozenset(found)
