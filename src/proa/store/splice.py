"""The one place where the revision meets the bytes: stored values carry no resourceVersion, served bytes do.

A value we write starts with `{"metadata":{` and has no `metadata.resourceVersion`, which the store only knows after the
write. So serving is a splice, not a decode. A value somebody else wrote (upstream's API server writes kind first) is
decoded and written anew in our order. Not here: anything else about what a value means.
"""

from __future__ import annotations

import msgspec

from proa.base.errors import ProaError

_OPEN = b'{"metadata":{'
_SPLICED = b'{"metadata":{"resourceVersion":"'


class ForeignValueError(ProaError):
    """A stored value is no JSON object with metadata, so it cannot be served."""

    def __init__(self, value: bytes) -> None:
        super().__init__(
            f"stored value starting {value[:24]!r} is not a JSON object with metadata; "
            "an upstream API server must share the store with --storage-media-type=application/json"
        )


def served(value: bytes, revision: int) -> bytes:
    """The bytes a client gets: stored `value` with metadata.resourceVersion set to `revision`."""
    if not value.startswith(_OPEN):
        value = _in_our_order(value)
    rest = value[len(_OPEN) :]
    return b'%b%d"%b%b' % (_SPLICED, revision, b"" if rest.startswith(b"}") else b",", rest)


def stored(body: bytes) -> bytes:
    """The bytes to store: served `body`, or bytes with no resourceVersion, without metadata.resourceVersion."""
    if not body.startswith(_SPLICED):
        return body if body.startswith(_OPEN) else _in_our_order(body)
    end = body.index(b'"', len(_SPLICED)) + 1
    if body[end : end + 1] == b",":
        end += 1
    return _OPEN + body[end:]


def at_revision(body: bytes, revision: int) -> bytes:
    """Served `body` as of another revision: what a DELETED event shows is the last state with the delete's revision."""
    return served(stored(body), revision)


def _in_our_order(value: bytes) -> bytes:
    try:
        document = msgspec.json.decode(value)
        metadata = document.pop("metadata")
        metadata.pop("resourceVersion", None)
    except (msgspec.DecodeError, AttributeError, KeyError, TypeError) as error:
        raise ForeignValueError(value) from error
    return msgspec.json.encode({"metadata": metadata, **document})
