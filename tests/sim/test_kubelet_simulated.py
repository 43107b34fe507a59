"""Simulated nodes against the real API server, in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from proa.aio.clock import VirtualClock, virtual_run
from proa.api.coordination_v1.resources import LEASES
from proa.api.core_v1 import Container, EnvVar, Pod, PodSpec, Probe, TCPSocketAction
from proa.api.core_v1.resources import EVENTS, NODES, PODS
from proa.api.node_v1 import RuntimeClass
from proa.api.node_v1.resources import RUNTIME_CLASSES
from proa.apiserver.compose import ApiServer, Config
from proa.apiserver.identity import MASTERS, User
from proa.base.build import KUBERNETES_VERSION
from proa.client.protocol import Client
from proa.kubelet.simulated import SimulatedNodes
from proa.machinery.meta import ObjectMeta
from proa.machinery.timestamps import to_epoch
from proa.store.memory import MemoryStore

Story = Callable[[VirtualClock, Client, SimulatedNodes], Awaitable[None]]


def simulate(story: Story, *, nodes: int = 2) -> None:
    async def main(clock: VirtualClock) -> None:
        server = ApiServer(Config(store=MemoryStore(clock=clock), clock=clock))
        await server.load()
        client: Any = server.client_for(User("admin", groups=(MASTERS,)))
        simulated = SimulatedNodes(client, nodes, clock=clock)
        await simulated.start()
        try:
            await story(clock, client, simulated)
        finally:
            await simulated.close()
            await server.stop()

    virtual_run(main)


def pod(name: str, node: int = 0, *, annotations: dict[str, str] | None = None, **spec: Any) -> Pod:
    fields: dict[str, Any] = {"containers": (Container(name="app", image="app:1"),), **spec}
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default", annotations=annotations or {}),
        spec=PodSpec(nodeName=f"simulated-{node}", **fields),
    )


def test_nodes_register_and_keep_their_leases() -> None:
    async def story(clock: VirtualClock, client: Client, simulated: SimulatedNodes) -> None:
        node = await client.get(NODES, "simulated-0")
        assert node.status.allocatable["pods"] == "110"
        assert {each.type: each.status for each in node.status.conditions}["Ready"] == "True"
        assert node.metadata.labels["kubernetes.io/hostname"] == "simulated-0"
        assert node.status.nodeInfo.kubeletVersion == KUBERNETES_VERSION
        await clock.advance(1)
        before = await client.get(LEASES, "simulated-1", "kube-node-lease")
        await clock.advance(10)
        after = await client.get(LEASES, "simulated-1", "kube-node-lease")
        assert before.spec.renewTime is not None
        assert after.spec.renewTime is not None
        assert to_epoch(after.spec.renewTime) - to_epoch(before.spec.renewTime) == 10
        assert after.spec.leaseDurationSeconds == 40

    simulate(story)


def test_a_pod_runs_and_is_deleted_gracefully() -> None:
    async def story(clock: VirtualClock, client: Client, simulated: SimulatedNodes) -> None:
        await client.create(PODS, pod("web"))
        await clock.advance(1)
        status = (await client.get(PODS, "web", "default")).status
        assert status.phase == "Running"
        assert status.podIP.startswith("10.64.0.")
        assert status.qosClass == "BestEffort"
        events = {each.reason for each in (await client.list(EVENTS, "default")).items}
        assert {"Pulled", "Created", "Started"} <= events
        await client.delete(PODS, "web", "default")
        await clock.advance(31)
        assert not (await client.list(PODS, "default")).items
        assert not simulated.kubelets["simulated-0"].pods.workers

    simulate(story)


def test_a_pod_whose_containers_succeed_is_succeeded() -> None:
    async def story(clock: VirtualClock, client: Client, simulated: SimulatedNodes) -> None:
        job = Container(name="app", image="app:1", command=("sleep", "5"))
        await client.create(PODS, pod("job", containers=(job,), restartPolicy="Never"))
        await clock.advance(2)
        assert (await client.get(PODS, "job", "default")).status.phase == "Running"
        await clock.advance(5)
        status = (await client.get(PODS, "job", "default")).status
        assert status.phase == "Succeeded"
        terminated = status.containerStatuses[0].state.terminated
        assert terminated is not None
        assert (terminated.exitCode, terminated.reason) == (0, "Completed")

    simulate(story)


def test_init_containers_and_sidecars_run_in_order_and_end_in_reverse() -> None:
    async def story(clock: VirtualClock, client: Client, simulated: SimulatedNodes) -> None:
        inits = (
            Container(name="prepare", image="app:1", command=("sleep", "3")),
            Container(name="proxy", image="app:1", restartPolicy="Always"),
            Container(name="seed", image="app:1", command=("sleep", "2")),
        )
        main = Container(name="app", image="app:1", command=("sleep", "4"))
        await client.create(PODS, pod("web", initContainers=inits, containers=(main,), restartPolicy="Never"))
        await clock.advance(1)
        status = (await client.get(PODS, "web", "default")).status
        assert status.phase == "Pending"
        assert status.initContainerStatuses[0].state.running is not None
        assert status.initContainerStatuses[1].state.waiting is not None
        await clock.advance(3)
        status = (await client.get(PODS, "web", "default")).status
        assert [each.state.running is not None for each in status.initContainerStatuses] == [False, True, True]
        await clock.advance(2)
        assert (await client.get(PODS, "web", "default")).status.phase == "Running"
        await clock.advance(40)
        status = (await client.get(PODS, "web", "default")).status
        assert status.phase == "Succeeded"
        assert status.initContainerStatuses[1].state.terminated is not None, "the sidecar ends with the last container"

    simulate(story)


def test_readiness_follows_the_probe() -> None:
    class Switch:
        passes = False

        async def probe(self, *_: Any) -> tuple[bool, str]:
            return self.passes, "closed"

    async def story(clock: VirtualClock, client: Client, simulated: SimulatedNodes) -> None:
        switch = Switch()
        pods = simulated.kubelets["simulated-0"].pods
        services = pods.services
        object.__setattr__(services, "prober", switch)
        probe = Probe(tcpSocket=TCPSocketAction(port=80), periodSeconds=1, failureThreshold=2)
        main = Container(name="app", image="app:1", readinessProbe=probe)
        await client.create(PODS, pod("web", containers=(main,)))
        await clock.advance(3)

        async def ready() -> str:
            found = await client.get(PODS, "web", "default")
            return next(each.status for each in found.status.conditions if each.type == "Ready")

        assert await ready() == "False"
        switch.passes = True
        await clock.advance(1)
        assert await ready() == "True"
        switch.passes = False
        await clock.advance(1)
        assert await ready() == "True", "one failure is below the threshold"
        await clock.advance(1.5)
        assert await ready() == "False"

    simulate(story)


def test_a_deadline_ends_a_pod() -> None:
    async def story(clock: VirtualClock, client: Client, simulated: SimulatedNodes) -> None:
        await client.create(PODS, pod("web", activeDeadlineSeconds=5))
        await clock.advance(4)
        assert (await client.get(PODS, "web", "default")).status.phase == "Running"
        await clock.advance(5)
        status = (await client.get(PODS, "web", "default")).status
        assert (status.phase, status.reason) == ("Failed", "DeadlineExceeded")

    simulate(story)


def test_a_missing_reference_is_a_config_error_until_it_is_there() -> None:
    async def story(clock: VirtualClock, client: Client, simulated: SimulatedNodes) -> None:
        from proa.api.core_v1 import ConfigMap, ConfigMapKeySelector, EnvVarSource
        from proa.api.core_v1.resources import CONFIG_MAPS

        source = EnvVarSource(configMapKeyRef=ConfigMapKeySelector(name="settings", key="color"))
        main = Container(name="app", image="app:1", env=(EnvVar(name="COLOR", valueFrom=source),))
        await client.create(PODS, pod("web", containers=(main,)))
        await clock.advance(1)
        waiting = (await client.get(PODS, "web", "default")).status.containerStatuses[0].state.waiting
        assert waiting is not None
        assert waiting.reason == "CreateContainerConfigError"
        assert waiting.message == 'configmap "settings" not found'
        data = ConfigMap(metadata=ObjectMeta(name="settings", namespace="default"), data={"color": "red"})
        await client.create(CONFIG_MAPS, data)
        await clock.advance(10)
        assert (await client.get(PODS, "web", "default")).status.phase == "Running"

    simulate(story)


def test_two_thousand_pods_on_a_hundred_nodes_run_and_end() -> None:
    async def story(clock: VirtualClock, client: Client, simulated: SimulatedNodes) -> None:
        made = [await client.create(PODS, pod(f"p{index}", index % 100)) for index in range(2000)]
        await clock.advance(5)
        found = (await client.list(PODS, "default")).items
        assert len(found) == len(made)
        assert {each.status.phase for each in found} == {"Running"}
        assert len({each.status.podIP for each in found}) == 2000
        writes = sum(each.pods.statuses.statistics()["writes"] for each in simulated.kubelets.values())
        assert writes == 2000, "one write a pod"
        for each in found:
            await client.delete(PODS, each.metadata.name, "default")
        await clock.advance(40)
        assert not (await client.list(PODS, "default")).items

    simulate(story, nodes=100)


def test_foreign_conditions_survive_our_writes() -> None:
    async def story(clock: VirtualClock, client: Client, simulated: SimulatedNodes) -> None:
        from proa.api.core_v1 import PodReadinessGate

        await client.create(PODS, pod("web", readinessGates=(PodReadinessGate(conditionType="example.com/lb"),)))
        await clock.advance(1)

        async def conditions() -> dict[str, str]:
            found = await client.get(PODS, "web", "default")
            return {each.type: each.status for each in found.status.conditions}

        assert (await conditions())["Ready"] == "False"
        gate = {"type": "example.com/lb", "status": "True"}
        await client.patch(PODS, "web", "default", {"status": {"conditions": [gate]}}, subresource="status")
        await clock.advance(1)
        assert (await conditions())["Ready"] == "True"
        assert (await conditions())["example.com/lb"] == "True"

    simulate(story)


def test_a_status_is_stable_once_written() -> None:
    async def story(clock: VirtualClock, client: Client, simulated: SimulatedNodes) -> None:
        await client.create(PODS, pod("web"))
        await clock.advance(2)
        before = await client.get(PODS, "web", "default")
        await clock.advance(300)
        after = await client.get(PODS, "web", "default")
        assert msgspec.to_builtins(before) == msgspec.to_builtins(after)

    simulate(story)


def test_a_pod_whose_runtime_class_is_missing_says_so_and_starts_when_it_comes() -> None:
    async def story(clock: VirtualClock, client: Client, simulated: SimulatedNodes) -> None:
        await client.create(PODS, pod("a", runtimeClassName="vm"))
        await clock.advance(5)
        messages = {each.message for each in (await client.list(EVENTS, "default")).items}
        missing = 'failed to get sandbox runtime: RuntimeClass.node.k8s.io "vm" not found'
        assert f"Failed to create pod sandbox: {missing}" in messages
        assert (await client.get(PODS, "a", "default")).status.phase == "Pending"
        await client.create(RUNTIME_CLASSES, RuntimeClass(metadata=ObjectMeta(name="vm"), handler="proa"))
        await clock.advance(300)
        assert (await client.get(PODS, "a", "default")).status.phase == "Running"

    simulate(story)
