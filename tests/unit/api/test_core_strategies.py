from __future__ import annotations

from base64 import b64encode
from copy import deepcopy
from typing import Any

import pytest

from proa.api.core_v1.pod_defaults import default_pull_policy
from proa.api.core_v1.resources import CONFIG_MAPS, NAMESPACES, NODES, PODS, SECRETS, SERVICES
from tests.unit.api.writing import create_errors, created, defaulted, update_errors


def pod(**spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "namespace": "d"},
        "spec": {"containers": [{"name": "a", "image": "x:1"}], **spec},
    }


def container(**fields: Any) -> dict[str, Any]:
    return {"name": "a", "image": "x:1", **fields}


def service(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "s", "namespace": "d"}, "spec": {"ports": [{"port": 80}], **spec}}


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.2", "IfNotPresent"),
        ("host:5000/nginx", "Always"),
        ("host:5000/nginx:1", "IfNotPresent"),
        ("nginx@sha256:abc", "IfNotPresent"),
    ],
)
def test_the_pull_policy_follows_from_the_tag(image: str, policy: str) -> None:
    assert default_pull_policy(image) == policy


def test_a_pod_gets_what_upstream_would_fill_in() -> None:
    spec = defaulted(PODS, pod(volumes=[{"name": "v"}], serviceAccountName="robot"))["spec"]
    assert spec["volumes"] == [{"name": "v", "emptyDir": {}}]
    assert spec["serviceAccount"] == "robot"
    assert spec["restartPolicy"] == "Always"
    assert spec["dnsPolicy"] == "ClusterFirst"
    assert spec["containers"][0]["terminationMessagePath"] == "/dev/termination-log"


def test_a_limit_without_a_request_is_also_the_request() -> None:
    resources = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}
    spec = defaulted(PODS, pod(containers=[container(resources=resources)]))["spec"]
    assert spec["containers"][0]["resources"]["requests"] == {"cpu": "500m", "memory": "1Gi"}


def test_a_new_pod_has_no_ephemeral_containers_yet() -> None:
    debugger = {"name": "debugger", "image": "x:1"}
    assert create_errors(PODS, pod(ephemeralContainers=[debugger])) == [
        "spec.ephemeralContainers: Forbidden: cannot be set on create"
    ]


def test_a_new_pod_is_pending_whatever_the_client_said() -> None:
    assert created(PODS, {**pod(), "status": {"phase": "Running"}})["status"] == {"phase": "Pending"}


def test_a_good_pod_has_no_errors() -> None:
    probe = {"httpGet": {"path": "/", "port": "web"}}
    good = container(
        ports=[{"name": "web", "containerPort": 80}],
        env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        volumeMounts=[{"name": "v", "mountPath": "/v"}],
        livenessProbe=probe,
        resources={"limits": {"cpu": "1"}},
    )
    assert create_errors(PODS, pod(containers=[good], volumes=[{"name": "v", "emptyDir": {}}])) == []


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"containers": []}, "spec.containers: Required value"),
        ({"containers": [{"name": "a"}]}, "spec.containers[0].image: Required value"),
        ({"containers": [{"image": "x"}]}, "spec.containers[0].name: Required value"),
        ({"containers": [container(), container()]}, 'spec.containers[1].name: Duplicate value: "a"'),
        (
            {"containers": [container(volumeMounts=[{"name": "v", "mountPath": "/v"}])]},
            'spec.containers[0].volumeMounts[0].name: Not found: "v"',
        ),
        (
            {"containers": [container(resources={"limits": {"cpu": "1"}, "requests": {"cpu": "2"}})]},
            'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
        ),
        (
            {"containers": [container(livenessProbe={})]},
            "spec.containers[0].livenessProbe: Required value: must specify a handler type",
        ),
        (
            {"volumes": [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}}]},
            "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type",
        ),
        (
            {"volumes": [{"name": "v", "emptyDir": {}}, {"name": "v", "secret": {"secretName": ""}}]},
            'spec.volumes[1].name: Duplicate value: "v"',
        ),
        (
            {"volumes": [{"name": "v", "emptyDir": {}}, {"name": "w", "secret": {"secretName": ""}}]},
            "spec.volumes[1].secret.secretName: Required value",
        ),
        ({"volumes": [{"name": "v", "configMap": {"name": ""}}]}, "spec.volumes[0].configMap.name: Required value"),
        (
            {"volumes": [{"name": "v", "hostPath": {"path": "/a/../b"}}]},
            "spec.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'",
        ),
        (
            {
                "containers": [container(volumeMounts=[{"name": "v", "mountPath": "/v", "subPath": "/a"}])],
                "volumes": [{"name": "v", "emptyDir": {}}],
            },
            'spec.containers[0].volumeMounts.subPath: Invalid value: "/a": must be a relative path',
        ),
        (
            {"tolerations": [{"operator": "Exists"}, {"key": "a", "effect": "NoSchedule", "tolerationSeconds": 1}]},
            "spec.tolerations[1].effect: Invalid value: \"NoSchedule\": effect must be 'NoExecute' when"
            " `tolerationSeconds` is set",
        ),
        (
            {"hostNetwork": True, "containers": [container(ports=[{"containerPort": 1, "hostPort": 2}])]},
            "spec.containers[0].ports[0].hostPort: Invalid value: 2: must match `containerPort` when `hostNetwork` is"
            " true",
        ),
        (
            {"securityContext": {"sysctls": [{"name": "a.b", "value": "1"}, {"name": "bar..", "value": "1"}]}},
            'spec.securityContext.sysctls[1].name: Invalid value: "bar..": must have at most 253 characters and match'
            " regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$",
        ),
        (
            {"securityContext": {"sysctls": [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]}},
            'spec.securityContext.sysctls[1].name: Duplicate value: "a"',
        ),
        (
            {"dnsPolicy": "None", "dnsConfig": {}},
            "spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is"
            " None",
        ),
    ],
)
def test_a_wrong_pod_is_told_which_field_is_wrong(spec: dict[str, Any], error: str) -> None:
    assert error in create_errors(PODS, pod(**spec))


