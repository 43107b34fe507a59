"""Every controller, in the order it starts: adding one is its module and its line here."""

from __future__ import annotations

from collections.abc import Callable

from proa.control.controller import Context, Controller
from proa.control.manager import ControllerFactory
from proa.controllers.bootstrap_tokens import BootstrapSigner, BootstrapTokenCleaner
from proa.controllers.certificates import CertificateApprover, CertificateCleaner, CertificateSigner
from proa.controllers.clusterrole_aggregation import ClusterRoleAggregationController
from proa.controllers.daemonset import DaemonSetController
from proa.controllers.deployment import DeploymentController
from proa.controllers.disruption import DisruptionController, StaleDisruptionController
from proa.controllers.endpoints import EndpointsController
from proa.controllers.endpointslice import EndpointSliceController
from proa.controllers.endpointslice_mirroring import EndpointSliceMirroringController
from proa.controllers.garbage import GarbageCollector
from proa.controllers.job import JobController, JobPodLeftoversController, JobTTLController
from proa.controllers.namespace import NamespaceController
from proa.controllers.node_ipam import NodeIPAMController
from proa.controllers.node_lifecycle import NodeLifecycleController, TaintEvictionController
from proa.controllers.pod_gc import PodGCController
from proa.controllers.replicaset import REPLICATION_CONTROLLER, ReplicaSetController
from proa.controllers.resourcequota import ResourceQuotaController
from proa.controllers.root_ca import RootCAController
from proa.controllers.service_account_tokens import ServiceAccountTokenController
from proa.controllers.service_cidrs import ServiceCIDRController
from proa.controllers.serviceaccount import ServiceAccountController
from proa.controllers.settings import Settings
from proa.controllers.validating_admission_policy_status import ValidatingAdmissionPolicyStatusController
from proa.controllers.volume_protection import AttributesClassProtection, ClaimProtection, VolumeProtection

CONTROLLERS: tuple[Callable[[Context, Settings], Controller], ...] = (
    lambda context, settings: ReplicaSetController(context),
    lambda context, settings: ReplicaSetController(context, REPLICATION_CONTROLLER),
    lambda context, settings: DeploymentController(context),
    lambda context, settings: DaemonSetController(context),
    lambda context, settings: JobController(context),
    lambda context, settings: JobPodLeftoversController(context),
    lambda context, settings: JobTTLController(context),
    lambda context, settings: EndpointSliceController(context),
    lambda context, settings: EndpointsController(context),
    lambda context, settings: EndpointSliceMirroringController(context),
    lambda context, settings: ServiceAccountController(context),
    lambda context, settings: ServiceAccountTokenController(context, settings.token_signer, settings.root_ca),
    lambda context, settings: BootstrapTokenCleaner(context),
    lambda context, settings: BootstrapSigner(context),
    lambda context, settings: CertificateApprover(context),
    lambda context, settings: CertificateSigner(context, settings.authority),
    lambda context, settings: CertificateCleaner(context),
    lambda context, settings: RootCAController(context, settings.root_ca),
    lambda context, settings: DisruptionController(context),
    lambda context, settings: StaleDisruptionController(context),
    lambda context, settings: ResourceQuotaController(context),
    lambda context, settings: ClaimProtection(context),
    lambda context, settings: VolumeProtection(context),
    lambda context, settings: AttributesClassProtection(context),
    lambda context, settings: NamespaceController(context),
    lambda context, settings: GarbageCollector(context),
    lambda context, settings: ClusterRoleAggregationController(context),
    lambda context, settings: ValidatingAdmissionPolicyStatusController(context),
    lambda context, settings: ServiceCIDRController(context),
    lambda context, settings: NodeIPAMController(context, settings),
    lambda context, settings: NodeLifecycleController(context, settings),
    lambda context, settings: TaintEvictionController(context),
    lambda context, settings: PodGCController(context, settings),
)


def controllers(settings: Settings) -> tuple[ControllerFactory, ...]:
    """What a ControllerManager is given."""
    return tuple(_bound(make, settings) for make in CONTROLLERS)


def _bound(make: Callable[[Context, Settings], Controller], settings: Settings) -> ControllerFactory:
    return lambda context: make(context, settings)
