"""What clients are told of valid pods, and of the templates of pods in other resources."""

from __future__ import annotations

from typing import Any

import pytest

from proa.api.apps_v1.resources import DAEMON_SETS, DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS
from proa.api.batch_v1.resources import CRON_JOBS, JOBS
from proa.api.core_v1 import Pod
from proa.api.core_v1.pod_warnings import pod_status_warnings
from proa.api.core_v1.resources import POD_TEMPLATES, PODS, REPLICATION_CONTROLLERS
from proa.machinery.decode import to_typed
from tests.unit.api.writing import warnings

LATER = "DuringSchedulingIgnoredDuringExecution"
TOKEN = {
    "name": "token",
    "projected": {
        "sources": [
            {"serviceAccountToken": {"path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
        ]
    },
}


def container(name: str = "a", **fields: Any) -> dict[str, Any]:
    return {"name": name, "image": "x:1", **fields}


def spec(**fields: Any) -> dict[str, Any]:
    return {"containers": [container()], **fields}


def of_spec(**fields: Any) -> list[str]:
    return warnings(PODS, {"metadata": {"name": "p"}, "spec": spec(**fields)})


def of_containers(*containers: dict[str, Any]) -> list[str]:
    return of_spec(containers=list(containers))


def annotated(annotations: dict[str, str], **fields: Any) -> list[str]:
    return warnings(PODS, {"metadata": {"name": "p", "annotations": annotations}, "spec": spec(**fields)})


def test_nothing_is_said_of_an_ordinary_pod() -> None:
    main = container(
        ports=[{"containerPort": 80, "name": "http"}, {"containerPort": 80, "protocol": "UDP"}],
        env=[{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)"}],
        resources={"requests": {"cpu": "10m", "memory": "1.5Gi"}, "limits": {"memory": "2Gi", "cpu": "0.5"}},
    )
    assert annotated({"mine": "x"}, containers=[main], volumes=[TOKEN], nodeSelector={"zone": "a"}) == []


def test_nothing_is_said_of_changes_of_pods() -> None:
    bad = {"metadata": {"name": "p"}, "spec": spec(imagePullSecrets=[{"name": "a"}, {"name": "a"}])}
    assert warnings(PODS, bad)
    assert warnings(PODS, bad, bad) == []


def test_a_name_that_is_no_hostname_is_told_of() -> None:
    [said] = warnings(PODS, {"metadata": {"name": "a.b"}, "spec": spec()})
    surprise = "which can result in surprising behavior; a DNS label is recommended"
    assert said == f"metadata.name: this is used in the Pod's hostname, {surprise}: [must not contain dots]"
    [said] = warnings(PODS, {"metadata": {"name": "a" * 64}, "spec": spec()})
    assert said.endswith("[must be no more than 63 characters]")


def test_old_labels_of_nodes_are_told_of_wherever_they_select() -> None:
    term = {"matchExpressions": [{"key": "beta.kubernetes.io/os", "operator": "In", "values": ["Linux!"]}]}
    nodes = {
        f"required{LATER}": {"nodeSelectorTerms": [term]},
        f"preferred{LATER}": [{"weight": 1, "preference": term}],
    }
    zone = "failure-domain.beta.kubernetes.io/zone"
    spread = {"maxSkew": 1, "topologyKey": zone, "whenUnsatisfiable": "DoNotSchedule"}
    said = of_spec(
        nodeSelector={"beta.kubernetes.io/arch": "amd64"},
        affinity={"nodeAffinity": nodes},
        topologySpreadConstraints=[spread],
    )
    old = 'beta.kubernetes.io/os is deprecated since v1.14; use "kubernetes.io/os" instead'
    affinity = "spec.affinity.nodeAffinity"
    preferred = f"{affinity}.preferred{LATER}[0].preference.matchExpressions[0]"
    old_zone = f'{zone} is deprecated since v1.17; use "topology.kubernetes.io/zone" instead'
    assert said[:3] == [
        'spec.nodeSelector[beta.kubernetes.io/arch]: deprecated since v1.14; use "kubernetes.io/arch" instead',
        f"{affinity}.required{LATER}.nodeSelectorTerms[0].matchExpressions[0].key: {old}",
        f"{preferred}.key: {old}",
    ]
    assert said[3].startswith(f"{preferred}.values[0]: Linux! is invalid, a valid label must")
    assert said[4:] == [
        f"spec.topologySpreadConstraints[0].topologyKey: {old_zone}",
        "spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod",
    ]


def test_affinity_to_no_pod_is_told_of() -> None:
    term = {"topologyKey": "zone"}
    said = of_spec(
        affinity={
            "podAffinity": {f"required{LATER}": [term, {**term, "labelSelector": {}}]},
            "podAntiAffinity": {f"preferred{LATER}": [{"weight": 1, "podAffinityTerm": term}]},
        }
    )
    assert said == [
        f"spec.affinity.{at}.labelSelector: a null labelSelector results in matching no pod"
        for at in (f"podAffinity.required{LATER}[0]", f"podAntiAffinity.preferred{LATER}[0].podAffinityTerm")
    ]


def test_annotations_that_do_nothing_are_told_of() -> None:
    said = annotated({"scheduler.alpha.kubernetes.io/critical-pod": "", "security.alpha.kubernetes.io/sysctls": "a=b"})
    assert said == [
        "metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]: "
        'non-functional in v1.16+; use the "priorityClassName" field instead',
        "metadata.annotations[security.alpha.kubernetes.io/sysctls]: "
        'non-functional in v1.11+; use the "sysctls" field instead',
    ]


def test_seccomp_annotations_are_told_of_where_there_is_no_field() -> None:
    pods, of_a = "seccomp.security.alpha.kubernetes.io/pod", "container.seccomp.security.alpha.kubernetes.io/a"
    both = {pods: "x", of_a: "x"}
    text = 'non-functional in v1.27+; use the "seccompProfile" field instead'
    assert annotated(both) == [f"metadata.annotations[{pods}]: {text}", f"metadata.annotations[{of_a}]: {text}"]
    profile = {"seccompProfile": {"type": "RuntimeDefault"}}
    assert annotated(both, securityContext=profile) == [f"metadata.annotations[{of_a}]: {text}"]
    assert annotated({of_a: "x"}, containers=[container(securityContext=profile)]) == []


@pytest.mark.parametrize(
    ("annotation", "of_pod", "told"),
    [
        ("runtime/default", None, True),
        ("runtime/default", {"type": "RuntimeDefault"}, False),
        ("localhost/x", {"type": "Localhost", "localhostProfile": "x"}, False),
        ("localhost/y", {"type": "Localhost", "localhostProfile": "x"}, True),
        ("unconfined", {"type": "Unconfined"}, False),
        ("nonsense", {"type": "Unconfined"}, True),
    ],
)
def test_apparmor_annotations_are_told_of_unless_the_pod_says_the_same(
    annotation: str, of_pod: dict[str, str] | None, told: bool
) -> None:
    key = "container.apparmor.security.beta.kubernetes.io/a"
    text = f'metadata.annotations[{key}]: deprecated since v1.30; use the "appArmorProfile" field instead'
    context = {"appArmorProfile": of_pod} if of_pod else {}
    assert annotated({key: annotation}, securityContext=context) == ([text] if told else [])


def test_names_and_addresses_given_twice_are_told_of() -> None:
    aliases = [{"ip": "10.0.0.1"}, {"ip": "FE80::1"}, {"ip": "10.0.0.1"}]
    assert of_spec(imagePullSecrets=[{"name": "s"}, {"name": "s"}], hostAliases=aliases) == [
        'spec.hostAliases[2].ip: duplicate ip "10.0.0.1"',
        'spec.hostAliases[1].ip: IPv6 address "FE80::1" should be in RFC 5952 canonical format ("fe80::1")',
        'spec.imagePullSecrets[1].name: duplicate name "s"',
    ]


def test_what_is_taken_though_it_makes_no_sense_is_told_of() -> None:
    assert of_spec(imagePullSecrets=[{"name": ""}], terminationGracePeriodSeconds=-5) == [
        'spec.imagePullSecrets[0].name: invalid empty name ""',
        "spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1",
    ]


def test_addresses_of_name_servers_are_spelt_as_everybody_does() -> None:
    said = of_spec(dnsConfig={"nameservers": ["10.0.0.1", "2001:DB8::1"]})
    at = "spec.dnsConfig.nameservers[1]"
    assert said == [f'{at}: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")']


def test_parts_of_bytes_are_told_of() -> None:
    amounts = {"requests": {"memory": "100m", "cpu": "100m"}, "limits": {"memory": "1.5", "ephemeral-storage": "1Ki"}}
    assert of_spec(containers=[container(resources=amounts)], overhead={"memory": "1n"}) == [
        'spec.overhead[memory]: fractional byte value "1n" is invalid, must be an integer',
        'spec.containers[0].resources.limits[memory]: fractional byte value "1500m" is invalid, must be an integer',
        'spec.containers[0].resources.requests[memory]: fractional byte value "100m" is invalid, must be an integer',
    ]


@pytest.mark.parametrize(
    ("again", "told"),
    [
        ({"value": "2"}, True),
        ({"value": "$(A)"}, True),
        ({"value": "$(A):/more"}, False),
        ({"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, True),
    ],
)
def test_a_variable_that_hides_another_is_told_of(again: dict[str, Any], told: bool) -> None:
    said = of_containers(container(env=[{"name": "A", "value": "1"}, {"name": "A", **again}]))
    text = 'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply'
    assert said == ([text] if told else [])


def test_ports_that_get_into_each_others_way_are_told_of() -> None:
    http = {"containerPort": 80}
    said = of_containers(
        container("a", ports=[http, {**http, "hostPort": 8080, "hostIP": "10.0.0.1"}]),
        container("b", ports=[http]),
        container("c", ports=[{"containerPort": 81, "hostPort": 1}]),
        container("d", ports=[{"containerPort": 81, "hostPort": 1, "hostIP": "10.0.0.1"}]),
    )
    assert said == [
        "spec.containers[0].ports[1]: overlapping port definition with spec.containers[0].ports[0]",
        "spec.containers[1].ports[0]: duplicate port definition with spec.containers[0].ports[0]",
        "spec.containers[1].ports[0]: overlapping port definition with spec.containers[0].ports[1]",
        "spec.containers[3].ports[0]: dangerously ambiguous port definition with spec.containers[2].ports[0]",
    ]


def test_an_address_without_a_port_of_the_host_is_told_of() -> None:
    said = of_containers(container(ports=[{"containerPort": 80, "hostIP": "10.0.0.1"}]))
    shown = "{Name: HostPort:0 ContainerPort:80 Protocol:TCP HostIP:10.0.0.1}"
    assert said == [f"spec.containers[0].ports[0]: hostIP set without hostPort: {shown}"]


def test_a_port_name_is_the_first_containers() -> None:
    sidecar = container("s", restartPolicy="Always", ports=[{"containerPort": 1, "name": "web"}])
    main = container(ports=[{"containerPort": 2, "name": "web"}])
    first = "spec.initContainers[0].ports[0]"
    assert of_spec(initContainers=[sidecar], containers=[main]) == [
        f'spec.containers[0].ports[0]: duplicate port name "web" with {first}, services and probes that select ports '
        f"by name will use {first}"
    ]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ({"gitRepo": {"repository": "r"}}, "gitRepo: deprecated in v1.11, and disabled by default in v1.33+"),
        ({"flocker": {"datasetName": "d"}}, "flocker: deprecated in v1.22, non-functional in v1.25+"),
        ({"rbd": {"monitors": ["m"], "image": "i"}}, "rbd: deprecated in v1.28, non-functional in v1.31+"),
    ],
)
def test_kinds_of_volumes_that_nobody_serves_are_told_of(source: dict[str, Any], text: str) -> None:
    assert of_spec(volumes=[TOKEN, {"name": "v", **source}]) == [f"spec.volumes[1].{text}"]


def test_a_claim_within_a_pod_is_one_like_others() -> None:
    claim = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "100m"}}}}
    at = "spec.volumes[0].ephemeral.volumeClaimTemplate.spec.resources.requests[storage]"
    assert of_spec(volumes=[{"name": "v", "ephemeral": {"volumeClaimTemplate": claim}}]) == [
        f'{at}: fractional byte value "100m" is invalid, must be an integer'
    ]


