"""ServiceAccount: every pod runs as a service account that exists, and finds that account's token mounted.

Source: the ServiceAccount admission plugin and bound token volumes (KEP-1205).
"""

from __future__ import annotations

import asyncio
from typing import Any

from proa.api.core_v1 import ServiceAccount as Account
from proa.api.core_v1.resources import SERVICE_ACCOUNTS
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import PluginContext
from proa.machinery.names import suffix
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError, forbidden, is_not_found

DEFAULT = "default"
MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUME_PREFIX = "kube-api-access-"
# A little more than an hour, so that a client which renews hourly never holds an expired token.
TOKEN_SECONDS = 3607
MIRROR = "kubernetes.io/config.mirror"
# The account `default` appears a moment after its namespace; a pod made in that moment waits for it.
_PATIENCE = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)

Document = dict[str, Any]


class ServiceAccount:
    name = "ServiceAccount"

    def __init__(self, context: PluginContext) -> None:
        self._client = context.client
        self._accounts = context.informers.informer(SERVICE_ACCOUNTS)
        self._random = context.random

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return operation == "CREATE" and resource.qualified == "pods" and not subresource

    async def mutate(self, attributes: Attributes) -> None:
        document = attributes.document
        assert document is not None
        spec = document["spec"]
        if MIRROR in (document["metadata"].get("annotations") or {}):
            self._check_mirror(attributes, spec)
            return
        name = spec.get("serviceAccountName") or DEFAULT
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        account = await self._account(attributes, name)
        if _mounts_token(spec, account):
            self._mount_token(spec)
        if not spec.get("imagePullSecrets") and account.imagePullSecrets:
            spec["imagePullSecrets"] = [{"name": each.name} for each in account.imagePullSecrets]

    def _check_mirror(self, attributes: Attributes, spec: Document) -> None:
        if spec.get("serviceAccountName"):
            raise forbidden(attributes.resource, attributes.name, "a mirror pod may not reference service accounts")

    async def _account(self, attributes: Attributes, name: str) -> Account:
        key = f"{attributes.namespace}/{name}"
        found = self._accounts.get(key)
        if found is not None:
            return found
        for wait in (*(_PATIENCE if name == DEFAULT else ()), 0.0):
            try:
                return await self._client.get(SERVICE_ACCOUNTS, name, attributes.namespace)
            except StatusError as error:
                if not is_not_found(error):
                    raise
                reason = error.message
            await asyncio.sleep(wait)
        raise forbidden(attributes.resource, attributes.name, f"error looking up service account {key}: {reason}")

    def _mount_token(self, spec: Document) -> None:
        containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
        without = [each for each in containers if not _has_mount(each)]
        if not without:
            return
        volumes = spec.setdefault("volumes", [])
        name = next((each["name"] for each in volumes if each["name"].startswith(VOLUME_PREFIX)), "")
        if not name:
            name = VOLUME_PREFIX + suffix(self._random)
            volumes.append(_token_volume(name))
        for container in without:
            container.setdefault("volumeMounts", []).append({"name": name, "readOnly": True, "mountPath": MOUNT_PATH})


def _mounts_token(spec: Document, account: Account) -> bool:
    choice = spec.get("automountServiceAccountToken")
    if choice is None:
        choice = account.automountServiceAccountToken
    return choice is not False


def _has_mount(container: Document) -> bool:
    return any(each.get("mountPath") == MOUNT_PATH for each in container.get("volumeMounts") or ())


def _token_volume(name: str) -> Document:
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    return {
        "name": name,
        "projected": {
            "defaultMode": 420,
            "sources": [
                {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [namespace]}},
            ],
        },
    }
