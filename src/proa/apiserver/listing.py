"""Lists: pages with continue tokens, consistent with the resourceVersion rules.

Source: the API concepts of resourceVersion, resourceVersionMatch, limit and continue; the token is upstream's JSON, so
that a client may go on at another server. Not here: how items become bytes of a response (handlers).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from proa.apiserver.options import ReadOptions
from proa.machinery import status as failures
from proa.store.item import Item
from proa.store.protocol import CompactedError, FutureRevisionError
from proa.store.watchcache import WatchCache

Matches = Callable[[Item], bool]


@dataclass(frozen=True, slots=True)
class ItemList:
    """One page. remaining: None when it is not known (with selectors) or there is nothing more."""

    items: list[Item]
    revision: int
    continue_: str = ""
    remaining: int | None = None


class _Token(msgspec.Struct):
    v: str
    start: str
    rv: int = 0


_VERSION = "meta.k8s.io/v1"


def encode_continue(prefix: str, key: str, revision: int) -> str:
    """The token for what follows `key`."""
    token = _Token(_VERSION, key[len(prefix) :] + "\0", revision)
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).rstrip(b"=").decode()


def decode_continue(prefix: str, text: str) -> tuple[str, int]:
    """The key after which to go on, and the revision. Raises StatusError 400."""
    try:
        token = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Token)
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise failures.bad_request("continue key is not valid: it is not a token this API gave out") from None
    if token.v != _VERSION or not token.start:
        raise failures.bad_request("continue key is not valid: it has no start or another version")
    if "/../" in "/" + token.start:
        raise failures.bad_request("continue key is not valid: start may not leave its resource")
    return prefix + token.start.removesuffix("\0"), token.rv


def parse_revision(text: str) -> int:
    """A resourceVersion as a number; '' is 0. Raises StatusError 400."""
    if not text:
        return 0
    try:
        revision = int(text)
    except ValueError:
        revision = -1
    if revision < 0:
        raise failures.bad_request(f"resourceVersion: Invalid value: {text!r}: must be a resource version of this API")
    return revision


def _check(options: ReadOptions) -> None:
    match, version = options.resource_version_match, options.resource_version
    if match not in ("", "Exact", "NotOlderThan"):
        raise failures.bad_request(
            f'resourceVersionMatch: Unsupported value: "{match}": supported values: "Exact", "NotOlderThan"'
        )
    if match and options.continue_:
        raise failures.bad_request("resourceVersionMatch: Forbidden: it is forbidden when continue is provided")
    if match and not version:
        raise failures.bad_request(
            "resourceVersionMatch: Forbidden: it is forbidden unless resourceVersion is provided"
        )
    if match == "Exact" and version == "0":
        raise failures.bad_request('resourceVersionMatch: Forbidden: "Exact" is forbidden for resourceVersion "0"')
    if options.continue_ and version not in ("", "0"):
        raise failures.bad_request("specifying resource version is not allowed when using continue")


async def list_items(cache: WatchCache, prefix: str, options: ReadOptions, matches: Matches | None) -> ItemList:
    """One page of what is under `prefix`. `matches`: None for everything.

    Raises StatusError: 400 for contradicting options, 410 when the revision is compacted, 504 when it has not happened.
    """
    if options is not _PLAIN:
        _check(options)
    after, revision = "", 0
    try:
        if options.continue_:
            after, revision = decode_continue(prefix, options.continue_)
            if revision < 0:
                revision = 0  # upstream's token of an inconsistent continuation: go on with the present
        elif not options.resource_version:
            await cache.fresh()
        else:
            asked = parse_revision(options.resource_version)
            exact = options.resource_version_match == "Exact" or (
                not options.resource_version_match and options.limit > 0 and asked > 0
            )
            if asked:
                await cache.reach(asked)
            revision = asked if exact else 0
        return await _page(cache, prefix, after, options.limit, revision, matches)
    except CompactedError as error:
        if options.continue_:
            raise failures.expired(
                "The provided continue parameter is too old to display a consistent list result. You must start a new "
                "list without the continue parameter."
            ) from None
        raise failures.too_old_resource_version(error.requested, error.oldest) from None
    except FutureRevisionError as error:
        raise failures.too_large_resource_version(error.requested, error.current) from None


async def _page(
    cache: WatchCache, prefix: str, after: str, limit: int, revision: int, matches: Matches | None
) -> ItemList:
    if matches is None:
        page = await cache.items(prefix, after=after, limit=limit, revision=revision)
        if not page.remaining:
            return ItemList(page.items, page.revision)
        token = encode_continue(prefix, page.items[-1].key, page.revision)
        return ItemList(page.items, page.revision, token, page.remaining)
    found: list[Item] = []
    chunk = max(limit * 4, 500) if limit else 0
    while True:
        page = await cache.items(prefix, after=after, limit=chunk, revision=revision)
        for item in page.items:
            if matches(item):
                found.append(item)
                if limit and len(found) == limit and (page.remaining or item is not page.items[-1]):
                    return ItemList(found, page.revision, encode_continue(prefix, item.key, page.revision))
        if not page.remaining:
            return ItemList(found, page.revision)
        after, revision = page.items[-1].key, page.revision


_PLAIN = ReadOptions()
