"""kubeconfig files (client.authentication v1 Config): which clusters there are, as whom, and which one is meant.

Files are documents, edited in place, so that what we do not know stays. Reading merges `$KUBECONFIG` as kubectl does:
the first file that names a thing wins. Writing replaces the file at once, under kubectl's own lock (`<file>.lock`), so
that two writers do not lose each other's entries.
"""

from __future__ import annotations

import base64
import binascii
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from proa.base.errors import ProaError
from proa.client.connection import Connection

Document = dict[str, Any]

# Seconds to wait for another writer.
LOCK_PATIENCE = 10.0
SECTIONS = ("clusters", "users", "contexts")
_INNER = {"clusters": "cluster", "users": "user", "contexts": "context"}
_FILE_FIELDS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


class KubeconfigError(ProaError):
    """A kubeconfig file cannot be used; the message names the file and the entry."""


def default_paths() -> tuple[Path, ...]:
    """The files of `$KUBECONFIG`, or `~/.kube/config`."""
    listed = tuple(Path(each) for each in os.environ.get("KUBECONFIG", "").split(os.pathsep) if each)
    return listed or (Path.home() / ".kube" / "config",)


@dataclass(frozen=True)
class Kubeconfig:
    """The merged files: entries of each section by name, and the current context."""

    clusters: dict[str, Document]
    users: dict[str, Document]
    contexts: dict[str, Document]
    current_context: str = ""

    def connection(self, context: str = "", *, cluster: str = "", user: str = "", namespace: str = "") -> Connection:
        """How to connect in `context` (default: the current one), parts of it replaced as given.

        Raises KubeconfigError for names that are not there and credentials that cannot be used.
        """
        name = context or self.current_context
        if name and name not in self.contexts:
            raise KubeconfigError(f'context "{name}" does not exist')
        chosen = self.contexts[name] if name else {}
        cluster = cluster or chosen.get("cluster", "")
        user = user or chosen.get("user", "")
        if not cluster:
            raise KubeconfigError("no context is current and none was named: the kubeconfig names no cluster to use")
        if cluster not in self.clusters:
            raise KubeconfigError(f'cluster "{cluster}" does not exist')
        if user and user not in self.users:
            raise KubeconfigError(f'user "{user}" does not exist')
        return _connection(
            cluster,
            self.clusters[cluster],
            user,
            self.users[user] if user else {},
            namespace or chosen.get("namespace", "") or "default",
        )


def load(paths: Sequence[Path] | None = None) -> Kubeconfig:
    """Read and merge. A missing file is empty, as kubectl has it. Raises KubeconfigError for what cannot be read."""
    merged: dict[str, dict[str, Document]] = {section: {} for section in SECTIONS}
    current = ""
    for path in paths if paths is not None else default_paths():
        document = read(path)
        current = current or document.get("current-context") or ""
        for section in SECTIONS:
            for name, entry in _entries(document, section, path):
                merged[section].setdefault(name, _absolute(entry, path.parent))
    return Kubeconfig(merged["clusters"], merged["users"], merged["contexts"], current)


