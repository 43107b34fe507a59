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


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (
            {"clusterTrustBundle": {"name": "a:b c", "path": "p"}},
            'clusterTrustBundle.name: Invalid value: "a:b c": not a valid clustertrustbundlename: a lowercase RFC 1123'
            " subdomain",
        ),
        (
            {"clusterTrustBundle": {"signerName": "x", "path": "p"}},
            'clusterTrustBundle.signerName: Invalid value: "x": must be a fully qualified domain and path of the form'
            " 'example.com/signer-name'",
        ),
        (
            {"podCertificate": {"signerName": "x/y", "keyType": "ED25519", "keyPath": "k"}},
            'podCertificate.signerName: Invalid value: "x": should be a domain with at least two segments separated by'
            " dots",
        ),
        (
            {
                "podCertificate": {
                    "signerName": "kubernetes.io/y",
                    "keyType": "ED25519",
                    "keyPath": "k",
                    "maxExpirationSeconds": 86401,
                }
            },
            "podCertificate.maxExpirationSeconds: Invalid value: 86401: if provided, maxExpirationSeconds must be"
            " <= 86400",
        ),
        (
            {
                "podCertificate": {
                    "signerName": "a.b/y",
                    "keyType": "ED25519",
                    "keyPath": "k",
                    "userAnnotations": {"Plain": "x"},
                }
            },
            'podCertificate.userAnnotations: Invalid value: "plain": must be a domain-prefixed key (such as'
            ' "acme.io/foo")',
        ),
    ],
)
def test_what_a_projection_is_signed_by_is_named_as_signers_are(source: Document, error: str) -> None:
    found = wrong(pod(volumes=[{"name": "v", "projected": {"sources": [source]}}], serviceAccountName="s"))
    assert [each[: len(error) + len("spec.volumes[0].projected.sources[0].")] for each in found] == [
        f"spec.volumes[0].projected.sources[0].{error}"
    ]


def test_a_pod_does_not_name_the_claim_it_gets_for_an_ephemeral_volume() -> None:
    template = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    volumes = [
        {"name": "own", "ephemeral": {"volumeClaimTemplate": template}},
        {"name": "other", "persistentVolumeClaim": {"claimName": "p-own"}},
    ]
    detail = "must not reference a PVC that gets created for an ephemeral volume"
    assert wrong(pod(volumes=volumes)) == [
        f'spec.volumes[1].persistentVolumeClaim.claimName: Invalid value: "p-own": {detail}'
    ]


def test_a_volume_with_an_initiator_and_its_portal_have_a_name_together() -> None:
    iscsi = {"targetPortal": "p" * 63, "iqn": "iqn.2001-04.com.example:storage", "lun": 0}
    assert wrong(pod(volumes=[{"name": "v", "iscsi": iscsi}])) == []
    name = "iqn.1994-05.com.example:client"
    assert wrong(pod(volumes=[{"name": "v", "iscsi": {**iscsi, "initiatorName": name}}])) == [
        'spec.volumes[0].name: Invalid value: "v": Total length of <volume name>:<iscsi.targetPortal> must be under 64'
        " characters if iscsi.initiatorName is specified."
    ]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"runAsUserName": ""}, 'runAsUserName: Invalid value: "": runAsUserName cannot be an empty string'),
        (
            {"runAsUserName": "a\nb"},
            'runAsUserName: Invalid value: "a\\nb": runAsUserName cannot contain control characters',
        ),
        (
            {"runAsUserName": "a\\b\\c"},
            'runAsUserName: Invalid value: "a\\\\b\\\\c": runAsUserName cannot contain more than one backslash',
        ),
        (
            {"runAsUserName": ".a\\b"},
            "runAsUserName: Invalid value: \".a\\\\b\": runAsUserName's Domain doesn't match the NetBios nor the"
            " DNS format",
        ),
        ({"runAsUserName": "a\\"}, 'runAsUserName: Invalid value: "a\\\\": runAsUserName\'s User cannot be empty'),
        (
            {"runAsUserName": ". ."},
            'runAsUserName: Invalid value: ". .": runAsUserName\'s User cannot contain only periods or spaces',
        ),
        (
            {"runAsUserName": "a@b"},
            'runAsUserName: Invalid value: "a@b": runAsUserName\'s User cannot contain the following characters:'
            ' "/\\:;|=,+*?<>@[]',
        ),
        (
            {"gmsaCredentialSpec": ""},
            'gmsaCredentialSpec: Invalid value: "": gmsaCredentialSpec cannot be an empty string',
        ),
    ],
)
def test_what_is_said_to_windows_is_what_windows_knows(options: Document, error: str) -> None:
    assert wrong(pod(securityContext={"windowsOptions": options})) == [f"spec.securityContext.windowsOptions.{error}"]
    inner = pod({}, {"securityContext": {"windowsOptions": options}})
    assert wrong(inner) == [f"spec.containers[0].securityContext.windowsOptions.{error}"]


def test_all_containers_are_processes_of_the_host_or_none_is() -> None:
    def context(value: bool) -> Document:
        return {"securityContext": {"windowsOptions": {"hostProcess": value}}}

    assert wrong(pod(hostNetwork=True, **context(True))) == []
    assert wrong(pod(**context(True))) == [
        "spec.hostNetwork: Invalid value: false: hostNetwork must be true if pod contains any hostProcess containers"
    ]
    assert wrong(pod({}, context(False), hostNetwork=True, **context(True))) == [
        "spec.containers[0].securityContext.windowsOptions.hostProcess: Invalid value: false: pod hostProcess value"
        " must"
        " be identical if both are specified, was true"
    ]
    assert wrong(pod({}, context(True), hostNetwork=True, initContainers=[{"name": "b", "image": "x"}])) == [
        'spec: Invalid value: "": If pod contains any hostProcess containers then all containers must be HostProcess'
        " containers"
    ]


