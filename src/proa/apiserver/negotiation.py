"""Content types: what a request's body is written in, and what its sender can read.

JSON is what is stored; YAML and protobuf are read and written too. A `Negotiator` says what one kind of endpoint can
answer with: custom resources have no protobuf, answers that are not stored have no table and no metadata. Not here:
how an object becomes a table or protobuf (`representation`).
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
MEDIA_TYPES = (JSON, YAML, PROTOBUF)

View = Literal["object", "table", "metadata", "metadata list"]


class Accepted(NamedTuple):
    """How to answer. version: of meta.k8s.io, for a view. pretty: laid out for people, None when that is not said."""

    view: View
    media_type: str
    version: str = "v1"
    pretty: bool | None = None


PLAIN = Accepted("object", JSON, pretty=False)
"""The common case: objects as the bytes that are kept. Compared by identity."""
_ANY = Accepted("object", JSON)
_AS: dict[str, View] = {
    "Table": "table",
    "PartialObjectMetadata": "metadata",
    "PartialObjectMetadataList": "metadata list",
}


class Negotiator:
    """What one kind of endpoint can answer with: `negotiator(accept_header)`; answers are remembered.

    objects: the media types of the object itself, the first for who does not say. views: whether there are tables and
    metadata of it.
    """

    def __init__(self, *objects: str, views: bool = False) -> None:
        self._objects = objects
        self._views = views
        self._remembered: dict[str, Accepted] = {"": _ANY, "*/*": _ANY, JSON: PLAIN, "application/json, */*": PLAIN}

    def __call__(self, header: str) -> Accepted:
        """The best entry of an Accept header that can be served. Raises StatusError 406."""
        found = self._remembered.get(header)
        if found is None:
            found = self._parse(header)
            if len(self._remembered) < 1000:
                self._remembered[header] = found
        return found

    def watch(self, header: str) -> Accepted:
        """The same for a watch, which is never YAML."""
        found = self(header)
        if found.media_type == YAML:
            kinds = [f"{kind};stream=watch" for kind in self._objects if kind != YAML]
            raise failures.not_acceptable(kinds)
        return found

    def _parse(self, header: str) -> Accepted:
        for clause in clauses(header):
            found = self._fitting(clause)
            if found is not None:
                return found
        raise failures.not_acceptable(self._objects)

    def _fitting(self, clause: Clause) -> Accepted | None:
        parameters = clause.parameters
        view: View = "object"
        version = "v1"
        if "as" in parameters:
            if not self._views or parameters.get("g") != "meta.k8s.io" or parameters["as"] not in _AS:
                return None
            view, version = _AS[parameters["as"]], parameters.get("v", "")
            if version not in ("v1", "v1beta1"):
                return None
        if parameters.get("stream", "watch") != "watch":
            return None
        kinds = self._objects if view == "object" else (JSON, YAML) if view == "table" else MEDIA_TYPES
        media_type = next((kind for kind in kinds if clause.allows(kind)), None)
        if media_type is None:
            return None
        pretty = parameters["pretty"] == "1" if "pretty" in parameters else None
        if view == "object" and media_type == JSON and pretty is None and "*" not in clause.kind:
            return PLAIN
        return Accepted(view, media_type, version, pretty)


class Clause(NamedTuple):
    kind: str
    parameters: dict[str, str]

    def allows(self, media_type: str) -> bool:
        return self.kind in (media_type, "*/*", "*") or self.kind == media_type.partition("/")[0] + "/*"


def clauses(header: str) -> list[Clause]:
    """The entries of an Accept header, the one wanted most first: by quality, exact types before patterns."""
    found = []
    for position, text in enumerate(header.split(",")):
        kind, _, rest = text.strip().partition(";")
        parameters = {
            name.strip().lower(): value.strip().strip('"')
            for name, _, value in (each.partition("=") for each in rest.split(";") if each.strip())
        }
        try:
            quality = float(parameters.pop("q", "1"))
        except ValueError:
            quality = 1.0
        if quality > 0:
            clause = Clause(kind.strip().lower(), parameters)
            found.append((-quality, clause.kind.count("*"), position, clause))
    return [clause for _, _, _, clause in sorted(found, key=lambda each: each[:3])]


STORED = Negotiator(*MEDIA_TYPES, views=True)
CUSTOM = Negotiator(JSON, YAML, views=True)
COMPUTED = Negotiator(*MEDIA_TYPES)
"""Answers that are no stored object: actions, reviews, failures, discovery."""


def media_type(header: str) -> str:
    """A Content-Type without its parameters."""
    return header.partition(";")[0].strip().lower()


def decode_body(content_type: str, body: bytes, kind: type[Object] | None) -> tuple[Document, bytes | None]:
    """The document of a request body, and the bytes if they are JSON. kind: what it should be, which protobuf needs to
    know; None where there is no protobuf. Raises StatusError 400, 415."""
    written_in = JSON if content_type == JSON else media_type(content_type)
    if written_in in (JSON, ""):
        return decode.decode_json(body), body
    if written_in == YAML:
        return decode_yaml(body), None
    if written_in == PROTOBUF and kind is not None:
        return decode_protobuf(body, kind), None
    raise failures.unsupported_media_type(MEDIA_TYPES if kind is not None else (JSON, YAML))


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
