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
from proa.machinery.status import StatusError, is_not_found
from proa.rules.references import projects_token, secret_references

DEFAULT = "default"
MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUME_PREFIX = "kube-api-access-"
# A little more than an hour, so that a client which renews hourly never holds an expired token.
TOKEN_SECONDS = 3607
MIRROR = "kubernetes.io/config.mirror"
# The account `default` appears a moment after its namespace; a pod made in that moment waits for it.
_PATIENCE = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)

# An account with this annotation limits the secrets of its pods to those it names.
ENFORCE = "kubernetes.io/enforce-mountable-secrets"
_HANDLED = frozenset({("CREATE", ""), ("UPDATE", "ephemeralcontainers")})

Document = dict[str, Any]


class ServiceAccount:
    name = "ServiceAccount"

    def __init__(self, context: PluginContext) -> None:
        self._client = context.client
        self._accounts = context.informers.informer(SERVICE_ACCOUNTS)
        self._random = context.random

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return resource.qualified == "pods" and (operation, subresource) in _HANDLED

    async def mutate(self, attributes: Attributes) -> None:
        document = attributes.document
        assert document is not None
        spec = document["spec"]
        if attributes.subresource or _is_mirror(document):
            return
        name = spec.get("serviceAccountName") or DEFAULT
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        account = self._accounts.get(f"{attributes.namespace}/{name}") or await self._account(attributes, name)
        if _mounts_token(spec, account):
            self._mount_token(spec)
        if not spec.get("imagePullSecrets") and account.imagePullSecrets:
            spec["imagePullSecrets"] = [{"name": each.name} for each in account.imagePullSecrets]

    async def validate(self, attributes: Attributes) -> None:
        """What plugins and webhooks made of it must still hold."""
        document = attributes.document
        assert document is not None
        spec = document["spec"]
        if not attributes.subresource and _is_mirror(document):
            why = _mirror_refusal(spec)
            if why:
                raise attributes.forbidden(f"a mirror pod may not {why}")
            return
        name = spec.get("serviceAccountName") or ""
        if not name:
            who = f"{attributes.namespace}/{document['metadata'].get('name', '')}"
            raise attributes.forbidden(f"no service account specified for pod {who}")
        account = self._accounts.get(f"{attributes.namespace}/{name}") or await self._account(attributes, name)
        if account.metadata.annotations.get(ENFORCE) == "true":
            self._check_secrets(attributes, spec, account)

    def _check_secrets(self, attributes: Attributes, spec: Document, account: Account) -> None:
        """An account may say that its pods use only the secrets it names."""
        mountable = {each.name for each in account.secrets}
        debugging = attributes.subresource == "ephemeralcontainers"
        looked_at = {"ephemeralContainers": spec.get("ephemeralContainers")} if debugging else spec
        because = f"is not allowed because service account {account.metadata.name} does not reference that"
        for who, name in secret_references(looked_at):
            if name not in mountable:
                raise attributes.forbidden(f"{who} {because} secret")
        pulling = {each.name for each in account.imagePullSecrets}
        for position, each in enumerate(looked_at.get("imagePullSecrets") or ()):
            if each.get("name") not in pulling:
                who = f'imagePullSecrets[{position}].name="{each.get("name", "")}"'
                raise attributes.forbidden(f"{who} {because} imagePullSecret")

    async def _account(self, attributes: Attributes, name: str) -> Account:
        """One the informer does not know yet."""
        for wait in (*(_PATIENCE if name == DEFAULT else ()), 0.0):
            try:
                return await self._client.get(SERVICE_ACCOUNTS, name, attributes.namespace)
            except StatusError as error:
                if not is_not_found(error):
                    raise
                reason = error.message
            await asyncio.sleep(wait)
        raise attributes.forbidden(f"error looking up service account {attributes.namespace}/{name}: {reason}")

    def _mount_token(self, spec: Document) -> None:
        containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
        without = [each for each in containers if not _has_mount(each)]
        if not without:
            return
        volumes = spec.setdefault("volumes", [])
        names = [each["name"] for each in volumes if each["name"].startswith(VOLUME_PREFIX)]
        if names:
            name = names[0]
        else:
            name = VOLUME_PREFIX + suffix(self._random)
            volumes.append(_token_volume(name))
        for container in without:
            container.setdefault("volumeMounts", []).append({"name": name, "readOnly": True, "mountPath": MOUNT_PATH})


def _is_mirror(document: Document) -> bool:
    return MIRROR in (document["metadata"].get("annotations") or {})


def _mirror_refusal(spec: Document) -> str:
    """What a mirror pod may not and this one does: its kubelet has it from a file, not from the API."""
    if spec.get("serviceAccountName"):
        return "reference service accounts"
    if spec.get("imagePullSecrets") or next(secret_references(spec), None) is not None:
        return "reference secrets"
    return "use ServiceAccountToken volume projections" if projects_token(spec) else ""


def _mounts_token(spec: Document, account: Account) -> bool:
    choice = spec.get("automountServiceAccountToken")
    if choice is None:
        choice = account.automountServiceAccountToken
    return choice is not False


def _has_mount(container: Document) -> bool:
    mounts = container.get("volumeMounts")
    return mounts is not None and any(each.get("mountPath") == MOUNT_PATH for each in mounts)


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
