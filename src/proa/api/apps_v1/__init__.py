"""apps/v1: the workload controllers."""

from proa.api.apps_v1.controller_revision import ControllerRevision, ControllerRevisionList
from proa.api.apps_v1.daemon_set import (
    DaemonSet,
    DaemonSetCondition,
    DaemonSetList,
    DaemonSetSpec,
    DaemonSetStatus,
    DaemonSetUpdateStrategy,
    RollingUpdateDaemonSet,
)
from proa.api.apps_v1.deployment import (
    Deployment,
    DeploymentCondition,
    DeploymentList,
    DeploymentSpec,
    DeploymentStatus,
    DeploymentStrategy,
    RollingUpdateDeployment,
)
from proa.api.apps_v1.replica_set import (
    ReplicaSet,
    ReplicaSetCondition,
    ReplicaSetList,
    ReplicaSetSpec,
    ReplicaSetStatus,
)
from proa.api.apps_v1.stateful_set import (
    RollingUpdateStatefulSetStrategy,
    StatefulSet,
    StatefulSetCondition,
    StatefulSetList,
    StatefulSetOrdinals,
    StatefulSetPersistentVolumeClaimRetentionPolicy,
    StatefulSetSpec,
    StatefulSetStatus,
    StatefulSetUpdateStrategy,
)

__all__ = [
    "ControllerRevision",
    "ControllerRevisionList",
    "DaemonSet",
    "DaemonSetCondition",
    "DaemonSetList",
    "DaemonSetSpec",
    "DaemonSetStatus",
    "DaemonSetUpdateStrategy",
    "Deployment",
    "DeploymentCondition",
    "DeploymentList",
    "DeploymentSpec",
    "DeploymentStatus",
    "DeploymentStrategy",
    "ReplicaSet",
    "ReplicaSetCondition",
    "ReplicaSetList",
    "ReplicaSetSpec",
    "ReplicaSetStatus",
    "RollingUpdateDaemonSet",
    "RollingUpdateDeployment",
    "RollingUpdateStatefulSetStrategy",
    "StatefulSet",
    "StatefulSetCondition",
    "StatefulSetList",
    "StatefulSetOrdinals",
    "StatefulSetPersistentVolumeClaimRetentionPolicy",
    "StatefulSetSpec",
    "StatefulSetStatus",
    "StatefulSetUpdateStrategy",
]
