"""What a pod is told that asks for what makes no sense, as clients of other clusters know it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from proa.api.core_v1.resources import POD_TEMPLATES, PODS
from tests.unit.api.writing import create_errors, created, update_errors

Document = dict[str, Any]
_ENV = "spec.containers[0].env[0].valueFrom"


def pod(annotations: dict[str, str] | None = None, container: Document | None = None, **spec: Any) -> Document:
    containers = [{"name": "a", "image": "x:1", **(container or {})}]
    return {
        "metadata": {"name": "p", "namespace": "d", "annotations": annotations or {}},
        "spec": {"containers": containers, **spec},
    }


def wrong(document: Document) -> list[str]:
    return create_errors(PODS, deepcopy(document))


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ({"hostPath": {"path": ""}}, "hostPath.path: Required value"),
        (
            {"emptyDir": {"sizeLimit": "-1"}},
            "emptyDir.sizeLimit: Forbidden: SizeLimit field must be a valid resource quantity",
        ),
        ({"persistentVolumeClaim": {"claimName": ""}}, "persistentVolumeClaim.claimName: Required value"),
        (
            {"secret": {"secretName": "s", "items": [{"key": "a", "path": "../a"}]}},
            "secret.items[0].path: Invalid value: \"../a\": must not contain '..'",
        ),
        (
            {"configMap": {"name": "c", "items": [{"key": "a", "path": "..a"}]}},
            "configMap.items[0].path: Invalid value: \"..a\": must not start with '..'",
        ),
        (
            {"configMap": {"name": "c", "defaultMode": 1000}},
            "configMap.defaultMode: Invalid value: 1000: must be a number between 0 and 0777 (octal), both inclusive",
        ),
        (
            {"projected": {"sources": [{"serviceAccountToken": {"path": "t", "expirationSeconds": 5}}]}},
            "projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 5: may not specify a duration"
            " less than 10 minutes",
        ),
        (
            {"projected": {"sources": [{"secret": {"name": "s"}, "configMap": {"name": "c"}}]}},
            "projected.sources[0]: Forbidden: may not specify more than 1 volume type per source",
        ),
        (
            {"projected": {"sources": [{"configMap": {"name": "c", "items": [{"key": "a", "path": "a"}] * 2}}]}},
            'projected: Invalid value: "a": conflicting duplicate paths',
        ),
        (
            {"downwardAPI": {"items": [{"path": "a"}]}},
            "downwardAPI: Required value: one of fieldRef and resourceFieldRef is required",
        ),
        (
            {"downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "status.podIP"}}]}},
            'downwardAPI.fieldRef.fieldPath: Unsupported value: "status.podIP": supported values:'
            ' "metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"',
        ),
        ({"csi": {"driver": ""}}, "csi.driver: Required value"),
        ({"ephemeral": {}}, "ephemeral.volumeClaimTemplate: Required value"),
        ({"image": {}}, "image.reference: Required value"),
        ({"nfs": {"server": "s", "path": "a"}}, 'nfs.path: Invalid value: "a": must be an absolute path'),
    ],
)
def test_a_volume_that_makes_no_sense_is_refused(source: Document, error: str) -> None:
    assert wrong(pod(volumes=[{"name": "v", **source}], serviceAccountName="s")) == [f"spec.volumes[0].{error}"]


def test_a_volume_that_is_wrong_cannot_be_mounted() -> None:
    document = pod(
        container={"volumeMounts": [{"name": "v", "mountPath": "/v"}]}, volumes=[{"name": "v", "csi": {"driver": ""}}]
    )
    assert wrong(document) == [
        "spec.volumes[0].csi.driver: Required value",
        'spec.containers[0].volumeMounts[0].name: Not found: "v"',
    ]


def test_a_token_needs_an_account() -> None:
    sources = [{"serviceAccountToken": {"path": "token"}}]
    assert wrong(pod(volumes=[{"name": "v", "projected": {"sources": sources}}])) == [
        "spec.volumes[0].projected.sources[0].serviceAccountToken: Forbidden: must not be specified when"
        " serviceAccountName is not set"
    ]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (
            {"fieldRef": {"fieldPath": "foo"}},
            'fieldRef.fieldPath: Invalid value: "foo": error converting fieldPath: field label not supported: foo',
        ),
        (
            {"fieldRef": {"fieldPath": "metadata.name['a']"}},
            "fieldRef.fieldPath: Invalid value: \"metadata.name['a']\": error converting fieldPath: field label does"
            " not support subscript: metadata.name['a']",
        ),
        (
            {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "3"}},
            'resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor\'s values 1m and 1 are supported with'
            " the cpu resource",
        ),
        ({"configMapKeyRef": {"name": "c", "key": ""}}, "configMapKeyRef.key: Required value"),
        (
            {"fileKeyRef": {"volumeName": "v", "path": "a", "key": "k"}},
            'fileKeyRef.volumeName: Not found: "v"',
        ),
    ],
)
def test_a_variable_without_a_sensible_source_is_refused(source: Document, error: str) -> None:
    assert wrong(pod(container={"env": [{"name": "E", "valueFrom": source}]})) == [f"{_ENV}.{error}"]


@pytest.mark.parametrize(
    "path", ["metadata.labels['a.b/c']", "metadata.annotations['A.B/C']", "spec.nodeName", "spec.host", "status.podIPs"]
)
def test_a_variable_may_say_what_its_pod_is(path: str) -> None:
    assert wrong(pod(container={"env": [{"name": "E", "valueFrom": {"fieldRef": {"fieldPath": path}}}]})) == []


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        (
            {"envFrom": [{}]},
            'envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`',
        ),
        ({"envFrom": [{"secretRef": {"name": ""}}]}, "envFrom[0].secretRef.name: Required value"),
        (
            {"readinessProbe": {"exec": {"command": ["a"]}, "terminationGracePeriodSeconds": 1}},
            "readinessProbe.terminationGracePeriodSeconds: Invalid value: 1: must not be set for readinessProbes",
        ),
        (
            {"lifecycle": {"preStop": {"sleep": {"seconds": 31}}}},
            "lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than"
            " terminationGracePeriodSeconds (30)",
        ),
        (
            {"lifecycle": {"stopSignal": "SIGTERM"}},
            "lifecycle.stopSignal: Forbidden: may not be set for containers with empty `spec.os.name`",
        ),
        (
            {"resources": {"requests": {"example.com/gpu": "1"}}},
            "resources.limits: Required value: Limit must be set for non overcommitable resources",
        ),
        (
            {"resources": {"requests": {"memory": "1"}, "limits": {"example.com/gpu": "1500m"}}},
            'resources.limits[example.com/gpu]: Invalid value: "1500m": must be an integer',
        ),
        (
            {"resources": {"requests": {"pods": "1"}}},
            'resources.requests[pods]: Invalid value: "pods": must be a standard resource for containers',
        ),
        (
            {"resources": {"limits": {"cpu": "1", "hugepages-2Mi": "3Mi"}}},
            'resources.limits[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of'
            " hugepages-2Mi",
        ),
        (
            {"resources": {"limits": {"hugepages-2Mi": "2Mi"}}},
            "resources: Forbidden: HugePages require cpu or memory",
        ),
        (
            {"resources": {"claims": [{"name": "x"}]}},
            'resources.claims[0]: Not found: "x": must be one of the names in pod.spec.resourceClaims which is empty',
        ),
        (
            {"restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [1]}}]},
            "restartPolicy: Required value: must specify restartPolicy when restart rules are used",
        ),
        (
            {"resizePolicy": [{"resourceName": "foo", "restartPolicy": "NotRequired"}]},
            'resizePolicy: Unsupported value: "foo": supported values: "cpu", "memory"',
        ),
        (
            {"securityContext": {"procMount": "Unmasked"}},
            'securityContext.procMount: Invalid value: "Unmasked": `hostUsers` must be false to use `Unmasked`',
        ),
        (
            {"securityContext": {"seccompProfile": {"type": "Localhost"}}},
            "securityContext.seccompProfile.localhostProfile: Required value: must be set when seccomp type is"
            " Localhost",
        ),
        ({"volumeDevices": [{"name": "v", "devicePath": "/d"}]}, 'volumeDevices[0].name: Not found: "v"'),
        (
            {"image": " "},
            'image: Invalid value: " ": must not have leading or trailing whitespace',
        ),
    ],
)
def test_a_container_that_makes_no_sense_is_refused(fields: Document, error: str) -> None:
    assert f"spec.containers[0].{error}" in wrong(pod(container=fields))


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"os": {"name": "foo"}}, 'os: Unsupported value: "foo": supported values: "linux", "windows"'),
        ({"os": {"name": "windows"}, "hostPID": True}, "hostPID: Forbidden: cannot be set for a windows pod"),
        ({"hostUsers": False, "hostNetwork": True}, "hostNetwork: Forbidden: when `hostUsers` is false"),
        (
            {"resourceClaims": [{"name": "a"}]},
            'resourceClaims[0]: Invalid value: {"name":"a"}: must specify one of: `resourceClaimName`,'
            " `resourceClaimTemplateName`",
        ),
        (
            {"topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}]},
            "topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero",
        ),
        (
            {
                "affinity": {
                    "podAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": [
                            {"topologyKey": "z", "matchLabelKeys": ["a"]}
                        ]
                    }
                }
            },
            "affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].matchLabelKeys: Forbidden: must not"
            " be specified when labelSelector is not set",
        ),
        (
            {"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"preference": {}}]}}},
            "affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 0: must be"
            " in the range 1-100",
        ),
        ({"schedulingGates": [{"name": "a"}] * 2}, 'schedulingGates[1]: Duplicate value: "a"'),
        (
            {"nodeName": "n", "schedulingGates": [{"name": "a"}]},
            "nodeName: Forbidden: cannot be set until all schedulingGates have been cleared",
        ),
        (
            {"dnsConfig": {"nameservers": ["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4"]}},
            'dnsConfig.nameservers: Invalid value: ["1.1.1.1","1.1.1.2","1.1.1.3","1.1.1.4"]: must not have more than 3'
            " nameservers",
        ),
        (
            {"hostNetwork": True, "hostnameOverride": "a"},
            "hostnameOverride: Forbidden: may not be specified when hostNetwork is true",
        ),
        (
            {"securityContext": {"fsGroup": 1, "supplementalGroups": [-1]}},
            "securityContext.supplementalGroups[0]: Invalid value: -1: must be between 0 and 2147483647, inclusive",
        ),
        (
            {"hostNetwork": True, "securityContext": {"sysctls": [{"name": "net.core.somaxconn", "value": "1"}]}},
            'securityContext.sysctls[0].name: Invalid value: "net.core.somaxconn": may not be specified when'
            " 'hostNetwork' is true",
        ),
        (
            {"resources": {"requests": {"cpu": "1"}}, "container": {"resources": {"requests": {"cpu": "2"}}}},
            'resources.requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate container requests'
            " of 2",
        ),
        (
            {"tolerations": [{"key": "a", "value": "b!"}]},
            'tolerations[0].operator: Invalid value: "b!": a valid label must be an empty string or consist of'
            " alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g."
            " 'MyValue',  or 'my_value',  or '12345', regex used for validation is"
            " '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        ),
    ],
)
def test_a_pod_that_makes_no_sense_is_refused(spec: Document, error: str) -> None:
    assert wrong(pod(**spec)) == [f"spec.{error}"]


def test_a_search_domain_may_have_underscores_and_be_the_root() -> None:
    assert wrong(pod(dnsConfig={"searches": ["_tcp.example.com.", "."]})) == []


def test_a_template_may_leave_the_image_to_somebody_else() -> None:
    template = pod(container={"image": " x"}, volumes=[{"name": "v", "image": {}}])
    assert create_errors(POD_TEMPLATES, {"metadata": {"name": "t", "namespace": "d"}, "template": template}) == []


def test_the_cost_of_deleting_a_pod_is_a_number() -> None:
    cost = "controller.kubernetes.io/pod-deletion-cost"
    for right in ("0", "-5", "2147483647"):
        assert wrong(pod({cost: right})) == []
    for odd in ("+1", "01", "2147483648", ""):
        assert wrong(pod({cost: odd})) == [
            f'metadata.annotations[{cost}]: Invalid value: "{odd}": must be a 32bit integer'
        ]


def test_a_pod_that_was_taken_in_before_a_rule_is_left_alone_until_somebody_changes_it() -> None:
    odd = pod(volumes=[{"name": "v", "csi": {"driver": ""}}])
    labelled = deepcopy(odd)
    labelled["metadata"]["labels"] = {"a": "b"}
    assert update_errors(PODS, odd, labelled) == []


def _asking(*keys: str) -> Document:
    expressions = [{"key": key, "operator": "Exists"} for key in keys]
    terms = {"nodeSelectorTerms": [{"matchExpressions": expressions}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def test_a_pod_that_waits_may_be_told_more_about_its_node_but_not_less() -> None:
    waiting = {"schedulingGates": [{"name": "g"}], "nodeSelector": {"a": "b"}, "affinity": _asking("x")}
    narrower = {"nodeSelector": {"a": "b", "c": "d"}, "affinity": _asking("x", "y")}
    before = pod(**waiting)
    assert update_errors(PODS, before, pod(**{**waiting, **narrower})) == []
    assert update_errors(PODS, before, pod(**{**waiting, **narrower, "schedulingGates": []})) == []
    assert update_errors(PODS, before, pod(**{**waiting, "nodeSelector": {}})) == [
        "spec.nodeSelector: Invalid value: {}: only additions to spec.nodeSelector are allowed (no mutations or"
        " deletions)"
    ]
    (error,) = update_errors(PODS, before, pod(**{**waiting, "affinity": _asking("y")}))
    assert error.endswith("only additions are allowed (no mutations or deletions)")
    free = {**waiting, "schedulingGates": []}
    (error,) = update_errors(PODS, pod(**free), pod(**{**free, **narrower}))
    assert error.startswith("spec: Forbidden: pod updates may not change fields other than")


def test_a_pod_that_waits_without_wishes_may_get_them() -> None:
    gates = [{"name": "g"}]
    assert update_errors(PODS, pod(schedulingGates=gates), pod(schedulingGates=gates, affinity=_asking("x"))) == []


def test_a_pod_keeps_its_deadline() -> None:
    (error,) = update_errors(PODS, pod(activeDeadlineSeconds=5), pod())
    assert (
        error == "spec.activeDeadlineSeconds: Invalid value: null: must not update from a positive integer to nil value"
    )
    (error,) = update_errors(PODS, pod(activeDeadlineSeconds=5), pod(activeDeadlineSeconds=6))
    assert error == "spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous value"


def test_a_new_pod_keeps_its_good_defaults() -> None:
    spec = created(PODS, pod(volumes=[{"name": "v", "image": {"reference": "x"}}]))["spec"]
    assert spec["volumes"][0]["image"]["pullPolicy"] == "Always"


def test_selectors_follow_the_labels_of_a_new_pod() -> None:
    selecting = {"topologyKey": "z", "labelSelector": {"matchLabels": {"app": "a"}}}
    spread = {**selecting, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", "matchLabelKeys": ["hash", "absent"]}
    term = {**selecting, "mismatchLabelKeys": ["tenant"]}
    wish = {"requiredDuringSchedulingIgnoredDuringExecution": [deepcopy(term)]}
    weighted = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": deepcopy(term)}]}
    document = pod(
        topologySpreadConstraints=[deepcopy(spread)], affinity={"podAffinity": weighted, "podAntiAffinity": wish}
    )
    document["metadata"]["labels"] = {"app": "a", "hash": "1", "tenant": "t"}
    alike = {"key": "hash", "operator": "In", "values": ["1"]}
    others = {"key": "tenant", "operator": "NotIn", "values": ["t"]}
    for _ in range(2):  # a webhook that changes the pod has it prepared again
        spec = created(PODS, document)["spec"]
        assert spec["topologySpreadConstraints"][0]["labelSelector"]["matchExpressions"] == [alike]
        preferred = spec["affinity"]["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"][0]
        required = spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0]
        for each in (preferred["podAffinityTerm"], required):
            assert each["labelSelector"]["matchExpressions"] == [others]
    assert wrong(document) == []
