"""The resources of apps/v1."""

from typing import Any

from proa.api.apps_v1 import (
    ControllerRevision,
    ControllerRevisionList,
    DaemonSet,
    DaemonSetList,
    Deployment,
    DeploymentList,
    ReplicaSet,
    ReplicaSetList,
    StatefulSet,
    StatefulSetList,
    columns,
)
from proa.api.apps_v1.stateful_set_strategy import StatefulSetStrategy
from proa.api.apps_v1.strategies import (
    ControllerRevisionStrategy,
    DaemonSetStrategy,
    DeploymentStrategy,
    ReplicaSetStrategy,
)
from proa.api.autoscaling_v1 import Scale
from proa.machinery.resource import STATUS, Resource, ScalePaths, Subresource

CONTROLLER_REVISIONS = Resource(
    group="apps",
    version="v1",
    plural="controllerrevisions",
    type=ControllerRevision,
    list_type=ControllerRevisionList,
    singular="controllerrevision",
    columns=columns.CONTROLLER_REVISIONS,
    strategy=ControllerRevisionStrategy(),
)

DAEMON_SETS = Resource(
    group="apps",
    version="v1",
    plural="daemonsets",
    type=DaemonSet,
    list_type=DaemonSetList,
    singular="daemonset",
    short_names=("ds",),
    categories=("all",),
    subresources=(STATUS,),
    has_generation=True,
    columns=columns.DAEMON_SETS,
    strategy=DaemonSetStrategy(),
)

DEPLOYMENTS = Resource(
    group="apps",
    version="v1",
    plural="deployments",
    type=Deployment,
    list_type=DeploymentList,
    singular="deployment",
    short_names=("deploy",),
    categories=("all",),
    subresources=(
        Subresource("scale", ("get", "patch", "update"), type=Scale, group="autoscaling", version="v1"),
        STATUS,
    ),
    scale=ScalePaths(),
    has_generation=True,
    columns=columns.DEPLOYMENTS,
    strategy=DeploymentStrategy(),
)

REPLICA_SETS = Resource(
    group="apps",
    version="v1",
    plural="replicasets",
    type=ReplicaSet,
    list_type=ReplicaSetList,
    singular="replicaset",
    short_names=("rs",),
    categories=("all",),
    subresources=(
        Subresource("scale", ("get", "patch", "update"), type=Scale, group="autoscaling", version="v1"),
        STATUS,
    ),
    scale=ScalePaths(),
    fields=("status.replicas",),
    has_generation=True,
    columns=columns.REPLICA_SETS,
    strategy=ReplicaSetStrategy(),
)

STATEFUL_SETS = Resource(
    group="apps",
    version="v1",
    plural="statefulsets",
    type=StatefulSet,
    list_type=StatefulSetList,
    singular="statefulset",
    short_names=("sts",),
    categories=("all",),
    subresources=(
        Subresource("scale", ("get", "patch", "update"), type=Scale, group="autoscaling", version="v1"),
        STATUS,
    ),
    scale=ScalePaths(),
    has_generation=True,
    columns=columns.STATEFUL_SETS,
    strategy=StatefulSetStrategy(),
)

RESOURCES: tuple[Resource[Any], ...] = (
    CONTROLLER_REVISIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    REPLICA_SETS,
    STATEFUL_SETS,
)
