"""Image references: `[domain/]path[:tag][@digest]`, normalised as docker does.

The grammar is that of the distribution project. A first component is a registry's domain only when it holds a dot, a
colon or an upper-case letter, or is `localhost`; anything else lives on `docker.io`, where a single component belongs
to `library/`. Text only: nothing here asks a registry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from proa.oci.errors import InvalidImageNameError

DEFAULT_DOMAIN = "docker.io"
DEFAULT_TAG = "latest"
_LIBRARY = "library/"
_NAME_LIMIT = 255

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"(?:sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})")
_IMAGE_ID = re.compile(r"(?:sha256:)?[a-f0-9]{64}")


@dataclass(frozen=True, slots=True)
class Reference:
    """A normalised reference. At least one of `tag` and `digest` is set."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def repository(self) -> str:
        """`domain/path`, without tag and digest."""
        return f"{self.domain}/{self.path}"

    @property
    def tagged(self) -> str:
        """`domain/path:tag`, or '' when only a digest was given."""
        return f"{self.repository}:{self.tag}" if self.tag else ""

    @property
    def target(self) -> str:
        """What a registry is asked for: the digest when there is one (a tag beside it is only a comment)."""
        return self.digest or self.tag

    @property
    def familiar(self) -> str:
        """The short form people write: without `docker.io/` and `library/`."""
        name = str(self)
        if self.domain == DEFAULT_DOMAIN:
            name = name.removeprefix(DEFAULT_DOMAIN + "/").removeprefix(_LIBRARY)
        return name

    def pinned(self, digest: str) -> Reference:
        """The same repository at `digest`."""
        return replace(self, tag="", digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"


def parse(text: str) -> Reference:
    """The normalised reference of `text`; a name without tag and digest gets the tag `latest`.

    Raises InvalidImageNameError, which names the part that is wrong.
    """
    if not text:
        raise InvalidImageNameError("image name is empty: expected [domain/]path[:tag][@digest]")
    name, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise _invalid(text, "digest", digest, "sha256: and 64 hexadecimal digits in lower case")
    tag = ""
    colon = name.rfind(":")
    if colon > name.rfind("/"):
        name, tag = name[:colon], name[colon + 1 :]
        if not _TAG.fullmatch(tag):
            raise _invalid(text, "tag", tag, "1 to 128 letters, digits, '_', '.' or '-', not starting with '.' or '-'")
    if _IMAGE_ID.fullmatch(name):
        raise _invalid(text, "name", name, "a name that is not 64 hexadecimal digits, which would be an image ID")
    domain, path = _split_domain(name)
    if not _DOMAIN.fullmatch(domain):
        raise _invalid(text, "registry", domain, "a host name or address, with an optional port")
    if not _PATH.fullmatch(path):
        right = "lower-case letters and digits, separated by '/', '.', '_', '__' or '-'"
        raise _invalid(text, "repository", path, right)
    if len(domain) + 1 + len(path) > _NAME_LIMIT:
        raise InvalidImageNameError(f"invalid image name {text!r}: the name is longer than {_NAME_LIMIT} characters")
    if not tag and not digest:
        tag = DEFAULT_TAG
    return Reference(domain, path, tag, digest)


def is_image_id(text: str) -> bool:
    """Whether `text` is an image ID (the config's digest), with or without `sha256:`, rather than a reference."""
    return bool(_IMAGE_ID.fullmatch(text))


def is_digest(text: str) -> bool:
    return bool(_DIGEST.fullmatch(text))


def _split_domain(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    named = slash and (any(c in first for c in ".:[") or first == "localhost" or first != first.lower())
    domain, path = (first, rest) if named else (DEFAULT_DOMAIN, name)
    if domain == "index.docker.io":
        domain = DEFAULT_DOMAIN
    if domain == DEFAULT_DOMAIN and "/" not in path:
        path = _LIBRARY + path
    return domain, path


def _invalid(text: str, part: str, value: str, right: str) -> InvalidImageNameError:
    return InvalidImageNameError(f"invalid image name {text!r}: {part} {value!r} is not valid: expected {right}")
