"""Links of a proxied server, rewritten so that a browser that follows them stays behind the proxy.

Pure text. Only what begins at the server's root needs it (`/path`, `http://the-same-server/path`); relative links
already stay below the page. A page is scanned for tags, not parsed: everything that is no rewritten attribute stays
as it was, byte for byte. Not here: links in scripts and style sheets, which no proxy can know.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape, unescape
from urllib.parse import urlsplit, urlunsplit

import msgspec

_URL_ATTRIBUTES: dict[str, frozenset[str]] = {
    tag: frozenset(names.split())
    for tag, names in {
        "a": "href", "applet": "codebase", "area": "href", "audio": "src", "base": "href", "blockquote": "cite",
        "body": "background", "button": "formaction", "command": "icon", "del": "cite", "embed": "src",
        "form": "action", "frame": "longdesc src", "head": "profile", "html": "manifest", "iframe": "longdesc src",
        "img": "longdesc src usemap", "input": "src usemap formaction", "ins": "cite", "link": "href",
        "object": "classid codebase data usemap", "q": "cite", "script": "src", "source": "src", "video": "poster src",
    }.items()
}  # fmt: skip
_TAG = re.compile(r"<(?:!--|(?P<tag>[a-z][a-z0-9]*)(?P<attributes>(?:[^'\"<>]|\"[^\"]*\"|'[^']*')*+)>)", re.IGNORECASE)
# What looks like a tag inside of these is none.
_RAW_END = {tag: re.compile(rf"</{tag}", re.IGNORECASE) for tag in ("script", "style")}
_ATTRIBUTE = re.compile(r"(?P<name>[^\s\"'<>/=]+)(?P<is>\s*=\s*)(?P<value>\"[^\"]*\"|'[^']*'|[^\s\"'=<>`]+)")


class Links(msgspec.Struct, frozen=True):
    """prefix: the proxy's own path to the server's root, without a slash at its end. hosts: under which names the
    server is the same server: its address, and the Host the client asked."""

    prefix: str
    hosts: frozenset[str]

    def url(self, url: str) -> str:
        """The URL as the client must ask for it."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return url
        if (parts.netloc and parts.netloc not in self.hosts) or not parts.path.startswith("/"):
            return url
        if parts.scheme and not parts.netloc:  # mailto:, data: and the like
            return url
        inside = parts.path == self.prefix or parts.path.startswith(f"{self.prefix}/")
        path = parts.path if inside else self.prefix + parts.path
        return urlunsplit(("", "", path, parts.query, parts.fragment))

    def page(self, text: str) -> str:
        """An HTML document with its links rewritten."""
        pieces, at = [], 0
        while found := _TAG.search(text, at):
            tag, start, at = found["tag"], at, found.end()
            pieces.append(text[start : found.start()])
            if tag is None:
                end = text.find("-->", at)
                pieces.append(found[0])
            else:
                pieces.append(f"<{tag}{self._attributes(tag, found['attributes'])}>")
                raw = _RAW_END.get(tag.lower())
                closing = raw.search(text, at) if raw is not None else None
                end = at if raw is None else closing.start() if closing is not None else -1
            if end < 0:
                break
            pieces.append(text[at:end])
            at = end
        pieces.append(text[at:])
        return "".join(pieces)

    def _attributes(self, tag: str, attributes: str) -> str:
        names = _URL_ATTRIBUTES.get(tag.lower())
        return attributes if names is None else _ATTRIBUTE.sub(self._attribute_of(names), attributes)

    def _attribute_of(self, names: frozenset[str]) -> Callable[[re.Match[str]], str]:
        def rewritten(found: re.Match[str]) -> str:
            if found["name"].lower() not in names:
                return found[0]
            value = found["value"]
            quote = value[0] if value[0] in "\"'" else ""
            before = unescape(value.strip(quote) if quote else value)
            after = self.url(before)
            if after == before:
                return found[0]
            return f"{found['name']}{found['is']}{quote}{escape(after, quote=True)}{quote}"

        return rewritten
