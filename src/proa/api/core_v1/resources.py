"""The resources of the legacy group/v1."""

from typing import Any

from proa.api.authentication_v1 import TokenRequest
from proa.api.autoscaling_v1 import Scale
from proa.api.core_v1 import (
    Binding,
    ComponentStatus,
    ComponentStatusList,
    ConfigMap,
    ConfigMapList,
    Endpoints,
    EndpointsList,
    Event,
    EventList,
    LimitRange,
    LimitRangeList,
    Namespace,
    NamespaceList,
    Node,
    NodeList,
    PersistentVolume,
    PersistentVolumeClaim,
    PersistentVolumeClaimList,
    PersistentVolumeList,
    Pod,
    PodList,
    PodTemplate,
    PodTemplateList,
    ReplicationController,
    ReplicationControllerList,
    ResourceQuota,
    ResourceQuotaList,
    Secret,
    SecretList,
    Service,
    ServiceAccount,
    ServiceAccountList,
    ServiceList,
    columns,
    pod_columns,
)
from proa.api.core_v1.endpoints_strategy import EndpointsStrategy
from proa.api.core_v1.event_strategy import EventStrategy
from proa.api.core_v1.node_strategy import NodeStrategy
from proa.api.core_v1.quota_strategies import LimitRangeStrategy, ResourceQuotaStrategy
from proa.api.core_v1.service_strategy import ServiceStrategy
from proa.api.core_v1.storage_strategies import PersistentVolumeClaimStrategy, PersistentVolumeStrategy
from proa.api.core_v1.strategies import (
    ConfigMapStrategy,
    NamespaceStrategy,
    PodStrategy,
    PodTemplateStrategy,
    ReplicationControllerStrategy,
    SecretStrategy,
    ServiceAccountStrategy,
)
from proa.api.policy_v1 import Eviction
from proa.machinery.resource import STATUS, Resource, ScalePaths, Subresource

BINDINGS = Resource(
    group="",
    version="v1",
    plural="bindings",
    type=Binding,
    singular="binding",
    verbs=("create",),
)

COMPONENT_STATUSES = Resource(
    group="",
    version="v1",
    plural="componentstatuses",
    type=ComponentStatus,
    list_type=ComponentStatusList,
    singular="componentstatus",
    short_names=("cs",),
    namespaced=False,
    verbs=(
        "get",
        "list",
    ),
    columns=columns.COMPONENT_STATUSES,
    deprecated="v1 ComponentStatus is deprecated in v1.19+",
)

CONFIG_MAPS = Resource(
    group="",
    version="v1",
    plural="configmaps",
    type=ConfigMap,
    list_type=ConfigMapList,
    singular="configmap",
    short_names=("cm",),
    columns=columns.CONFIG_MAPS,
    strategy=ConfigMapStrategy(),
)

ENDPOINTS = Resource(
    group="",
    version="v1",
    plural="endpoints",
    type=Endpoints,
    list_type=EndpointsList,
    singular="endpoints",
    short_names=("ep",),
    columns=columns.ENDPOINTS,
    deprecated="v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
    strategy=EndpointsStrategy(),
)

