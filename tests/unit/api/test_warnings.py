"""What clients are told of valid objects other than pods (`test_pod_warnings`)."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest

from proa.api.admissionregistration_v1.resources import (
    MUTATING_ADMISSION_POLICIES,
    MUTATING_ADMISSION_POLICY_BINDINGS,
    MUTATING_WEBHOOK_CONFIGURATIONS,
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
    VALIDATING_WEBHOOK_CONFIGURATIONS,
)
from proa.api.core_v1.resources import (
    COMPONENT_STATUSES,
    ENDPOINTS,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    RESOURCE_QUOTAS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
)
from proa.api.discovery_v1.resources import ENDPOINT_SLICES
from proa.api.groups import resources
from proa.api.networking_v1.resources import INGRESSES, NETWORK_POLICIES
from proa.api.node_v1.resources import RUNTIME_CLASSES
from proa.api.resource_v1.resources import RESOURCE_SLICES
from proa.api.storage_v1.resources import CSI_DRIVERS, CSI_STORAGE_CAPACITIES, STORAGE_CLASSES
from proa.machinery.decode import to_typed
from proa.pki.certificates import create_authority
from tests.unit.api.writing import defaulted, warnings

NAMED = {"metadata": {"name": "n"}}
BAD_IP, BAD_NETWORK = "2001:DB8::1", "10.0.0.1/8"
IP_TEXT = 'IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")'
NETWORK_TEXT = 'CIDR value "10.0.0.1/8" is ambiguous in this context (should be "10.0.0.0/8" or "10.0.0.1/32"?)'
OLD_OS = 'deprecated since v1.14; use "kubernetes.io/os" instead'
OLD_CLASS = "volume.beta.kubernetes.io/storage-class"


def annotated(key: str) -> dict[str, Any]:
    return {"metadata": {"name": "n", "annotations": {key: "x"}}}


def service(**spec: Any) -> list[str]:
    return warnings(SERVICES, {**NAMED, "spec": {"ports": [{"port": 80}], **spec}})


def test_nothing_is_said_of_an_ordinary_service() -> None:
    assert service() == []
    assert service(type="ExternalName", externalName="example.com") == []
    assert service(clusterIP="None", clusterIPs=["None"]) == []
    assert service(clusterIP="10.96.0.1", clusterIPs=["10.96.0.1"], trafficDistribution="PreferSameZone") == []


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"clusterIP": "2001:db8::1", "clusterIPs": [BAD_IP]}, [f"spec.clusterIPs[0]: {IP_TEXT}"]),
        (
            {
                "clusterIP": "None",
                "externalIPs": ["1.2.3.4"],
                "loadBalancerIP": "1.2.3.4",
                "sessionAffinity": "ClientIP",
            },
            [
                f"spec.{each} is ignored for headless services"
                for each in ("loadBalancerIP", "externalIPs", "SessionAffinity")
            ],
        ),
        (
            {"externalIPs": [BAD_IP]},
            [
                "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
                f"spec.externalIPs[0]: {IP_TEXT}",
            ],
        ),
        (
            {"type": "ExternalName", "externalName": "e.com", "externalIPs": ["1.2.3.4"]},
            ['spec.externalIPs is ignored when spec.type is "ExternalName"'],
        ),
        ({"externalName": "e.com"}, ['spec.externalName is ignored when spec.type is not "ExternalName"']),
        (
            {"trafficDistribution": "PreferClose"},
            ['spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"'],
        ),
        (
            {"type": "LoadBalancer", "loadBalancerIP": BAD_IP, "loadBalancerSourceRanges": [BAD_NETWORK]},
            [f"spec.loadBalancerIP: {IP_TEXT}", f"spec.loadBalancerSourceRanges[0]: {NETWORK_TEXT}"],
        ),
    ],
)
def test_services_with_fields_that_do_nothing_are_told_of(spec: dict[str, Any], said: list[str]) -> None:
    assert service(**spec) == said


def test_the_old_annotation_of_topology_is_told_of() -> None:
    old, new = "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"
    assert warnings(SERVICES, annotated(old)) == [f"annotation {old} is deprecated, please use {new} instead"]


@pytest.mark.parametrize("resource", [SERVICES, INGRESSES], ids=["services", "ingresses"])
def test_addresses_of_load_balancers_are_spelt_as_everybody_does(resource: Any) -> None:
    body = {**NAMED, "status": {"loadBalancer": {"ingress": [{"hostname": "h"}, {"ip": BAD_IP}]}}}
    typed = to_typed(defaulted(resource, body), resource.type)
    assert resource.strategy.status_warnings(typed) == [f"status.loadBalancer.ingress[1]: {IP_TEXT}"]


@pytest.mark.parametrize(
    ("resource", "label", "controller", "body", "path"),
    [
        (
            ENDPOINTS,
            "endpoints.kubernetes.io/managed-by",
            "endpoint-controller",
            {"subsets": [{"addresses": [{"ip": "1.2.3.4"}], "notReadyAddresses": [{"ip": BAD_IP}]}]},
            "subsets[0].notReadyAddresses[0].ip",
        ),
        (
            ENDPOINT_SLICES,
            "endpointslice.kubernetes.io/managed-by",
            "endpointslice-controller.k8s.io",
            {"addressType": "IPv6", "endpoints": [{"addresses": [BAD_IP]}]},
            "endpoints[0].addresses[0]",
        ),
    ],
    ids=["endpoints", "endpointslices"],
)
def test_addresses_of_endpoints_are_told_of_where_no_controller_wrote_them(
    resource: Any, label: str, controller: str, body: dict[str, Any], path: str
) -> None:
    assert warnings(resource, {**NAMED, **body}) == [f"{path}: {IP_TEXT}"]
    assert warnings(resource, {"metadata": {"name": "n", "labels": {label: controller}}, **body}) == []


def test_slices_of_names_are_told_of_when_they_come() -> None:
    named = {**NAMED, "addressType": "FQDN", "endpoints": [{"addresses": ["a.example.com"]}]}
    assert warnings(ENDPOINT_SLICES, named) == ["spec.addressType: FQDN endpoints are deprecated"]
    assert warnings(ENDPOINT_SLICES, named, named) == []


def test_networks_of_policies_are_spelt_as_everybody_does() -> None:
    block = {"ipBlock": {"cidr": BAD_NETWORK, "except": ["10.1.0.0/16", BAD_NETWORK]}}
    spec = {"podSelector": {}, "ingress": [{"from": [block]}], "egress": [{"to": [{"podSelector": {}}, block]}]}
    assert warnings(NETWORK_POLICIES, {**NAMED, "spec": spec}) == [
        f"spec.{at}.ipBlock.{part}: {NETWORK_TEXT}"
        for at in ("ingress[0].from[0]", "egress[0].to[1]")
        for part in ("cidr", "except[1]")
    ]


def test_an_ingress_that_names_its_class_in_an_annotation_is_told_of_when_it_comes() -> None:
    old = annotated("kubernetes.io/ingress.class")
    text = "annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead"
    assert warnings(INGRESSES, old) == [text]
    assert warnings(INGRESSES, {**old, "spec": {"ingressClassName": "c"}}) == []
    assert warnings(INGRESSES, old, old) == []


def test_nodes_with_fields_of_old_are_told_of() -> None:
    spec = {"configSource": {}, "externalID": "x", "podCIDRs": [BAD_NETWORK]}
    assert warnings(NODES, {**NAMED, "spec": spec}) == [
        f"spec.podCIDRs[0]: {NETWORK_TEXT}",
        "spec.configSource: the feature is removed",
        "spec.externalID: this field is deprecated, and is unused by Kubernetes",
    ]
    assert warnings(NODES, {**NAMED, "spec": {"podCIDRs": ["10.0.0.0/24"]}}) == []


def test_persistent_volumes_of_old_are_told_of() -> None:
    term = {"matchExpressions": [{"key": "beta.kubernetes.io/os", "operator": "Exists"}]}
    spec = {
        "persistentVolumeReclaimPolicy": "Recycle",
        "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
        "glusterfs": {"endpoints": "e", "path": "p"},
    }
    assert warnings(PERSISTENT_VOLUMES, {**annotated("volume.beta.kubernetes.io/mount-options"), "spec": spec}) == [
        "metadata.annotations[volume.beta.kubernetes.io/mount-options]: "
        'deprecated since v1.31; use "mountOptions" attribute instead',
        "spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended "
        "approach is to use dynamic provisioning.",
        "spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].key: beta.kubernetes.io/os is " + OLD_OS,
        "spec.glusterfs: deprecated in v1.25, non-functional in v1.26+",
    ]
    assert warnings(PERSISTENT_VOLUMES, {**NAMED, "spec": {"hostPath": {"path": "/x"}}}) == []


def test_claims_of_old_are_told_of() -> None:
    spec = {"resources": {"requests": {"storage": "0.5"}, "limits": {"storage": "1Gi"}}}
    assert warnings(PERSISTENT_VOLUME_CLAIMS, {**annotated(OLD_CLASS), "spec": spec}) == [
        f'metadata.annotations[{OLD_CLASS}]: deprecated since v1.8; use "storageClassName" attribute instead',
        'spec.resources.requests[storage]: fractional byte value "500m" is invalid, must be an integer',
    ]


@pytest.mark.parametrize(
    ("hard", "said"),
    [
        (
            {"requests.cpu": "2", "limits.cpu": "1"},
            ["ResourceQuota requests.cpu (2) should be less than limits.cpu (1)"],
        ),
        (
            {"memory": "2Gi", "limits.memory": "1Gi"},
            ["ResourceQuota memory (2Gi) should be less than limits.memory (1Gi)"],
        ),
        ({"requests.memory": "1Gi", "memory": "9Gi", "limits.memory": "1Gi"}, []),
        ({"ephemeral-storage": "2", "limits.ephemeral-storage": "1"}, []),
        ({"limits.cpu": "1", "pods": "4"}, []),
    ],
)
def test_quotas_that_let_more_be_asked_for_than_used_are_told_of_when_they_come(
    hard: dict[str, str], said: list[str]
) -> None:
    quota = {**NAMED, "spec": {"hard": hard}}
    assert warnings(RESOURCE_QUOTAS, quota) == said
    assert warnings(RESOURCE_QUOTAS, quota, quota) == []


def test_certificates_and_keys_that_are_no_pair_are_told_of() -> None:
    one, other = (create_authority(each, datetime(2026, 1, 1, tzinfo=UTC)) for each in ("one", "other"))

    def secret(certificate: bytes, key: bytes, kind: str = "kubernetes.io/tls") -> dict[str, Any]:
        data = {name: b64encode(each).decode() for name, each in (("tls.crt", certificate), ("tls.key", key))}
        return {**NAMED, "type": kind, "data": data}

    assert warnings(SECRETS, secret(one.certificate, one.key)) == []
    assert warnings(SECRETS, secret(b"x", b"x", "Opaque")) == []
    assert warnings(SECRETS, secret(one.certificate, other.key)) == ["tls: private key does not match public key"]


def test_accounts_that_enforce_mountable_secrets_are_told_of_once() -> None:
    key = "kubernetes.io/enforce-mountable-secrets"
    instead = "prefer separate namespaces to isolate access to mounted secrets"
    text = f"metadata.annotations[{key}]: deprecated in v1.32+; {instead}"
    assert warnings(SERVICE_ACCOUNTS, annotated(key)) == [text]
    assert warnings(SERVICE_ACCOUNTS, annotated(key), NAMED) == [text]
    assert warnings(SERVICE_ACCOUNTS, annotated(key), annotated(key)) == []


def test_classes_that_select_nodes_by_old_labels_are_told_of() -> None:
    label = "beta.kubernetes.io/os"
    scheduling = {"scheduling": {"nodeSelector": {label: "linux"}}, "handler": "h"}
    assert warnings(RUNTIME_CLASSES, {**NAMED, **scheduling}) == [f"scheduling.nodeSelector: {OLD_OS}"]
    topologies = [{"matchLabelExpressions": [{"key": "fine", "values": ["a"]}, {"key": label, "values": ["linux"]}]}]
    assert warnings(STORAGE_CLASSES, {**NAMED, "provisioner": "p", "allowedTopologies": topologies}) == [
        f"allowedTopologies[0].matchLabelExpressions[1].key: {OLD_OS}"
    ]
    topology = {"matchLabels": {label: "linux"}, "matchExpressions": [{"key": label, "operator": "Exists"}]}
    assert warnings(CSI_STORAGE_CAPACITIES, {**NAMED, "storageClassName": "c", "nodeTopology": topology}) == [
        f"nodeTopology.matchExpressions[0].key: {label} is {OLD_OS}",
        f"nodeTopology.matchLabels.{label}: {OLD_OS}",
    ]
    assert warnings(CSI_STORAGE_CAPACITIES, {**NAMED, "storageClassName": "c"}) == []


def test_drivers_whose_tokens_are_not_among_secrets_are_told_of_when_that_is_decided() -> None:
    asking = {**NAMED, "spec": {"tokenRequests": [{"audience": "a"}]}}
    text = (
        "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible "
        "logging of tokens in volume attributes"
    )
    decided = {**NAMED, "spec": {**asking["spec"], "serviceAccountTokenInSecrets": False}}
    assert warnings(CSI_DRIVERS, asking) == [text]
    assert warnings(CSI_DRIVERS, asking, NAMED) == [text]
    assert warnings(CSI_DRIVERS, asking, asking) == []
    assert warnings(CSI_DRIVERS, decided) == []


def test_drivers_of_devices_have_small_letters() -> None:
    slice_ = {**NAMED, "spec": {"driver": "GPU.example.com", "pool": {"name": "p"}}}
    text = 'spec.driver: driver names should be lowercase; "GPU.example.com" contains uppercase characters'
    assert warnings(RESOURCE_SLICES, slice_) == [text]


@pytest.mark.parametrize(
    "resource",
    [
        MUTATING_ADMISSION_POLICIES,
        MUTATING_ADMISSION_POLICY_BINDINGS,
        MUTATING_WEBHOOK_CONFIGURATIONS,
        VALIDATING_ADMISSION_POLICIES,
        VALIDATING_ADMISSION_POLICY_BINDINGS,
        VALIDATING_WEBHOOK_CONFIGURATIONS,
    ],
    ids=lambda each: str(each.plural),
)
def test_names_of_admission_that_are_reserved_for_files_are_told_of(resource: Any) -> None:
    [said] = warnings(resource, {"metadata": {"name": "x.static.k8s.io"}})
    assert said.startswith('metadata.name: names ending with ".static.k8s.io" are reserved for static manifest-based')
    assert warnings(resource, NAMED) == []


def test_kinds_that_are_deprecated_as_a_whole_say_so() -> None:
    said = {each.plural: each.deprecated for each in resources() if each.deprecated}
    assert said == {
        COMPONENT_STATUSES.plural: "v1 ComponentStatus is deprecated in v1.19+",
        ENDPOINTS.plural: "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
    }
