"""Gives every namespace the ServiceAccount `default`, under which pods run that name no other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from proa.api.core_v1 import ServiceAccount
from proa.api.core_v1.resources import NAMESPACES, SERVICE_ACCOUNTS
from proa.base.errors import ProaError
from proa.control.controller import Context, Controller
from proa.control.outcome import DONE, Outcome
from proa.control.pods import says_namespace_terminates
from proa.control.triggers import For, Maps, Trigger
from proa.machinery.meta import ObjectMeta
from proa.machinery.status import is_already_exists

DEFAULT = "default"


class ServiceAccountController(Controller):
    name = "serviceaccount"
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._namespaces = context.informer(NAMESPACES)
        self._accounts = context.informer(SERVICE_ACCOUNTS)

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(NAMESPACES), Maps(SERVICE_ACCOUNTS, _namespace_of_lost_default))

    async def reconcile(self, key: str) -> Outcome:
        namespace = self._namespaces.get(key)
        if namespace is None or namespace.metadata.deletionTimestamp is not None:
            return DONE
        if f"{key}/{DEFAULT}" in self._accounts:
            return DONE
        try:
            meta = ObjectMeta(name=DEFAULT, namespace=key)
            await self.client.create(SERVICE_ACCOUNTS, ServiceAccount(metadata=meta))
        except ProaError as error:
            if not is_already_exists(error) and not says_namespace_terminates(error):
                raise
        return DONE


def _namespace_of_lost_default(old: Any, new: Any) -> Iterable[str]:
    if new is None and old.metadata.name == DEFAULT:
        yield old.metadata.namespace
