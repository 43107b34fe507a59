"""Which objects a command is about: `pods`, `pod a b`, `pod/a svc/b`, `deploy,svc`, `all`, or the objects of files."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proa.base.errors import ProaError
from proa.kubectl.discovery import Discovery, Resource

_SUFFIXES = (".yaml", ".yml", ".json")


class SelectionError(ProaError):
    """The words name nothing a command could be about."""


@dataclass(frozen=True, slots=True)
class Target:
    """A resource, and one object of it by name, or with '' all of them."""

    resource: Resource
    name: str = ""


def targets(discovery: Discovery, words: Sequence[str]) -> list[Target]:
    """What the words mean. Raises SelectionError, UnknownResourceError."""
    if not words:
        raise SelectionError("You must specify the type of resource to get, such as: pods, deployment/web, svc,pods")
    if any("/" in word for word in words):
        found = []
        for word in words:
            kind, slash, name = word.partition("/")
            if not slash or not kind or not name or "/" in name:
                raise SelectionError(
                    "there is no need to specify a resource type as a separate argument when passing arguments in "
                    f"resource/name form; {word!r} is not of that form"
                )
            found.append(Target(discovery.find(kind), name))
        return found
    resources: list[Resource] = []
    for word in words[0].split(","):
        resources += discovery.in_category(word) or [discovery.find(word)]
    names = list(words[1:]) or [""]
    return [Target(resource, name) for resource in resources for name in names]


def single(discovery: Discovery, words: Sequence[str], default_kind: str) -> Target:
    """The one object a command is about; a lone name is of the default kind. Raises SelectionError."""
    if len(words) == 1 and "/" not in words[0]:
        return Target(discovery.find(default_kind), words[0])
    found = targets(discovery, words)
    if len(found) != 1 or not found[0].name:
        raise SelectionError(f"expected one object, e.g. {default_kind} NAME or TYPE/NAME")
    return found[0]


def manifests(files: Sequence[str], *, recursive: bool = False) -> Iterator[dict[str, Any]]:
    """The objects of files, directories and `-`; a List is its items. Raises SelectionError, YamlError."""
    # YAML is the slowest import here, and only files need it.
    from proa.lang import yaml

    for name in files:
        for origin, text in _texts(name, recursive):
            try:
                for document in yaml.documents(text):
                    yield from _objects(document, origin)
            except yaml.YamlError as error:
                raise SelectionError(f"error parsing {origin}: {error}") from error


def _objects(document: Any, origin: str) -> Iterator[dict[str, Any]]:
    if not isinstance(document, dict):
        raise SelectionError(f"{origin}: an object must be a mapping, found {document!r}")
    for field in ("apiVersion", "kind"):
        if not isinstance(document.get(field), str) or not document[field]:
            raise SelectionError(f"{origin}: {field} is not set")
    if document["kind"].endswith("List") and isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _objects(item, origin)
        return
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not (metadata.get("name") or metadata.get("generateName")):
        raise SelectionError(f"{origin}: {document['kind']}: metadata.name is not set")
    yield document


def _texts(name: str, recursive: bool) -> Iterator[tuple[str, bytes]]:
    if name == "-":
        yield "STDIN", sys.stdin.buffer.read()
        return
    if name.startswith(("http://", "https://")):
        raise SelectionError(f"{name}: manifests are not fetched from the network: download it, then use the file")
    path = Path(name)
    if path.is_dir():
        pattern = "**/*" if recursive else "*"
        found = sorted(each for each in path.glob(pattern) if each.suffix in _SUFFIXES and each.is_file())
        if not found:
            raise SelectionError(f"error reading {[name]}: recognized file extensions are {', '.join(_SUFFIXES)}")
        for each in found:
            yield str(each), each.read_bytes()
        return
    try:
        yield name, path.read_bytes()
    except FileNotFoundError:
        raise SelectionError(f'the path "{name}" does not exist') from None
