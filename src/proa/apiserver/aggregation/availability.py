"""Whether each API service answers, said in its Available condition: looked at on every change and now and then.

Not here: what follows from it (`remote`, `discovery`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import aiohttp
from msgspec.structs import replace

from proa.aio.backoff import Backoff
from proa.api.apiregistration_v1 import APIService, APIServiceCondition
from proa.api.apiregistration_v1.resources import API_SERVICES
from proa.api.apiregistration_v1.strategies import LOCAL
from proa.api.core_v1 import Service
from proa.api.core_v1.resources import SERVICES
from proa.api.discovery_v1.resources import ENDPOINT_SLICES
from proa.apiserver.aggregation.extension import Extension, Extensions
from proa.client.informer import Informer
from proa.control.controller import Context, Controller
from proa.control.outcome import DONE, Outcome, requeue_after
from proa.control.status import find_condition, set_condition, update_status_if_changed
from proa.control.triggers import For, Maps, Trigger
from proa.machinery.status import StatusError
from proa.machinery.timestamps import format_time

_SERVICE = "service"
_SERVICE_NAME = "kubernetes.io/service-name"
_EVERY_SECONDS = 30.0
_RETRY = Backoff(base=0.1, factor=2.0, cap=_EVERY_SECONDS)
_ATTEMPTS = 5


class Unavailable(Exception):
    """Why an API service does not answer. asked: whether it was asked, so that only time can tell more."""

    def __init__(self, reason: str, message: str, *, asked: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.asked = asked


class Availability(Controller):
    name = "apiservice-availability"

    def __init__(self, context: Context, extensions: Extensions) -> None:
        super().__init__(context)
        self._extensions = extensions
        self._informer: Informer[APIService] = context.informer(API_SERVICES)
        self._informer.add_index(_SERVICE, _services_of)
        self._services = context.informer(SERVICES)
        self._slices = context.informer(ENDPOINT_SLICES)
        self._slices.add_index(_SERVICE, _service_of_slice)
        self._failures: dict[str, int] = {}
        self.losses: Counter[tuple[str, str]] = Counter()
        """How often APIServices were found to be no longer available, by their name and the reason."""

    @property
    def triggers(self) -> Sequence[Trigger]:
        own = For(API_SERVICES, when=_concerns)
        return (own, Maps(SERVICES, self._of_service), Maps(ENDPOINT_SLICES, self._of_slice))

    async def reconcile(self, key: str) -> Outcome:
        api_service = self._informer.get(key)
        if api_service is None:
            self._failures.pop(key, None)
            return DONE
        extension = Extension.of(api_service)
        if extension is None:
            await self._say(api_service, LOCAL["status"], LOCAL["reason"], LOCAL["message"])
            return DONE
        try:
            self._check_service(extension)
            await self._check_answer(extension)
        except Unavailable as error:
            await self._say(api_service, "False", error.reason, error.message)
            if not error.asked:
                return requeue_after(_EVERY_SECONDS, error.reason)
            failures = self._failures[key] = self._failures.get(key, -1) + 1
            return requeue_after(_RETRY.delay(failures), error.reason)
        self._failures.pop(key, None)
        await self._say(api_service, "True", "Passed", "all checks passed")
        return requeue_after(_EVERY_SECONDS)

    async def _say(self, api_service: APIService, status: str, reason: str, message: str) -> None:
        now = format_time(self.now())
        condition = APIServiceCondition(
            type=LOCAL["type"], status=status, reason=reason, message=message, lastTransitionTime=now
        )
        conditions = set_condition(api_service.status.conditions, condition)
        await update_status_if_changed(
            self.client, API_SERVICES, api_service, replace(api_service.status, conditions=conditions)
        )
        if status != "True" and is_available(api_service):
            self.losses[api_service.metadata.name, reason] += 1

    def _check_service(self, extension: Extension) -> None:
        """What the API itself tells, without asking the server. Raises Unavailable."""
        place = f'{extension.service} in "{extension.namespace}"'
        key = f"{extension.namespace}/{extension.service}"
        service: Service | None = self._services.get(key)
        if service is None:
            raise Unavailable("ServiceNotFound", f"service/{place} is not present")
        if service.spec.type != "ClusterIP":
            return
        port = next((each for each in service.spec.ports if each.port == extension.port), None)
        if port is None:
            raise Unavailable("ServicePortError", f"service/{place} is not listening on port {extension.port}")
        slices = self._slices.by_index(_SERVICE, key)
        if not slices:
            raise Unavailable("EndpointsNotFound", f"cannot find endpointslices for service/{place}")
        if not any(_serves(each, port.name) for each in slices):
            text = f'endpointslices for service/{place} have no addresses with port name "{port.name}"'
            raise Unavailable("MissingEndpoints", text)

    async def _check_answer(self, extension: Extension) -> None:
        """Any of its endpoints will do: several are asked at once. Raises Unavailable."""
        asking = {asyncio.create_task(self._ask(extension)) for _ in range(_ATTEMPTS)}
        wrong = ""
        try:
            while asking:
                done, asking = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
                for each in done:
                    wrong = each.result()
                    if not wrong:
                        return
        finally:
            for each in asking:
                each.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        raise Unavailable("FailedDiscoveryCheck", wrong, asked=True)

    async def _ask(self, extension: Extension) -> str:
        """'' or what is wrong."""
        url = f"https://{extension.service}.{extension.namespace}.svc:{extension.port}{extension.path}"
        try:
            answer = await self._extensions.ask(extension, extension.path)
        except StatusError as error:
            return error.message
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return f"failing or missing response from {url}: {str(error) or type(error).__name__}"
        if not 200 <= answer.status < 300:
            return f"failing or missing response from {url}: bad status from {url}: {answer.status}"
        return ""

    def _of_service(self, old: Any, new: Any) -> Iterable[str]:
        metadata = (new if new is not None else old).metadata
        return self._behind(f"{metadata.namespace}/{metadata.name}")

    def _of_slice(self, old: Any, new: Any) -> Iterable[str]:
        return {name for each in (old, new) if each is not None for key in _service_of_slice(each)
                for name in self._behind(key)}  # fmt: skip

    def _behind(self, service: str) -> Iterable[str]:
        return [each.metadata.name for each in self._informer.by_index(_SERVICE, service)]


def _concerns(old: APIService | None, new: APIService | None) -> bool:
    """Our own writes do not: they would have a server that does not answer asked without a pause."""
    return old is None or new is None or old.spec != new.spec


def _services_of(api_service: APIService) -> Iterable[str]:
    service = api_service.spec.service
    return () if service is None else (f"{service.namespace}/{service.name}",)


def _service_of_slice(piece: Any) -> Iterable[str]:
    name = piece.metadata.labels.get(_SERVICE_NAME)
    return () if name is None else (f"{piece.metadata.namespace}/{name}",)


def _serves(piece: Any, port: str) -> bool:
    return any(each.conditions.ready is not False for each in piece.endpoints) and any(
        (each.name or "") == port and each.port is not None for each in piece.ports
    )


def is_available(api_service: APIService) -> bool:
    """What its status says."""
    condition = find_condition(api_service.status.conditions, "Available")
    return condition is not None and condition.status == "True"
