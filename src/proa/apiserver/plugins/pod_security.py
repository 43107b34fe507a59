"""PodSecurity: pods keep to the standard that their namespace's labels ask for.

Pods are refused; of templates it is only warned, since the pods made of them will be refused. When a namespace becomes
stricter, those who change it are told of the pods that are there already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from proa.api.core_v1 import Pod, PodSpec
from proa.api.core_v1.resources import NAMESPACES, PODS
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.plugins.context import ConfigurationError, PluginContext
from proa.client.informer import NAMESPACE_INDEX
from proa.machinery.columns import dig
from proa.machinery.decode import to_typed
from proa.machinery.fields import ErrorList, Path
from proa.machinery.resource import Resource
from proa.machinery.status import invalid
from proa.rules.owners import controller_of
from proa.rules.pod_security import (
    PRIVILEGED,
    LabelError,
    Level,
    Policy,
    Subject,
    details,
    evaluate,
    policy_of,
    reasons,
)
from proa.rules.pod_security.policy import MODES, PREFIX

# How many pods of a namespace are looked at when it becomes stricter.
MOST_PODS = 3000
_AT_ONCE = 100
_SUBRESOURCES = frozenset({"exec", "attach", "binding", "eviction", "log", "portforward", "proxy", "status"})
_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "podtemplates": ("template",),
    "cronjobs.batch": ("spec", "jobTemplate", "spec", "template"),
    **dict.fromkeys(
        (
            "daemonsets.apps",
            "deployments.apps",
            "jobs.batch",
            "replicasets.apps",
            "replicationcontrollers",
            "statefulsets.apps",
        ),
        ("spec", "template"),
    ),
}


class PodSecurity:
    name = "PodSecurity"

    def __init__(self, context: PluginContext) -> None:
        self._client = context.client
        self._namespaces = context.informers.informer(NAMESPACES)
        self._pods = context.informers.informer(PODS)
        self._defaults, self._exempt = _configured(context.configuration.get(self.name, {}))

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        if operation not in ("CREATE", "UPDATE"):
            return False
        if resource.qualified == "pods":
            return subresource not in _SUBRESOURCES
        return not subresource and (resource.qualified == "namespaces" or resource.qualified in _TEMPLATES)

    async def validate(self, attributes: Attributes) -> None:
        resource = attributes.resource
        if resource.qualified == "namespaces":
            await self._check_namespace(attributes)
            return
        exempt = self._exempt
        if attributes.namespace in exempt["namespaces"] or attributes.user.name in exempt["usernames"]:
            reason = "namespace" if attributes.namespace in exempt["namespaces"] else "user"
            attributes.annotations[PREFIX + "exempt"] = reason
            return
        namespace = self._namespaces.get(attributes.namespace)
        if namespace is None:
            namespace = await self._client.get(NAMESPACES, attributes.namespace)
        policy, errors = policy_of(namespace.metadata.labels, self._defaults)
        if resource.qualified == "pods":
            if (errors or not policy.is_fully_privileged) and _is_significant(attributes):
                self._check(attributes, policy, errors, attributes.document, enforced=True)
            elif not errors:
                attributes.annotations[PREFIX + "enforce-policy"] = str(policy.enforce)
        elif errors or policy.warn.name != PRIVILEGED or policy.audit.name != PRIVILEGED:
            template = dig(attributes.document, *_TEMPLATES[resource.qualified])
            if template is not None:
                self._check(attributes, policy, errors, template, enforced=False)

    def _check(
        self, attributes: Attributes, policy: Policy, errors: Sequence[LabelError], document: Any, *, enforced: bool
    ) -> None:
        subject = _subject(document)
        if subject.spec.runtimeClassName and subject.spec.runtimeClassName in self._exempt["runtimeClasses"]:
            attributes.annotations[PREFIX + "exempt"] = "runtimeClass"
            return
        told = attributes.annotations
        if errors:
            told[PREFIX + "error"] = f"Failed to parse policy: {_label_errors(errors).message}"
        audited = evaluate(policy.audit, subject)
        if audited:
            told[PREFIX + "audit-violations"] = f'would violate PodSecurity "{policy.audit}": {details(audited)}'
        if enforced:
            told[PREFIX + "enforce-policy"] = str(policy.enforce)
            violations = evaluate(policy.enforce, subject)
            if violations:
                raise attributes.forbidden(f'violates PodSecurity "{policy.enforce}": {details(violations)}')
        warned = evaluate(policy.warn, subject)
        if warned:
            attributes.warnings.append(f'would violate PodSecurity "{policy.warn}": {details(warned)}')

    # -- namespaces -----------------------------------------------------------------------------------------------

    async def _check_namespace(self, attributes: Attributes) -> None:
        document, old = attributes.document, attributes.old
        labels = dig(document, "metadata", "labels") or {}
        before = dig(old, "metadata", "labels") or {}
        if old is not None and labels == before:
            return
        policy, errors = policy_of(labels, self._defaults)
        previous, old_errors = policy_of(before, self._defaults)
        name = dig(document, "metadata", "name") or attributes.name
        if errors and (old is None or errors != old_errors):
            raise invalid("", "Namespace", name, _label_errors(errors))
        enforce = policy.enforce
        if old is not None and (
            enforce == previous.enforce
            or enforce.name == PRIVILEGED
            or (enforce.version == previous.enforce.version and not enforce.is_stricter_than(previous.enforce))
        ):
            return
        if name in self._exempt["namespaces"]:
            attributes.warnings.extend(self._ignored(name, policy, labels))
        elif old is not None:
            attributes.warnings.extend(await self._violating_pods(name, enforce))

    def _ignored(self, name: str, policy: Policy, labels: Mapping[str, str]) -> Iterable[str]:
        if policy.is_fully_privileged or policy.is_like(self._defaults):
            return
        said = [
            f"{mode}={level}"
            for mode, level in zip(MODES, (policy.enforce, policy.audit, policy.warn), strict=True)
            if level.name != PRIVILEGED and (PREFIX + mode in labels or f"{PREFIX}{mode}-version" in labels)
        ]
        yield f'namespace "{name}" is exempt from Pod Security, and the policy ({", ".join(said)}) will be ignored'

    async def _violating_pods(self, namespace: str, enforce: Level) -> Sequence[str]:
        """Warnings about pods that are there; of those with one controller the first counts first."""
        pods = self._prioritized(namespace)
        checked = pods[:MOST_PODS]
        found: dict[str, list[str]] = {}
        for number, pod in enumerate(checked):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
            violations = evaluate(enforce, Subject(pod.metadata.annotations, pod.spec))
            if violations:
                found.setdefault(reasons(violations), []).append(pod.metadata.name)
        warnings = []
        if len(checked) < len(pods):
            partial = f"the first {len(checked)} of {len(pods)} existing pods"
            warnings.append(f"new PodSecurity enforce level only checked against {partial}")
        if found:
            violating = f'existing pods in namespace "{namespace}" violate'
            warnings.append(f'{violating} the new PodSecurity enforce level "{enforce}"')
        return [*warnings, *sorted(f"{_names(names)}: {why}" for why, names in found.items())]

    def _prioritized(self, namespace: str) -> list[Pod]:
        first: list[Pod] = []
        others: list[Pod] = []
        seen: set[str] = set()
        for pod in self._pods.by_index(NAMESPACE_INDEX, namespace):
            if pod.spec.runtimeClassName and pod.spec.runtimeClassName in self._exempt["runtimeClasses"]:
                continue
            owner = controller_of(pod)
            (others if owner is not None and owner.uid in seen else first).append(pod)
            if owner is not None:
                seen.add(owner.uid)
        return first + others


def _subject(document: Mapping[str, Any]) -> Subject:
    annotations = dig(document, "metadata", "annotations") or {}
    return Subject(annotations, to_typed(dict(document.get("spec") or {}), PodSpec))


def _is_significant(attributes: Attributes) -> bool:
    """Whether an update changes anything that a control could look at: of a pod that is only images, and new
    ephemeral containers."""
    if attributes.old is None:
        return True
    new, old = dig(attributes.document, "spec") or {}, dig(attributes.old, "spec") or {}
    for field in ("containers", "initContainers"):
        if _images(new.get(field)) != _images(old.get(field)):
            return True
    before = dict(_images(old.get("ephemeralContainers")))
    return any(before.get(name, "") != image for name, image in _images(new.get("ephemeralContainers")))


def _images(containers: Iterable[Mapping[str, Any]] | None) -> list[tuple[str, str]]:
    return [(each.get("name", ""), each.get("image", "")) for each in containers or ()]


def _label_errors(errors: Iterable[LabelError]) -> ErrorList:
    found = ErrorList()
    for each in errors:
        found.invalid(Path("metadata", "labels").key(each.label), each.value, each.why)
    return found


def _names(names: Sequence[str]) -> str:
    match len(names):
        case 1:
            return names[0]
        case 2:
            return f"{min(names)} (and 1 other pod)"
        case _:
            return f"{min(names)} (and {len(names) - 1} other pods)"


def _configured(configuration: Mapping[str, Any]) -> tuple[Policy, Mapping[str, frozenset[str]]]:
    """The defaults and exemptions of a PodSecurityConfiguration."""
    defaults = {PREFIX + name: value for name, value in (configuration.get("defaults") or {}).items() if value}
    policy, errors = policy_of({PREFIX + "enforce": PRIVILEGED, f"{PREFIX}warn": PRIVILEGED, **defaults}, Policy())
    if errors:
        wrong = ", ".join(f"defaults.{each.label.removeprefix(PREFIX)}: {each.value!r} {each.why}" for each in errors)
        raise ConfigurationError(f"PodSecurity: {wrong}")
    exemptions = configuration.get("exemptions") or {}
    kinds = ("namespaces", "usernames", "runtimeClasses")
    return policy, {kind: frozenset(exemptions.get(kind) or ()) for kind in kinds}
