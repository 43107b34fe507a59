# ruff: noqa: ASYNC220 - a test may block
from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from oci_builders import ImageContent, layer, member

from proa.oci.content import BlobWriter, Content
from proa.oci.errors import CorruptContentError, ImageNotFoundError, InvalidImageNameError, PlatformError
from proa.oci.model import Platform
from proa.oci.reference import parse
from proa.oci.store import ImageStore

BASE = layer(member("base", b"base"))


async def added(store: ImageStore, name: str, *layers: bytes, root: str = "manifest") -> ImageContent:
    made = ImageContent(*(layers or (BASE,)))
    async with store.adding():
        for data in made.blobs.values():
            store.content.add(data)
        manifest = store.content.add(made.manifest)
        index = store.content.add(made.index)
        await store.name([parse(name)], index if root == "index" else manifest)
    return made


async def test_a_resolved_image_has_its_layers_topmost_first(store: ImageStore) -> None:
    top = layer(member("top", b"top"))
    made = await added(store, "app:1", BASE, top)
    found = await store.resolve("app:1")
    assert found.id == made.id
    assert [sorted(os.listdir(path)) for path in found.lowerdirs] == [["top"], ["base"]]
    assert found.config.cmd == ("/bin/app",)
    assert found.tags == ("docker.io/library/app:1",)
    assert found.digest_reference.startswith("docker.io/library/app@sha256:")


async def test_an_image_is_found_by_tag_digest_and_id(store: ImageStore) -> None:
    made = await added(store, "app:1", root="index")
    found = await store.resolve("app:1")
    for name in (found.digest_reference, made.id, made.id.removeprefix("sha256:")):
        assert (await store.resolve(name)).id == made.id
    summary = await store.find("app:1")
    assert summary is not None
    assert summary.digests == (found.digest_reference,)


async def test_an_unknown_image_is_not_found(store: ImageStore) -> None:
    with pytest.raises(ImageNotFoundError, match="pull, import or pack"):
        await store.resolve("absent:1")
    with pytest.raises(InvalidImageNameError):
        await store.resolve("Absent")
    assert await store.find("absent:1") is None


async def test_an_index_without_this_platform_says_what_it_has(tmp_path: Path) -> None:
    other = ImageStore(tmp_path / "other", machine=Platform("s390x", "linux"))
    with pytest.raises(PlatformError, match=r"linux/s390x .*plan9/mips"):
        await added(other, "app:1", root="index")
    await other.close()


async def test_removing_the_last_name_frees_content_and_layers(store: ImageStore) -> None:
    await added(store, "app:1")
    await store.resolve("app:1")
    await store.tag("app:1", "app:2")
    freed = await store.remove("app:1")
    assert freed.layers == 0
    freed = await store.remove("app:2")
    assert freed.layers == 1
    assert await store.images() == ()
    assert list(store.content.all()) == []
    assert await store.collect_garbage() == type(freed)()


async def test_a_pinned_image_keeps_its_layers_until_the_pin_goes(store: ImageStore) -> None:
    made = await added(store, "app:1")
    found = await store.resolve("app:1", pin="sandbox-1")
    await store.remove("app:1")
    assert found.lowerdirs[0].is_dir()
    assert (await store.resolve(made.id)).lowerdirs == found.lowerdirs
    (summary,) = await store.images()
    assert summary.pinned
    assert await store.pins() == {"sandbox-1"}
    await store.unpin("sandbox-1")
    assert (await store.collect_garbage()).layers == 1
    assert not found.lowerdirs[0].exists()


async def test_a_layer_shared_by_two_images_survives_one_of_them(store: ImageStore) -> None:
    await added(store, "one:1", BASE)
    await added(store, "two:1", BASE, layer(member("top", b"x")))
    await store.resolve("one:1")
    two = await store.resolve("two:1")
    await store.remove("one:1")
    assert all(path.is_dir() for path in two.lowerdirs)


async def test_collection_waits_until_nobody_adds_content(store: ImageStore) -> None:
    async with store.adding():
        orphan = store.content.add(b"not named yet")
        assert (await store.collect_garbage()).deferred
        assert store.content.has(orphan)
    assert not store.content.has(orphan)


