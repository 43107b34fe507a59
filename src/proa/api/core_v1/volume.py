"""core/v1 declarations."""

from collections.abc import Mapping
from typing import Annotated

from proa.api.core_v1.claim import PersistentVolumeClaimTemplate
from proa.api.core_v1.reference import LocalObjectReference, ObjectFieldSelector, ResourceFieldSelector
from proa.machinery.declare import Field, Object, always, no_items
from proa.machinery.meta import LabelSelector
from proa.machinery.scalars import Int32, Int64, Quantity


class AWSElasticBlockStoreVolumeSource(Object):
    volumeID: Annotated[str, Field(1, required=True)] = always(str)
    fsType: Annotated[str, Field(2)] = ""
    partition: Annotated[Int32, Field(3)] = 0
    readOnly: Annotated[bool, Field(4)] = False


class AzureDiskVolumeSource(Object):
    diskName: Annotated[str, Field(1, required=True)] = always(str)
    diskURI: Annotated[str, Field(2, required=True)] = always(str)
    cachingMode: Annotated[str | None, Field(3, default="ReadWrite", enum=("None", "ReadOnly", "ReadWrite"))] = None
    fsType: Annotated[str | None, Field(4, default="ext4")] = None
    readOnly: Annotated[bool | None, Field(5, default=False)] = None
    kind: Annotated[str | None, Field(6, default="Shared", enum=("Shared", "Dedicated", "Managed"))] = None


class AzureFileVolumeSource(Object):
    secretName: Annotated[str, Field(1, required=True)] = always(str)
    shareName: Annotated[str, Field(2, required=True)] = always(str)
    readOnly: Annotated[bool, Field(3)] = False


class CSIVolumeSource(Object):
    driver: Annotated[str, Field(1, required=True)] = always(str)
    readOnly: Annotated[bool | None, Field(2)] = None
    fsType: Annotated[str | None, Field(3)] = None
    volumeAttributes: Annotated[Mapping[str, str], Field(4)] = {}
    nodePublishSecretRef: Annotated[LocalObjectReference | None, Field(5)] = None


class CephFSVolumeSource(Object):
    monitors: Annotated[tuple[str, ...], Field(1, required=True, list="atomic")] = always(no_items)
    path: Annotated[str, Field(2)] = ""
    user: Annotated[str, Field(3)] = ""
    secretFile: Annotated[str, Field(4)] = ""
    secretRef: Annotated[LocalObjectReference | None, Field(5)] = None
    readOnly: Annotated[bool, Field(6)] = False


class CinderVolumeSource(Object):
    volumeID: Annotated[str, Field(1, required=True)] = always(str)
    fsType: Annotated[str, Field(2)] = ""
    readOnly: Annotated[bool, Field(3)] = False
    secretRef: Annotated[LocalObjectReference | None, Field(4)] = None


class ClusterTrustBundleProjection(Object):
    name: Annotated[str | None, Field(1)] = None
    signerName: Annotated[str | None, Field(2)] = None
    labelSelector: Annotated[LabelSelector | None, Field(3)] = None
    optional: Annotated[bool | None, Field(5)] = None
    path: Annotated[str, Field(4, required=True)] = always(str)


class KeyToPath(Object):
    key: Annotated[str, Field(1, required=True)] = always(str)
    path: Annotated[str, Field(2, required=True)] = always(str)
    mode: Annotated[Int32 | None, Field(3)] = None


class ConfigMapProjection(Object):
    name: str = ""
    items: Annotated[tuple[KeyToPath, ...], Field(2, list="atomic")] = ()
    optional: Annotated[bool | None, Field(4)] = None


class ConfigMapVolumeSource(Object):
    name: str = ""
    items: Annotated[tuple[KeyToPath, ...], Field(2, list="atomic")] = ()
    defaultMode: Annotated[Int32 | None, Field(3, default=420)] = None
    optional: Annotated[bool | None, Field(4)] = None


class DownwardAPIVolumeFile(Object):
    path: Annotated[str, Field(1, required=True)] = always(str)
    fieldRef: Annotated[ObjectFieldSelector | None, Field(2)] = None
    resourceFieldRef: Annotated[ResourceFieldSelector | None, Field(3)] = None
    mode: Annotated[Int32 | None, Field(4)] = None


class DownwardAPIProjection(Object):
    items: Annotated[tuple[DownwardAPIVolumeFile, ...], Field(1, list="atomic")] = ()


class DownwardAPIVolumeSource(Object):
    items: Annotated[tuple[DownwardAPIVolumeFile, ...], Field(1, list="atomic")] = ()
    defaultMode: Annotated[Int32 | None, Field(2, default=420)] = None


class EmptyDirVolumeSource(Object):
    medium: Annotated[str, Field(1)] = ""
    sizeLimit: Annotated[Quantity | None, Field(2)] = None


class EphemeralVolumeSource(Object):
    volumeClaimTemplate: Annotated[PersistentVolumeClaimTemplate | None, Field(1)] = None


