"""core/v1 declarations."""

from collections.abc import Mapping
from typing import Annotated

from proa.api.core_v1.placement import NodeSelector
from proa.api.core_v1.reference import ObjectReference, SecretReference
from proa.api.core_v1.volume import (
    AWSElasticBlockStoreVolumeSource,
    AzureDiskVolumeSource,
    FCVolumeSource,
    FlockerVolumeSource,
    GCEPersistentDiskVolumeSource,
    HostPathVolumeSource,
    NFSVolumeSource,
    PhotonPersistentDiskVolumeSource,
    PortworxVolumeSource,
    QuobyteVolumeSource,
    VsphereVirtualDiskVolumeSource,
)
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Int32, Quantity, Time


class AzureFilePersistentVolumeSource(Object):
    secretName: Annotated[str, Field(1, required=True)] = always(str)
    shareName: Annotated[str, Field(2, required=True)] = always(str)
    readOnly: Annotated[bool, Field(3)] = False
    secretNamespace: Annotated[str | None, Field(4)] = None


class CSIPersistentVolumeSource(Object):
    driver: Annotated[str, Field(1, required=True)] = always(str)
    volumeHandle: Annotated[str, Field(2, required=True)] = always(str)
    readOnly: Annotated[bool, Field(3)] = False
    fsType: Annotated[str, Field(4)] = ""
    volumeAttributes: Annotated[Mapping[str, str], Field(5)] = {}
    controllerPublishSecretRef: Annotated[SecretReference | None, Field(6)] = None
    nodeStageSecretRef: Annotated[SecretReference | None, Field(7)] = None
    nodePublishSecretRef: Annotated[SecretReference | None, Field(8)] = None
    controllerExpandSecretRef: Annotated[SecretReference | None, Field(9)] = None
    nodeExpandSecretRef: Annotated[SecretReference | None, Field(10)] = None


class CephFSPersistentVolumeSource(Object):
    monitors: Annotated[tuple[str, ...], Field(1, required=True, list="atomic")] = always(no_items)
    path: Annotated[str, Field(2)] = ""
    user: Annotated[str, Field(3)] = ""
    secretFile: Annotated[str, Field(4)] = ""
    secretRef: Annotated[SecretReference | None, Field(5)] = None
    readOnly: Annotated[bool, Field(6)] = False


class CinderPersistentVolumeSource(Object):
    volumeID: Annotated[str, Field(1, required=True)] = always(str)
    fsType: Annotated[str, Field(2)] = ""
    readOnly: Annotated[bool, Field(3)] = False
    secretRef: Annotated[SecretReference | None, Field(4)] = None


class FlexPersistentVolumeSource(Object):
    driver: Annotated[str, Field(1, required=True)] = always(str)
    fsType: Annotated[str, Field(2)] = ""
    secretRef: Annotated[SecretReference | None, Field(3)] = None
    readOnly: Annotated[bool, Field(4)] = False
    options: Annotated[Mapping[str, str], Field(5)] = {}


class GlusterfsPersistentVolumeSource(Object):
    endpoints: Annotated[str, Field(1, required=True)] = always(str)
    path: Annotated[str, Field(2, required=True)] = always(str)
    readOnly: Annotated[bool, Field(3)] = False
    endpointsNamespace: Annotated[str | None, Field(4)] = None


class ISCSIPersistentVolumeSource(Object):
    targetPortal: Annotated[str, Field(1, required=True)] = always(str)
    iqn: Annotated[str, Field(2, required=True)] = always(str)
    lun: Annotated[Int32, Field(3, required=True)] = always(int)
    iscsiInterface: Annotated[str, Field(4, default="default")] = ""
    fsType: Annotated[str, Field(5)] = ""
    readOnly: Annotated[bool, Field(6)] = False
    portals: Annotated[tuple[str, ...], Field(7, list="atomic")] = ()
    chapAuthDiscovery: Annotated[bool, Field(8)] = False
    chapAuthSession: Annotated[bool, Field(11)] = False
    secretRef: Annotated[SecretReference | None, Field(10)] = None
    initiatorName: Annotated[str | None, Field(12)] = None


class LocalVolumeSource(Object):
    path: Annotated[str, Field(1, required=True)] = always(str)
    fsType: Annotated[str | None, Field(2)] = None


