"""By what extension servers know this one and its users: published where they all look for it.

They authenticate the users of requests that this server passes on by its front-proxy certificate, and everybody else's
client certificates by the cluster's authority. Not here: whose certificates these are (`cluster.credentials`).
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from proa.api.core_v1 import ConfigMap
from proa.api.core_v1.resources import CONFIG_MAPS
from proa.client.protocol import Client
from proa.machinery.meta import ObjectMeta
from proa.machinery.status import StatusError, is_not_found

NAMESPACE, NAME = "kube-system", "extension-apiserver-authentication"


class FrontProxy(msgspec.Struct, frozen=True):
    """As whom this server calls extension servers: the name, its certificate and key, and who signed it; all PEM."""

    name: str
    authority: bytes
    certificate: bytes
    key: bytes


async def publish(client: Client, authority: str, front_proxy: FrontProxy | None) -> None:
    """Write the ConfigMap that extension servers read. authority: PEM of who signs client certificates."""
    data = {"client-ca-file": authority}
    if front_proxy is not None:
        data |= {
            "requestheader-client-ca-file": front_proxy.authority.decode(),
            "requestheader-allowed-names": _list(front_proxy.name),
            "requestheader-username-headers": _list("X-Remote-User"),
            "requestheader-uid-headers": _list("X-Remote-Uid"),
            "requestheader-group-headers": _list("X-Remote-Group"),
            "requestheader-extra-headers-prefix": _list("X-Remote-Extra-"),
        }
    try:
        found = await client.get(CONFIG_MAPS, NAME, NAMESPACE)
    except StatusError as error:
        if not is_not_found(error):
            raise
        await client.create(CONFIG_MAPS, ConfigMap(metadata=ObjectMeta(name=NAME, namespace=NAMESPACE), data=data))
        return
    if dict(found.data) != data:
        await client.update(CONFIG_MAPS, replace(found, data=data))


def _list(*values: str) -> str:
    return msgspec.json.encode(values).decode()
