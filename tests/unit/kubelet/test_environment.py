"""What a container finds in its environment and files about itself."""

from __future__ import annotations

from typing import Any

import pytest

from proa.aio.clock import SystemClock
from proa.api.core_v1 import (
    ConfigMap,
    ConfigMapEnvSource,
    ConfigMapKeySelector,
    Container,
    EnvFromSource,
    EnvVar,
    EnvVarSource,
    HostAlias,
    ObjectFieldSelector,
    PodDNSConfig,
    PodDNSConfigOption,
    ResourceFieldSelector,
    ResourceRequirements,
    Secret,
    SecretEnvSource,
    SecretKeySelector,
    Service,
    ServicePort,
    ServiceSpec,
)
from proa.kubelet.environment import environment, expand, service_variables
from proa.kubelet.hostnames import hostname_of
from proa.kubelet.netfiles import Resolver, hosts_file, parse_resolver, resolver_of
from proa.kubelet.services import StepError
from proa.machinery.meta import ObjectMeta


def test_references_are_expanded_and_unknown_ones_stay() -> None:
    known = {"A": "1", "B": "2"}
    assert expand("$(A)-$(B)-$(C)-$$(A)-$A-$(", known) == "1-2-$(C)-$(A)-$A-$("


def test_a_service_is_announced_by_its_variables() -> None:
    service = Service(
        metadata=ObjectMeta(name="redis-main", namespace="default"),
        spec=ServiceSpec(clusterIP="10.0.0.11", ports=(ServicePort(port=6379, name="db"), ServicePort(port=80))),
    )
    found = service_variables(service)
    assert found["REDIS_MAIN_SERVICE_HOST"] == "10.0.0.11"
    assert found["REDIS_MAIN_SERVICE_PORT"] == "6379"
    assert found["REDIS_MAIN_SERVICE_PORT_DB"] == "6379"
    assert found["REDIS_MAIN_PORT"] == "tcp://10.0.0.11:6379"
    assert found["REDIS_MAIN_PORT_80_TCP_PROTO"] == "tcp"
    headless = Service(metadata=service.metadata, spec=ServiceSpec(clusterIP="None"))
    assert service_variables(headless) == {}


async def made(make_world: Any, make_pod: Any, container: Container, *objects: Any, **spec: Any) -> dict[str, str]:
    world = make_world(SystemClock())
    for each in objects:
        world.api.put("configmaps" if isinstance(each, ConfigMap) else "secrets", each)
    services = world.services()
    return await environment(services, make_pod(container, **spec), container, ["10.0.0.5"])


async def test_later_values_win_and_see_earlier_ones(make_world: Any, make_pod: Any) -> None:
    meta = ObjectMeta(name="c", namespace="default")
    config = ConfigMap(metadata=meta, data={"HOST": "db", "PORT": "1"})
    secret = Secret(metadata=meta, data={"PASS": b"s3"})
    container = Container(
        name="app",
        envFrom=(
            EnvFromSource(configMapRef=ConfigMapEnvSource(name="c")),
            EnvFromSource(prefix="DB_", secretRef=SecretEnvSource(name="c")),
        ),
        env=(
            EnvVar(name="PORT", value="2"),
            EnvVar(name="URL", value="$(HOST):$(PORT)/$(DB_PASS)"),
            EnvVar(name="IP", valueFrom=EnvVarSource(fieldRef=ObjectFieldSelector(fieldPath="status.podIP"))),
            EnvVar(
                name="MEM", valueFrom=EnvVarSource(resourceFieldRef=ResourceFieldSelector(resource="limits.memory"))
            ),
            EnvVar(
                name="CPU",
                valueFrom=EnvVarSource(resourceFieldRef=ResourceFieldSelector(resource="requests.cpu", divisor="1m")),
            ),
            EnvVar(
                name="NONE",
                valueFrom=EnvVarSource(configMapKeyRef=ConfigMapKeySelector(name="x", key="y", optional=True)),
            ),
        ),
        resources=ResourceRequirements(limits={"memory": "64Mi"}, requests={"cpu": "250m"}),
    )
    found = await made(make_world, make_pod, container, config, secret)
    assert found["URL"] == "db:2/s3"
    assert found["IP"] == "10.0.0.5"
    assert found["MEM"] == str(64 << 20)
    assert found["CPU"] == "250"
    assert "NONE" not in found


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (EnvVarSource(secretKeyRef=SecretKeySelector(name="s", key="k")), 'secret "s" not found'),
        (
            EnvVarSource(configMapKeyRef=ConfigMapKeySelector(name="c", key="k")),
            "couldn't find key k in ConfigMap default/c",
        ),
        (EnvVarSource(fieldRef=ObjectFieldSelector(fieldPath="spec.nope")), "unsupported fieldPath: spec.nope"),
    ],
)
async def test_what_is_missing_is_named(make_world: Any, make_pod: Any, source: EnvVarSource, message: str) -> None:
    config = ConfigMap(metadata=ObjectMeta(name="c", namespace="default"))
    container = Container(name="app", env=(EnvVar(name="X", valueFrom=source),))
    with pytest.raises(StepError) as caught:
        await made(make_world, make_pod, container, config)
    assert caught.value.reason == "CreateContainerConfigError"
    assert str(caught.value).startswith(message)