class RBDPersistentVolumeSource(Object):
    monitors: Annotated[tuple[str, ...], Field(1, required=True, list="atomic")] = always(no_items)
    image: Annotated[str, Field(2, required=True)] = always(str)
    fsType: Annotated[str, Field(3)] = ""
    pool: Annotated[str, Field(4, default="rbd")] = ""
    user: Annotated[str, Field(5, default="admin")] = ""
    keyring: Annotated[str, Field(6, default="/etc/ceph/keyring")] = ""
    secretRef: Annotated[SecretReference | None, Field(7)] = None
    readOnly: Annotated[bool, Field(8)] = False


class ScaleIOPersistentVolumeSource(Object):
    gateway: Annotated[str, Field(1, required=True)] = always(str)
    system: Annotated[str, Field(2, required=True)] = always(str)
    secretRef: Annotated[SecretReference | None, Field(3, required=True)] = None
    sslEnabled: Annotated[bool, Field(4)] = False
    protectionDomain: Annotated[str, Field(5)] = ""
    storagePool: Annotated[str, Field(6)] = ""
    storageMode: Annotated[str, Field(7, default="ThinProvisioned")] = ""
    volumeName: Annotated[str, Field(8)] = ""
    fsType: Annotated[str, Field(9, default="xfs")] = ""
    readOnly: Annotated[bool, Field(10)] = False


class StorageOSPersistentVolumeSource(Object):
    volumeName: Annotated[str, Field(1)] = ""
    volumeNamespace: Annotated[str, Field(2)] = ""
    fsType: Annotated[str, Field(3)] = ""
    readOnly: Annotated[bool, Field(4)] = False
    secretRef: Annotated[ObjectReference | None, Field(5)] = None


class VolumeNodeAffinity(Object):
    required: Annotated[NodeSelector | None, Field(1)] = None


class PersistentVolumeSpec(Object):
    capacity: Annotated[Mapping[str, Quantity], Field(1)] = {}
    gcePersistentDisk: GCEPersistentDiskVolumeSource | None = None
    awsElasticBlockStore: AWSElasticBlockStoreVolumeSource | None = None
    hostPath: HostPathVolumeSource | None = None
    glusterfs: GlusterfsPersistentVolumeSource | None = None
    nfs: NFSVolumeSource | None = None
    rbd: RBDPersistentVolumeSource | None = None
    iscsi: ISCSIPersistentVolumeSource | None = None
    cinder: CinderPersistentVolumeSource | None = None
    cephfs: CephFSPersistentVolumeSource | None = None
    fc: FCVolumeSource | None = None
    flocker: FlockerVolumeSource | None = None
    flexVolume: FlexPersistentVolumeSource | None = None
    azureFile: AzureFilePersistentVolumeSource | None = None
    vsphereVolume: VsphereVirtualDiskVolumeSource | None = None
    quobyte: QuobyteVolumeSource | None = None
    azureDisk: AzureDiskVolumeSource | None = None
    photonPersistentDisk: PhotonPersistentDiskVolumeSource | None = None
    portworxVolume: PortworxVolumeSource | None = None
    scaleIO: ScaleIOPersistentVolumeSource | None = None
    local: LocalVolumeSource | None = None
    storageos: StorageOSPersistentVolumeSource | None = None
    csi: CSIPersistentVolumeSource | None = None
    accessModes: Annotated[
        tuple[str, ...],
        Field(3, enum=("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"), list="atomic"),
    ] = ()
    claimRef: Annotated[ObjectReference | None, Field(4, map="granular")] = None
    persistentVolumeReclaimPolicy: Annotated[str, Field(5, default="Retain", enum=("Recycle", "Delete", "Retain"))] = ""
    storageClassName: Annotated[str, Field(6)] = ""
    mountOptions: Annotated[tuple[str, ...], Field(7, list="atomic")] = ()
    volumeMode: Annotated[str | None, Field(8, default="Filesystem", enum=("Block", "Filesystem"))] = None
    nodeAffinity: Annotated[VolumeNodeAffinity | None, Field(9)] = None
    volumeAttributesClassName: Annotated[str | None, Field(10)] = None


class PersistentVolumeStatus(Object):
    phase: Annotated[str, Field(1, default="Pending")] = ""
    message: Annotated[str, Field(2)] = ""
    reason: Annotated[str, Field(3)] = ""
    lastPhaseTransitionTime: Annotated[Time | None, Field(4)] = None


class PersistentVolume(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("PersistentVolume")
    spec: Annotated[PersistentVolumeSpec, Field(2)] = always(PersistentVolumeSpec)
    status: Annotated[PersistentVolumeStatus, Field(3)] = always(PersistentVolumeStatus)


class PersistentVolumeList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("PersistentVolumeList")
    items: Annotated[tuple[PersistentVolume, ...], Field(2, required=True)] = always(no_items)
