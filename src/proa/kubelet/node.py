"""The Node object: registration, heartbeats, conditions.

A lease is renewed every 10 s and says that the agent lives; the status is written when it changes, and every 5 minutes
for its heartbeat times. What the node's controller makes of silence is not decided here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from proa.aio.clock import Clock
from proa.api.coordination_v1 import Lease, LeaseSpec
from proa.api.coordination_v1.resources import LEASES
from proa.api.core_v1 import (
    ContainerImage,
    DaemonEndpoint,
    Node,
    NodeAddress,
    NodeCondition,
    NodeDaemonEndpoints,
    NodeSpec,
    NodeStatus,
    NodeSystemInfo,
)
from proa.api.core_v1.resources import NODES
from proa.base.build import KUBERNETES_VERSION, VERSION
from proa.base.errors import ProaError
from proa.client.events import EventRecorder
from proa.client.protocol import Client
from proa.kubelet.host import HostFacts, Pressure
from proa.kubelet.services import NodeConfig
from proa.machinery.meta import ObjectMeta, OwnerReference
from proa.machinery.quantity import parse
from proa.machinery.status import is_already_exists, is_conflict, is_not_found
from proa.machinery.timestamps import format_micro_time, from_epoch
from proa.runtime.protocol import Image, Images, Runtime, RuntimeFault

log = logging.getLogger(__name__)

LEASE_NAMESPACE = "kube-node-lease"
LEASE_DURATION = 40
RENEW_PERIOD = 10.0
STATUS_PERIOD = 300.0
_IMAGES_REPORTED = 50

_SOUND = {
    "MemoryPressure": ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
}
_UNSOUND = {
    "MemoryPressure": ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
    "DiskPressure": ("KubeletHasDiskPressure", "kubelet has disk pressure"),
    "PIDPressure": ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
}


def allocatable(capacity: Mapping[str, str], reserved: Mapping[str, str]) -> dict[str, str]:
    """What pods may have of it."""
    left = {}
    for name, value in capacity.items():
        quantity = parse(value) - parse(reserved.get(name, 0))
        left[name] = str(quantity) if quantity.nanos > 0 else "0"
    return left


def node_labels(config: NodeConfig, facts: HostFacts) -> dict[str, str]:
    return {
        "beta.kubernetes.io/arch": facts.architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": facts.architecture,
        "kubernetes.io/hostname": config.name,
        "kubernetes.io/os": "linux",
        **config.labels,
    }


def node_conditions(
    old: Sequence[NodeCondition], unmet: Mapping[str, str], pressure: Pressure, now: str
) -> tuple[NodeCondition, ...]:
    """Ready and the pressures; transition times are kept where nothing changed, conditions of others as they are."""
    before = {each.type: each for each in old}
    found: dict[str, tuple[bool, str, str]] = {}
    for type_, short in (
        ("MemoryPressure", pressure.memory),
        ("DiskPressure", pressure.disk),
        ("PIDPressure", pressure.pids),
    ):
        found[type_] = (short, *(_UNSOUND if short else _SOUND)[type_])
    if unmet:
        found["Ready"] = (False, "KubeletNotReady", ", ".join(f"{name}: {why}" for name, why in sorted(unmet.items())))
    else:
        found["Ready"] = (True, "KubeletReady", "kubelet is posting ready status")
    made = []
    for type_, (value, reason, message) in found.items():
        status = "True" if value else "False"
        last = before.get(type_)
        since = last.lastTransitionTime if last is not None and last.status == status else now
        made.append(
            NodeCondition(
                type=type_,
                status=status,
                reason=reason,
                message=message,
                lastHeartbeatTime=now,
                lastTransitionTime=since,
            )
        )
    return (*(each for each in old if each.type not in found), *made)


class NodeReporter:
    """Keeps one Node and its lease in the API."""

    def __init__(
        self,
        config: NodeConfig,
        facts: HostFacts,
        client: Client,
        runtime: Runtime,
        images: Images,
        events: EventRecorder,
        clock: Clock,
        pressure: Callable[[], Pressure] = Pressure,
    ) -> None:
        self.config = config
        self.facts = facts
        self.node: Node | None = None
        self._client = client
        self._runtime = runtime
        self._images = images
        self._events = events
        self._clock = clock
        self._pressure = pressure
        self._lease: Lease | None = None
        self._written_at = 0.0
        self._renewals = 0
        self._writes = 0
        self._failures = 0
        self._wake = asyncio.Event()

    @property
    def capacity(self) -> dict[str, str]:
        return {**self.facts.capacity, "pods": str(self.config.max_pods), **self.config.capacity}

    @property
    def allocatable(self) -> dict[str, str]:
        return allocatable(self.capacity, self.config.reserved)

    def statistics(self) -> dict[str, int]:
        return {"renewals": self._renewals, "status_writes": self._writes, "failures": self._failures}

    async def register(self) -> Node:
        """Create the Node, or make an existing one ours again. Retries until the API answers."""
        delay = 0.1
        while True:
            try:
                self.node = await self._register()
                break
            except (ProaError, OSError, TimeoutError) as error:
                self._failures += 1
                log.warning("node %s is not registered yet: %s", self.config.name, error)
            await asyncio.sleep(delay)
            delay = min(delay * 2, 7.0)
        self._events.normal(self.node, "Starting", "Starting kubelet.")
        return self.node

    async def run(self) -> None:
        """Heartbeats, for ever."""
        while True:
            await self._beat()
            self._wake.clear()
            try:
                async with asyncio.timeout(RENEW_PERIOD):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def pod_cidr(self) -> str:
        """Node.spec.podCIDR, once the node's controller has given it one."""
        name = self.config.name
        while True:
            try:
                node = await self._client.get(NODES, name)
                if node.spec.podCIDR:
                    return node.spec.podCIDR
                version = node.metadata.resourceVersion
                changes = self._client.watch(NODES, field_selector=f"metadata.name={name}", resource_version=version)
                async for batch in changes:
                    for event in batch:
                        if event.object.spec.podCIDR:
                            return event.object.spec.podCIDR
            except (ProaError, OSError, TimeoutError) as error:
                log.warning("node %s: waiting for a podCIDR: %s", name, error)
                await asyncio.sleep(0.5)

    def changed(self) -> None:
        """Something the status says may have changed: look now."""
        self._wake.set()

    # Writing

    async def _register(self) -> Node:
        status = await self._status(NodeStatus())
        labels = node_labels(self.config, self.facts)
        own = self.config.pod_cidr
        spec = NodeSpec(
            podCIDR=own,
            podCIDRs=(own,) if own else (),
            taints=tuple(self.config.taints),
            providerID=self.config.provider_id,
        )
        wanted = Node(metadata=ObjectMeta(name=self.config.name, labels=labels), spec=spec, status=status)
        self._written_at = self._clock.monotonic()
        try:
            return await self._client.create(NODES, wanted)
        except ProaError as error:
            if not is_already_exists(error):
                raise
        node = await self._client.get(NODES, self.config.name)
        if any(node.metadata.labels.get(key) != value for key, value in labels.items()):
            node = await self._client.patch(NODES, self.config.name, "", {"metadata": {"labels": labels}})
        return await self._write(node, await self._status(node.status))

    async def _beat(self) -> None:
        try:
            await self._renew()
            node = self.node
            if node is None:
                return
            status = await self._status(node.status)
            due = self._clock.monotonic() - self._written_at >= STATUS_PERIOD
            if due or _lasting(status) != _lasting(node.status):
                self.node = await self._write(node, status)
        except (ProaError, OSError, TimeoutError) as error:
            self._failures += 1
            self._lease = None
            log.warning("heartbeat of node %s: %s", self.config.name, error)
            if is_not_found(error):
                self.node = await self.register()

    async def _write(self, node: Node, status: NodeStatus) -> Node:
        before, after = msgspec.to_builtins(node.status), msgspec.to_builtins(status)
        patch: dict[str, Any] = {
            key: after.get(key)
            for key in before.keys() | after.keys()
            if before.get(key) != after.get(key) and key not in ("volumesAttached", "config", "phase")
        }
        if "addresses" in patch and node.status.addresses:
            patch["addresses"] = [{"$patch": "replace"}, *(patch["addresses"] or ())]
        self._written_at = self._clock.monotonic()
        if not patch:
            return node
        self._writes += 1
        ready = _ready(node.status)
        written = await self._client.patch(NODES, self.config.name, "", {"status": patch}, subresource="status")
        if _ready(written.status) != ready:
            reason = "NodeReady" if _ready(written.status) else "NodeNotReady"
            self._events.normal(written, reason, f"Node {self.config.name} status is now: {reason}")
        return written

    async def _renew(self) -> None:
        now = format_micro_time(self._clock.now())
        name = self.config.name
        if self._lease is None:
            try:
                self._lease = await self._client.get(LEASES, name, LEASE_NAMESPACE)
            except ProaError as error:
                if not is_not_found(error):
                    raise
                self._lease = await self._client.create(LEASES, self._new_lease(now))
                self._renewals += 1
                return
        spec = msgspec.structs.replace(
            self._lease.spec, holderIdentity=name, leaseDurationSeconds=LEASE_DURATION, renewTime=now
        )
        try:
            self._lease = await self._client.update(LEASES, msgspec.structs.replace(self._lease, spec=spec))
            self._renewals += 1
        except ProaError as error:
            self._lease = None
            if is_conflict(error) or is_not_found(error):
                await self._renew()
                return
            raise

    def _new_lease(self, now: str) -> Lease:
        name = self.config.name
        owners: tuple[OwnerReference, ...] = ()
        if self.node is not None:
            owners = (OwnerReference(apiVersion="v1", kind="Node", name=name, uid=self.node.metadata.uid),)
        return Lease(
            metadata=ObjectMeta(name=name, namespace=LEASE_NAMESPACE, ownerReferences=owners),
            spec=LeaseSpec(holderIdentity=name, leaseDurationSeconds=LEASE_DURATION, renewTime=now),
        )

    # What is written

    async def _status(self, old: NodeStatus) -> NodeStatus:
        config, facts = self.config, self.facts
        try:
            unmet = await self._runtime.ready()
            runtime_name, runtime_version = await self._runtime.version()
            images = await self._images.images()
        except (RuntimeFault, OSError, TimeoutError) as error:
            unmet, runtime_name, runtime_version, images = {"RuntimeReady": str(error)}, "unknown", "unknown", ()
        addresses = [NodeAddress(type="InternalIP", address=each) for each in config.addresses]
        addresses.append(NodeAddress(type="Hostname", address=config.name))
        return NodeStatus(
            capacity=self.capacity,
            allocatable=self.allocatable,
            conditions=node_conditions(
                old.conditions, unmet, self._pressure(), from_epoch(self._clock.now().timestamp())
            ),
            addresses=tuple(addresses),
            daemonEndpoints=NodeDaemonEndpoints(kubeletEndpoint=DaemonEndpoint(Port=config.port)),
            nodeInfo=NodeSystemInfo(
                machineID=facts.machine_id,
                systemUUID=facts.system_uuid,
                bootID=facts.boot_id,
                kernelVersion=facts.kernel_version,
                osImage=facts.os_image,
                containerRuntimeVersion=f"{runtime_name}://{runtime_version or VERSION}",
                kubeletVersion=KUBERNETES_VERSION,
                kubeProxyVersion="",
                operatingSystem="linux",
                architecture=facts.architecture,
            ),
            images=_reported_images(images),
            volumesInUse=old.volumesInUse,
            volumesAttached=old.volumesAttached,
        )


def _reported_images(images: Sequence[Image]) -> tuple[ContainerImage, ...]:
    """The largest, as the scheduler's ImageLocality wants them."""
    largest = sorted(images, key=lambda each: each.size, reverse=True)[:_IMAGES_REPORTED]
    return tuple(ContainerImage(names=(*each.digests, *each.tags)[:5], sizeBytes=each.size) for each in largest)


def _ready(status: NodeStatus) -> bool:
    return any(each.type == "Ready" and each.status == "True" for each in status.conditions)


def _lasting(status: NodeStatus) -> object:
    """The status without its heartbeat times."""
    conditions = {each.type: (each.status, each.reason, each.message) for each in status.conditions}
    mine = {type_: each for type_, each in conditions.items() if type_ in _SOUND or type_ == "Ready"}
    return (
        mine, dict(status.capacity), dict(status.allocatable), status.addresses, status.images, status.nodeInfo,
        status.daemonEndpoints,
    )  # fmt: skip
