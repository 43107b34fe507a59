"""The stock kubectl as tests use it: one namespace, deadlines everywhere, and manifests short enough to read in a test.

Not here: assertions about the cluster; those are the tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

T = TypeVar("T")
Document = dict[str, Any]
SECONDS = 30.0
"""How long anything that is waited for may take."""


class Failed(AssertionError):
    """kubectl ended with a code other than 0."""

    def __init__(self, command: Sequence[str], result: subprocess.CompletedProcess[str]) -> None:
        super().__init__(f"{' '.join(command)} ended with {result.returncode}\n{result.stdout}{result.stderr}")
        self.code = result.returncode
        self.output = result.stdout
        self.error = result.stderr


@dataclass(frozen=True)
class Kubectl:
    """kubectl with a kubeconfig and a namespace. Called with arguments it returns what was printed."""

    kubeconfig: Path
    namespace: str = "default"

    def command(self, *arguments: str) -> tuple[str, ...]:
        return ("kubectl", f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}", *arguments)

    def run(
        self, *arguments: str, stdin: str = "", seconds: float = SECONDS, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Whatever its exit code is."""
        return subprocess.run(
            self.command(*arguments),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            env={**os.environ, **(env or {})},
        )

    def __call__(
        self, *arguments: str, stdin: str = "", seconds: float = SECONDS, env: Mapping[str, str] | None = None
    ) -> str:
        """Raises Failed when the exit code is not 0."""
        result = self.run(*arguments, stdin=stdin, seconds=seconds, env=env)
        if result.returncode:
            raise Failed(arguments, result)
        return result.stdout

    @contextmanager
    def started(self, *arguments: str, **more: Any) -> Iterator[subprocess.Popen[str]]:
        """A kubectl that goes on until the block ends."""
        process = subprocess.Popen(
            self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1, **more
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    def apply(self, *documents: Document, **more: Any) -> str:
        return self("apply", "-f", "-", stdin=manifest(*documents), **more)

    def object(self, *arguments: str) -> Document:
        """One object (or a List) as the API has it."""
        document: Document = json.loads(self("get", *arguments, "-o", "json"))
        return document

    def value(self, path: str, *arguments: str) -> str:
        """What a JSONPath finds."""
        return self("get", *arguments, "-o", f"jsonpath={path}")

    def wait(self, condition: str, *arguments: str, seconds: float = SECONDS) -> str:
        return self("wait", f"--for={condition}", f"--timeout={seconds:.0f}s", *arguments, seconds=seconds + 5)

    def ready(self, *names: str) -> None:
        """Wait until the pods are Ready."""
        self.wait("condition=Ready", *(f"pod/{name}" for name in names))

    def rolled_out(self, name: str, seconds: float = SECONDS) -> str:
        return self("rollout", "status", name, f"--timeout={seconds:.0f}s", seconds=seconds + 5)


def manifest(*documents: Document) -> str:
    """A stream of JSON documents, which kubectl reads like YAML ones."""
    return "".join(json.dumps(each) + "\n" for each in documents)


def eventually(look: Callable[[], T | Literal[False] | None], what: str = "", seconds: float = SECONDS) -> T:
    """The first true value `look` gives. For what no `kubectl wait` can say; the pause keeps two cores free."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = look()
            trouble = repr(found)
        except (AssertionError, OSError) as error:
            found, trouble = None, str(error)
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds:.0f} s still not {what or look.__name__}: {trouble}")
        time.sleep(0.05)


STAY = ("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done")
"""A container that runs until it is asked to end, and then ends at once."""

SERVE = ("sh", "-c", "mkdir -p /tmp/www; echo $VERSION > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www")
"""A web server on 8080 that says its image's version, and does not end before it is killed."""


def container(name: str = "main", *, image: str = "bb:1", command: Sequence[str] = STAY, **more: Any) -> Document:
    return {"name": name, "image": image, "command": list(command), **more}


def pod_spec(*containers: Document, grace: int = 1, **more: Any) -> Document:
    return {"terminationGracePeriodSeconds": grace, "containers": list(containers or (container(),)), **more}


def pod(name: str, *containers: Document, labels: Mapping[str, str] | None = None, **spec: Any) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": dict(labels or {"app": name})},
        "spec": pod_spec(*containers, **spec),
    }


def deployment(name: str, *containers: Document, replicas: int = 1, grace: int = 1, **more: Any) -> Document:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod_spec(*containers, grace=grace)}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template, **more}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def config_map(name: str, **data: str) -> Document:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def service(name: str, port: int = 80, target: int = 8080, **spec: Any) -> Document:
    ports = [{"name": "http", "port": port, "targetPort": target}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": ports, **spec},
    }
