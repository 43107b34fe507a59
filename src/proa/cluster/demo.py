"""`proa demo`: a two-tier application on a cluster, from nothing, without a registry.

The image is packed from the Python that runs proa; the manifests are `demo.yaml`, the program `demo_app.py`. Everything
is done as a user would, through the API and over a NodePort.
"""

from __future__ import annotations

import asyncio
import os
import sys
import sysconfig
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from importlib import resources
from typing import Any

from proa.base.errors import ProaError
from proa.cluster import creation, health
from proa.cluster import up as starting
from proa.cluster.paths import ClusterPaths, images_root
from proa.cluster.settings import Settings
from proa.kubectl.client import Client
from proa.kubectl.discovery import Discovery, Resource
from proa.kubectl.verbs import rollout
from proa.kubectl.verbs.apply import Applying
from proa.kubectl.watching import WaitTimeoutError, Watching

IMAGE = "proa-demo:1"
NAMESPACE = "demo"
PATIENCE = 60.0
"""Seconds for the rollout, and again for the page."""

_LEFT_OUT = (
    "test",
    "tests",
    "idlelib",
    "lib2to3",
    "tkinter",
    "turtledemo",
    "ensurepip",
    "site-packages",
    "dist-packages",
    "config-*",
    "__pycache__",
    "*.a",
    "_tkinter*",
    "_test*",
)

Tell = Callable[[str, float], None]
"""Called with a step that is done and the seconds it took."""


class DemoError(ProaError):
    """The application did not come up; says what its pods say."""


@dataclass(frozen=True, slots=True)
class Demo:
    """The page, where it was fetched, and the cluster it ran on."""

    page: str
    url: str
    settings: Settings


def run(paths: ClusterPaths, wish: creation.Wish, tell: Tell) -> Demo:
    """Bring the cluster up, pack, apply, wait, fetch. Raises StartError, PackError, DemoError, StatusError."""
    steps = _Steps(tell)
    result = starting.up(paths, wish, lambda words, _: None)
    if not result.settings.nodes:
        raise DemoError(
            "the demo runs real containers and this cluster has simulated nodes only: as root, `proa up --nodes 1`"
        )
    steps.done(f"cluster {wish.name!r} {'started' if result.started else 'runs already'}")
    library = sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix})
    asyncio.run(_pack(os.path.realpath(sys.executable), library))
    steps.done(f"image {IMAGE} packed from this machine's Python")
    with closing(health.admin_client(paths)) as client:
        discovery = Discovery(client)
        applied = _apply(client, discovery)
        steps.done(f"applied {applied} objects")
        deployments = discovery.find("deployments.apps")
        for name in ("back", "front"):
            _wait(client, discovery, deployments, name)
            steps.done(f"deployment {name!r} rolled out")
        url = _url(client)
        page = _fetch(url)
        steps.done(f"page fetched from {url}")
    return Demo(page, url, result.settings)


class _Steps:
    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._last = time.monotonic()

    def done(self, words: str) -> None:
        now = time.monotonic()
        self._tell(words, now - self._last)
        self._last = now


async def _pack(python: str, library: str) -> None:
    from proa.oci.pack import pack
    from proa.oci.store import ImageStore

    store = ImageStore(images_root())
    try:
        with resources.as_file(resources.files("proa.cluster") / "demo_app.py") as program:
            await pack(
                store,
                IMAGE,
                (python,),
                add=((library, library), (str(program), "/app/app.py")),
                exclude=_LEFT_OUT,
                entrypoint=(python, "-B", "/app/app.py"),
                env=(("PYTHONHOME", sys.base_prefix),),
            )
    finally:
        await store.close()


def _apply(client: Client, discovery: Discovery) -> int:
    from proa.lang import yaml

    applying = Applying(client, {"fieldManager": "proa-demo", "fieldValidation": "Strict"})
    manifests = list(yaml.documents((resources.files("proa.cluster") / "demo.yaml").read_text()))
    for manifest in manifests:
        resource = discovery.of_kind(manifest["apiVersion"], manifest["kind"])
        applying.client_side(resource, manifest, manifest["metadata"].get("namespace", ""))
    return len(manifests)


def _wait(client: Client, discovery: Discovery, deployments: Resource, name: str) -> None:
    try:
        Watching(client, PATIENCE).until(
            deployments, NAMESPACE, name, lambda found: found is not None and rollout.deployment(found)[1]
        )
    except WaitTimeoutError as error:
        raise DemoError(
            f"deployment {name!r} is not ready after {PATIENCE:.0f} s:\n{_pods(client, discovery)}"
        ) from error


def _pods(client: Client, discovery: Discovery) -> str:
    from proa.kubectl.client import TABLE
    from proa.kubectl.printing import TablePrinter

    table = client.get(discovery.find("pods").path(NAMESPACE), accept=TABLE)
    return "\n".join(TablePrinter().render(table))


def _url(client: Client) -> str:
    service: dict[str, Any] = client.get(f"/api/v1/namespaces/{NAMESPACE}/services/front")
    port = service["spec"]["ports"][0]["nodePort"]
    node = next(iter(health.nodes(client).values()))
    addresses = {each["type"]: each["address"] for each in node["status"]["addresses"]}
    return f"http://{addresses['InternalIP']}:{port}/"


def _fetch(url: str) -> str:
    """The page. The rules for a NodePort follow the endpoints a moment later, so the first tries may be refused."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                found: bytes = answer.read()
                return found.decode()
        except OSError as error:
            if time.monotonic() > deadline:
                raise DemoError(f"{url}: {error}") from error
            time.sleep(0.02)
