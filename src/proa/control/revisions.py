"""The history of a workload's pod template as ControllerRevisions (apps/v1): what DaemonSets roll to and back from.

A revision's data is a strategic merge patch that gives the template back, so that undoing is patching. Equal templates
share a revision; the one of the present template always has the highest number.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from proa.api.apps_v1 import ControllerRevision
from proa.api.apps_v1.resources import CONTROLLER_REVISIONS
from proa.client.informer import Informer
from proa.client.protocol import Client
from proa.control.deletion import delete_exactly
from proa.control.ownership import Claims
from proa.machinery.decode import to_document
from proa.machinery.meta import ObjectMeta
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError, is_already_exists
from proa.rules.owners import controller_reference
from proa.rules.replica_sets import template_hash

REVISION_HASH = "controller-revision-hash"


@dataclass(frozen=True, slots=True)
class History:
    """The revisions of one owner. current: that of its present template. old: the others, oldest first."""

    current: ControllerRevision
    old: tuple[ControllerRevision, ...]

    @property
    def hash(self) -> str:
        return self.current.metadata.labels.get(REVISION_HASH, "")


def data_of(owner: Any) -> dict[str, Any]:
    """The patch that gives an object its present template back; its keys are sorted, for those who compare bytes."""
    template = {"$patch": "replace", **to_document(owner.spec.template)}
    data = msgspec.json.encode({"spec": {"template": template}}, order="sorted")
    return msgspec.json.decode(data)  # type: ignore[no-any-return]


class Revisions:
    """Keeps the histories of the objects of one resource."""

    def __init__(self, client: Client, owners: Resource[Any], informer: Informer[ControllerRevision]) -> None:
        self._client = client
        self._claims = Claims(client, owners, CONTROLLER_REVISIONS, informer)

    async def of(self, owner: Any) -> History:
        """The history, with a revision of the present template; makes or renumbers it where that is missing."""
        known = sorted(await self._claims.of(owner, owner.spec.selector), key=lambda each: each.revision)
        wanted = data_of(owner)
        same = [each for each in known if each.data == wanted]
        highest = known[-1].revision if known else 0
        if same:
            current = same[-1]
            if current.revision < highest:
                renumbered = msgspec.structs.replace(current, revision=highest + 1)
                current = await self._client.update(CONTROLLER_REVISIONS, renumbered)
        else:
            current = await self._create(owner, wanted, highest + 1)
        name = current.metadata.name
        return History(current, tuple(each for each in known if each.metadata.name != name))

    async def prune(self, owner: Any, history: History, used: Collection[str]) -> None:
        """Delete the oldest that no pod is of, beyond `revisionHistoryLimit`. used: their hashes."""
        limit = owner.spec.revisionHistoryLimit if owner.spec.revisionHistoryLimit is not None else 10
        idle = [each for each in history.old if each.metadata.labels.get(REVISION_HASH) not in used]
        for each in idle[: max(0, len(idle) - limit)]:
            await delete_exactly(self._client, CONTROLLER_REVISIONS, each)

    async def _create(self, owner: Any, data: dict[str, Any], number: int) -> ControllerRevision:
        """Another name for each collision: a revision of this name with other data."""
        for collisions in (None, *range(10)):
            digest = template_hash(owner.spec.template, collisions)
            labels = {**owner.spec.template.metadata.labels, REVISION_HASH: digest}
            meta = ObjectMeta(
                name=f"{owner.metadata.name}-{digest}",
                namespace=owner.metadata.namespace,
                labels=labels,
                annotations=owner.metadata.annotations,
                ownerReferences=(controller_reference(owner),),
            )
            try:
                revision = ControllerRevision(metadata=meta, data=data, revision=number)
                return await self._client.create(CONTROLLER_REVISIONS, revision)
            except StatusError as error:
                if not is_already_exists(error):
                    raise
                found = await self._client.get(CONTROLLER_REVISIONS, meta.name, meta.namespace)
                if found.data == data:
                    return found
        raise AssertionError("eleven different templates with one hash")


def hashes(pods: Sequence[Any]) -> set[str]:
    """The revisions pods are of."""
    return {pod.metadata.labels.get(REVISION_HASH, "") for pod in pods}
