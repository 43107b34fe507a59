"""coordination/v1 declarations."""

from typing import Annotated

from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Int32, MicroTime


class LeaseSpec(Object):
    holderIdentity: Annotated[str | None, Field(1)] = None
    leaseDurationSeconds: Annotated[Int32 | None, Field(2)] = None
    acquireTime: Annotated[MicroTime | None, Field(3)] = None
    renewTime: Annotated[MicroTime | None, Field(4)] = None
    leaseTransitions: Annotated[Int32 | None, Field(5, minimum=0)] = None
    strategy: Annotated[str | None, Field(6)] = None
    preferredHolder: Annotated[str | None, Field(7)] = None


class Lease(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("coordination.k8s.io/v1")
    kind: str = fixed("Lease")
    spec: Annotated[LeaseSpec, Field(2)] = always(LeaseSpec)


class LeaseList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("coordination.k8s.io/v1")
    kind: str = fixed("LeaseList")
    items: Annotated[tuple[Lease, ...], Field(2, required=True)] = always(no_items)
