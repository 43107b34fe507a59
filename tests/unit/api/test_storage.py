from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from proa.api.core_v1.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from proa.api.storage_v1.resources import (
    CSI_DRIVERS,
    CSI_NODES,
    CSI_STORAGE_CAPACITIES,
    STORAGE_CLASSES,
    VOLUME_ATTACHMENTS,
    VOLUME_ATTRIBUTES_CLASSES,
)
from tests.unit.api.writing import create_errors, created, defaulted, update_errors

Document = dict[str, Any]


def named(name: str = "a", **fields: Any) -> Document:
    return {"metadata": {"name": name}, **fields}


def check(found: list[str], error: str) -> None:
    """One error, with this in it; none where there is nothing to say."""
    assert [error in each for each in found] == ([True] if error else []), found


# --- classes ---


def storage_class(**fields: Any) -> Document:
    return named(**{"provisioner": "example.com/disks", **fields})


def zone(*values: str, key: str = "zone") -> Document:
    return {"matchLabelExpressions": [{"key": key, "values": list(values)}]}


def test_a_class_of_storage_deletes_and_binds_at_once_by_default() -> None:
    found = defaulted(STORAGE_CLASSES, storage_class())
    assert (found["reclaimPolicy"], found["volumeBindingMode"]) == ("Delete", "Immediate")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, ""),
        ({"provisioner": "Example.COM/Disks"}, ""),
        ({"allowedTopologies": [zone("a"), zone("b")]}, ""),
        ({"provisioner": ""}, "provisioner: Required value"),
        ({"provisioner": "a b"}, 'provisioner: Invalid value: "a b"'),
        ({"parameters": {"": "x"}}, 'parameters: Invalid value: "": field can not be empty.'),
        ({"parameters": {"a": "x" * 262_144}}, "parameters: Too long: may not be more than 262144 bytes"),
        ({"parameters": {str(at): "" for at in range(513)}}, "parameters: Too long: may not be more than 512 bytes"),
        ({"allowedTopologies": [zone()]}, "allowedTopologies[0].matchLabelExpressions[0].values: Required value"),
        ({"allowedTopologies": [zone("a"), zone("a")]}, "allowedTopologies[1].matchLabelExpressions: Duplicate value"),
    ],
)
def test_a_class_of_storage(fields: Document, error: str) -> None:
    check(create_errors(STORAGE_CLASSES, storage_class(**fields)), error)


@pytest.mark.parametrize("field", ["provisioner", "reclaimPolicy", "volumeBindingMode"])
def test_most_of_a_class_stays(field: str) -> None:
    (error,) = update_errors(STORAGE_CLASSES, storage_class(), storage_class(**{field: "Retain"}))
    assert error == f'{field}: Invalid value: "Retain": field is immutable'


def test_a_class_may_come_to_allow_growth() -> None:
    assert update_errors(STORAGE_CLASSES, storage_class(), storage_class(allowVolumeExpansion=True)) == []


def test_a_class_of_attributes_is_fixed_and_has_some() -> None:
    one = named(driverName="example.com", parameters={"iops": "1"})
    assert create_errors(VOLUME_ATTRIBUTES_CLASSES, deepcopy(one)) == []
    check(
        create_errors(VOLUME_ATTRIBUTES_CLASSES, named(driverName="example.com")),
        "parameters: Required value: must contain at least one key/value pair",
    )
    assert update_errors(VOLUME_ATTRIBUTES_CLASSES, one, named(driverName="b.io", parameters={"iops": "2"})) == [
        "driverName: Forbidden: updates to driverName are forbidden.",
        "parameters: Forbidden: updates to parameters are forbidden.",
    ]


# --- drivers ---


def test_a_driver_attaches_and_is_told_nothing_by_default() -> None:
    assert created(CSI_DRIVERS, named(spec={"preventPodSchedulingIfMissing": True}))["spec"] == {
        "attachRequired": True,
        "podInfoOnMount": False,
        "storageCapacity": False,
        "fsGroupPolicy": "ReadWriteOnceWithFSType",
        "volumeLifecycleModes": ["Persistent"],
        "requiresRepublish": False,
        "seLinuxMount": False,
    }


def tokens(*requests: tuple[str, int | None]) -> Document:
    return {"tokenRequests": [{"audience": each, "expirationSeconds": seconds} for each, seconds in requests]}


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        (tokens(("a", None), ("b", 3600)), ""),
        (tokens(("a", None), ("a", None)), 'spec.tokenRequests[1].audience: Duplicate value: "a"'),
        (tokens(("a", 599)), "may not specify a duration less than 10 minutes"),
        (tokens(("a", 2**32 + 1)), "may not specify a duration larger than 2^32 seconds"),
        ({"nodeAllocatableUpdatePeriodSeconds": 9}, "must be greater than or equal to 10 seconds"),
        ({"serviceAccountTokenInSecrets": True}, "is set but no tokenRequests are specified"),
    ],
)
def test_a_driver(spec: Document, error: str) -> None:
    check(create_errors(CSI_DRIVERS, named(spec=spec)), error)


