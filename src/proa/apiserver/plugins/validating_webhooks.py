"""ValidatingAdmissionWebhook: programs outside of the server that may refuse a write, all asked at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from proa.api.admissionregistration_v1.resources import VALIDATING_WEBHOOK_CONFIGURATIONS
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.matching import configures_admission
from proa.apiserver.plugins.context import PluginContext
from proa.apiserver.webhooks.admission import Webhooks, webhooks_of
from proa.apiserver.webhooks.hooks import Concern
from proa.apiserver.webhooks.versions import Documents
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError


class ValidatingWebhooks:
    name = "ValidatingAdmissionWebhook"

    def __init__(self, context: PluginContext) -> None:
        self._webhooks = webhooks_of(context, self.name, VALIDATING_WEBHOOK_CONFIGURATIONS, mutating=False)

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return self._webhooks is not None and not configures_admission(resource)

    def validate(self, attributes: Attributes) -> Awaitable[None] | None:
        webhooks = self._webhooks
        assert webhooks is not None
        return None if webhooks.hooks.idle else self._ask(webhooks, attributes)

    async def _ask(self, webhooks: Webhooks, attributes: Attributes) -> None:
        concerns = await webhooks.hooks.concerning(attributes.resource, attributes.subresource, attributes.operation)
        asked = [
            (concern, documents)
            for concern in concerns
            if (documents := await webhooks.documents(concern, attributes)) is not None
        ]
        refusals: list[StatusError] = []

        async def ask(concern: Concern, documents: Documents) -> None:
            try:
                await webhooks.ask(concern, attributes, documents)
            except StatusError as refusal:
                refusals.append(refusal)

        with webhooks.server.elsewhere():
            if len(asked) == 1:
                await ask(*asked[0])
            elif asked:
                async with asyncio.TaskGroup() as group:
                    for each in asked:
                        group.create_task(ask(*each))
        if refusals:
            raise refusals[0]
