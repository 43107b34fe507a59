"""Content types: what a request's body is written in, and what its sender can read.

JSON is what is stored and served; YAML is read (kubectl, apply). A client that prefers protobuf but takes JSON gets
JSON. Not here: tables and other views of an object (`views`).
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

from proa.apiserver.metadata import Document
from proa.machinery import decode
from proa.machinery import status as failures

JSON = "application/json"
YAML = "application/yaml"
_READ = (JSON, YAML)
_ANY = frozenset({"*/*", "application/*", JSON})

View = Literal["object", "table", "metadata"]


class Accepted(NamedTuple):
    """How to answer. include_objects of a table is a query parameter, not part of this."""

    view: View
    media_type: str


PLAIN = Accepted("object", JSON)
_AS: dict[str, View] = {
    "Table": "table",
    "PartialObjectMetadata": "metadata",
    "PartialObjectMetadataList": "metadata",
}
_remembered: dict[str, Accepted] = {"": PLAIN, "*/*": PLAIN, JSON: PLAIN, "application/json, */*": PLAIN}


def accepted(header: str) -> Accepted:
    """The first entry of an Accept header that can be served. Raises StatusError 406."""
    found = _remembered.get(header)
    if found is None:
        found = _parse_accept(header)
        if len(_remembered) < 1000:
            _remembered[header] = found
    return found


def _parse_accept(header: str) -> Accepted:
    clauses = []
    for position, clause in enumerate(header.split(",")):
        kind, _, rest = clause.strip().partition(";")
        parameters = dict(each.strip().partition("=")[::2] for each in rest.split(";") if each.strip())
        try:
            quality = float(parameters.get("q", "1"))
        except ValueError:
            quality = 0.0
        clauses.append((-quality, position, kind.strip().lower(), parameters))
    for _, _, kind, parameters in sorted(clauses, key=lambda each: each[:2]):
        if kind == YAML and not parameters.get("as"):
            return Accepted("object", YAML)
        if kind not in _ANY:
            continue
        wanted = parameters.get("as", "")
        if not wanted:
            return PLAIN
        if wanted in _AS and parameters.get("g") == "meta.k8s.io" and parameters.get("v") == "v1":
            return Accepted(_AS[wanted], JSON)
    raise failures.not_acceptable((JSON, YAML))


def media_type(header: str) -> str:
    """A Content-Type without its parameters."""
    return header.partition(";")[0].strip().lower()


def decode_body(content_type: str, body: bytes) -> tuple[Document, bytes | None]:
    """The document of a request body, and the bytes if they are JSON. Raises StatusError 400, 415."""
    kind = media_type(content_type)
    if kind in ("", JSON):
        return decode.decode_json(body), body
    if kind == YAML:
        return decode_yaml(body), None
    raise failures.unsupported_media_type(_READ)


def decode_yaml(body: bytes) -> Document:
    """One YAML (or JSON) document as plain JSON. Raises StatusError 400."""
    if body.lstrip()[:1] == b"{":
        return decode.decode_json(body)
    from proa.lang.yaml import YamlError, load

    try:
        document = load(body.decode())
    except (YamlError, UnicodeDecodeError) as error:
        raise failures.bad_request(f"error converting YAML to JSON: {error}") from None
    if not isinstance(document, dict):
        raise failures.bad_request("error converting YAML to JSON: the document must be an object")
    return document


def encode_yaml(body: bytes) -> bytes:
    """A JSON body as YAML."""
    from proa.lang.yaml import dump

    document: Any = msgspec.json.decode(body)
    text: str = dump(document)
    return text.encode()