def test_whether_a_driver_attaches_stays() -> None:
    found = update_errors(CSI_DRIVERS, named(spec={}), named(spec={"attachRequired": False, "podInfoOnMount": True}))
    check(found, "spec.attachedRequired: Invalid value: false: field is immutable")


def node(*drivers: Document) -> Document:
    return named(spec={"drivers": list(drivers)})


DRIVER = {"name": "example.com", "nodeID": "n1", "topologyKeys": ["zone"]}


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (node(DRIVER), ""),
        (node(), ""),
        (node(DRIVER, DRIVER), 'spec.drivers[1].name: Duplicate value: "example.com"'),
        (node({**DRIVER, "name": ""}), "spec.drivers[0].name: Required value"),
        (node({**DRIVER, "name": "x" * 64}), "spec.drivers[0].name: Too long: may not be more than 63 bytes"),
        (node({**DRIVER, "nodeID": ""}), "spec.drivers[0].nodeID: Required value"),
        (node({**DRIVER, "nodeID": "x" * 257}), "must be 256 characters or less"),
        (node({**DRIVER, "topologyKeys": ["a", "a"]}), 'spec.drivers[0]: Duplicate value: "a"'),
        (node({**DRIVER, "allocatable": {"count": -1}}), "spec.drivers[0].allocatable.count: Invalid value: -1"),
    ],
)
def test_the_drivers_of_a_node(document: Document, error: str) -> None:
    check(create_errors(CSI_NODES, document), error)


def test_a_driver_of_a_node_may_only_learn_how_much_room_there_is() -> None:
    assert update_errors(CSI_NODES, node(DRIVER), node({**DRIVER, "allocatable": {"count": 3}})) == []
    check(update_errors(CSI_NODES, node(DRIVER), node({**DRIVER, "nodeID": "n2"})), "spec.drivers: Invalid value:")


def test_the_room_of_a_class() -> None:
    one = named(storageClassName="fast", capacity="1Gi")
    assert create_errors(CSI_STORAGE_CAPACITIES, deepcopy(one)) == []
    check(create_errors(CSI_STORAGE_CAPACITIES, {**one, "capacity": "-1"}), "capacity: Invalid value:")
    check(create_errors(CSI_STORAGE_CAPACITIES, {**one, "storageClassName": "A"}), "storageClassName: Invalid value:")
    changed = {**one, "storageClassName": "slow", "capacity": "2Gi"}
    check(update_errors(CSI_STORAGE_CAPACITIES, one, changed), "storageClassName: Invalid value:")


# --- attachments ---

INLINE = {"accessModes": ["ReadWriteOnce"], "csi": {"driver": "example.com", "volumeHandle": "1"}}


def attachment(**source: Any) -> Document:
    return named(spec={"attacher": "example.com", "nodeName": "n1", "source": source})


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ({"persistentVolumeName": "v"}, ""),
        ({"inlineVolumeSpec": INLINE}, ""),
        ({}, "spec.source: Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName"),
        (
            {"persistentVolumeName": "v", "inlineVolumeSpec": INLINE},
            "spec.source: Forbidden: must specify exactly one of inlineVolumeSpec and persistentVolumeName",
        ),
        ({"persistentVolumeName": ""}, "spec.source.persistentVolumeName: Required value"),
        (
            {"inlineVolumeSpec": {**INLINE, "storageClassName": "a"}},
            "spec.source.inlineVolumeSpec.storageClassName: Forbidden: may not be specified in the context of inline",
        ),
    ],
)
def test_an_attachment(source: Document, error: str) -> None:
    check(create_errors(VOLUME_ATTACHMENTS, attachment(**source)), error)


def test_an_attachment_stays_what_it_is() -> None:
    found = update_errors(
        VOLUME_ATTACHMENTS, attachment(persistentVolumeName="v"), attachment(persistentVolumeName="w")
    )
    check(found, "spec: Invalid value:")


# --- volumes ---


def volume(**spec: Any) -> Document:
    return named(
        spec={
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": "/data"},
            **spec,
        }
    )


def sourced(**source: Any) -> Document:
    document = volume(**source)
    del document["spec"]["hostPath"]
    return document


