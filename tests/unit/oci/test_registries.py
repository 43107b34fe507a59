from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from proa.oci.errors import ImageError
from proa.oci.reference import parse
from proa.oci.registries import Credentials, Registries, endpoints, read_registries

YAML = """
mirrors:
  docker.io:
    endpoint: ["https://mirror.example:5000/v2", "http://plain.example"]
    rewrite: {"^library/(.*)": "hub/$1"}
  "*":
    endpoint: [all.example]
configs:
  mirror.example:5000:
    auth: {username: u, password: p}
    tls: {ca_file: /ca.pem}
  docker.io:
    auth: {auth: "dTI6cDI="}
"""


@pytest.fixture
def registries(tmp_path: Path) -> Registries:
    (tmp_path / "registries.yaml").write_text(YAML)
    return read_registries(tmp_path / "registries.yaml")


def test_mirrors_come_first_rewritten_and_the_registry_itself_last(registries: Registries) -> None:
    places = endpoints(registries, parse("nginx:1"))
    assert [(place.url, place.path) for place in places] == [
        ("https://mirror.example:5000", "hub/nginx"),
        ("http://plain.example", "hub/nginx"),
        ("https://registry-1.docker.io", "library/nginx"),
    ]
    assert places[0].query == "ns=docker.io"
    assert places[0].tls.ca_file == "/ca.pem"
    assert places[0].credentials == (Credentials(username="u", password="p"),)
    assert places[2].credentials == (Credentials(username="u2", password="p2"),)


def test_the_star_stands_for_every_other_registry(registries: Registries) -> None:
    assert [place.url for place in endpoints(registries, parse("ghcr.io/a/b"))] == [
        "https://all.example",
        "https://ghcr.io",
    ]


@pytest.mark.parametrize("host", ["localhost:5000", "127.0.0.1:5000", "[::1]:5000"])
def test_a_registry_of_this_machine_is_asked_by_plain_http(host: str) -> None:
    assert [place.url for place in endpoints(Registries(), parse(f"{host}/x"))] == [f"http://{host}"]


def test_credentials_of_the_pod_come_before_configured_ones(registries: Registries) -> None:
    mine = Credentials(username="me", password="x")
    assert endpoints(registries, parse("nginx"), (mine,))[-1].credentials[0] == mine


def test_a_wrong_field_is_named(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("mirrors: {docker.io: {endpoints: [x]}}")
    with pytest.raises(ImageError, match="endpoints"):
        read_registries(tmp_path / "r.yaml")


def test_docker_credentials_are_found_by_host(tmp_path: Path) -> None:
    auths = {
        "https://index.docker.io/v1/": {"auth": base64.b64encode(b"hub:secret").decode()},
        "reg.example": {"username": "a", "password": "b"},
    }
    (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
    found = read_registries(None, tmp_path / "config.json")
    assert endpoints(found, parse("nginx"))[0].credentials == (Credentials(username="hub", password="secret"),)
    assert endpoints(found, parse("reg.example/x"))[0].credentials == (Credentials(username="a", password="b"),)
    assert endpoints(found, parse("other.example/x"))[0].credentials == ()


def test_files_that_are_not_there_say_nothing(tmp_path: Path) -> None:
    assert read_registries(tmp_path / "a", tmp_path / "b") == Registries()