def test_a_pods_image_may_change_and_little_else() -> None:
    assert update_errors(PODS, pod(), pod(containers=[container(image="y:2")])) == []
    (error,) = update_errors(PODS, pod(), pod(restartPolicy="Never"))
    assert error.startswith("spec: Forbidden: pod updates may not change fields other than")
    assert update_errors(PODS, pod(), pod(tolerations=[{"operator": "Exists"}])) == []
    assert update_errors(PODS, pod(tolerations=[{"operator": "Exists"}]), pod())
    lost = {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}
    short, long = ({**lost, "tolerationSeconds": seconds} for seconds in (10, 300))
    assert update_errors(PODS, pod(tolerations=[long]), pod(tolerations=[short])) == []


def test_a_negative_grace_period_may_become_what_it_is_treated_as() -> None:
    odd = pod(terminationGracePeriodSeconds=-1)
    assert create_errors(PODS, odd) == []
    assert update_errors(PODS, odd, pod(terminationGracePeriodSeconds=1)) == []
    (error,) = update_errors(PODS, odd, pod(terminationGracePeriodSeconds=2))
    assert error.startswith("spec: Forbidden: pod updates may not change fields other than")


def test_a_service_targets_its_own_port_by_default() -> None:
    spec = defaulted(SERVICES, service(type="NodePort", sessionAffinity="ClientIP"))["spec"]
    assert spec["ports"][0] == {"port": 80, "targetPort": 80, "protocol": "TCP"}
    assert spec["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
    assert (spec["externalTrafficPolicy"], spec["internalTrafficPolicy"]) == ("Cluster", "Cluster")


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"ports": []}, "spec.ports: Required value"),
        ({"ports": [{"port": 1}, {"port": 2}]}, "spec.ports[0].name: Required value"),
        ({"type": "ExternalName"}, "spec.externalName: Required value"),
        ({"clusterIP": "1.2.3"}, 'spec.clusterIPs[0]: Invalid value: "1.2.3"'),
        ({"ports": [{"port": 1, "nodePort": 30000}]}, "spec.ports[0].nodePort: Forbidden: may not be used when `type`"),
    ],
)
def test_a_wrong_service_is_told_which_field_is_wrong(spec: dict[str, Any], error: str) -> None:
    assert any(each.startswith(error) for each in create_errors(SERVICES, service(**spec)))


def test_a_service_that_stops_being_reachable_from_outside_loses_its_node_ports() -> None:
    old = defaulted(SERVICES, service(type="NodePort", ports=[{"port": 80, "nodePort": 30001}]))
    new = deepcopy(old)
    new["spec"]["type"] = "ClusterIP"
    assert SERVICES.strategy is not None
    SERVICES.strategy.prepare_for_update(new, old)
    assert "nodePort" not in new["spec"]["ports"][0]
    assert "externalTrafficPolicy" not in new["spec"]


def test_string_data_becomes_data() -> None:
    secret = created(SECRETS, {"metadata": {"name": "s"}, "data": {"a": "eA=="}, "stringData": {"b": "y"}})
    assert secret["data"] == {"a": "eA==", "b": "eQ=="}
    assert "stringData" not in secret
    assert secret["type"] == "Opaque"


def test_immutable_data_stays() -> None:
    old = {"metadata": {"name": "c"}, "immutable": True, "data": {"a": "1"}}
    new = {"metadata": {"name": "c"}, "immutable": True, "data": {"a": "2"}}
    assert update_errors(CONFIG_MAPS, old, new) == [
        "data: Forbidden: field is immutable when `immutable` is set",
    ]


def test_a_tls_secret_needs_its_keys() -> None:
    errors = create_errors(SECRETS, {"metadata": {"name": "s"}, "type": "kubernetes.io/tls"})
    assert errors == ["data[tls.crt]: Required value", "data[tls.key]: Required value"]


def test_a_namespace_is_made_with_its_finalizer_its_label_and_its_phase() -> None:
    namespace = created(NAMESPACES, {"metadata": {"name": "n"}})
    assert namespace["spec"] == {"finalizers": ["kubernetes"]}
    assert namespace["status"] == {"phase": "Active"}
    assert namespace["metadata"]["labels"] == {"kubernetes.io/metadata.name": "n"}