_SECCOMP = "container.seccomp.security.alpha.kubernetes.io/a"
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/a"


@pytest.mark.parametrize(
    ("annotations", "error"),
    [
        ({_SECCOMP: "foo"}, f'metadata.annotations.{_SECCOMP}: Invalid value: "foo": must be a valid seccomp profile'),
        (
            {_SECCOMP: "localhost/../a"},
            f"metadata.annotations.{_SECCOMP}: Invalid value: \"../a\": must not contain '..'",
        ),
        (
            {_APPARMOR: "foo"},
            f'metadata.annotations[{_APPARMOR}]: Invalid value: "foo": invalid AppArmor profile name: "foo"',
        ),
        (
            {f"{_APPARMOR}b": "unconfined"},
            f'metadata.annotations[{_APPARMOR}b]: Invalid value: "ab": container not found',
        ),
    ],
)
def test_an_annotation_that_names_no_profile_is_refused(annotations: dict[str, str], error: str) -> None:
    assert wrong(pod(annotations)) == [error]
    template = {"metadata": {"annotations": annotations}, "spec": pod()["spec"]}
    found = create_errors(POD_TEMPLATES, {"metadata": {"name": "t"}, "template": template})
    assert found == [error.replace("metadata.annotations", "template.annotations")]


@pytest.mark.parametrize(
    ("annotations", "context", "error"),
    [
        (
            {_SECCOMP: "unconfined"},
            {"seccompProfile": {"type": "RuntimeDefault"}},
            "seccompProfile.type: Forbidden: seccomp type in annotation and field must match",
        ),
        (
            {_SECCOMP: "localhost/a"},
            {"seccompProfile": {"type": "Localhost", "localhostProfile": "b"}},
            "seccompProfile.localhostProfile: Forbidden: seccomp profile in annotation and field must match",
        ),
        (
            {_APPARMOR: "unconfined"},
            {"appArmorProfile": {"type": "Localhost", "localhostProfile": "b"}},
            "appArmorProfile.type: Forbidden: apparmor type in annotation and field must match",
        ),
    ],
)
def test_annotations_and_fields_say_the_same_profile(
    annotations: dict[str, str], context: Document, error: str
) -> None:
    assert wrong(pod(annotations, {"securityContext": context})) == [f"spec.containers[0].securityContext.{error}"]


def test_a_containers_apparmor_profile_stays() -> None:
    before, after = pod({_APPARMOR: "unconfined"}), pod({_APPARMOR: "runtime/default"})
    assert update_errors(PODS, before, after) == [
        f"metadata.annotations[{_APPARMOR}]: Forbidden: may not remove or update AppArmor annotations"
    ]
    assert update_errors(PODS, pod(), before) == [
        f"metadata.annotations[{_APPARMOR}]: Forbidden: may not add AppArmor annotations"
    ]


def _with_state(policy: str, state: Document, container: Document | None = None) -> Document:
    document = pod({}, container, restartPolicy=policy)
    document["status"] = {"containerStatuses": [{"name": "a", "state": state}]}
    return document


@pytest.mark.parametrize("operator", ["", "Foo"])
def test_an_operator_that_selects_no_nodes_is_told_as_such(operator: str) -> None:
    terms = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": operator}]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}
    where = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]"
    assert wrong(pod(affinity=affinity)) == [
        f'{where}.matchExpressions[0].operator: Invalid value: "{operator}": not a valid selector operator'
    ]


@pytest.mark.parametrize(
    ("policy", "code", "container", "may"),
    [
        ("Always", 0, {}, True),
        ("Never", 1, {}, False),
        ("OnFailure", 0, {}, False),
        ("OnFailure", 1, {}, True),
        ("Never", 1, {"restartPolicy": "Always"}, True),
        (
            "Never",
            42,
            {
                "restartPolicy": "Never",
                "restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}],
            },
            True,
        ),
    ],
)
def test_a_container_that_has_ended_for_good_runs_no_more(
    policy: str, code: int, container: Document, may: bool
) -> None:
    before = _with_state(policy, {"terminated": {"exitCode": code}}, container)
    after = _with_state(policy, {"running": {}}, container)
    error = "status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state"
    assert update_errors(PODS, before, after) == ([] if may else [error])


def test_a_pod_on_a_node_is_not_promised_to_another() -> None:
    before, after = pod(nodeName="n"), pod(nodeName="n")
    after["status"] = {"nominatedNodeName": "m"}
    assert update_errors(PODS, before, after) == [
        "status.nominatedNodeName: Forbidden: may not be set on pods that are already bound to a node"
    ]


def test_the_class_of_a_pod_stays_and_a_status_says_nothing_of_owners() -> None:
    before, after = pod(), pod()
    before["status"], after["status"] = {"qosClass": "BestEffort"}, {"qosClass": "Guaranteed"}
    assert update_errors(PODS, before, after) == [
        'status.qosClass: Invalid value: "Guaranteed": field is immutable',
    ]
    assert PODS.strategy is not None
    silent = {**pod(), "status": {"phase": "Running"}}
    silent["metadata"]["ownerReferences"] = [{"name": "of another"}]
    PODS.strategy.prepare_for_status_update(silent, before)
    assert silent["status"] == {"phase": "Running", "qosClass": "BestEffort"}
    assert "ownerReferences" not in silent["metadata"]
