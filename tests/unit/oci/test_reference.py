from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.oci.errors import InvalidImageNameError
from proa.oci.reference import Reference, is_image_id, parse

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("user/app", "docker.io/user/app:latest"),
        ("docker.io/nginx", "docker.io/library/nginx:latest"),
        ("index.docker.io/nginx", "docker.io/library/nginx:latest"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app:v1", "localhost:5000/app:v1"),
        ("[::1]:5000/app", "[::1]:5000/app:latest"),
        ("ghcr.io/a/b/c:x_y.z-1", "ghcr.io/a/b/c:x_y.z-1"),
        ("app:5000", "docker.io/library/app:5000"),
        ("REG/app", "REG/app:latest"),
        (f"nginx@{DIGEST}", f"docker.io/library/nginx@{DIGEST}"),
        (f"nginx:1@{DIGEST}", f"docker.io/library/nginx:1@{DIGEST}"),
        ("a__b/c--d/e.f", "docker.io/a__b/c--d/e.f:latest"),
    ],
)
def test_a_reference_is_normalised_as_docker_does(text: str, full: str) -> None:
    assert str(parse(text)) == full


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "empty"),
        ("Nginx", "repository"),
        ("a//b", "repository"),
        ("a___b", "repository"),
        ("nginx:", "tag"),
        ("nginx:-x", "tag"),
        ("nginx:" + "t" * 129, "tag"),
        ("nginx@sha256:abc", "digest"),
        ("nginx@", "digest"),
        ("-bad-.example/x", "registry"),
        ("a" * 64, "image ID"),
        ("reg.example/" + "a" * 250, "longer"),
        ("white space", "repository"),
        ("nginx:1\n", "tag"),
    ],
)
def test_a_bad_reference_is_refused_with_the_part_that_is_wrong(text: str, part: str) -> None:
    with pytest.raises(InvalidImageNameError, match=part) as caught:
        parse(text)
    assert caught.value.reason == "InvalidImageName"


def test_the_familiar_form_leaves_out_the_defaults() -> None:
    assert parse("nginx:1").familiar == "nginx:1"
    assert parse("user/app").familiar == "user/app:latest"
    assert parse("ghcr.io/a/b").familiar == "ghcr.io/a/b:latest"


def test_an_image_id_is_not_a_reference() -> None:
    assert is_image_id(DIGEST)
    assert is_image_id("a" * 64)
    assert not is_image_id(f"nginx@{DIGEST}")


@given(st.from_regex(r"[a-z0-9.:/_@-]{1,40}", fullmatch=True))
def test_what_parses_prints_to_something_that_parses_to_the_same(text: str) -> None:
    try:
        found = parse(text)
    except InvalidImageNameError:
        return
    assert isinstance(found, Reference)
    assert parse(str(found)) == found
