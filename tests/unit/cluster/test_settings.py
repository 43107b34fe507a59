from pathlib import Path

import pytest

from proa.cluster.paths import ClusterPaths, InvalidNameError
from proa.cluster.settings import Settings, SettingsError, choose, load, save


def test_every_cluster_of_a_machine_gets_ranges_and_a_port_of_its_own() -> None:
    clusters: list[Settings] = []
    for number in range(5):
        clusters.append(choose(f"c{number}", clusters))
    for what in ("pod_cidr", "service_cidr", "node_cidr", "api_port", "kubelet_port"):
        assert len({getattr(each, what) for each in clusters}) == 5


def test_ranges_that_the_machine_already_routes_are_left_alone(tmp_path: Path) -> None:
    routes = tmp_path / "route"
    header = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
    default = "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\n"
    routes.write_text(header + default + "tun0\t0100F40A\t00000000\t0001\t0\t0\t0\t00FFFFFF\n")
    assert choose("c", [], routes=routes).pod_cidr == "10.243.0.0/16"
    routes.write_text(header + default)
    assert choose("c", [], routes=routes).pod_cidr == "10.244.0.0/16"


def test_the_port_of_another_cluster_is_refused() -> None:
    first = choose("a", [], api_port=7000)
    with pytest.raises(SettingsError, match="--api-port 7000 belongs to the cluster 'a'"):
        choose("b", [first], api_port=7000)


def test_settings_are_the_same_after_a_restart(tmp_path: Path) -> None:
    paths = ClusterPaths.of("x", tmp_path / "x")
    assert load(paths) is None
    settings = choose("x", [], api_port=7001)
    save(paths, settings)
    assert load(paths) == settings


def test_broken_settings_are_named_not_replaced(tmp_path: Path) -> None:
    paths = ClusterPaths.of("x", tmp_path)
    paths.settings.write_text('{"name": "x"}')
    with pytest.raises(SettingsError, match=r"cluster.json.*api_port"):
        load(paths)


@pytest.mark.parametrize("name", ["", "Upper", "a_b", "-a", "a" * 40, "../x"])
def test_a_name_that_cannot_name_kernel_objects_is_refused(name: str) -> None:
    with pytest.raises(InvalidNameError, match="at most 32"):
        ClusterPaths.of(name)
