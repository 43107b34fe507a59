"""Asking admission webhooks about one write: who is to be asked, the question, and what a failure means.

What mutating and validating webhooks share. Not here: in which order they are asked and what their answers do
(`plugins.mutating_webhooks`, `plugins.validating_webhooks`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

from proa.apiserver.admission import Attributes
from proa.apiserver.matching import NamespaceLabels, object_matches
from proa.apiserver.webhooks.client import WebhookClient, WebhookFailure
from proa.apiserver.webhooks.hooks import Concern, Hook, Hooks
from proa.apiserver.webhooks.metrics import CALLING, INTERNAL, REFUSED
from proa.apiserver.webhooks.mutation import Mutation
from proa.apiserver.webhooks.review import Response, checked, patch_of, refusal, review, review_version
from proa.apiserver.webhooks.versions import Documents
from proa.machinery import status as failures
from proa.machinery.fields import quoted
from proa.machinery.names import new_uid
from proa.machinery.resource import Resource

if TYPE_CHECKING:
    from proa.apiserver.expressions.match_conditions import MatchConditions
    from proa.apiserver.plugins.context import PluginContext
    from proa.apiserver.registry import Registry
    from proa.apiserver.webhooks.credentials import Credentials

log = logging.getLogger(__name__)

_NO_EFFECTS = ("None", "NoneOnDryRun")


class Server(Protocol):
    """What of the API server webhooks need."""

    webhooks: WebhookClient

    @property
    def elsewhere(self) -> Callable[[], AbstractContextManager[None]]: ...
    def resources(self) -> tuple[Resource[Any], ...]: ...
    def registry(self, resource: Resource[Any]) -> Registry: ...


class Answer(NamedTuple):
    """What an asked webhook allows, and how it wants the object to change."""

    response: Response
    patch: Sequence[Any]


def webhooks_of(
    context: PluginContext, plugin: str, configurations: Resource[Any], *, mutating: bool
) -> Webhooks | None:
    """None where there is no server, or where it serves no such configurations. Raises CredentialsError."""
    server, credentials, said = context.server, None, context.configuration.get(plugin)
    if said:  # kubeconfig files are nothing to load for those who have none
        from proa.apiserver.webhooks.credentials import configured

        credentials = configured(plugin, said)
    if server is None or configurations not in server.resources():
        return None
    return Webhooks(context, server, configurations, credentials, mutating=mutating)


class Webhooks:
    """The webhooks of one kind of configuration. mutating: whether their answers may change the object."""

    def __init__(
        self,
        context: PluginContext,
        server: Server,
        configurations: Resource[Any],
        credentials: Credentials | None,
        *,
        mutating: bool,
    ) -> None:
        self._context = context
        self.server = server
        self._namespaces = NamespaceLabels(context.client, context.informers)
        self._conditions: WeakKeyDictionary[Hook, MatchConditions] = WeakKeyDictionary()
        self._credentials = credentials
        self._mutating = mutating
        self._kind = "admit" if mutating else "validating"
        self.hooks = Hooks(context.informers, configurations, server.resources)

    async def documents(self, concern: Concern, attributes: Attributes) -> Documents | None:
        """A write as a webhook is to see it; None when it is not to be asked. Raises StatusError."""
        hook = concern.hook
        if not await self._namespaces.match(hook.namespaces, attributes):
            return None
        if not object_matches(hook.objects, attributes):
            return None
        made = Documents(attributes.resource, attributes.document, attributes.old)
        made = await made.as_(concern.version, self.server.registry)
        if self._mutating:
            made = Mutation.shown(made, attributes)
        if hook.spec.matchConditions and not await self._met(hook, attributes, made):
            return None
        return made

    async def _met(self, hook: Hook, attributes: Attributes, documents: Documents) -> bool:
        seen = replace(attributes, resource=documents.resource, document=documents.document, old=documents.old)
        match = await self._conditions_of(hook).evaluate(seen)
        if match.error is None:
            if not match.matches:
                self.server.webhooks.metrics.excluded(hook.name, self._kind, attributes.operation)
            return match.matches
        if hook.ignores_failure:
            log.warning("match conditions of webhook %s failed, it is not asked: %s", hook.name, match.error)
            return False
        raise failures.forbidden(attributes.resource, attributes.name, match.error)

    def _conditions_of(self, hook: Hook) -> MatchConditions:
        from proa.apiserver.expressions.match_conditions import MatchConditions

        found = self._conditions.get(hook)
        if found is None:
            plain = [{"name": each.name, "expression": each.expression} for each in hook.spec.matchConditions]
            found = self._conditions[hook] = MatchConditions(plain, self._context.authorizer)
        return found

    async def ask(self, concern: Concern, attributes: Attributes, documents: Documents) -> Answer | None:
        """The answer of a webhook that allows the write; None when it could not be asked and that is to be ignored.

        Raises StatusError: what it refuses with, or 500 when it could not be asked.
        """
        hook = concern.hook
        if attributes.dry_run and hook.spec.sideEffects not in _NO_EFFECTS:
            self._count(hook, attributes, 0.0, 0, INTERNAL)
            raise failures.bad_request(f"admission webhook {quoted(hook.name)} does not support dry run")
        began = monotonic()
        try:
            answer = await self._answer(hook, attributes, documents)
        except WebhookFailure as failure:
            ignored = hook.ignores_failure
            self._count(hook, attributes, monotonic() - began, failure.code, None if ignored else CALLING)
            why = f"failed calling webhook {quoted(hook.name)}: {failure.reason}"
            if not ignored:
                raise failures.internal_error(why) from None
            log.warning("%s: failing open", why)
            self.server.webhooks.metrics.failed_open(hook.name, self._kind)
            kind = "mutation" if self._mutating else "validating"
            where = f"round_{attributes.round}_index_{concern.position}"
            attributes.annotations[f"failed-open.{kind}.webhook.admission.k8s.io/{where}"] = hook.name
            return None
        took, response = monotonic() - began, answer.response
        for name, value in (response.auditAnnotations or {}).items():
            attributes.annotations[f"{hook.name}/{name}"] = value
        attributes.warnings.extend(response.warnings or ())
        if not response.allowed:
            refused = refusal(hook.name, response.status)
            self._count(hook, attributes, took, refused.code, REFUSED)
            raise refused
        self._count(hook, attributes, took, 200)
        return answer

    def _count(self, hook: Hook, attributes: Attributes, took: float, code: int, error: str | None = None) -> None:
        self.server.webhooks.metrics.asked(hook.name, self._kind, attributes.operation, took, code, error)

    async def _answer(self, hook: Hook, attributes: Attributes, documents: Documents) -> Answer:
        version = review_version(hook.spec.admissionReviewVersions)
        uid = new_uid(self._context.random)
        question = review(version, uid, attributes, documents.resource, documents.document, documents.old)
        try:
            tls, headers = await self._credentials.towards(hook.target) if self._credentials else (None, None)
            found = await self.server.webhooks.call(hook.target, question, hook.timeout, tls=tls, headers=headers)
        except WebhookFailure as failure:
            raise WebhookFailure(f"failed to call webhook: {failure.reason}", failure.code) from None
        response = checked(found, version, uid, mutating=self._mutating)
        return Answer(response, patch_of(response) if response.allowed else ())