def test_a_node_keeps_the_status_it_registers_with() -> None:
    node = {"metadata": {"name": "n"}, "status": {"capacity": {"cpu": "8"}}}
    assert created(NODES, node)["status"]["capacity"] == {"cpu": "8"}


@pytest.mark.parametrize("kind", ["dockercfg", "dockerconfigjson"])
def test_the_configuration_of_registries_is_json_and_is_not_shown(kind: str) -> None:
    def errors(data: bytes) -> list[str]:
        content = {f".{kind}": b64encode(data).decode()}
        document = {"metadata": {"name": "s", "namespace": "d"}, "type": f"kubernetes.io/{kind}", "data": content}
        return create_errors(SECRETS, document)

    assert errors(b'{"auths": {}}') == []
    path = f"data[.{kind}]: Invalid value"
    assert errors(b"{") == [f'{path}: "<secret contents redacted>": unexpected end of JSON input']
    for wrong in (b"x", b"[]"):
        (error,) = errors(wrong)
        assert error.startswith(f'{path}: "<secret contents redacted>"')


def node(**fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": "n"}, **fields}


def test_a_nodes_first_network_may_be_said_either_way() -> None:
    one = "10.0.0.0/24"
    for spec in ({"podCIDR": one}, {"podCIDRs": [one]}, {"podCIDR": one, "podCIDRs": ["10.1.0.0/24"]}):
        assert defaulted(NODES, node(spec=spec))["spec"] == {"podCIDR": one, "podCIDRs": [one]}


def test_a_node_has_one_network_of_a_family_and_keeps_what_it_has() -> None:
    assert create_errors(NODES, node(spec={"podCIDRs": ["10.0.0.0/24", "10.1.0.0/24"]})) == [
        'spec.podCIDRs: Invalid value: ["10.0.0.0/24","10.1.0.0/24"]: may specify no more than one CIDR for each IP'
        " family"
    ]
    assert create_errors(NODES, node(spec={"podCIDRs": ["10.0.0.0/24", "fd00::/64"]})) == []
    old = node(spec={"podCIDR": "10.0.0.0/24", "providerID": "a"})
    assert update_errors(NODES, old, node(spec={"podCIDR": "10.1.0.0/24", "providerID": "b"})) == [
        'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid',
        'spec.providerID: Forbidden: node updates may not change providerID except from "" to valid',
    ]


def test_a_node_has_no_less_than_nothing_and_no_halves_of_pods() -> None:
    assert create_errors(NODES, node(status={"capacity": {"cpu": "-1", "pods": "1500m"}})) == [
        'status.capacity.cpu: Invalid value: "-1": must be greater than or equal to 0',
        'status.capacity.pods: Invalid value: "1500m": must be an integer',
    ]
    twice = [{"type": "InternalIP", "address": "1.2.3.4"}] * 2
    assert update_errors(NODES, node(), node(status={"addresses": twice})) == [
        'status.addresses[1]: Duplicate value: {"type":"InternalIP","address":"1.2.3.4"}'
    ]


def test_a_pods_address_may_be_said_either_way() -> None:
    for status in (
        {"podIP": "1.2.3.4"},
        {"podIPs": [{"ip": "1.2.3.4"}]},
        {"podIP": "1.2.3.4", "podIPs": [{"ip": "5.6.7.8"}]},
    ):
        shown = defaulted(PODS, {**pod(), "status": status})["status"]
        assert (shown["podIP"], shown["podIPs"]) == ("1.2.3.4", [{"ip": "1.2.3.4"}])


def test_a_pod_has_one_address_of_a_family() -> None:
    new = {
        **pod(),
        "status": {"podIPs": [{"ip": "1.2.3.4"}, {"ip": "x"}], "hostIP": "5.6.7.8", "hostIPs": [{"ip": "::1"}]},
    }
    assert update_errors(PODS, pod(), new) == [
        'status.hostIPs[0].ip: Invalid value: "::1": must be equal to `hostIP`',
        'status.podIPs[1]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
        'status.podIPs: Invalid value: [{"ip":"1.2.3.4"},{"ip":"x"}]: may specify no more than one IP for each IP'
        " family",
    ]


def test_what_is_wrong_with_taints_is_told_where_they_once_were() -> None:
    taints = [
        {"key": "a", "value": "x y", "effect": "Foo"},
        {"key": "b", "value": "1", "effect": "NoSchedule"},
        {"key": "b", "value": "2", "effect": "NoSchedule"},
    ]
    found = create_errors(NODES, {"metadata": {"name": "n"}, "spec": {"taints": taints}})
    assert found[0].startswith('metadata.taints[0].value: Invalid value: "x y": a valid label must be an empty string')
    assert found[1:] == [
        'metadata.taints[0].effect: Unsupported value: "Foo": supported values: "NoSchedule", "PreferNoSchedule",'
        ' "NoExecute"',
        'metadata.taints[2]: Duplicate value: {"Key":"b","Value":"2","Effect":"NoSchedule","TimeAdded":null}: taints'
        " must be unique by key and effect pair",
    ]
