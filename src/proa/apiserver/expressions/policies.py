"""The admission policies and bindings there are now, and which of them such a write concerns.

Kept when they change, so that a write costs one look into a table, and nothing where there is no policy. A policy
without a binding does nothing. What both kinds share. Not here: what a policy says (`validating`, `mutating`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import msgspec

from proa.api.core_v1.resources import NAMESPACES
from proa.apiserver import keys
from proa.apiserver.admission import Attributes
from proa.apiserver.expressions.params import ConfigurationError, Document, Params
from proa.apiserver.expressions.scope import Narrowed, Scope
from proa.apiserver.matching import NamespaceLabels, configures_admission
from proa.apiserver.webhooks.versions import Documents
from proa.machinery import status as failures
from proa.machinery.decode import to_document
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError

if TYPE_CHECKING:
    from proa.apiserver.plugins.context import PluginContext

_PATIENCE = 10.0
_NEVER = frozenset({"authentication.k8s.io", "authorization.k8s.io"})
"""Groups of questions, which nobody stores."""


C = TypeVar("C")
"""What the spec of a policy is compiled to."""


class Policy(msgspec.Struct, Generic[C], eq=False):
    """A policy as declared. Compiled when it first matches."""

    declared: Any
    compile: Callable[[Any], C]
    scope: Scope
    _compiled: C | None = None

    @property
    def name(self) -> str:
        return str(self.declared.metadata.name)

    @property
    def ignores_failure(self) -> bool:
        return bool(self.declared.spec.failurePolicy == "Ignore")

    @property
    def compiled(self) -> C:
        if self._compiled is None:
            self._compiled = self.compile(self.declared.spec)
        return self._compiled


class Binding(msgspec.Struct, frozen=True, eq=False):
    declared: Any
    scope: Scope

    @property
    def name(self) -> str:
        return str(self.declared.metadata.name)


class Concern(NamedTuple):
    """A policy that such writes concern, and those of its bindings that they concern."""

    policy: Policy[Any]
    scope: Narrowed
    bindings: tuple[tuple[Binding, Narrowed], ...]


class Invocation(NamedTuple):
    """One policy by one binding with one parameter, about one write."""

    policy: Policy[Any]
    binding: Binding
    param: Document | None
    version: Resource[Any]


class Misconfigured(NamedTuple):
    """Why a policy, or a binding of it, cannot say anything."""

    policy: Policy[Any]
    binding: Binding | None
    message: str


def policies_of(
    context: PluginContext, policies: Resource[Any], bindings: Resource[Any], compile: Callable[[Any], C]
) -> Policies[C] | None:
    """None where there is no server, or where it serves no such policies."""
    if context.server is None or policies not in context.server.resources():
        return None
    return Policies(context, policies, bindings, compile)


class Policies(Generic[C]):
    """Every policy of one kind, by name, with its bindings by name."""

    def __init__(
        self, context: PluginContext, policies: Resource[Any], bindings: Resource[Any], compile: Callable[[Any], C]
    ) -> None:
        assert context.server is not None
        self.server = context.server
        self._client = context.client
        self._compile = compile
        self._informers = (context.informers.informer(policies), context.informers.informer(bindings))
        self._namespaces = context.informers.informer(NAMESPACES)
        self._labels = NamespaceLabels(context.client, context.informers)
        self._params = Params(context.client, context.server.resources)
        self._policies: dict[str, Policy[C]] = {}
        self._bindings: dict[str, Binding] = {}
        self._served: tuple[Resource[Any], ...] = ()
        self._concerns: dict[tuple[Resource[Any], str, str], tuple[Concern, ...]] = {}
        self._informers[0].on_change(self._policy_changed)
        self._informers[1].on_change(self._binding_changed)

    @property
    def idle(self) -> bool:
        """Whether it is certain that there are none."""
        return not self._policies and self._informers[0].is_synced

    @staticmethod
    def handles(resource: Resource[Any]) -> bool:
        return not configures_admission(resource) and resource.group not in _NEVER

    # What is there

    def _policy_changed(self, old: Any, new: Any) -> None:
        if new is None:
            self._policies.pop(old.metadata.name, None)
        else:
            self._policies[new.metadata.name] = Policy(new, self._compile, Scope.of(new.spec.matchConstraints))
        self._concerns.clear()

    def _binding_changed(self, old: Any, new: Any) -> None:
        if new is None:
            self._bindings.pop(old.metadata.name, None)
        else:
            self._bindings[new.metadata.name] = Binding(new, Scope.of(new.spec.matchResources))
        self._concerns.clear()

    async def concerning(self, attributes: Attributes) -> Sequence[Concern]:
        """The policies whose rules name such writes. Raises StatusError 403 while it cannot be known."""
        for each in self._informers:
            if not each.is_synced:
                try:
                    async with asyncio.timeout(_PATIENCE):
                        await each.synced()
                except TimeoutError:
                    raise failures.forbidden(attributes.resource, "", "not yet ready to handle request") from None
        served = self.server.resources()
        if served is not self._served:
            self._served = served
            self._concerns.clear()
        key = (attributes.resource, attributes.subresource, attributes.operation)
        found = self._concerns.get(key)
        if found is None:
            found = self._concerns[key] = tuple(self._concerned(*key))
        return found

    def _concerned(self, resource: Resource[Any], subresource: str, operation: str) -> Sequence[Concern]:
        prefix = keys.prefix(resource)
        equivalents = [
            each
            for each in self._served
            if each != resource
            and keys.prefix(each) == prefix
            and (not subresource or each.subresource(subresource) is not None)
        ]
        found = []
        for _, policy in sorted(self._policies.items()):
            scope = policy.scope.narrowed(resource, subresource, operation, equivalents)
            if scope is None:
                continue
            bindings = [
                (binding, narrowed)
                for _, binding in sorted(self._bindings.items())
                if binding.declared.spec.policyName == policy.name
                and (narrowed := binding.scope.narrowed(resource, subresource, operation, equivalents)) is not None
            ]
            if bindings:
                found.append(Concern(policy, scope, tuple(bindings)))
        return found

    # One write

    async def invocations(self, attributes: Attributes) -> tuple[Sequence[Invocation], Sequence[Misconfigured]]:
        """What is to be asked about a write, and what cannot be."""
        asked: list[Invocation] = []
        wrong: list[Misconfigured] = []
        for concern in await self.concerning(attributes):
            try:
                version = await concern.scope.match(attributes, self._labels)
                kind = concern.policy.declared.spec.paramKind
                resource = None if version is None or kind is None else self._params.resource_of(kind)
            except (ConfigurationError, StatusError) as error:
                wrong.append(Misconfigured(concern.policy, None, f"failed to configure policy: {_said(error)}"))
                continue
            if version is None:
                continue
            for binding, scope in concern.bindings:
                try:
                    if await scope.match(attributes, self._labels) is None:
                        continue
                    ref = binding.declared.spec.paramRef
                    params = await self._params.collect(resource, ref, attributes.namespace)
                except (ConfigurationError, StatusError) as error:
                    wrong.append(Misconfigured(concern.policy, binding, f"failed to configure binding: {_said(error)}"))
                    continue
                asked += [Invocation(concern.policy, binding, each, version) for each in params]
        return asked, wrong

    async def namespace_of(self, attributes: Attributes) -> Document | None:
        """The namespace a write is in, as `namespaceObject` shows it. Raises StatusError 404."""
        if not attributes.namespace or attributes.resource == NAMESPACES:
            return None
        found = self._namespaces.get(attributes.namespace) or await self._client.get(NAMESPACES, attributes.namespace)
        document = to_document(found)
        metadata = {name: each for name, each in document["metadata"].items() if name not in _NOT_SHOWN}
        return {**document, "metadata": metadata}

    async def as_version(self, attributes: Attributes, version: Resource[Any]) -> Attributes:
        """A write as a policy sees it that has matched it as another version. Raises StatusError."""
        if version == attributes.resource:
            return attributes
        seen = await self.documents(attributes, version)
        return replace(attributes, document=seen.document, old=seen.old)

    async def documents(self, attributes: Attributes, version: Resource[Any]) -> Documents:
        """The documents of a write as another version. Raises StatusError."""
        seen = Documents(attributes.resource, attributes.document, attributes.old)
        return await seen.as_(version, self.server.registry)


_NOT_SHOWN = frozenset({"managedFields", "ownerReferences"})


def _said(error: ConfigurationError | StatusError) -> str:
    return error.message if isinstance(error, StatusError) else str(error)