@pytest.mark.parametrize(
    ("source", "origin"),
    [
        ({"configMap": {"name": "c"}}, 'ConfigMap "c"'),
        ({"secret": {"secretName": "s"}}, 'Secret "s"'),
        ({"downwardAPI": {}}, "DownwardAPI"),
    ],
)
def test_files_of_a_volume_that_are_in_each_others_place_are_told_of(source: dict[str, Any], origin: str) -> None:
    [(kind, holder)] = source.items()
    fact = {"fieldRef": {"fieldPath": "metadata.name"}} if kind == "downwardAPI" else {"key": "k"}
    items = [{**fact, "path": path} for path in ("a", "a/b", "ab", "a")]
    said = of_spec(volumes=[{"name": "v", kind: {**holder, "items": items}}])
    head = f'volume "v" ({origin}): overlapping paths: '
    assert said == [head + pair for pair in ('"a/b" with "a"', '"a" with "a"', '"a" with "a/b"')]


def test_files_of_several_sources_are_told_apart() -> None:
    sources = [
        {"serviceAccountToken": {"path": "x/"}},
        {"secret": {"name": "s", "items": [{"key": "k", "path": "x/y"}]}},
        {"configMap": {"name": "whole"}},
        {"clusterTrustBundle": {"name": "b", "path": "x"}},
        {
            "podCertificate": {
                "signerName": "e.com/s",
                "keyType": "ED25519",
                "keyPath": "x",
                "certificateChainPath": "c",
            }
        },
    ]
    said = of_spec(volumes=[{"name": "v", "projected": {"sources": sources}}])
    token, secret, bundle = '"x" (ServiceAccountToken)', '"x/y" (Secret "s")', '"x" (ClusterTrustBundle "b")'
    key = '"x" (PodCertificate key)'
    pairs = [(secret, token), (bundle, token), (bundle, secret), (key, token), (key, secret), (key, bundle)]
    assert said == [f'volume "v" (Projected): overlapping paths: {new} with {old}' for new, old in pairs]