def read(path: Path) -> Document:
    """One file's document; empty when there is no file."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise KubeconfigError(f"{path}: {error.strerror}") from error
    try:
        document = yaml.load(text, yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise KubeconfigError(f"{path}: {error}") from error
    if document is None:
        return {}
    if not isinstance(document, dict) or document.get("kind", "Config") != "Config":
        raise KubeconfigError(f"{path}: is no kubeconfig, its kind is not Config")
    return document


def _entries(document: Document, section: str, path: Path) -> Iterator[tuple[str, Document]]:
    listed = document.get(section) or []
    if not isinstance(listed, list):
        raise KubeconfigError(f"{path}: {section} must be a list")
    for each in listed:
        if not isinstance(each, dict) or not isinstance(each.get("name"), str):
            raise KubeconfigError(f"{path}: every entry of {section} must have a name")
        yield each["name"], each.get(_INNER[section]) or {}


def _absolute(entry: Document, folder: Path) -> Document:
    """Paths in a file are relative to the file."""
    return {
        key: str(folder.absolute() / value) if key in _FILE_FIELDS and value else value for key, value in entry.items()
    }


def _connection(cluster_name: str, cluster: Document, user_name: str, user: Document, namespace: str) -> Connection:
    for unsupported in ("exec", "auth-provider"):
        if user.get(unsupported):
            raise KubeconfigError(
                f'user "{user_name}": credential plugins ({unsupported}) are not implemented; '
                "use a client certificate, a token or a tokenFile"
            )
    if cluster.get("proxy-url"):
        raise KubeconfigError(f'cluster "{cluster_name}": proxy-url is not implemented')
    server = cluster.get("server", "")
    if not server.startswith(("http://", "https://")):
        raise KubeconfigError(f'cluster "{cluster_name}": server must be an http or https URL, got {server!r}')
    who = f'user "{user_name}"'
    return Connection(
        server=server,
        ca=_content(cluster, "certificate-authority", f'cluster "{cluster_name}"'),
        certificate=_content(user, "client-certificate", who),
        key=_content(user, "client-key", who),
        token=user.get("token", ""),
        token_file=user.get("tokenFile", ""),
        username=user.get("username", ""),
        password=user.get("password", ""),
        impersonate=user.get("as", ""),
        impersonate_groups=tuple(user.get("as-groups") or ()),
        server_name=cluster.get("tls-server-name", ""),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        namespace=namespace,
    )


def _content(entry: Document, field: str, who: str) -> bytes:
    """Inline data wins over a file; neither is empty."""
    data, path = entry.get(f"{field}-data"), entry.get(field)
    try:
        if data:
            return base64.b64decode(data, validate=True)
        return Path(path).read_bytes() if path else b""
    except binascii.Error as error:
        raise KubeconfigError(f"{who}: {field}-data is not base64: {error}") from error
    except OSError as error:
        raise KubeconfigError(f"{who}: {field}: {path}: {error.strerror}") from error


# Writing


def set_entry(document: Document, section: str, name: str, entry: Document) -> None:
    """Put an entry into a section (`clusters`, `users`, `contexts`), in the place of one of that name."""
    listed: list[Document] = document.setdefault(section, None) or []
    document[section] = listed
    wrapped = {"name": name, _INNER[section]: entry}
    for index, each in enumerate(listed):
        if each.get("name") == name:
            listed[index] = wrapped
            return
    listed.append(wrapped)


def remove_entry(document: Document, section: str, name: str) -> None:
    """Take an entry out of a section; nothing happens when it is not there."""
    document[section] = [each for each in document.get(section) or [] if each.get("name") != name]


def add_cluster(
    document: Document, name: str, connection: Connection, *, namespace: str = "", current: bool = True
) -> None:
    """A cluster, a user and a context of one name, and make it the current one."""
    cluster: Document = {"server": connection.server}
    if connection.ca:
        cluster["certificate-authority-data"] = _inline(connection.ca)
    if connection.insecure:
        cluster["insecure-skip-tls-verify"] = True
    if connection.server_name:
        cluster["tls-server-name"] = connection.server_name
    user: Document = {}
    if connection.certificate:
        user["client-certificate-data"] = _inline(connection.certificate)
        user["client-key-data"] = _inline(connection.key)
    if connection.token:
        user["token"] = connection.token
    if connection.token_file:
        user["tokenFile"] = connection.token_file
    context: Document = {"cluster": name, "user": name}
    if namespace:
        context["namespace"] = namespace
    set_entry(document, "clusters", name, cluster)
    set_entry(document, "users", name, user)
    set_entry(document, "contexts", name, context)
    if current:
        document["current-context"] = name


def remove_cluster(document: Document, name: str) -> None:
    """Undo `add_cluster`."""
    for section in SECTIONS:
        remove_entry(document, section, name)
    if document.get("current-context") == name:
        document["current-context"] = ""


def _inline(content: bytes) -> str:
    return base64.b64encode(content).decode()


def edit(path: Path, change: Callable[[Document], None]) -> None:
    """Read, change and replace a file while no other writer does. Raises KubeconfigError, also for a stuck lock."""
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    with _locked(path):
        document = read(path)
        document.setdefault("apiVersion", "v1")
        document.setdefault("kind", "Config")
        change(document)
        write(path, document)


def write(path: Path, document: Document) -> None:
    """Replace the file at once: readers see the old or the new one. Only its owner may read it."""
    target = path.resolve()
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            yaml.dump(document, file, yaml.CSafeDumper, sort_keys=False, default_flow_style=False)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock = path.with_name(path.name + ".lock")
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL, 0))
            break
        except FileExistsError:
            if time.monotonic() > deadline:
                raise KubeconfigError(f"{lock} is held by another writer; if there is none, remove it") from None
            time.sleep(0.01)  # a lock file tells nobody when it goes
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