async def test_another_process_adding_content_defers_collection(store: ImageStore) -> None:
    script = (
        "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_SH); print('held', flush=True);"
        "sys.stdin.read()"
    )
    async with store.adding():
        pass
    with subprocess.Popen(
        [sys.executable, "-c", script, str(store.root / "gc.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert (await store.collect_garbage()).deferred
        assert other.stdin is not None
        other.stdin.close()
        other.wait()
    assert not (await store.collect_garbage()).deferred


async def test_two_stores_on_one_directory_see_each_others_images(store: ImageStore) -> None:
    second = ImageStore(store.root)
    await asyncio.gather(*(added(store if n % 2 else second, f"app:{n}") for n in range(10)))
    assert len((await second.images())[0].tags) == 10
    assert await second.images() == await store.images()
    await second.close()


async def test_a_wrong_diff_id_is_refused(store: ImageStore) -> None:
    made = ImageContent(BASE)
    document = json.loads(made.config)
    document["rootfs"]["diff_ids"] = ["sha256:" + "0" * 64]
    wrong = ImageContent(BASE)
    manifest = json.loads(wrong.manifest)
    config = json.dumps(document).encode()
    for data in (*made.blobs.values(), config):
        digest = store.content.add(data)
    manifest["config"] |= {"digest": digest, "size": len(config)}
    async with store.adding():
        await store.name([parse("bad:1")], store.content.add(json.dumps(manifest).encode()))
    with pytest.raises(CorruptContentError, match="diff ID"):
        await store.resolve("bad:1")
    assert os.listdir(store.root / "layers") == []


async def test_a_layer_from_before_a_crash_is_unpacked_again(store: ImageStore) -> None:
    await added(store, "app:1")
    (path,) = (await store.resolve("app:1")).lowerdirs
    (path / "base").unlink()  # the crash: renamed, but its files never reached the disk
    (state,) = (store.root / "layers.state").iterdir()
    state.write_text("an earlier boot")
    (again,) = (await store.resolve("app:1")).lowerdirs
    assert (again / "base").read_bytes() == b"base"


async def test_resolving_one_image_many_times_at_once_unpacks_once(store: ImageStore) -> None:
    await added(store, "app:1", *(layer(member(f"f{n}", b"x")) for n in range(5)))
    await asyncio.gather(*(store.resolve("app:1") for _ in range(20)))
    assert store.statistics()["layers_unpacked"] == 5


def test_a_blob_with_the_wrong_digest_never_appears(tmp_path: Path) -> None:
    content = Content(tmp_path)
    wanted = "sha256:" + "1" * 64
    with BlobWriter(content, wanted, resumable=True) as writer:
        writer.write(b"other")
        with pytest.raises(CorruptContentError):
            writer.commit()
    assert list(content.all()) == []
    assert os.listdir(content.ingest) == []


def test_a_partial_blob_goes_on_where_it_stopped_and_has_one_writer(tmp_path: Path) -> None:
    content = Content(tmp_path)
    made = content.add(b"whole blob")
    content.delete(made)
    with BlobWriter(content, made, resumable=True) as first:
        first.write(b"whole ")
        with BlobWriter(content, made, resumable=True) as rival:
            assert rival.offset == 0
    with BlobWriter(content, made, resumable=True) as second:
        assert second.offset == 6
        second.write(b"blob")
        assert second.commit() == made
    assert content.read(made) == b"whole blob"


def test_a_blob_that_rotted_is_not_believed(tmp_path: Path) -> None:
    content = Content(tmp_path)
    made = content.add(b"document")
    content.path(made).write_bytes(b"dokument")
    with pytest.raises(CorruptContentError):
        content.read(made)


async def test_a_damaged_image_does_not_spoil_the_others_and_can_be_removed(store: ImageStore) -> None:
    bad = await added(store, "bad:1", layer(member("bad", b"")))
    await added(store, "good:1")
    await store.close()
    opened = ImageStore(store.root)
    opened.content.path(bad.id).write_bytes(b"rot")
    assert (await opened.resolve("good:1")).lowerdirs
    assert [image.tags for image in await opened.images()] == [("docker.io/library/good:1",)]
    with pytest.raises(CorruptContentError):
        await opened.resolve("bad:1")
    await opened.remove("bad:1")
    assert not opened.content.path(bad.id).exists()
    assert (await opened.resolve("good:1")).lowerdirs
    await opened.close()


async def test_fresh_layers_become_durable(store: ImageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proa.oci.store._SYNC_DELAY", 0.0)
    await added(store, "app:1")
    await store.resolve("app:1")
    for _ in range(3):  # the timer is due at once
        await asyncio.sleep(0)
    await store.close()
    (state,) = (store.root / "layers.state").iterdir()
    assert state.read_text() == "durable"
