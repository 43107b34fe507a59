"""A cluster's settings at its beginning and when more is asked of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proa.cluster import creation
from proa.cluster.creation import CannotCreateError, Wish
from proa.cluster.paths import ClusterPaths, known_clusters


@pytest.fixture(autouse=True)
def _root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROA_DATA_ROOT", str(tmp_path / "root"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def test_a_new_cluster_has_one_node_and_keeps_what_it_got() -> None:
    paths = ClusterPaths.of("a")
    settings, before = creation.ensure(paths, Wish("a"))
    assert before is None
    assert (settings.nodes, settings.simulated_nodes) == (1, 0)
    assert creation.ensure(paths, Wish("a")) == (settings, settings)


def test_clusters_share_neither_addresses_nor_port() -> None:
    first, _ = creation.ensure(ClusterPaths.of("a"), Wish("a"))
    second, _ = creation.ensure(ClusterPaths.of("b"), Wish("b"))
    assert first.api_port != second.api_port
    assert first.pod_cidr != second.pod_cidr
    assert first.service_cidr != second.service_cidr


def test_nodes_can_be_added_but_not_taken_away() -> None:
    paths = ClusterPaths.of("a")
    creation.ensure(paths, Wish("a"))
    assert creation.ensure(paths, Wish("a", nodes=3))[0].nodes == 3
    assert creation.ensure(paths, Wish("a"))[0].nodes == 3
    with pytest.raises(CannotCreateError, match="has 3 nodes"):
        creation.ensure(paths, Wish("a", nodes=1))


def test_the_port_of_a_cluster_does_not_change() -> None:
    paths = ClusterPaths.of("a")
    settings, _ = creation.ensure(paths, Wish("a"))
    with pytest.raises(CannotCreateError, match=f"port {settings.api_port}"):
        creation.ensure(paths, Wish("a", api_port=settings.api_port + 1))


def test_a_directory_of_the_user_s_choice_is_found_by_name(tmp_path: Path) -> None:
    paths = ClusterPaths.of("a", tmp_path / "elsewhere")
    creation.ensure(paths, Wish("a"))
    assert known_clusters()["a"].root == tmp_path / "elsewhere"
    with pytest.raises(CannotCreateError, match="already"):
        creation.ensure(ClusterPaths.of("a", tmp_path / "another"), Wish("a"))
    with pytest.raises(CannotCreateError, match="--name a"):
        creation.ensure(paths, Wish("b"))


def test_without_root_there_are_simulated_nodes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    paths = ClusterPaths.of("a")
    with pytest.raises(CannotCreateError, match="--simulated-nodes 3"):
        creation.ensure(paths, Wish("a"))
    with pytest.raises(CannotCreateError, match="needs root"):
        creation.ensure(paths, Wish("a", nodes=1))
    settings, _ = creation.ensure(paths, Wish("a", simulated_nodes=3))
    assert (settings.nodes, settings.simulated_nodes) == (0, 3)
