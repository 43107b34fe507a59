from datetime import UTC, datetime, timedelta
from pathlib import Path

from proa.cluster.credentials import Credentials
from proa.cluster.paths import ClusterPaths
from proa.cluster.settings import Settings

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def credentials(root: Path, now: datetime = NOW) -> Credentials:
    return Credentials(ClusterPaths.of("x", root), Settings(name="x", api_port=6443), now)


def test_credentials_stay_the_same_until_they_are_about_to_expire(tmp_path: Path) -> None:
    credentials(tmp_path).ensure_server()
    first = {each.name: each.read_bytes() for each in (tmp_path / "pki").iterdir()}
    credentials(tmp_path, NOW + timedelta(days=100)).ensure_server()
    assert {each.name: each.read_bytes() for each in (tmp_path / "pki").iterdir()} == first
    credentials(tmp_path, NOW + timedelta(days=320)).ensure_server()
    renewed = {each.name: each.read_bytes() for each in (tmp_path / "pki").iterdir()}
    assert renewed["apiserver.crt"] != first["apiserver.crt"]
    assert renewed["ca.crt"] == first["ca.crt"]
    assert renewed["service-account.key"] == first["service-account.key"]


def test_private_keys_and_kubeconfigs_are_for_their_owner_only(tmp_path: Path) -> None:
    credentials(tmp_path).ensure_server()
    credentials(tmp_path).ensure_node("n", ["10.0.0.1"])
    private = [*tmp_path.glob("pki/*.key"), *tmp_path.glob("*kubeconfig")]
    assert len(private) >= 6
    assert all(each.stat().st_mode & 0o077 == 0 for each in private)


def test_a_node_whose_address_changed_gets_a_new_serving_certificate(tmp_path: Path) -> None:
    credentials(tmp_path).ensure_node("n", ["10.0.0.1"])
    before = (tmp_path / "pki/kubelet-n.crt").read_bytes()
    credentials(tmp_path).ensure_node("n", ["10.0.0.2"])
    assert (tmp_path / "pki/kubelet-n.crt").read_bytes() != before