REQUIRED = {"required": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]}}
CSI = {"driver": "example.com", "volumeHandle": "1"}


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (volume(), ""),
        (sourced(nfs={"server": "s", "path": "/"}), ""),
        (sourced(local={"path": "/d"}, nodeAffinity=REQUIRED), ""),
        (sourced(csi=CSI, volumeAttributesClassName="fast"), ""),
        (sourced(iscsi={"targetPortal": "p", "iqn": "iqn.2016-04.test.com:storage.target00", "lun": 0}), ""),
        (volume(accessModes=[]), "spec.accessModes: Required value"),
        (
            volume(accessModes=["ReadWriteOncePod", "ReadWriteOnce"]),
            "spec.accessModes: Forbidden: may not use ReadWriteOncePod with other access modes",
        ),
        (volume(capacity={"storage": "0"}), 'spec.capacity[storage]: Invalid value: "0": must be greater than zero'),
        (volume(capacity={"storage": "1", "cpu": "1"}), "spec.capacity: Unsupported value:"),
        (sourced(), "spec: Required value: must specify a volume type"),
        (volume(nfs={"server": "s", "path": "/"}), "spec.nfs: Forbidden: may not specify more than 1 volume type"),
        (volume(hostPath={"path": "/a/../b"}), "spec.hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"),
        (volume(hostPath={"path": ""}), "spec.hostPath.path: Required value"),
        (
            volume(hostPath={"path": "/"}, persistentVolumeReclaimPolicy="Recycle"),
            "may not be 'recycle' for a hostPath mount of '/'",
        ),
        (sourced(local={"path": "/d"}), "spec.nodeAffinity: Required value: Local volume requires node affinity"),
        (volume(nodeAffinity={}), "spec.nodeAffinity.required: Required value: must specify required node constraints"),
        (
            volume(nodeAffinity={"required": {"nodeSelectorTerms": []}}),
            "spec.nodeAffinity.required.nodeSelectorTerms: Required value: must have at least one node selector term",
        ),
        (sourced(nfs={"server": "s", "path": "a"}), 'spec.nfs.path: Invalid value: "a": must be an absolute path'),
        (sourced(nfs={"server": "", "path": "/"}), "spec.nfs.server: Required value"),
        (sourced(csi={**CSI, "volumeHandle": ""}), "spec.csi.volumeHandle: Required value"),
        (sourced(csi={**CSI, "nodeExpandSecretRef": {"name": "a"}}), "nodeExpandSecretRef.namespace: Required value"),
        (sourced(iscsi={"targetPortal": "p", "iqn": "x", "lun": 0}), "spec.iscsi.iqn: Invalid value:"),
        (sourced(fc={}), "must specify either targetWWNs or wwids, but not both"),
        (sourced(flexVolume={"driver": "d", "options": {"a.k8s.io/b": ""}}), "namespaces are reserved"),
        (sourced(azureDisk={"diskName": "a", "diskURI": "x"}), "spec.azureDisk.diskURI: Unsupported value:"),
        (volume(storageClassName="A"), 'spec.storageClassName: Invalid value: "A"'),
        (volume(volumeAttributesClassName="a"), "spec.csi: Required value: has to be specified when using"),
    ],
)
def test_a_volume(document: Document, error: str) -> None:
    check(create_errors(PERSISTENT_VOLUMES, document), error)


def test_a_new_volume_waits_for_its_controller() -> None:
    document = volume()
    document["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    assert created(PERSISTENT_VOLUMES, document)["status"] == {
        "phase": "Pending",
        "lastPhaseTransitionTime": "2026-01-01T00:00:00Z",
    }


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (volume(), volume(capacity={"storage": "2Gi"}, storageClassName="a"), ""),
        (volume(), volume(hostPath={"path": "/other"}), "spec.persistentvolumesource is immutable after creation"),
        (volume(), volume(volumeMode="Block"), 'volumeMode: Invalid value: "Block": field is immutable'),
        (volume(), volume(nodeAffinity=REQUIRED), ""),
        (volume(nodeAffinity=REQUIRED), volume(), "nodeAffinity: Invalid value: null: field is immutable, except"),
        (
            sourced(csi=CSI),
            sourced(csi={**CSI, "controllerExpandSecretRef": {"name": "a", "namespace": "b"}}),
            "",
        ),
    ],
)
def test_the_source_of_a_volume_stays(old: Document, new: Document, error: str) -> None:
    check(update_errors(PERSISTENT_VOLUMES, deepcopy(old), deepcopy(new)), error)


# --- claims ---


def claim(phase: str = "", capacity: str = "", **spec: Any) -> Document:
    document = named(
        spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}, **spec}, status={}
    )
    if phase:
        document["status"] = {"phase": phase, **({"capacity": {"storage": capacity}} if capacity else {})}
    return document


def sized(size: str) -> Document:
    return {"resources": {"requests": {"storage": size}}}