def test_the_hosts_file_names_the_pod_and_its_aliases(make_pod: Any) -> None:
    aliases = (HostAlias(ip="1.2.3.4", hostnames=("a", "b")),)
    text = hosts_file(make_pod(subdomain="db", hostAliases=aliases), ["10.0.0.5"], "cluster.local", "")
    assert text.startswith("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n")
    assert "10.0.0.5\tweb.db.default.svc.cluster.local\tweb\n" in text
    assert text.endswith("# Entries added by HostAliases.\n1.2.3.4\ta\tb\n")
    on_host = hosts_file(make_pod(hostNetwork=True), [], "cluster.local", "127.0.0.1 box\n")
    assert on_host == "# Kubernetes-managed hosts file (host network).\n127.0.0.1 box\n"


HOST = parse_resolver("# x\nnameserver 9.9.9.9\nsearch corp.example lan.\noptions edns0\n")


def test_cluster_first_asks_the_cluster_and_keeps_the_hosts_domains(make_pod: Any) -> None:
    text = resolver_of(make_pod(), HOST, ["10.96.0.10"], "cluster.local").text()
    assert text == (
        "search default.svc.cluster.local svc.cluster.local cluster.local corp.example lan\n"
        "nameserver 10.96.0.10\noptions ndots:5\n"
    )


def test_the_other_dns_policies(make_pod: Any) -> None:
    def of(**spec: Any) -> Resolver:
        return resolver_of(make_pod(**spec), HOST, ["10.96.0.10"], "cluster.local")

    assert of(dnsPolicy="Default").nameservers == ("9.9.9.9",)
    assert of(hostNetwork=True).nameservers == ("9.9.9.9",)
    assert of(hostNetwork=True, dnsPolicy="ClusterFirstWithHostNet").nameservers == ("10.96.0.10",)
    own = PodDNSConfig(nameservers=("1.1.1.1",), options=(PodDNSConfigOption(name="ndots", value="2"),))
    assert of(dnsPolicy="None", dnsConfig=own) == Resolver(("1.1.1.1",), (), ("ndots:2",))
    assert of(dnsConfig=own).options == ("ndots:2",)


def test_hostnames(make_pod: Any) -> None:
    assert hostname_of(make_pod(), "cluster.local") == "web"
    assert hostname_of(make_pod(hostname="h", subdomain="s", setHostnameAsFQDN=True), "c.l") == "h.s.default.svc.c.l"
    with pytest.raises(ValueError, match="too long"):
        hostname_of(make_pod(subdomain="s" * 60, setHostnameAsFQDN=True), "cluster.local")
