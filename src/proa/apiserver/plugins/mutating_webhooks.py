"""MutatingAdmissionWebhook: programs outside of the server that may change or refuse a write, asked one by one.

Each sees what those before it made of the object. When one has changed it, all mutating plugins run once more, and of
the webhooks those that want to be asked again (reinvocationPolicy IfNeeded) and were asked before the change.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from proa.api.admissionregistration_v1.resources import MUTATING_WEBHOOK_CONFIGURATIONS
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.matching import configures_admission
from proa.apiserver.plugins.context import PluginContext
from proa.apiserver.webhooks.admission import Webhooks, webhooks_of
from proa.apiserver.webhooks.hooks import Hook
from proa.apiserver.webhooks.mutation import Mutation
from proa.machinery.resource import Resource


@dataclass(slots=True)
class _Rounds:
    """What one write must remember between its rounds."""

    willing: set[str] = field(default_factory=set)
    """Asked since the last change, and would like to be asked again after the next one."""
    due: set[str] = field(default_factory=set)
    """To be asked again in round 1."""
    result: bytes = b""
    """What the last webhook left."""

    def changed(self) -> None:
        self.due |= self.willing
        self.willing.clear()

    def asked(self, hook: Hook) -> None:
        if hook.spec.reinvocationPolicy == "IfNeeded":
            self.willing.add(hook.uid)


class MutatingWebhooks:
    name = "MutatingAdmissionWebhook"

    def __init__(self, context: PluginContext) -> None:
        self._webhooks = webhooks_of(context, self.name, MUTATING_WEBHOOK_CONFIGURATIONS, mutating=True)

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return self._webhooks is not None and not configures_admission(resource)

    def mutate(self, attributes: Attributes) -> Awaitable[None] | None:
        webhooks = self._webhooks
        assert webhooks is not None
        return None if webhooks.hooks.idle else self._ask(webhooks, attributes)

    async def _ask(self, webhooks: Webhooks, attributes: Attributes) -> None:
        concerns = await webhooks.hooks.concerning(attributes.resource, attributes.subresource, attributes.operation)
        if not concerns:
            return
        mutation = Mutation(webhooks.server)
        rounds: _Rounds = attributes.kept.setdefault(self.name, _Rounds())
        if attributes.round and rounds.result != _fingerprint(attributes):
            rounds.changed()
        for concern in concerns:
            hook = concern.hook
            documents = await webhooks.documents(concern, attributes)
            if documents is None or (attributes.round and hook.uid not in rounds.due):
                continue
            with webhooks.server.elsewhere():
                answer = await webhooks.ask(concern, attributes, documents)
            changed = answer is not None and await mutation.apply(answer.patch, hook.name, documents, attributes)
            mutation.annotate(concern, attributes, answer, changed=changed)
            if changed:
                rounds.changed()
                attributes.reinvoke = True
            rounds.asked(hook)
        rounds.result = _fingerprint(attributes)


def _fingerprint(attributes: Attributes) -> bytes:
    return msgspec.json.encode(attributes.document, order="sorted")