SNAPSHOT = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "s"}


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({}, ""),
        ({"dataSource": SNAPSHOT}, ""),
        ({"accessModes": []}, "spec.accessModes: Required value: at least 1 access mode is required"),
        ({"resources": {}}, "spec.resources[storage]: Required value"),
        (sized("0"), 'spec.resources[storage]: Invalid value: "0": must be greater than zero'),
        ({"storageClassName": "A"}, 'spec.storageClassName: Invalid value: "A"'),
        (
            {"dataSourceRef": {"kind": "A", "name": "b"}, "dataSource": SNAPSHOT},
            "must be 'PersistentVolumeClaim' when referencing the default apiGroup",
        ),
        (
            {"dataSourceRef": {**SNAPSHOT, "name": "other"}, "dataSource": SNAPSHOT},
            'spec: Invalid value: "spec.dataSource": must match dataSourceRef',
        ),
    ],
)
def test_a_claim(spec: Document, error: str) -> None:
    found = create_errors(PERSISTENT_VOLUME_CLAIMS, claim(**spec))
    assert error in "".join(found) if error else not found, found


def test_the_two_sources_of_a_claim_say_the_same() -> None:
    assert created(PERSISTENT_VOLUME_CLAIMS, claim(dataSource=SNAPSHOT))["spec"]["dataSourceRef"] == SNAPSHOT
    assert created(PERSISTENT_VOLUME_CLAIMS, claim(dataSourceRef=SNAPSHOT))["spec"]["dataSource"] == SNAPSHOT
    odd = {"apiGroup": "a.example", "kind": "Odd", "name": "x"}
    assert "dataSource" not in created(PERSISTENT_VOLUME_CLAIMS, claim(dataSource=odd))["spec"]
    assert "dataSource" in created(PERSISTENT_VOLUME_CLAIMS, claim(dataSourceRef=odd))["spec"]


IMMUTABLE = "spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName"


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (claim(), claim(volumeName="v"), ""),
        (claim(volumeName="v"), claim(volumeName="w"), IMMUTABLE),
        (claim(), claim(storageClassName="a"), ""),
        (claim(storageClassName="a"), claim(storageClassName="b"), IMMUTABLE),
        (claim(), claim(**sized("3Gi")), IMMUTABLE),
        (claim("Bound", "2Gi"), claim("Bound", "2Gi", **sized("3Gi")), ""),
        (claim("Bound", "1Gi"), claim("Bound", "1Gi", **sized("1500Mi")), ""),
        (
            claim("Bound", "2Gi"),
            claim("Bound", "2Gi", **sized("1Gi")),
            "spec.resources.requests.storage: Forbidden: field can not be less than status.capacity",
        ),
        (claim("Bound"), claim("Bound", volumeAttributesClassName="a"), ""),
        (claim(), claim(accessModes=["ReadWriteMany"]), IMMUTABLE),
    ],
)
def test_what_may_change_of_a_claim(old: Document, new: Document, error: str) -> None:
    check(update_errors(PERSISTENT_VOLUME_CLAIMS, deepcopy(old), deepcopy(new)), error)


def test_attributes_that_are_in_force_are_not_taken_away() -> None:
    old = claim("Bound", volumeAttributesClassName="a")
    old["status"]["currentVolumeAttributesClassName"] = "a"
    new = deepcopy(old)
    del new["spec"]["volumeAttributesClassName"]
    check(update_errors(PERSISTENT_VOLUME_CLAIMS, old, new), "update to nil is forbidden when status.current")


def test_a_class_moves_from_its_annotation_to_its_field() -> None:
    annotation = {"volume.beta.kubernetes.io/storage-class": "a"}
    old, new = claim(), claim(storageClassName="a")
    old["metadata"]["annotations"] = annotation
    assert update_errors(PERSISTENT_VOLUME_CLAIMS, old, deepcopy(new)) == []
    new["spec"]["storageClassName"] = "b"
    found = update_errors(PERSISTENT_VOLUME_CLAIMS, old, new)
    assert any(IMMUTABLE in each for each in found), found


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ({"allocatedResources": {"storage": "2Gi"}}, ""),
        ({"allocatedResources": {"cpu": "1"}}, 'status.allocatedResources: Unsupported value: "cpu"'),
        ({"allocatedResourceStatuses": {"storage": "NodeResizePending"}}, ""),
        ({"allocatedResourceStatuses": {"storage": "Odd"}}, "status.allocatedResourceStatuses: Unsupported value:"),
        ({"capacity": {"storage": "-1"}}, "status.capacity[storage]: Invalid value:"),
    ],
)
def test_the_status_of_a_claim(status: Document, error: str) -> None:
    check(update_errors(PERSISTENT_VOLUME_CLAIMS, claim(), {**claim(), "status": status}), error)