def test_a_projected_volume_of_nothing_is_told_of() -> None:
    said = of_spec(volumes=[{"name": "v", "projected": {"sources": [{}]}}])
    assert said == ['volume "v" (Projected) has no sources provided']


def test_addresses_in_a_status_are_spelt_as_everybody_does() -> None:
    status = {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "2001:DB8::1"}], "hostIPs": [{"ip": "10.0.0.2"}]}
    pod = to_typed({"metadata": {"name": "p"}, "spec": spec(), "status": status}, Pod)
    assert pod_status_warnings(pod) == [
        'status.podIPs[1].ip: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")'
    ]


BAD: dict[str, Any] = {
    "metadata": {"labels": {"a": "b"}},
    "spec": spec(imagePullSecrets=[{"name": "s"}, {"name": "s"}]),
}
OF_JOB = {"spec": {"template": BAD}}
TEMPLATED: list[tuple[Any, str, dict[str, Any]]] = [
    (DEPLOYMENTS, "spec.template", {"spec": {"selector": {}, "template": BAD}}),
    (REPLICA_SETS, "spec.template", {"spec": {"selector": {}, "template": BAD}}),
    (DAEMON_SETS, "spec.template", {"spec": {"selector": {}, "template": BAD}}),
    (STATEFUL_SETS, "spec.template", {"spec": {"selector": {}, "serviceName": "s", "template": BAD}}),
    (REPLICATION_CONTROLLERS, "spec.template", {"spec": {"template": BAD}}),
    (JOBS, "spec.template", {"spec": {"template": BAD}}),
    (CRON_JOBS, "spec.jobTemplate.spec.template", {"spec": {"schedule": "@daily", "jobTemplate": OF_JOB}}),
    (POD_TEMPLATES, "template", {"template": BAD}),
]  # fmt: skip


