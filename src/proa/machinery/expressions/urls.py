"""`url('https://...')` and its parts. Source: what Go's parser takes and says."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote, unquote, unquote_plus

from proa.lang.cel.cost import Fixed, Traversal
from proa.lang.cel.errors import EvaluationError
from proa.lang.cel.functions import Library, function, member, overload
from proa.lang.cel.types import BOOL, STRING, Type, list_of, map_of, opaque
from proa.machinery.fields import quoted

URL_TYPE = opaque("kubernetes.URL")

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(.*)", re.DOTALL)
_HOST = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:<>\"\u0080-\U0010ffff]|%[0-9A-Fa-f]{2})*")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PATH_SAFE = "$&+,/:;=@!'()*-_.~%"


@dataclass(frozen=True, slots=True)
class Url:
    """A parsed URL. host: with its port. path: as written."""

    scheme: str
    host: str
    path: str
    query: str
    text: str
    cel_type: ClassVar[Type] = URL_TYPE

    @property
    def hostname(self) -> str:
        name = self.host.rpartition(":")[0] if _has_port(self.host) else self.host
        return name[1:-1] if name.startswith("[") else name

    @property
    def port(self) -> str:
        return self.host.rpartition(":")[2] if _has_port(self.host) else ""

    def parameters(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for each in self.query.split("&"):
            if each and ";" not in each and not _BROKEN_ESCAPE.search(each):
                key, _, value = each.partition("=")
                found.setdefault(unquote_plus(key), []).append(unquote_plus(value))
        return found

    def escaped_path(self) -> str:
        return quote(self.path, safe=_PATH_SAFE)


def _has_port(host: str) -> bool:
    name, colon, _ = host.rpartition(":")
    return bool(colon) and (not host.startswith("[") or name.endswith("]"))


class UrlError(Exception):
    """The text is not an absolute URL or path."""


def parse(text: str) -> Url:
    """An absolute URL or an absolute path. Raises UrlError, worded as Go does."""

    def wrong(why: str) -> UrlError:
        return UrlError(f"parse {quoted(text)}: {why}")

    if not text:
        raise wrong("empty url")
    if _CONTROL.search(text):
        raise wrong("net/url: invalid control character in URL")
    before, _, _ = text.partition("#")
    if before.startswith(":"):
        raise wrong("missing protocol scheme")
    match = _SCHEME.fullmatch(before)
    scheme, rest = (match[1].lower(), match[2]) if match else ("", before)
    rest, _, query = rest.partition("?")
    if not rest.startswith("/"):
        if not scheme:
            raise wrong("invalid URI for request")
        return Url(scheme, "", "", query, text)
    host = ""
    if rest.startswith("//") and scheme:
        authority, slash, path = rest[2:].partition("/")
        host, rest = _host(authority, wrong), slash + path
    broken = _BROKEN_ESCAPE.search(rest)
    if broken:
        raise wrong(f"invalid URL escape {quoted(broken.group())}")
    return Url(scheme, host, rest, query, text)


def _host(authority: str, wrong: Callable[[str], UrlError]) -> str:
    host = authority.rpartition("@")[2]
    name, port = (host.rpartition(":")[0], host.rpartition(":")[2]) if _has_port(host) else (host, "")
    if port and not (port.isascii() and port.isdigit()):
        raise wrong(f"invalid port {quoted(':' + port)} after host")
    if name.startswith("["):
        if not name.endswith("]"):
            raise wrong("missing ']' in host")
        return host
    broken = _BROKEN_ESCAPE.search(name)
    if broken:
        raise wrong(f"invalid URL escape {quoted(broken.group())}")
    matched = _HOST.match(name)
    end = matched.end() if matched else 0
    if end < len(name):
        raise wrong(f"invalid character {quoted(name[end])} in host name")
    return unquote(host)


def is_url(text: str) -> bool:
    try:
        parse(text)
    except UrlError:
        return False
    return True


def _url(text: str) -> Url:
    try:
        return parse(text)
    except UrlError as error:
        raise EvaluationError(f"URL parse error during conversion from string: {error}") from None


_NOMINAL = Fixed()

URLS = Library(
    (
        function("url", overload("string_to_url", (STRING,), URL_TYPE, _url), cost=Traversal(sized=True)),
        function("isURL", overload("is_url_string", (STRING,), BOOL, is_url)),
        function("getScheme", member("url_get_scheme", (URL_TYPE,), STRING, lambda each: each.scheme), cost=_NOMINAL),
        function("getHost", member("url_get_host", (URL_TYPE,), STRING, lambda each: each.host), cost=_NOMINAL),
        function(
            "getHostname", member("url_get_hostname", (URL_TYPE,), STRING, lambda each: each.hostname), cost=_NOMINAL
        ),
        function("getPort", member("url_get_port", (URL_TYPE,), STRING, lambda each: each.port), cost=_NOMINAL),
        function(
            "getEscapedPath", member("url_get_escaped_path", (URL_TYPE,), STRING, Url.escaped_path), cost=_NOMINAL
        ),
        function(
            "getQuery",
            member("url_get_query", (URL_TYPE,), map_of(STRING, list_of(STRING)), Url.parameters),
            cost=_NOMINAL,
        ),
    ),
    {URL_TYPE.name: URL_TYPE},
)