class FCVolumeSource(Object):
    targetWWNs: Annotated[tuple[str, ...], Field(1, list="atomic")] = ()
    lun: Annotated[Int32 | None, Field(2)] = None
    fsType: Annotated[str, Field(3)] = ""
    readOnly: Annotated[bool, Field(4)] = False
    wwids: Annotated[tuple[str, ...], Field(5, list="atomic")] = ()


class FlexVolumeSource(Object):
    driver: Annotated[str, Field(1, required=True)] = always(str)
    fsType: Annotated[str, Field(2)] = ""
    secretRef: Annotated[LocalObjectReference | None, Field(3)] = None
    readOnly: Annotated[bool, Field(4)] = False
    options: Annotated[Mapping[str, str], Field(5)] = {}


class FlockerVolumeSource(Object):
    datasetName: Annotated[str, Field(1)] = ""
    datasetUUID: Annotated[str, Field(2)] = ""


class GCEPersistentDiskVolumeSource(Object):
    pdName: Annotated[str, Field(1, required=True)] = always(str)
    fsType: Annotated[str, Field(2)] = ""
    partition: Annotated[Int32, Field(3)] = 0
    readOnly: Annotated[bool, Field(4)] = False


class GitRepoVolumeSource(Object):
    repository: Annotated[str, Field(1, required=True)] = always(str)
    revision: Annotated[str, Field(2)] = ""
    directory: Annotated[str, Field(3)] = ""


class GlusterfsVolumeSource(Object):
    endpoints: Annotated[str, Field(1, required=True)] = always(str)
    path: Annotated[str, Field(2, required=True)] = always(str)
    readOnly: Annotated[bool, Field(3)] = False


