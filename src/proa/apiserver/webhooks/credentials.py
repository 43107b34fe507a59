"""Who the server is towards admission webhooks: by host, the user of a kubeconfig that the administrator gives.

The file's users are named by whom they are for: `host:port`, `*.domain:port`, both without the port for 443, or `*`.
Not here: webhooks that have a kubeconfig of their own (`kubeconfig`).
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from proa.apiserver.webhooks.client import url_of, verifying
from proa.apiserver.webhooks.kubeconfig import authorization
from proa.base.errors import ProaError
from proa.client import kubeconfig
from proa.client.connection import Connection, load_pair

_KIND, _GROUP = "WebhookAdmissionConfiguration", "apiserver.config.k8s.io/"
_FIELDS = {"apiVersion", "kind", "kubeConfigFile"}


class CredentialsError(ProaError):
    """The configuration of a plugin names no usable credentials."""


class Credentials:
    """`users`: connections whose servers do not matter, by the name of the user."""

    def __init__(self, users: Mapping[str, Connection]) -> None:
        self._users = users
        self._contexts: dict[tuple[str, str], ssl.SSLContext] = {}

    async def towards(self, config: Mapping[str, Any]) -> tuple[ssl.SSLContext | None, Mapping[str, str]]:
        """The TLS context, where it is not that of everybody, and the headers for a clientConfig."""
        name = next((each for each in _names(url_of(config)) if each in self._users), None)
        if name is None:
            return None, {}
        connection = self._users[name]
        return self._context(name, connection, config.get("caBundle") or ""), await authorization(connection)

    def _context(self, name: str, connection: Connection, bundle: str) -> ssl.SSLContext | None:
        if not connection.certificate:
            return None
        context = self._contexts.get((name, bundle))
        if context is None:
            context = self._contexts[name, bundle] = verifying(bundle)
            load_pair(context, connection.certificate, connection.key)
        return context


def _names(url: str) -> Iterator[str]:
    """The names under which a user for a URL may be found, the most exact first."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 443
    for target in (f"{host}:{port}", *((host,) if port == 443 else ())):
        yield target
        _, *rest = target.split(".")
        while rest:
            yield "*." + ".".join(rest)
            rest = rest[1:]
    yield "*"


def configured(plugin: str, document: Mapping[str, Any]) -> Credentials | None:
    """What a plugin's WebhookAdmissionConfiguration says; None for nothing. Raises CredentialsError."""
    if not document:
        return None
    if document.get("kind") != _KIND or not str(document.get("apiVersion")).startswith(_GROUP):
        raise CredentialsError(f"{plugin}: its configuration must be a {_KIND} of {_GROUP}v1")
    if unknown := sorted(document.keys() - _FIELDS):
        raise CredentialsError(f"{plugin}: not implemented: {', '.join(unknown)}")
    path = document.get("kubeConfigFile")
    if not path:
        return None
    if not Path(path).is_absolute():
        raise CredentialsError(f'{plugin}: kubeConfigFile: Invalid value: "{path}": must be an absolute file path')
    found = kubeconfig.load([Path(path)])
    if not found.users:
        raise CredentialsError(f"{plugin}: kubeConfigFile: {path} has no users")
    anywhere = kubeconfig.Kubeconfig({"any": {"server": "https://any"}}, found.users, {})
    try:
        return Credentials({name: anywhere.connection(cluster="any", user=name) for name in found.users})
    except kubeconfig.KubeconfigError as error:
        raise CredentialsError(f"{plugin}: {path}: {error}") from error
