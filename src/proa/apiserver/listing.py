"""Lists: pages with continue tokens, consistent with the resourceVersion rules.

Source: the API concepts of resourceVersion, resourceVersionMatch, limit and continue; the token is upstream's JSON, so
that a client may go on at another server. Not here: how items become bytes of a response (handlers).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

import msgspec

from proa.apiserver.options import ReadOptions, refuse
from proa.machinery import status as failures
from proa.machinery.fields import ErrorList, Path, quoted
from proa.store.item import Item
from proa.store.protocol import CompactedError, FutureRevisionError
from proa.store.watchcache import WatchCache

Matches = Callable[[Item], bool]


class ItemList(msgspec.Struct, frozen=True):
    """One page. remaining: None when it is not known (with selectors) or there is nothing more."""

    items: list[Item]
    revision: int
    continue_: str = ""
    remaining: int | None = None


class _Token(msgspec.Struct):
    v: str = ""
    start: str = ""
    rv: int = 0


_VERSION = "meta.k8s.io/v1"
_NOT_BASE64 = re.compile("[^A-Za-z0-9_-]")


def encode_continue(prefix: str, key: str, revision: int) -> str:
    """The token for what follows `key`."""
    token = _Token(_VERSION, key[len(prefix) :] + "\0", revision)
    return base64.urlsafe_b64encode(msgspec.json.encode(token)).rstrip(b"=").decode()


def decode_continue(prefix: str, text: str) -> tuple[str, int]:
    """The key after which to go on, and the revision; a negative one means the present. Raises StatusError 400."""
    illegal = _NOT_BASE64.search(text)
    if illegal is not None or len(text) % 4 == 1:
        at = illegal.start() if illegal is not None else len(text) - 1
        raise _not_valid(f": illegal base64 data at input byte {at}")
    try:
        token = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Token)
    except msgspec.DecodeError as error:
        raise _not_valid(f": {error}") from None
    if token.v != _VERSION:
        raise _not_valid(f": server does not recognize this encoded version {token.v}")
    if not token.rv:
        raise _not_valid(f": incorrect encoded start resourceVersion (version {_VERSION})")
    if not token.start:
        raise _not_valid(f": encoded start key empty (version {_VERSION})")
    if any(part in ("", ".", "..") for part in token.start.removeprefix("/").split("/")):
        raise _not_valid(f": {token.start}")
    return prefix + token.start.removeprefix("/").removesuffix("\0"), token.rv


def _not_valid(why: str) -> failures.StatusError:
    return failures.bad_request(f"invalid continue token: continue key is not valid{why}")


def parse_revision(text: str) -> int:
    """A resourceVersion as a number; '' is 0. Raises StatusError 400."""
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()):
        why = f"strconv.ParseUint: parsing {quoted(text)}: invalid syntax"
        raise failures.bad_request(f"invalid resource version: resourceVersion: Invalid value: {quoted(text)}: {why}")
    if len(text) > 20 or int(text) >= 1 << 64:
        why = f"strconv.ParseUint: parsing {quoted(text)}: value out of range"
        raise failures.bad_request(f"invalid resource version: resourceVersion: Invalid value: {quoted(text)}: {why}")
    return int(text)


def _check(options: ReadOptions) -> None:
    match, version = options.resource_version_match, options.resource_version
    errors = ErrorList()
    if match:
        path = Path("resourceVersionMatch")
        if not version:
            errors.forbidden(path, "resourceVersionMatch is forbidden unless resourceVersion is provided")
        if options.continue_:
            errors.forbidden(path, "resourceVersionMatch is forbidden when continue is provided")
        if match not in ("Exact", "NotOlderThan"):
            errors.unsupported(path, match, ("Exact", "NotOlderThan", ""))
        if match == "Exact" and version == "0":
            errors.forbidden(path, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
    if options.send_initial_events:
        errors.forbidden(Path("sendInitialEvents"), "sendInitialEvents is forbidden for list")
    refuse("ListOptions", errors)


async def list_items(cache: WatchCache, prefix: str, options: ReadOptions, matches: Matches | None) -> ItemList:
    """One page of what is under `prefix`. `matches`: None for everything.

    Raises StatusError: 400, 422 for contradicting options, 410 when the revision is compacted (with a token to go on
    from there all the same), 504 when it has not happened.
    """
    if options is not _PLAIN:
        _check(options)
    after, revision = "", 0
    try:
        if options.continue_:
            after, revision = decode_continue(prefix, options.continue_)
            if options.resource_version not in ("", "0"):
                raise failures.bad_request("specifying resource version is not allowed when using continue")
            if revision < 0:  # an inconsistent continuation goes on with the present
                await cache.fresh()
                revision = 0
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
    except CompactedError:
        if options.continue_:
            raise failures.with_continue(failures.expired(_INCONSISTENT), encode_continue(prefix, after, -1)) from None
        raise failures.expired("The resourceVersion for the provided list is too old.") from None
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
# Clients look for the reason and the token, people read this; the same as upstream's.
_INCONSISTENT = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)
