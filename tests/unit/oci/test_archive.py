# ruff: noqa: ASYNC240 - a test may block
from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest
from oci_builders import ImageContent, descriptor, digest, layer, member, symlink

from proa.oci.archive import load, save
from proa.oci.errors import CorruptContentError, ImageError
from proa.oci.model import OCI_INDEX
from proa.oci.store import ImageStore

BASE = layer(member("base", b"base"))
TOP = layer(member("top", b"top"))


def oci(made: ImageContent, **annotations: str) -> bytes:
    """An OCI layout with an index of which only one platform's content is in the archive."""
    entry = descriptor(OCI_INDEX, made.index, annotations=annotations)
    index = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    blobs = {**made.blobs, digest(made.manifest): made.manifest, digest(made.index): made.index}
    return layer(
        *(member(f"blobs/{name.replace(':', '/')}", data) for name, data in blobs.items()),
        member("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'),
        member("index.json", index),
    )


def docker(made: ImageContent, tags: list[str]) -> bytes:
    """What `docker save` wrote before version 25, with a repeated layer as a symbolic link."""
    listed = [{"Config": "config.json", "RepoTags": tags, "Layers": ["a/layer.tar", "b/layer.tar"]}]
    return layer(
        member("a/layer.tar", made.layers[0]),
        symlink("b/layer.tar", "../c/layer.tar"),
        member("c/layer.tar", made.layers[1]),
        member("config.json", made.config),
        member("manifest.json", json.dumps(listed).encode()),
    )


async def loaded(store: ImageStore, path: Path, data: bytes, name: str = "") -> str:
    path.write_bytes(data)
    (image,) = await load(store, path, name=name)
    return image.id


@pytest.mark.parametrize("compress", [False, True])
async def test_an_oci_archive_is_imported_with_its_name(store: ImageStore, tmp_path: Path, compress: bool) -> None:
    made = ImageContent(BASE, TOP)
    data = oci(made, **{"io.containerd.image.name": "docker.io/library/app:1"})
    assert await loaded(store, tmp_path / "a.tar", gzip.compress(data) if compress else data) == made.id
    assert len((await store.resolve("app:1")).lowerdirs) == 2


async def test_a_docker_archive_is_imported_with_its_tags(store: ImageStore, tmp_path: Path) -> None:
    made = ImageContent(BASE, TOP, compressed=False)
    assert await loaded(store, tmp_path / "a.tar", docker(made, ["app:1", "reg.example/app:2"])) == made.id
    found = await store.resolve("reg.example/app:2")
    assert [[entry.name for entry in path.iterdir()] for path in found.lowerdirs] == [["top"], ["base"]]


async def test_an_archive_without_a_name_needs_one(store: ImageStore, tmp_path: Path) -> None:
    data = oci(ImageContent(BASE), **{"org.opencontainers.image.ref.name": "v1"})
    with pytest.raises(ImageError, match="give a name"):
        await loaded(store, tmp_path / "a.tar", data)
    await loaded(store, tmp_path / "a.tar", data, name="mine:1")
    await store.resolve("mine:1")


async def test_an_archive_that_lacks_a_layer_is_refused(store: ImageStore, tmp_path: Path) -> None:
    made = ImageContent(BASE, TOP)
    del made.blobs[digest(made.layers[1])]
    with pytest.raises(CorruptContentError, match="missing"):
        await loaded(store, tmp_path / "a.tar", oci(made), name="app:1")


async def test_a_blob_that_does_not_match_its_name_is_refused(store: ImageStore, tmp_path: Path) -> None:
    made = ImageContent(BASE)
    made.blobs[digest(made.layers[0])] = b"something else"
    with pytest.raises(CorruptContentError, match="expected sha256"):
        await loaded(store, tmp_path / "a.tar", oci(made), name="app:1")


async def test_a_file_that_is_no_archive_is_refused(store: ImageStore, tmp_path: Path) -> None:
    with pytest.raises(CorruptContentError, match=r"index\.json"):
        await loaded(store, tmp_path / "a.tar", BASE)
    with pytest.raises(CorruptContentError, match="not a tar"):
        await loaded(store, tmp_path / "a.tar", b"x" * 2000)
    with pytest.raises(ImageError, match="does not exist"):
        await load(store, tmp_path / "absent.tar")


async def test_a_saved_image_comes_back_the_same_and_docker_could_load_it(store: ImageStore, tmp_path: Path) -> None:
    made = ImageContent(BASE, TOP)
    await loaded(store, tmp_path / "a.tar", oci(made), name="app:1")
    await save(store, ["app:1"], tmp_path / "saved.tar")
    other = ImageStore(tmp_path / "other")
    (image,) = await load(other, tmp_path / "saved.tar")
    assert image.id == made.id
    assert (await other.resolve("app:1")).id == made.id
    await other.close()
    with tarfile.open(fileobj=io.BytesIO((tmp_path / "saved.tar").read_bytes())) as tar:
        listed = tar.extractfile("manifest.json")
        assert listed is not None
        (entry,) = json.load(listed)
        assert entry["RepoTags"] == ["app:1"]
        assert {entry["Config"], *entry["Layers"]} <= set(tar.getnames())


async def test_importing_again_unpacks_and_writes_nothing(store: ImageStore, tmp_path: Path) -> None:
    data = oci(ImageContent(BASE, TOP))
    await loaded(store, tmp_path / "a.tar", data, name="app:1")
    before = {path: path.stat().st_ino for path in store.root.rglob("sha256/*")}
    await loaded(store, tmp_path / "a.tar", data, name="app:2")
    assert {path: path.stat().st_ino for path in store.root.rglob("sha256/*")} == before
    assert store.statistics()["layers_unpacked"] == 2