EVENTS = Resource(
    group="",
    version="v1",
    plural="events",
    type=Event,
    list_type=EventList,
    singular="event",
    short_names=("ev",),
    fields=(
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    ttl=3600.0,
    columns=columns.EVENTS,
    strategy=EventStrategy(),
)

LIMIT_RANGES = Resource(
    group="",
    version="v1",
    plural="limitranges",
    type=LimitRange,
    list_type=LimitRangeList,
    singular="limitrange",
    short_names=("limits",),
    columns=columns.LIMIT_RANGES,
    strategy=LimitRangeStrategy(),
)

NAMESPACES = Resource(
    group="",
    version="v1",
    plural="namespaces",
    type=Namespace,
    list_type=NamespaceList,
    singular="namespace",
    short_names=("ns",),
    namespaced=False,
    verbs=(
        "create",
        "delete",
        "get",
        "list",
        "patch",
        "update",
        "watch",
    ),
    subresources=(
        Subresource("finalize", ("update",)),
        STATUS,
    ),
    fields=("status.phase",),
    name_rule="label",
    columns=columns.NAMESPACES,
    strategy=NamespaceStrategy(),
)

NODES = Resource(
    group="",
    version="v1",
    plural="nodes",
    type=Node,
    list_type=NodeList,
    singular="node",
    short_names=("no",),
    namespaced=False,
    subresources=(
        Subresource("proxy", ("create", "delete", "get", "patch", "update"), kind="NodeProxyOptions"),
        STATUS,
    ),
    fields=("spec.unschedulable",),
    columns=columns.NODES,
    strategy=NodeStrategy(),
)

PERSISTENT_VOLUME_CLAIMS = Resource(
    group="",
    version="v1",
    plural="persistentvolumeclaims",
    type=PersistentVolumeClaim,
    list_type=PersistentVolumeClaimList,
    singular="persistentvolumeclaim",
    short_names=("pvc",),
    subresources=(STATUS,),
    columns=columns.PERSISTENT_VOLUME_CLAIMS,
    strategy=PersistentVolumeClaimStrategy(),
)

PERSISTENT_VOLUMES = Resource(
    group="",
    version="v1",
    plural="persistentvolumes",
    type=PersistentVolume,
    list_type=PersistentVolumeList,
    singular="persistentvolume",
    short_names=("pv",),
    namespaced=False,
    subresources=(STATUS,),
    columns=columns.PERSISTENT_VOLUMES,
    strategy=PersistentVolumeStrategy(),
)

PODS = Resource(
    group="",
    version="v1",
    plural="pods",
    type=Pod,
    list_type=PodList,
    singular="pod",
    short_names=("po",),
    categories=("all",),
    subresources=(
        Subresource("attach", ("create", "get"), kind="PodAttachOptions"),
        Subresource("binding", ("create",), type=Binding),
        Subresource("ephemeralcontainers", ("get", "patch", "update")),
        Subresource("eviction", ("create",), type=Eviction, group="policy", version="v1"),
        Subresource("exec", ("create", "get"), kind="PodExecOptions"),
        Subresource("log", ("get",)),
        Subresource("portforward", ("create", "get"), kind="PodPortForwardOptions"),
        Subresource("proxy", ("create", "delete", "get", "patch", "update"), kind="PodProxyOptions"),
        Subresource("resize", ("get", "patch", "update")),
        STATUS,
    ),
    fields=(
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    has_generation=True,
    columns=pod_columns.PODS,
    row_conditions=pod_columns.completed,
    strategy=PodStrategy(),
)

POD_TEMPLATES = Resource(
    group="",
    version="v1",
    plural="podtemplates",
    type=PodTemplate,
    list_type=PodTemplateList,
    singular="podtemplate",
    has_generation=True,
    columns=columns.POD_TEMPLATES,
    strategy=PodTemplateStrategy(),
)

REPLICATION_CONTROLLERS = Resource(
    group="",
    version="v1",
    plural="replicationcontrollers",
    type=ReplicationController,
    list_type=ReplicationControllerList,
    singular="replicationcontroller",
    short_names=("rc",),
    categories=("all",),
    subresources=(
        Subresource("scale", ("get", "patch", "update"), type=Scale, group="autoscaling", version="v1"),
        STATUS,
    ),
    scale=ScalePaths(),
    fields=("status.replicas",),
    has_generation=True,
    columns=columns.REPLICATION_CONTROLLERS,
    strategy=ReplicationControllerStrategy(),
)

RESOURCE_QUOTAS = Resource(
    group="",
    version="v1",
    plural="resourcequotas",
    type=ResourceQuota,
    list_type=ResourceQuotaList,
    singular="resourcequota",
    short_names=("quota",),
    subresources=(STATUS,),
    columns=columns.RESOURCE_QUOTAS,
    strategy=ResourceQuotaStrategy(),
)

SECRETS = Resource(
    group="",
    version="v1",
    plural="secrets",
    type=Secret,
    list_type=SecretList,
    singular="secret",
    fields=("type",),
    columns=columns.SECRETS,
    strategy=SecretStrategy(),
)

SERVICE_ACCOUNTS = Resource(
    group="",
    version="v1",
    plural="serviceaccounts",
    type=ServiceAccount,
    list_type=ServiceAccountList,
    singular="serviceaccount",
    short_names=("sa",),
    subresources=(Subresource("token", ("create",), type=TokenRequest, group="authentication.k8s.io", version="v1"),),
    columns=columns.SERVICE_ACCOUNTS,
    strategy=ServiceAccountStrategy(),
)

SERVICES = Resource(
    group="",
    version="v1",
    plural="services",
    type=Service,
    list_type=ServiceList,
    singular="service",
    short_names=("svc",),
    categories=("all",),
    subresources=(
        Subresource("proxy", ("create", "delete", "get", "patch", "update"), kind="ServiceProxyOptions"),
        STATUS,
    ),
    fields=(
        "spec.clusterIP",
        "spec.type",
    ),
    name_rule="label",
    columns=columns.SERVICES,
    strategy=ServiceStrategy(),
)

RESOURCES: tuple[Resource[Any], ...] = (
    BINDINGS,
    COMPONENT_STATUSES,
    CONFIG_MAPS,
    ENDPOINTS,
    EVENTS,
    LIMIT_RANGES,
    NAMESPACES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    POD_TEMPLATES,
    REPLICATION_CONTROLLERS,
    RESOURCE_QUOTAS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
)
