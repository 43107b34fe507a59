"""core/v1 declarations."""

from collections.abc import Mapping
from typing import Annotated

from proa.api.core_v1.reference import (
    ConfigMapKeySelector,
    FileKeySelector,
    ObjectFieldSelector,
    ResourceFieldSelector,
    SecretKeySelector,
)
from proa.machinery.declare import Field, Object, always
from proa.machinery.scalars import Int32, Int64, IntOrString, Quantity, Time


class AppArmorProfile(Object):
    type: Annotated[str, Field(1, required=True, enum=("Unconfined", "RuntimeDefault", "Localhost"))] = always(str)
    localhostProfile: Annotated[str | None, Field(2)] = None


class Capabilities(Object):
    add: Annotated[tuple[str, ...], Field(1, list="atomic")] = ()
    drop: Annotated[tuple[str, ...], Field(2, list="atomic")] = ()


class ConfigMapEnvSource(Object):
    name: str = ""
    optional: Annotated[bool | None, Field(2)] = None


class ContainerPort(Object):
    name: Annotated[str, Field(1)] = ""
    hostPort: Annotated[Int32, Field(2, minimum=0, maximum=65535)] = 0
    containerPort: Annotated[Int32, Field(3, required=True, minimum=1, maximum=65535)] = always(int)
    protocol: Annotated[str, Field(4, default="TCP", enum=("TCP", "UDP", "SCTP"))] = ""
    hostIP: Annotated[str, Field(5)] = ""


class ContainerResizePolicy(Object):
    resourceName: Annotated[str, Field(1, required=True)] = always(str)
    restartPolicy: Annotated[str, Field(2, required=True)] = always(str)


class ContainerRestartRuleOnExitCodes(Object):
    operator: Annotated[str, Field(1, required=True)] = ""
    values: Annotated[tuple[Int32, ...], Field(2, list="set")] = ()


class ContainerRestartRule(Object):
    action: Annotated[str, Field(1, required=True)] = ""
    exitCodes: Annotated[ContainerRestartRuleOnExitCodes | None, Field(2)] = None


class SecretEnvSource(Object):
    name: str = ""
    optional: Annotated[bool | None, Field(2)] = None


class EnvFromSource(Object):
    prefix: Annotated[str, Field(1)] = ""
    configMapRef: Annotated[ConfigMapEnvSource | None, Field(2)] = None
    secretRef: Annotated[SecretEnvSource | None, Field(3)] = None


class EnvVarSource(Object):
    fieldRef: Annotated[ObjectFieldSelector | None, Field(1)] = None
    resourceFieldRef: Annotated[ResourceFieldSelector | None, Field(2)] = None
    configMapKeyRef: Annotated[ConfigMapKeySelector | None, Field(3)] = None
    secretKeyRef: Annotated[SecretKeySelector | None, Field(4)] = None
    fileKeyRef: Annotated[FileKeySelector | None, Field(5)] = None


