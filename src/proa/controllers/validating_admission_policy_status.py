"""Type checking of validating admission policies: warnings in their status, from the types that OpenAPI publishes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from proa.api.admissionregistration_v1 import ValidatingAdmissionPolicy
from proa.api.admissionregistration_v1.resources import VALIDATING_ADMISSION_POLICIES
from proa.control.controller import Context, Controller
from proa.control.outcome import DONE, Outcome
from proa.control.triggers import For, Trigger
from proa.machinery.status import StatusError, is_not_found

MANAGER = "validatingadmissionpolicy-status"
_MOST_TYPES = 10


class ValidatingAdmissionPolicyStatusController(Controller):
    name = "validatingadmissionpolicy-status"
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._policies = context.informer(VALIDATING_ADMISSION_POLICIES)

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(VALIDATING_ADMISSION_POLICIES),)

    async def reconcile(self, key: str) -> Outcome:
        policy = self._policies.get(key)
        if policy is None or (policy.metadata.generation or 0) <= policy.status.observedGeneration:
            return DONE
        warnings = await self._warnings(policy)
        checked = {"expressionWarnings": [{"fieldRef": field, "warning": text} for field, text in warnings]}
        status = {"observedGeneration": policy.metadata.generation, "typeChecking": checked if warnings else {}}
        body = {
            "apiVersion": VALIDATING_ADMISSION_POLICIES.api_version,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": key},
            "status": status,
        }
        try:
            await self.client.patch(
                VALIDATING_ADMISSION_POLICIES,
                key,
                "",
                body,
                type="apply",
                subresource="status",
                field_manager=MANAGER,
                force=True,
            )
        except StatusError as error:
            if not is_not_found(error):
                raise
        return DONE

    async def _warnings(self, policy: ValidatingAdmissionPolicy) -> Sequence[tuple[str, str]]:
        from proa.machinery.expressions.type_checking import Kind, warnings_of  # with it comes the language
        from proa.machinery.expressions.typing import type_of_kind

        published = _Published(self.client)
        kinds = [Kind(*each) for each in await self._kinds(policy, published)]
        objects = {each: type_of_kind(await published.openapi(each.group, each.version), *each) for each in kinds}
        params = None
        wanted = policy.spec.paramKind
        if wanted is not None:
            group, _, version = wanted.apiVersion.rpartition("/")
            params = type_of_kind(await published.openapi(group, version), group, version, wanted.kind)
        known = {kind: of for kind, of in objects.items() if of is not None}
        return warnings_of(policy.spec, known, params)

    async def _kinds(self, policy: ValidatingAdmissionPolicy, published: _Published) -> Sequence[tuple[str, str, str]]:
        """What the policy is about, as far as its rules name it."""
        constraints = policy.spec.matchConstraints
        found: set[tuple[str, str, str]] = set()
        for rule in constraints.resourceRules if constraints is not None else ():
            for group, version, plural in _named(rule):
                kind = await published.kind(group, version, plural)
                if kind:
                    found.add((group, version, kind))
                if len(found) == _MOST_TYPES:
                    return sorted(found)
        return sorted(found)


def _named(rule: Any) -> Iterable[tuple[str, str, str]]:
    if any("*" in each for each in (*rule.apiGroups, *rule.apiVersions)):
        return ()
    plurals = sorted(each for each in rule.resources if "*" not in each and "/" not in each)
    return [
        (group, version, plural)
        for group in sorted(rule.apiGroups)
        for version in sorted(rule.apiVersions)
        for plural in plurals
    ]


class _Published:
    """Discovery and OpenAPI, each document asked for once; empty where there is none."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._documents: dict[str, dict[str, Any]] = {}

    async def kind(self, group: str, version: str, plural: str) -> str:
        document = await self._get(f"/{_root(group, version)}")
        return next((str(each["kind"]) for each in document.get("resources", ()) if each["name"] == plural), "")

    async def openapi(self, group: str, version: str) -> dict[str, Any]:
        return await self._get(f"/openapi/v3/{_root(group, version)}")

    async def _get(self, path: str) -> dict[str, Any]:
        if path not in self._documents:
            try:
                self._documents[path] = await self._client.document("GET", path)
            except StatusError as error:
                if not is_not_found(error):
                    raise
                self._documents[path] = {}
        return self._documents[path]


def _root(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"
