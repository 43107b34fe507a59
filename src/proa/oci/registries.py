"""Where a registry's images are fetched from, and as whom: `registries.yaml` in k3s's format, and docker's config.json.

    mirrors:                         # "*" stands for every registry without an entry of its own
      docker.io:
        endpoint: ["https://mirror.example:5000"]
        rewrite: {"^library/(.*)": "hub/$1"}
    configs:                         # by the host (and port) of an endpoint
      mirror.example:5000:
        auth: {username: u, password: p}
        tls: {ca_file: ..., cert_file: ..., key_file: ..., insecure_skip_verify: false}

Data only: parsing and choosing, no connection is made here.
"""

import base64
import binascii
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from proa.oci.errors import ImageError
from proa.oci.reference import DEFAULT_DOMAIN, Reference

log = logging.getLogger(__name__)

_HUB = "registry-1.docker.io"
_HUB_KEYS = ("docker.io", "index.docker.io", _HUB)
_LOCAL = ("localhost", "127.0.0.1", "::1")


class Credentials(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A user of a registry: name and password, `auth` (base64 of both), or a token. Fields as in k3s's `auth`."""

    username: str = ""
    password: str = ""
    auth: str = ""
    identity_token: str = ""
    registry_token: str = ""

    def decoded(self) -> "Credentials":
        """With `auth` taken apart."""
        if not self.auth:
            return self
        try:
            username, _, password = base64.b64decode(self.auth, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ImageError(f"registry credentials: auth is not base64 of username:password: {error}") from error
        return msgspec.structs.replace(self, username=username, password=password.rstrip("\0"), auth="")


class Tls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    insecure_skip_verify: bool = False


_SYSTEM_TLS = Tls()


class Mirror(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    endpoint: tuple[str, ...] = ()
    rewrite: dict[str, str] = {}


class HostConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    auth: Credentials | None = None
    tls: Tls | None = None


class Registries(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of `registries.yaml`. `docker_auths` come from docker's config.json, by host."""

    mirrors: dict[str, Mirror] = {}
    configs: dict[str, HostConfig] = {}
    docker_auths: dict[str, Credentials] = {}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One place to fetch a repository from. `url` ends before `/v2/`; `path` is the repository's there."""

    url: str
    path: str
    query: str = ""
    credentials: tuple[Credentials, ...] = ()
    tls: Tls = _SYSTEM_TLS

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc


def read_registries(registries_yaml: Path | None = None, docker_config: Path | None = None) -> Registries:
    """What the two files say; one that is not there says nothing. Raises ImageError, naming the wrong field."""
    found = Registries()
    if registries_yaml is not None and registries_yaml.exists():
        import yaml

        try:
            found = msgspec.convert(yaml.safe_load(registries_yaml.read_text()) or {}, Registries)
            for mirror in found.mirrors.values():
                for pattern in mirror.rewrite:
                    re.compile(pattern)
        except (yaml.YAMLError, msgspec.ValidationError, re.error) as error:
            raise ImageError(f"{registries_yaml}: {error}") from error
    if docker_config is not None and docker_config.exists():
        found = msgspec.structs.replace(found, docker_auths=_docker_auths(docker_config))
    return found


def endpoints(registries: Registries, wanted: Reference, auth: tuple[Credentials, ...] = ()) -> tuple[Endpoint, ...]:
    """Where to try, in order: the mirrors, then the registry itself. `auth` is tried before configured credentials."""
    domain = wanted.domain
    mirror = registries.mirrors.get(domain) or registries.mirrors.get("*") or Mirror()
    found = []
    for url in mirror.endpoint:
        url = (url if "://" in url else f"https://{url}").rstrip("/").removesuffix("/v2")
        found.append(_endpoint(registries, url, _rewritten(wanted.path, mirror.rewrite), auth, f"ns={domain}"))
    host = _HUB if domain == DEFAULT_DOMAIN else domain
    tls = registries.configs.get(domain, HostConfig()).tls
    plain = urlsplit(f"//{host}").hostname in _LOCAL and tls is None
    own = f"{'http' if plain else 'https'}://{host}"
    if own not in (endpoint.url for endpoint in found):
        found.append(_endpoint(registries, own, wanted.path, auth, ""))
    return tuple(found)


def _endpoint(registries: Registries, url: str, path: str, auth: tuple[Credentials, ...], query: str) -> Endpoint:
    host = urlsplit(url).netloc
    keys = _HUB_KEYS if host == _HUB else (host,)
    configured = [registries.configs[key] for key in keys if key in registries.configs]
    known = [config.auth for config in configured if config.auth is not None]
    known += [registries.docker_auths[key] for key in keys if key in registries.docker_auths]
    credentials = tuple(dict.fromkeys(entry.decoded() for entry in (*auth, *known)))
    tls = next((config.tls for config in configured if config.tls is not None), _SYSTEM_TLS)
    return Endpoint(url, path, query, credentials, tls)


def _rewritten(path: str, rewrite: dict[str, str]) -> str:
    """The first pattern that matches decides. `$1` is a group, as in Go's regular expressions."""
    for pattern, replacement in rewrite.items():
        if re.search(pattern, path):
            return re.sub(pattern, re.sub(r"\$\{?(\w+)\}?", r"\\g<\1>", replacement), path)
    return path


def _docker_auths(path: Path) -> dict[str, Credentials]:
    """The `auths` of docker's config.json, by host."""
    try:
        config = msgspec.json.decode(path.read_bytes(), type=_DockerConfig)
    except msgspec.DecodeError as error:
        raise ImageError(f"{path}: {error}") from error
    if config.credsStore or config.credHelpers:
        log.warning("%s: credential helpers are not used; put credentials in auths or in registries.yaml", path)
    found = {}
    for key, auth in config.auths.items():
        host = urlsplit(key if "://" in key else f"//{key}").netloc
        entry = Credentials(auth.username, auth.password, auth.auth, auth.identitytoken, auth.registrytoken)
        if entry != Credentials():
            found[host] = entry
    return found


class _DockerAuth(msgspec.Struct, frozen=True):
    auth: str = ""
    username: str = ""
    password: str = ""
    identitytoken: str = ""
    registrytoken: str = ""


class _DockerConfig(msgspec.Struct, frozen=True):
    auths: dict[str, _DockerAuth] = {}
    credsStore: str = ""
    credHelpers: dict[str, str] = {}