class EnvVar(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    value: Annotated[str, Field(2)] = ""
    valueFrom: Annotated[EnvVarSource | None, Field(3)] = None


class ExecAction(Object):
    command: Annotated[tuple[str, ...], Field(1, list="atomic")] = ()


class HTTPHeader(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    value: Annotated[str, Field(2, required=True)] = always(str)


class HTTPGetAction(Object):
    path: Annotated[str, Field(1, default="/")] = ""
    port: Annotated[IntOrString, Field(2, required=True)] = 0
    host: Annotated[str, Field(3)] = ""
    scheme: Annotated[str, Field(4, default="HTTP", enum=("HTTP", "HTTPS"))] = ""
    httpHeaders: Annotated[tuple[HTTPHeader, ...], Field(5, list="atomic")] = ()


class SleepAction(Object):
    seconds: Annotated[Int64, Field(1, required=True)] = always(int)


class TCPSocketAction(Object):
    port: Annotated[IntOrString, Field(1, required=True)] = 0
    host: Annotated[str, Field(2)] = ""


class LifecycleHandler(Object):
    exec: Annotated[ExecAction | None, Field(1)] = None
    httpGet: Annotated[HTTPGetAction | None, Field(2)] = None
    tcpSocket: Annotated[TCPSocketAction | None, Field(3)] = None
    sleep: Annotated[SleepAction | None, Field(4)] = None


class Lifecycle(Object):
    postStart: Annotated[LifecycleHandler | None, Field(1)] = None
    preStop: Annotated[LifecycleHandler | None, Field(2)] = None
    stopSignal: Annotated[str | None, Field(3)] = None


class GRPCAction(Object):
    port: Annotated[Int32, Field(1, required=True, minimum=1, maximum=65535)] = always(int)
    service: Annotated[str | None, Field(2, default="")] = None


class Probe(Object):
    exec: ExecAction | None = None
    httpGet: HTTPGetAction | None = None
    tcpSocket: TCPSocketAction | None = None
    grpc: GRPCAction | None = None
    initialDelaySeconds: Annotated[Int32, Field(2, minimum=0)] = 0
    timeoutSeconds: Annotated[Int32, Field(3, default=1, minimum=0)] = 0
    periodSeconds: Annotated[Int32, Field(4, default=10, minimum=0)] = 0
    successThreshold: Annotated[Int32, Field(5, default=1, minimum=0)] = 0
    failureThreshold: Annotated[Int32, Field(6, default=3, minimum=0)] = 0
    terminationGracePeriodSeconds: Annotated[Int64 | None, Field(7)] = None


class ResourceClaim(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    request: Annotated[str, Field(2)] = ""


class ResourceRequirements(Object):
    limits: Annotated[Mapping[str, Quantity], Field(1)] = {}
    requests: Annotated[Mapping[str, Quantity], Field(2)] = {}
    claims: Annotated[tuple[ResourceClaim, ...], Field(3, list="map", keys=("name",))] = ()


class SELinuxOptions(Object):
    user: Annotated[str, Field(1)] = ""
    role: Annotated[str, Field(2)] = ""
    type: Annotated[str, Field(3)] = ""
    level: Annotated[str, Field(4)] = ""


class SeccompProfile(Object):
    type: Annotated[str, Field(1, required=True, enum=("Unconfined", "RuntimeDefault", "Localhost"))] = always(str)
    localhostProfile: Annotated[str | None, Field(2)] = None


class WindowsSecurityContextOptions(Object):
    gmsaCredentialSpecName: Annotated[str | None, Field(1)] = None
    gmsaCredentialSpec: Annotated[str | None, Field(2)] = None
    runAsUserName: Annotated[str | None, Field(3)] = None
    hostProcess: Annotated[bool | None, Field(4)] = None


class SecurityContext(Object):
    capabilities: Annotated[Capabilities | None, Field(1)] = None
    privileged: Annotated[bool | None, Field(2)] = None
    seLinuxOptions: Annotated[SELinuxOptions | None, Field(3)] = None
    windowsOptions: Annotated[WindowsSecurityContextOptions | None, Field(10)] = None
    runAsUser: Annotated[Int64 | None, Field(4, minimum=0, maximum=2147483647)] = None
    runAsGroup: Annotated[Int64 | None, Field(8, minimum=0, maximum=2147483647)] = None
    runAsNonRoot: Annotated[bool | None, Field(5)] = None
    readOnlyRootFilesystem: Annotated[bool | None, Field(6)] = None
    allowPrivilegeEscalation: Annotated[bool | None, Field(7)] = None
    procMount: Annotated[str | None, Field(9, enum=("Default", "Unmasked"))] = None
    seccompProfile: Annotated[SeccompProfile | None, Field(11)] = None
    appArmorProfile: Annotated[AppArmorProfile | None, Field(12)] = None


class VolumeDevice(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    devicePath: Annotated[str, Field(2, required=True)] = always(str)


class VolumeMount(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    readOnly: Annotated[bool, Field(2)] = False
    recursiveReadOnly: Annotated[str | None, Field(7)] = None
    mountPath: Annotated[str, Field(3, required=True)] = always(str)
    subPath: Annotated[str, Field(4)] = ""
    mountPropagation: Annotated[str | None, Field(5, enum=("None", "HostToContainer", "Bidirectional"))] = None
    subPathExpr: Annotated[str, Field(6)] = ""


class Container(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    image: Annotated[str, Field(2)] = ""
    command: Annotated[tuple[str, ...], Field(3, list="atomic")] = ()
    args: Annotated[tuple[str, ...], Field(4, list="atomic")] = ()
    workingDir: Annotated[str, Field(5)] = ""
    ports: Annotated[
        tuple[ContainerPort, ...],
        Field(6, list="map", keys=("containerPort", "protocol"), merge="merge", key="containerPort"),
    ] = ()
    envFrom: Annotated[tuple[EnvFromSource, ...], Field(19, list="atomic")] = ()
    env: Annotated[tuple[EnvVar, ...], Field(7, list="map", keys=("name",), merge="merge", key="name")] = ()
    resources: Annotated[ResourceRequirements, Field(8)] = always(ResourceRequirements)
    resizePolicy: Annotated[tuple[ContainerResizePolicy, ...], Field(23, list="atomic")] = ()
    restartPolicy: Annotated[str | None, Field(24)] = None
    restartPolicyRules: Annotated[tuple[ContainerRestartRule, ...], Field(25, list="atomic")] = ()
    volumeMounts: Annotated[
        tuple[VolumeMount, ...], Field(9, list="map", keys=("mountPath",), merge="merge", key="mountPath")
    ] = ()
    volumeDevices: Annotated[
        tuple[VolumeDevice, ...], Field(21, list="map", keys=("devicePath",), merge="merge", key="devicePath")
    ] = ()
    livenessProbe: Annotated[Probe | None, Field(10)] = None
    readinessProbe: Annotated[Probe | None, Field(11)] = None
    startupProbe: Annotated[Probe | None, Field(22)] = None
    lifecycle: Annotated[Lifecycle | None, Field(12)] = None
    terminationMessagePath: Annotated[str, Field(13, default="/dev/termination-log")] = ""
    terminationMessagePolicy: Annotated[str, Field(20, default="File", enum=("File", "FallbackToLogsOnError"))] = ""
    imagePullPolicy: Annotated[str, Field(14, enum=("Always", "Never", "IfNotPresent"))] = ""
    securityContext: Annotated[SecurityContext | None, Field(15)] = None
    stdin: Annotated[bool, Field(16)] = False
    stdinOnce: Annotated[bool, Field(17)] = False
    tty: Annotated[bool, Field(18)] = False


class ContainerExtendedResourceRequest(Object):
    containerName: Annotated[str, Field(1, required=True)] = always(str)
    resourceName: Annotated[str, Field(2, required=True)] = always(str)
    requestName: Annotated[str, Field(3, required=True)] = always(str)


class ContainerStateRunning(Object):
    startedAt: Annotated[Time | None, Field(1)] = None


class ContainerStateTerminated(Object):
    exitCode: Annotated[Int32, Field(1, required=True)] = always(int)
    signal: Annotated[Int32, Field(2)] = 0
    reason: Annotated[str, Field(3)] = ""
    message: Annotated[str, Field(4)] = ""
    startedAt: Annotated[Time | None, Field(5)] = None
    finishedAt: Annotated[Time | None, Field(6)] = None
    containerID: Annotated[str, Field(7)] = ""


class ContainerStateWaiting(Object):
    reason: Annotated[str, Field(1)] = ""
    message: Annotated[str, Field(2)] = ""


class ContainerState(Object):
    waiting: Annotated[ContainerStateWaiting | None, Field(1)] = None
    running: Annotated[ContainerStateRunning | None, Field(2)] = None
    terminated: Annotated[ContainerStateTerminated | None, Field(3)] = None


class LinuxContainerUser(Object):
    uid: Annotated[Int64, Field(1, required=True)] = always(int)
    gid: Annotated[Int64, Field(2, required=True)] = always(int)
    supplementalGroups: Annotated[tuple[Int64, ...], Field(3, list="atomic")] = ()


class ContainerUser(Object):
    linux: Annotated[LinuxContainerUser | None, Field(1)] = None


class ResourceHealth(Object):
    resourceID: Annotated[str, Field(1, required=True)] = always(str)
    health: Annotated[str, Field(2)] = ""
    message: Annotated[str | None, Field(6)] = None


class ResourceStatus(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    resources: Annotated[tuple[ResourceHealth, ...], Field(2, list="map", keys=("resourceID",))] = ()


class ImageVolumeStatus(Object):
    imageRef: Annotated[str, Field(1, required=True)] = ""


class VolumeStatus(Object):
    image: Annotated[ImageVolumeStatus | None, Field(1)] = None


class VolumeMountStatus(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    mountPath: Annotated[str, Field(2, required=True)] = always(str)
    readOnly: Annotated[bool, Field(3)] = False
    recursiveReadOnly: Annotated[str | None, Field(4)] = None
    volumeStatus: Annotated[VolumeStatus | None, Field(5)] = None


class ContainerStatus(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    state: Annotated[ContainerState, Field(2)] = always(ContainerState)
    lastState: Annotated[ContainerState, Field(3)] = always(ContainerState)
    ready: Annotated[bool, Field(4, required=True)] = always(bool)
    restartCount: Annotated[Int32, Field(5, required=True)] = always(int)
    image: Annotated[str, Field(6, required=True)] = always(str)
    imageID: Annotated[str, Field(7, required=True)] = always(str)
    containerID: Annotated[str, Field(8)] = ""
    started: Annotated[bool | None, Field(9)] = None
    allocatedResources: Annotated[Mapping[str, Quantity], Field(10)] = {}
    resources: Annotated[ResourceRequirements | None, Field(11)] = None
    volumeMounts: Annotated[
        tuple[VolumeMountStatus, ...], Field(12, list="map", keys=("mountPath",), merge="merge", key="mountPath")
    ] = ()
    user: Annotated[ContainerUser | None, Field(13)] = None
    allocatedResourcesStatus: Annotated[
        tuple[ResourceStatus, ...], Field(14, list="map", keys=("name",), merge="merge", key="name")
    ] = ()
    stopSignal: Annotated[str | None, Field(15)] = None


class EphemeralContainer(Object):
    name: Annotated[str, Field(required=True)] = always(str)
    image: str = ""
    command: Annotated[tuple[str, ...], Field(list="atomic")] = ()
    args: Annotated[tuple[str, ...], Field(list="atomic")] = ()
    workingDir: str = ""
    ports: Annotated[
        tuple[ContainerPort, ...],
        Field(list="map", keys=("containerPort", "protocol"), merge="merge", key="containerPort"),
    ] = ()
    envFrom: Annotated[tuple[EnvFromSource, ...], Field(list="atomic")] = ()
    env: Annotated[tuple[EnvVar, ...], Field(list="map", keys=("name",), merge="merge", key="name")] = ()
    resources: ResourceRequirements = always(ResourceRequirements)
    resizePolicy: Annotated[tuple[ContainerResizePolicy, ...], Field(list="atomic")] = ()
    restartPolicy: str | None = None
    restartPolicyRules: Annotated[tuple[ContainerRestartRule, ...], Field(list="atomic")] = ()
    volumeMounts: Annotated[
        tuple[VolumeMount, ...], Field(list="map", keys=("mountPath",), merge="merge", key="mountPath")
    ] = ()
    volumeDevices: Annotated[
        tuple[VolumeDevice, ...], Field(list="map", keys=("devicePath",), merge="merge", key="devicePath")
    ] = ()
    livenessProbe: Probe | None = None
    readinessProbe: Probe | None = None
    startupProbe: Probe | None = None
    lifecycle: Lifecycle | None = None
    terminationMessagePath: Annotated[str, Field(default="/dev/termination-log")] = ""
    terminationMessagePolicy: Annotated[str, Field(default="File", enum=("File", "FallbackToLogsOnError"))] = ""
    imagePullPolicy: Annotated[str, Field(enum=("Always", "Never", "IfNotPresent"))] = ""
    securityContext: SecurityContext | None = None
    stdin: bool = False
    stdinOnce: bool = False
    tty: bool = False
    targetContainerName: Annotated[str, Field(2)] = ""
