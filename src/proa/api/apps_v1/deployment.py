"""apps/v1 declarations."""

from typing import Annotated

from proa.api.core_v1.template import PodTemplateSpec
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import LabelSelector, ListMeta, ObjectMeta
from proa.machinery.scalars import Int32, Int64, IntOrString, Time


class RollingUpdateDeployment(Object):
    maxUnavailable: Annotated[IntOrString | None, Field(1, default="25%")] = None
    maxSurge: Annotated[IntOrString | None, Field(2, default="25%")] = None


class DeploymentStrategy(Object):
    type: Annotated[str, Field(1, default="RollingUpdate", enum=("Recreate", "RollingUpdate"))] = ""
    rollingUpdate: Annotated[RollingUpdateDeployment | None, Field(2)] = None


class DeploymentSpec(Object):
    replicas: Annotated[Int32 | None, Field(1, default=1, minimum=0)] = None
    selector: Annotated[LabelSelector | None, Field(2, required=True)] = None
    template: Annotated[PodTemplateSpec, Field(3, required=True)] = always(PodTemplateSpec)
    strategy: Annotated[DeploymentStrategy, Field(4, default={}, merge="retainKeys")] = always(DeploymentStrategy)
    minReadySeconds: Annotated[Int32, Field(5, minimum=0)] = 0
    revisionHistoryLimit: Annotated[Int32 | None, Field(6, default=10, minimum=0)] = None
    paused: Annotated[bool, Field(7)] = False
    progressDeadlineSeconds: Annotated[Int32 | None, Field(9, default=600, minimum=0)] = None


class DeploymentCondition(Object):
    type: Annotated[str, Field(1, required=True)] = always(str)
    status: Annotated[str, Field(2, required=True)] = always(str)
    lastUpdateTime: Annotated[Time | None, Field(6)] = None
    lastTransitionTime: Annotated[Time | None, Field(7)] = None
    reason: Annotated[str, Field(4)] = ""
    message: Annotated[str, Field(5)] = ""


class DeploymentStatus(Object):
    observedGeneration: Annotated[Int64, Field(1)] = 0
    replicas: Annotated[Int32, Field(2)] = 0
    updatedReplicas: Annotated[Int32, Field(3)] = 0
    readyReplicas: Annotated[Int32, Field(7)] = 0
    availableReplicas: Annotated[Int32, Field(4)] = 0
    unavailableReplicas: Annotated[Int32, Field(5)] = 0
    terminatingReplicas: Annotated[Int32 | None, Field(9)] = None
    conditions: Annotated[
        tuple[DeploymentCondition, ...], Field(6, list="map", keys=("type",), merge="merge", key="type")
    ] = ()
    collisionCount: Annotated[Int32 | None, Field(8)] = None


class Deployment(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("apps/v1")
    kind: str = fixed("Deployment")
    spec: Annotated[DeploymentSpec, Field(2)] = always(DeploymentSpec)
    status: Annotated[DeploymentStatus, Field(3)] = always(DeploymentStatus)


class DeploymentList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("apps/v1")
    kind: str = fixed("DeploymentList")
    items: Annotated[tuple[Deployment, ...], Field(2, required=True)] = always(no_items)
