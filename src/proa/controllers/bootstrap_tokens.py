"""Bootstrap tokens: those that have expired are deleted, and the ConfigMap cluster-info is signed with the others.

A new node reads cluster-info without being anybody, and believes it when its own token has signed it. Facts about
tokens are in `rules.bootstrap_tokens`; who publishes cluster-info is not ours to say.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from proa.api.core_v1 import ConfigMap, Secret
from proa.api.core_v1.resources import CONFIG_MAPS, SECRETS
from proa.control.controller import Context, Controller
from proa.control.deletion import delete_exactly
from proa.control.outcome import DONE, Outcome, requeue_after
from proa.control.triggers import For, Maps, Trigger
from proa.rules import bootstrap_tokens as facts

CLUSTER_INFO = "kube-public/cluster-info"
_SIGNED = "kubeconfig"
_SIGNATURE = "jws-kubeconfig-"


def _is_token(secret: Secret) -> bool:
    return secret.type == facts.TYPE and secret.metadata.namespace == facts.NAMESPACE


class BootstrapTokenCleaner(Controller):
    name = "token-cleaner"
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._secrets = context.informer(SECRETS)

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(SECRETS, when=lambda old, new: new is not None and _is_token(new)),)

    async def reconcile(self, key: str) -> Outcome:
        secret = self._secrets.get(key)
        left = None if secret is None or not _is_token(secret) else facts.seconds_left(secret, self.now())
        if secret is None or left is None:
            return DONE
        if left > 0:
            return requeue_after(left)
        await delete_exactly(self.client, SECRETS, secret, unless_changed=True)
        return DONE


class BootstrapSigner(Controller):
    name = "bootstrap-signer"
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._secrets = context.informer(SECRETS)
        self._config_maps = context.informer(CONFIG_MAPS)

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (Maps(CONFIG_MAPS, _cluster_info), Maps(SECRETS, _signing_again))

    async def reconcile(self, key: str) -> Outcome:
        info = self._config_maps.get(key)
        if info is None or _SIGNED not in info.data:
            return DONE
        signed = self._signed(info)
        if signed != dict(info.data):
            await self.client.update(CONFIG_MAPS, msgspec.structs.replace(info, data=signed))
        return DONE

    def _signed(self, info: ConfigMap) -> dict[str, str]:
        """The entries with one signature for each token, and none besides."""
        data = {name: value for name, value in info.data.items() if not name.startswith(_SIGNATURE)}
        for secret in self._secrets.list(facts.NAMESPACE):
            token = facts.signing_key(secret, self.now())
            if token is not None:
                data[f"{_SIGNATURE}{token[0]}"] = detached_signature(info.data[_SIGNED], *token)
        return data


def detached_signature(content: str, identity: str, key: str) -> str:
    """A JSON Web Signature (RFC 7515, HS256) that leaves its content out."""
    header = _encoded(json.dumps({"alg": "HS256", "kid": identity}, separators=(",", ":")).encode())
    signed = f"{header}.{_encoded(content.encode())}".encode()
    return f"{header}..{_encoded(hmac.digest(key.encode(), signed, hashlib.sha256))}"


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _cluster_info(old: Any, new: Any) -> Iterable[str]:
    meta = (new if new is not None else old).metadata
    if f"{meta.namespace}/{meta.name}" == CLUSTER_INFO:
        yield CLUSTER_INFO


def _signing_again(old: Any, new: Any) -> Iterable[str]:
    if any(each is not None and _is_token(each) for each in (old, new)):
        yield CLUSTER_INFO
