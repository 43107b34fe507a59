"""Admission plugins, one module each; `PLUGINS` is the order in which they run, which is upstream's.

Every plugin's class is called with a `PluginContext`. Those of `OPT_IN` run only when they are asked for by name
(--enable-admission-plugins); the others unless they are refused (--disable-admission-plugins), except for `ALWAYS`,
which are no plugins upstream and so no business of those who configure.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from proa.apiserver.admission import Plugin
from proa.apiserver.plugins.always_pull_images import AlwaysPullImages
from proa.apiserver.plugins.certificates import (
    CertificateApproval,
    CertificateSigning,
    CertificateSubjectRestriction,
    ClusterTrustBundleAttest,
)
from proa.apiserver.plugins.context import PluginContext
from proa.apiserver.plugins.default_ingress_class import DefaultIngressClass
from proa.apiserver.plugins.default_storage_class import DefaultStorageClass
from proa.apiserver.plugins.default_toleration_seconds import DefaultTolerationSeconds
from proa.apiserver.plugins.deny_service_external_ips import DenyServiceExternalIPs
from proa.apiserver.plugins.event_rate_limit import EventRateLimit
from proa.apiserver.plugins.extended_resource_toleration import ExtendedResourceToleration
from proa.apiserver.plugins.limit_pod_hard_anti_affinity_topology import LimitPodHardAntiAffinityTopology
from proa.apiserver.plugins.limit_ranger import LimitRanger
from proa.apiserver.plugins.mutating_admission_policy import MutatingAdmissionPolicies
from proa.apiserver.plugins.mutating_webhooks import MutatingWebhooks
from proa.apiserver.plugins.namespace_auto_provision import NamespaceAutoProvision
from proa.apiserver.plugins.namespace_exists import NamespaceExists
from proa.apiserver.plugins.namespace_lifecycle import NamespaceLifecycle
from proa.apiserver.plugins.node_declared_feature_validator import NodeDeclaredFeatureValidator
from proa.apiserver.plugins.node_restriction import NodeRestriction
from proa.apiserver.plugins.not_implemented import NotImplementedWarnings
from proa.apiserver.plugins.owner_references_permission_enforcement import OwnerReferencesPermissionEnforcement
from proa.apiserver.plugins.persistent_volume_claim_resize import PersistentVolumeClaimResize
from proa.apiserver.plugins.pod_node_selector import PodNodeSelector
from proa.apiserver.plugins.pod_quality import PodQuality
from proa.apiserver.plugins.pod_resize_validator import PodResizeValidator
from proa.apiserver.plugins.pod_security import PodSecurity
from proa.apiserver.plugins.pod_topology_labels import PodTopologyLabels
from proa.apiserver.plugins.priority import Priority
from proa.apiserver.plugins.resource_quota import ResourceQuota
from proa.apiserver.plugins.runtime_class import RuntimeClass
from proa.apiserver.plugins.service_account import ServiceAccount
from proa.apiserver.plugins.storage_object_in_use_protection import StorageObjectInUseProtection
from proa.apiserver.plugins.taint_nodes_by_condition import TaintNodesByCondition
from proa.apiserver.plugins.validating_admission_policy import ValidatingAdmissionPolicies
from proa.apiserver.plugins.validating_webhooks import ValidatingWebhooks
from proa.base.errors import ProaError

PLUGINS: tuple[type[Any], ...] = (
    NamespaceAutoProvision,
    NamespaceLifecycle,
    NamespaceExists,
    LimitPodHardAntiAffinityTopology,
    LimitRanger,
    ServiceAccount,
    NodeRestriction,
    TaintNodesByCondition,
    AlwaysPullImages,
    PodSecurity,
    PodNodeSelector,
    Priority,
    DefaultTolerationSeconds,
    EventRateLimit,
    ExtendedResourceToleration,
    DefaultStorageClass,
    StorageObjectInUseProtection,
    OwnerReferencesPermissionEnforcement,
    PersistentVolumeClaimResize,
    RuntimeClass,
    CertificateApproval,
    CertificateSigning,
    ClusterTrustBundleAttest,
    CertificateSubjectRestriction,
    DefaultIngressClass,
    DenyServiceExternalIPs,
    PodTopologyLabels,
    NodeDeclaredFeatureValidator,
    PodResizeValidator,
    MutatingAdmissionPolicies,
    MutatingWebhooks,
    PodQuality,
    ValidatingAdmissionPolicies,
    ValidatingWebhooks,
    ResourceQuota,
    NotImplementedWarnings,
)
OPT_IN: frozenset[type[Any]] = frozenset(
    {
        AlwaysPullImages,
        DenyServiceExternalIPs,
        EventRateLimit,
        ExtendedResourceToleration,
        LimitPodHardAntiAffinityTopology,
        NamespaceAutoProvision,
        NamespaceExists,
        OwnerReferencesPermissionEnforcement,
        PodNodeSelector,
    }
)
ALWAYS = frozenset({PodQuality, NotImplementedWarnings})


class UnknownPluginError(ProaError):
    """No admission plugin has this name, or it is asked for and refused at once."""


def default_plugins(
    context: PluginContext, *, enable: Collection[str] = (), disable: Collection[str] = ()
) -> Sequence[Plugin]:
    """The plugins that run: all but the opt-in ones, and those in `enable`, without those in `disable`.

    Raises UnknownPluginError.
    """
    check_names(enable, disable)
    return tuple(
        plugin(context)
        for plugin in PLUGINS
        if (plugin not in OPT_IN or plugin.name in enable) and plugin.name not in disable
    )


def check_names(enable: Collection[str], disable: Collection[str]) -> None:
    """Raises UnknownPluginError."""
    known = [plugin.name for plugin in PLUGINS if plugin not in ALWAYS]
    for name in (*enable, *disable):
        if name not in known:
            raise UnknownPluginError(f"there is no admission plugin {name!r}: there are {', '.join(known)}")
    both = sorted({*enable} & {*disable})
    if both:
        raise UnknownPluginError(f"enabled and disabled at once: {', '.join(both)}")