@pytest.mark.parametrize(("resource", "path", "body"), TEMPLATED, ids=[each[0].plural for each in TEMPLATED])
def test_templates_are_told_of_when_they_come_and_when_their_object_changes(
    resource: Any, path: str, body: dict[str, Any]
) -> None:
    def version(generation: int) -> dict[str, Any]:
        return {"metadata": {"name": "w", "generation": generation}, **body}

    text = f'{path}.spec.imagePullSecrets[1].name: duplicate name "s"'
    assert warnings(resource, version(1)) == [text]
    assert warnings(resource, version(2), version(1)) == [text]
    assert warnings(resource, version(1), version(1)) == []


@pytest.mark.parametrize(("resource", "path", "body"), TEMPLATED, ids=[each[0].plural for each in TEMPLATED])
def test_names_that_begin_pods_names_are_told_of_once(resource: Any, path: str, body: dict[str, Any]) -> None:
    named = {"metadata": {"name": "a.b", "generation": 1}, **body}
    about = [each for each in warnings(resource, named) if each.startswith("metadata.name: ")]
    expected = resource not in (DAEMON_SETS, STATEFUL_SETS, POD_TEMPLATES)
    assert len(about) == expected
    assert warnings(resource, named, named) == []


def test_jobs_that_are_too_large_to_follow_are_told_of() -> None:
    large = {"completionMode": "Indexed", "completions": 100_001, "parallelism": 10_001, "template": {"spec": spec()}}
    [said] = warnings(JOBS, {"metadata": {"name": "j"}, "spec": large})
    assert said.startswith("spec: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism")
    assert warnings(JOBS, {"metadata": {"name": "j"}, "spec": {**large, "parallelism": 10_000}}) == []


def test_stateful_sets_that_keep_every_revision_are_told_of() -> None:
    claim = {
        "metadata": {"name": "c"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1m"}}},
    }
    body = {"selector": {}, "template": {"spec": spec()}, "revisionHistoryLimit": -1, "volumeClaimTemplates": [claim]}
    assert warnings(STATEFUL_SETS, {"metadata": {"name": "s"}, "spec": body}) == [
        'spec.volumeClaimTemplates[0].resources.requests[storage]: fractional byte value "1m" is invalid, must be an '
        "integer",
        "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended",
    ]
