"""`proa image`: the image store that all clusters of this machine share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from proa.cluster.paths import data_root, images_root

if TYPE_CHECKING:
    from proa.oci.pull import Progress
    from proa.oci.store import ImageStore

T = TypeVar("T")


@click.group()
def command() -> None:
    """List, pull, import, pack and remove images. Every cluster of this machine's user sees them."""


def _with_store(work: Callable[[ImageStore], Awaitable[T]]) -> T:
    from proa.oci.store import ImageStore

    async def run() -> T:
        store = ImageStore(images_root())
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())


@command.command("ls")
@click.option("-q", "--quiet", is_flag=True, help="Names only.")
def ls(quiet: bool) -> None:
    """List images."""
    from proa.kubectl.printing import columns
    from proa.oci import reference

    images = _with_store(lambda store: store.images())
    rows: list[tuple[str, ...]] = [] if quiet else [("IMAGE", "ID", "SIZE")]
    for each in images:
        for name in each.tags or ("<none>",):
            shown = reference.parse(name).familiar if each.tags else name
            rows.append((shown,) if quiet else (shown, each.id.partition(":")[2][:12], f"{each.size / 1e6:.1f} MB"))
    for line in columns(rows):
        click.echo(line)


@command.command()
@click.argument("references", nargs=-1, required=True, metavar="REF...")
def rm(references: tuple[str, ...]) -> None:
    """Remove images by name or ID; one that a container uses stays until that is gone."""

    async def work(store: ImageStore) -> int:
        freed = 0
        for each in references:
            collected = await store.remove(each)
            freed += collected.bytes
        return freed

    click.echo(f"removed, {_with_store(work) / 1e6:.1f} MB freed")


@command.command()
@click.argument("ref", metavar="REF")
def pull(ref: str) -> None:
    """Pull an image from its registry (registries.yaml and docker's config.json give mirrors and credentials)."""

    async def work(store: ImageStore) -> str:
        from proa.oci.pull import Puller
        from proa.oci.registries import read_registries

        puller = Puller(store, read_registries(data_root() / "registries.yaml", Path.home() / ".docker/config.json"))
        try:
            return (await puller.pull(ref, progress=_progress)).id
        finally:
            await puller.close()

    click.echo(_with_store(work))


def _progress(step: Progress) -> None:
    if step.unpacked:
        click.echo(f"{step.digest.partition(':')[2][:12]}  {step.total / 1e6:.1f} MB", err=True)


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--tag", "name", default="", metavar="NAME", help="Name it so, whatever the archive says.")
def import_archive(file: Path, name: str) -> None:
    """Import a docker or OCI archive (docker save, skopeo copy); only this platform's image need be in it."""
    from proa.oci import archive

    for image in _with_store(lambda store: archive.load(store, file, name=name)):
        click.echo(image.id)


def _pair(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    found = []
    sign = "=" if parameter.name == "env" else ":"
    for value in values:
        left, separator, right = value.partition(sign)
        if not separator or not left:
            raise click.BadParameter(f"{value!r}: write {parameter.metavar}")
        found.append((left, right))
    return tuple(found)


@command.command()
@click.argument("name")
@click.option("--binary", "binaries", multiple=True, metavar="PATH", help="A program, with the libraries it needs.")
@click.option("--add", multiple=True, metavar="SRC:DST", callback=_pair, help="A file or a whole directory.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="What not to take from added directories.")
@click.option("--entrypoint", default="", help="Command line, split as a shell does.  [default: the first binary]")
@click.option("--cmd", default="", help="Its default arguments.")
@click.option("--env", multiple=True, metavar="NAME=VALUE", callback=_pair)
@click.option("--user", default="")
@click.option("--workdir", default="")
def pack(
    name: str,
    binaries: tuple[str, ...],
    add: tuple[tuple[str, str], ...],
    exclude: tuple[str, ...],
    entrypoint: str,
    cmd: str,
    env: tuple[tuple[str, str], ...],
    user: str,
    workdir: str,
) -> None:
    """Make an image of this machine's programs: executables come with their shared libraries. Needs no registry."""
    import shlex

    from proa.oci import pack as packing

    if not binaries and not add:
        raise click.UsageError("nothing to pack: give --binary or --add")
    image = _with_store(
        lambda store: packing.pack(
            store,
            name,
            binaries,
            add=add,
            exclude=exclude,
            entrypoint=shlex.split(entrypoint),
            cmd=shlex.split(cmd),
            env=env,
            user=user,
            working_dir=workdir,
        )
    )
    click.echo(f"{name}  {image.id}  {image.size / 1e6:.1f} MB")
