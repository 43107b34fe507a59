"""OwnerReferencesPermissionEnforcement (opt-in): an owner reference deletes what it is on, so only those may change it
who may delete that; and one that blocks its owner's deletion needs the right to the owner's finalizers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.identity import AccessAttributes
from proa.apiserver.plugins.context import PluginContext
from proa.client.discovery import discover
from proa.machinery.columns import dig
from proa.machinery.resource import Resource

Reference = Mapping[str, Any]


class OwnerReferencesPermissionEnforcement:
    name = "OwnerReferencesPermissionEnforcement"

    def __init__(self, context: PluginContext) -> None:
        self._client = context.client
        self._authorizer = context.authorizer

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        # A pod's status cannot change its owners, and kubelets write it often.
        return operation in ("CREATE", "UPDATE") and (resource.qualified, subresource) != ("pods", "status")

    async def validate(self, attributes: Attributes) -> None:
        new, old = _owners(attributes.document), _owners(attributes.old)
        if new == old or self._authorizer is None:
            return
        if attributes.operation == "UPDATE":
            await self._check_delete(attributes)
        blocking = _newly_blocking(new, old)
        if blocking and not await self._may(attributes, "update", "*", "*", "finalizers", name="*"):
            for reference in blocking:
                await self._check_finalizers(attributes, reference)

    async def _check_delete(self, attributes: Attributes) -> None:
        resource = attributes.resource
        why = await self._refusal(
            AccessAttributes(
                attributes.user,
                "delete",
                resource.group,
                resource.version,
                resource.plural,
                attributes.subresource,
                attributes.namespace,
                attributes.name,
            )
        )
        if why is not None:
            raise attributes.forbidden(f"cannot set an ownerRef on a resource you can't delete: {why}, <nil>")

    async def _check_finalizers(self, attributes: Attributes, reference: Reference) -> None:
        api_version, kind = reference.get("apiVersion", ""), reference.get("kind", "")
        group = api_version.rpartition("/")[0]
        # A kind may have several resources; whoever blocks it must have the right to all.
        served = [each for each in (await discover(self._client)).resources if (each.group, each.kind) == (group, kind)]
        if not served:
            raise attributes.forbidden(
                "cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion "
                f'{api_version} Kind {kind}: no matches for kind "{kind}" in version "{api_version}"'
            )
        for each in served:
            why = await self._refusal(
                AccessAttributes(
                    attributes.user,
                    "update",
                    each.group,
                    each.version,
                    each.plural,
                    "finalizers",
                    attributes.namespace if each.namespaced else "",
                    reference.get("name", ""),
                )
            )
            if why is not None:
                raise attributes.forbidden(
                    "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers "
                    f"on: {why}, <nil>"
                )

    async def _may(
        self, attributes: Attributes, verb: str, group: str, resource: str, subresource: str, *, name: str
    ) -> bool:
        asked = AccessAttributes(attributes.user, verb, group, "*", resource, subresource, "", name)
        return await self._refusal(asked) is None

    async def _refusal(self, asked: AccessAttributes) -> str | None:
        """Why not; None when it is allowed."""
        assert self._authorizer is not None
        decision = await self._authorizer.decide(asked)
        return None if decision.allowed else decision.reason


def _owners(document: Mapping[str, Any] | None) -> Sequence[Reference]:
    return dig(document, "metadata", "ownerReferences") or ()


def _newly_blocking(new: Iterable[Reference], old: Iterable[Reference]) -> list[Reference]:
    blocked = {each.get("uid") for each in old if each.get("blockOwnerDeletion")}
    return [each for each in new if each.get("blockOwnerDeletion") and each.get("uid") not in blocked]
