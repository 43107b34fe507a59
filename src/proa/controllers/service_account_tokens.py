"""Fills Secrets of type kubernetes.io/service-account-token with a token of the account they name, and deletes them
with it. (Pods get tokens of their own; such a Secret is made by hand, for a client outside that must not expire.)"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from proa.api.core_v1 import Secret, ServiceAccount
from proa.api.core_v1.resources import SECRETS, SERVICE_ACCOUNTS
from proa.control.controller import Context, Controller
from proa.control.deletion import delete_exactly
from proa.control.outcome import DONE, Outcome
from proa.control.triggers import For, Maps, Trigger
from proa.machinery.status import StatusError, is_not_found
from proa.pki.tokens import TokenSigner

TYPE = "kubernetes.io/service-account-token"
ACCOUNT_NAME = "kubernetes.io/service-account.name"
ACCOUNT_UID = "kubernetes.io/service-account.uid"
_INDEX = "token secrets by account"


class ServiceAccountTokenController(Controller):
    name = "serviceaccount-token"
    workers = 2

    def __init__(self, context: Context, signer: TokenSigner | None, root_ca: str) -> None:
        super().__init__(context)
        self._signer = signer
        self._root_ca = root_ca.encode()
        self._secrets = context.informer(SECRETS)
        self._secrets.add_index(_INDEX, _account_of)
        self._accounts = context.informer(SERVICE_ACCOUNTS)

    @property
    def triggers(self) -> Sequence[Trigger]:
        if self._signer is None:
            return ()
        return (For(SECRETS, when=_concerns_token), Maps(SERVICE_ACCOUNTS, self._secrets_of))

    def _secrets_of(self, old: Any, new: Any) -> Iterable[str]:
        """When an account comes or goes, its secrets."""
        if old is None or new is None:
            meta = (new if new is not None else old).metadata
            for secret in self._secrets.by_index(_INDEX, f"{meta.namespace}/{meta.name}"):
                yield f"{meta.namespace}/{secret.metadata.name}"

    async def reconcile(self, key: str) -> Outcome:
        namespace, _, name = key.partition("/")
        secret = self._secrets.get(key)
        if secret is None:
            await self._forget(namespace, name)
            return DONE
        if secret.type != TYPE or secret.metadata.deletionTimestamp is not None:
            return DONE
        account = await self._account(secret)
        if account is None:
            await self._delete(secret)
        elif (filled := self._filled(secret, account)) is not None:
            await self.client.update(SECRETS, filled)
        return DONE

    async def _account(self, secret: Secret) -> ServiceAccount | None:
        """The account the secret names; asked of the API where our copy has none, before anything is deleted."""
        meta = secret.metadata
        name, uid = meta.annotations.get(ACCOUNT_NAME, ""), meta.annotations.get(ACCOUNT_UID, "")
        account: ServiceAccount | None = self._accounts.get(f"{meta.namespace}/{name}")
        if account is None or (uid and account.metadata.uid != uid):
            try:
                account = await self.client.get(SERVICE_ACCOUNTS, name, meta.namespace)
            except StatusError as error:
                if not is_not_found(error):
                    raise
                return None
        return account if not uid or account.metadata.uid == uid else None

    def _filled(self, secret: Secret, account: ServiceAccount) -> Secret | None:
        """The secret with what it lacks; None when it lacks nothing."""
        meta, lacking = account.metadata, {}
        if self._root_ca and secret.data.get("ca.crt") != self._root_ca:
            lacking["ca.crt"] = self._root_ca
        if not secret.data.get("namespace"):
            lacking["namespace"] = meta.namespace.encode()
        if not secret.data.get("token"):
            assert self._signer is not None
            lacking["token"] = self._signer.issue_for_secret(
                namespace=meta.namespace, name=meta.name, uid=meta.uid, secret=secret.metadata.name
            ).encode()
        if not lacking:
            return None
        annotations = {**secret.metadata.annotations, ACCOUNT_NAME: meta.name, ACCOUNT_UID: meta.uid}
        metadata = msgspec.structs.replace(secret.metadata, annotations=annotations)
        return msgspec.structs.replace(secret, metadata=metadata, data={**secret.data, **lacking})

    async def _delete(self, secret: Secret) -> None:
        await delete_exactly(self.client, SECRETS, secret, unless_changed=True)

    async def _forget(self, namespace: str, name: str) -> None:
        """Take a secret that is gone out of the accounts that list it."""
        for account in self._accounts.list(namespace):
            kept = tuple(each for each in account.secrets if each.name != name)
            if len(kept) < len(account.secrets):
                await self.client.update(SERVICE_ACCOUNTS, msgspec.structs.replace(account, secrets=kept))


def _account_of(secret: Secret) -> Iterable[str]:
    name = secret.metadata.annotations.get(ACCOUNT_NAME, "")
    return (f"{secret.metadata.namespace}/{name}",) if secret.type == TYPE and name else ()


def _concerns_token(old: Secret | None, new: Secret | None) -> bool:
    secret = new if new is not None else old
    return secret is not None and secret.type == TYPE
