"""Content types: what a request's body is written in, and what its sender can read.

JSON is what is stored and served; YAML and protobuf are read. A client that prefers protobuf but takes JSON gets JSON.
Not here: tables and other views of an object (`views`).
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

from proa.apiserver.metadata import Document
from proa.machinery import decode
from proa.machinery import status as failures
from proa.machinery.declare import Object
from proa.machinery.schema import schema_of

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"
_READ = (JSON, YAML, PROTOBUF)
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


def decode_body(content_type: str, body: bytes, kind: type[Object]) -> tuple[Document, bytes | None]:
    """The document of a request body, and the bytes if they are JSON. kind: what it should be, which protobuf needs to
    know. Raises StatusError 400, 415."""
    written_in = media_type(content_type)
    if written_in in ("", JSON):
        return decode.decode_json(body), body
    if written_in == YAML:
        return decode_yaml(body), None
    if written_in == PROTOBUF:
        return decode_protobuf(body, kind), None
    raise failures.unsupported_media_type(_READ)


def decode_protobuf(body: bytes, kind: type[Object]) -> Document:
    """An enveloped protobuf message as plain JSON. Raises StatusError 400, 413."""
    from proa.machinery import protobuf

    if len(body) > decode.BODY_LIMIT:
        raise failures.request_entity_too_large(f"limit is {decode.BODY_LIMIT}")
    try:
        said = protobuf.open_envelope(body)[1]
        if said and said != kind.__name__ and said != "DeleteOptions":
            return {"kind": said}  # of another type, which the caller refuses in its own words
        return protobuf.decode(body, schema_of(kind))
    except protobuf.ProtobufError as error:
        raise failures.bad_request(f"the body is not readable: {error}") from None


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