class HostPathVolumeSource(Object):
    path: Annotated[str, Field(1, required=True)] = always(str)
    type: Annotated[
        str | None,
        Field(
            2,
            default="",
            enum=("", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"),
        ),
    ] = None


class ISCSIVolumeSource(Object):
    targetPortal: Annotated[str, Field(1, required=True)] = always(str)
    iqn: Annotated[str, Field(2, required=True)] = always(str)
    lun: Annotated[Int32, Field(3, required=True)] = always(int)
    iscsiInterface: Annotated[str, Field(4, default="default")] = ""
    fsType: Annotated[str, Field(5)] = ""
    readOnly: Annotated[bool, Field(6)] = False
    portals: Annotated[tuple[str, ...], Field(7, list="atomic")] = ()
    chapAuthDiscovery: Annotated[bool, Field(8)] = False
    chapAuthSession: Annotated[bool, Field(11)] = False
    secretRef: Annotated[LocalObjectReference | None, Field(10)] = None
    initiatorName: Annotated[str | None, Field(12)] = None


class ImageVolumeSource(Object):
    reference: Annotated[str, Field(1)] = ""
    pullPolicy: Annotated[str, Field(2, enum=("Always", "Never", "IfNotPresent"))] = ""


class NFSVolumeSource(Object):
    server: Annotated[str, Field(1, required=True)] = always(str)
    path: Annotated[str, Field(2, required=True)] = always(str)
    readOnly: Annotated[bool, Field(3)] = False


class PersistentVolumeClaimVolumeSource(Object):
    claimName: Annotated[str, Field(1, required=True)] = always(str)
    readOnly: Annotated[bool, Field(2)] = False


class PhotonPersistentDiskVolumeSource(Object):
    pdID: Annotated[str, Field(1, required=True)] = always(str)
    fsType: Annotated[str, Field(2)] = ""


class PodCertificateProjection(Object):
    signerName: Annotated[str, Field(1, required=True)] = ""
    keyType: Annotated[str, Field(2, required=True)] = ""
    maxExpirationSeconds: Annotated[Int32 | None, Field(3)] = None
    credentialBundlePath: Annotated[str, Field(4)] = ""
    keyPath: Annotated[str, Field(5)] = ""
    certificateChainPath: Annotated[str, Field(6)] = ""
    userAnnotations: Annotated[Mapping[str, str], Field(7)] = {}


class PortworxVolumeSource(Object):
    volumeID: Annotated[str, Field(1, required=True)] = always(str)
    fsType: Annotated[str, Field(2)] = ""
    readOnly: Annotated[bool, Field(3)] = False


class SecretProjection(Object):
    name: str = ""
    items: Annotated[tuple[KeyToPath, ...], Field(2, list="atomic")] = ()
    optional: Annotated[bool | None, Field(4)] = None


class ServiceAccountTokenProjection(Object):
    audience: Annotated[str, Field(1)] = ""
    expirationSeconds: Annotated[Int64 | None, Field(2, default=3600)] = None
    path: Annotated[str, Field(3, required=True)] = always(str)


class VolumeProjection(Object):
    secret: Annotated[SecretProjection | None, Field(1)] = None
    downwardAPI: Annotated[DownwardAPIProjection | None, Field(2)] = None
    configMap: Annotated[ConfigMapProjection | None, Field(3)] = None
    serviceAccountToken: Annotated[ServiceAccountTokenProjection | None, Field(4)] = None
    clusterTrustBundle: Annotated[ClusterTrustBundleProjection | None, Field(5)] = None
    podCertificate: Annotated[PodCertificateProjection | None, Field(6)] = None


class ProjectedVolumeSource(Object):
    sources: Annotated[tuple[VolumeProjection, ...], Field(1, list="atomic")] = always(no_items)
    defaultMode: Annotated[Int32 | None, Field(2, default=420)] = None


class QuobyteVolumeSource(Object):
    registry: Annotated[str, Field(1, required=True)] = always(str)
    volume: Annotated[str, Field(2, required=True)] = always(str)
    readOnly: Annotated[bool, Field(3)] = False
    user: Annotated[str, Field(4)] = ""
    group: Annotated[str, Field(5)] = ""
    tenant: Annotated[str, Field(6)] = ""


class RBDVolumeSource(Object):
    monitors: Annotated[tuple[str, ...], Field(1, required=True, list="atomic")] = always(no_items)
    image: Annotated[str, Field(2, required=True)] = always(str)
    fsType: Annotated[str, Field(3)] = ""
    pool: Annotated[str, Field(4, default="rbd")] = ""
    user: Annotated[str, Field(5, default="admin")] = ""
    keyring: Annotated[str, Field(6, default="/etc/ceph/keyring")] = ""
    secretRef: Annotated[LocalObjectReference | None, Field(7)] = None
    readOnly: Annotated[bool, Field(8)] = False


class ScaleIOVolumeSource(Object):
    gateway: Annotated[str, Field(1, required=True)] = always(str)
    system: Annotated[str, Field(2, required=True)] = always(str)
    secretRef: Annotated[LocalObjectReference | None, Field(3, required=True)] = None
    sslEnabled: Annotated[bool, Field(4)] = False
    protectionDomain: Annotated[str, Field(5)] = ""
    storagePool: Annotated[str, Field(6)] = ""
    storageMode: Annotated[str, Field(7, default="ThinProvisioned")] = ""
    volumeName: Annotated[str, Field(8)] = ""
    fsType: Annotated[str, Field(9, default="xfs")] = ""
    readOnly: Annotated[bool, Field(10)] = False


class SecretVolumeSource(Object):
    secretName: Annotated[str, Field(1)] = ""
    items: Annotated[tuple[KeyToPath, ...], Field(2, list="atomic")] = ()
    defaultMode: Annotated[Int32 | None, Field(3, default=420)] = None
    optional: Annotated[bool | None, Field(4)] = None


class StorageOSVolumeSource(Object):
    volumeName: Annotated[str, Field(1)] = ""
    volumeNamespace: Annotated[str, Field(2)] = ""
    fsType: Annotated[str, Field(3)] = ""
    readOnly: Annotated[bool, Field(4)] = False
    secretRef: Annotated[LocalObjectReference | None, Field(5)] = None


class VsphereVirtualDiskVolumeSource(Object):
    volumePath: Annotated[str, Field(1, required=True)] = always(str)
    fsType: Annotated[str, Field(2)] = ""
    storagePolicyName: Annotated[str, Field(3)] = ""
    storagePolicyID: Annotated[str, Field(4)] = ""


class Volume(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    hostPath: HostPathVolumeSource | None = None
    emptyDir: EmptyDirVolumeSource | None = None
    gcePersistentDisk: GCEPersistentDiskVolumeSource | None = None
    awsElasticBlockStore: AWSElasticBlockStoreVolumeSource | None = None
    gitRepo: GitRepoVolumeSource | None = None
    secret: SecretVolumeSource | None = None
    nfs: NFSVolumeSource | None = None
    iscsi: ISCSIVolumeSource | None = None
    glusterfs: GlusterfsVolumeSource | None = None
    persistentVolumeClaim: PersistentVolumeClaimVolumeSource | None = None
    rbd: RBDVolumeSource | None = None
    flexVolume: FlexVolumeSource | None = None
    cinder: CinderVolumeSource | None = None
    cephfs: CephFSVolumeSource | None = None
    flocker: FlockerVolumeSource | None = None
    downwardAPI: DownwardAPIVolumeSource | None = None
    fc: FCVolumeSource | None = None
    azureFile: AzureFileVolumeSource | None = None
    configMap: ConfigMapVolumeSource | None = None
    vsphereVolume: VsphereVirtualDiskVolumeSource | None = None
    quobyte: QuobyteVolumeSource | None = None
    azureDisk: AzureDiskVolumeSource | None = None
    photonPersistentDisk: PhotonPersistentDiskVolumeSource | None = None
    projected: ProjectedVolumeSource | None = None
    portworxVolume: PortworxVolumeSource | None = None
    scaleIO: ScaleIOVolumeSource | None = None
    storageos: StorageOSVolumeSource | None = None
    csi: CSIVolumeSource | None = None
    ephemeral: EphemeralVolumeSource | None = None
    image: ImageVolumeSource | None = None
