"""`kubectl apply`: objects become what files say, by a three-way patch here or by server-side apply there."""

from __future__ import annotations

import json
from typing import Any

import click

from proa.kubectl.client import Client, StatusError
from proa.kubectl.discovery import Resource
from proa.kubectl.printing import show_change
from proa.kubectl.selection import SelectionError, manifests
from proa.kubectl.session import FlagError, Session, session_options

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
CLIENT_MANAGER = "kubectl-client-side-apply"
SERVER_MANAGER = "kubectl"
_SERVER_SIDE = "application/apply-patch+yaml"
_STRATEGIC = "application/strategic-merge-patch+json"
_MERGE = "application/merge-patch+json"
_ATTEMPTS = 5


@click.command()
@session_options
@click.option("-f", "--filename", "files", multiple=True, required=True, help="A file, a directory, or - for stdin.")
@click.option("-R", "--recursive", is_flag=True)
@click.option("--server-side", is_flag=True, help="Let the server merge, and own the fields of the manifest.")
@click.option("--force-conflicts", is_flag=True, help="With --server-side: take over fields others own.")
@click.option("--field-manager", default="", help="Who owns the fields.")
@click.option("--dry-run", type=click.Choice(("none", "client", "server")), default="none")
@click.option("--validate", type=click.Choice(("strict", "warn", "ignore", "true", "false")), default="strict")
@click.option("-o", "--output", default="", help="name, json or yaml.")
def command(
    session: Session,
    files: tuple[str, ...],
    recursive: bool,
    server_side: bool,
    force_conflicts: bool,
    field_manager: str,
    dry_run: str,
    validate: str,
    output: str,
) -> int:
    """Make objects what files say; those that are not there are created."""
    if force_conflicts and not server_side:
        raise FlagError("--force-conflicts only works with --server-side")
    manager = field_manager or (SERVER_MANAGER if server_side else CLIENT_MANAGER)
    checks = {"true": "strict", "false": "ignore"}.get(validate, validate).capitalize()
    query = {"fieldManager": manager, "fieldValidation": checks}
    if dry_run == "server":
        query["dryRun"] = "All"
    elif dry_run == "client" and server_side:
        raise FlagError("--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)")
    applying = Applying(session.client, query, changes=dry_run != "client", force=force_conflicts)
    suffix = {"none": "", "client": " (dry run)", "server": " (server dry run)"}[dry_run]
    failed = 0
    # All are read before the first is sent: a typo in the last must not leave half of them behind.
    for manifest in list(manifests(files, recursive=recursive)):
        try:
            resource = session.discovery.of_kind(manifest["apiVersion"], manifest["kind"])
            apply = applying.server_side if server_side else applying.client_side
            verb, found = apply(resource, manifest, _namespace(session, resource, manifest))
        except StatusError as error:
            # The others do not depend on it; kubectl goes on, too.
            click.echo(str(error), err=True)
            failed += 1
            continue
        show_change(resource.display(found["metadata"]["name"]), verb + suffix, output, found)
    return 1 if failed else 0


class Applying:
    """Applies manifests to one server. query: of every request. changes False: look only."""

    def __init__(self, client: Client, query: dict[str, str], *, changes: bool = True, force: bool = False) -> None:
        self._client = client
        self._query = query
        self._changes = changes
        self._force = force

    def server_side(self, resource: Resource, manifest: dict[str, Any], namespace: str) -> tuple[str, dict[str, Any]]:
        """What happened, and the object afterwards. Raises StatusError."""
        path = resource.path(namespace, manifest["metadata"]["name"])
        query = {**self._query, "force": "true"} if self._force else self._query
        return "serverside-applied", self._client.request("PATCH", path, query, manifest, content_type=_SERVER_SIDE)

    def client_side(self, resource: Resource, manifest: dict[str, Any], namespace: str) -> tuple[str, dict[str, Any]]:
        """What happened, and the object afterwards. Raises StatusError."""
        name = manifest["metadata"].get("name", "")
        if not name:
            raise SelectionError(f"{resource.name}: apply needs metadata.name: use a name, not generateName")
        wanted = _annotated(manifest, namespace if resource.namespaced else "")
        path = resource.path(namespace, name)
        for attempt in range(_ATTEMPTS):
            try:
                current = self._client.get(path)
            except StatusError as error:
                if error.code != 404:
                    raise
                if not self._changes:
                    return "created", wanted
                return "created", self._client.request("POST", resource.path(namespace), self._query, wanted)
            changes, content_type = _difference(wanted, current)
            if not changes:
                return "unchanged", current
            if not self._changes:
                return "configured", current
            try:
                found = self._client.request("PATCH", path, self._query, changes, content_type=content_type)
            except StatusError as error:
                if error.code != 409 or attempt == _ATTEMPTS - 1:
                    raise
                continue
            same = found["metadata"].get("resourceVersion") == current["metadata"].get("resourceVersion")
            return "unchanged" if same else "configured", found
        raise AssertionError("unreachable")


def _namespace(session: Session, resource: Resource, manifest: dict[str, Any]) -> str:
    """Where the object belongs; what the manifest and the flag say must agree."""
    if not resource.namespaced:
        return ""
    own, given = str(manifest["metadata"].get("namespace") or ""), session.namespace_given
    if own and given and own != given:
        raise SelectionError(
            f'the namespace from the provided object "{own}" does not match the namespace "{given}". You must pass '
            f"'--namespace={own}' to perform this operation."
        )
    return own or session.namespace


def _annotated(manifest: dict[str, Any], namespace: str) -> dict[str, Any]:
    """The manifest with itself in the annotation, as kubectl leaves it for the next apply."""
    metadata = dict(manifest["metadata"])
    if namespace:
        metadata["namespace"] = namespace
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != LAST_APPLIED}
    plain = {**manifest, "metadata": {**metadata, "annotations": annotations}}
    plain = {key: value for key, value in plain.items() if key != "status"} if "status" in plain else plain
    said = json.dumps(plain, separators=(",", ":"), sort_keys=True, ensure_ascii=False) + "\n"
    return {**plain, "metadata": {**metadata, "annotations": {**annotations, LAST_APPLIED: said}}}


def _difference(wanted: dict[str, Any], current: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The patch and its content type."""
    from proa.kubectl import changing

    said = (current["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    try:
        last = json.loads(said) if said else {}
    except ValueError:
        last = {}
    if said:
        # The annotation itself is no field of the manifest.
        last["metadata"] = {**last.get("metadata", {})}
        last["metadata"]["annotations"] = {**(last["metadata"].get("annotations") or {}), LAST_APPLIED: said}
    if said and not changing.patch(last, wanted, current):
        return {}, _MERGE
    schema = _schema(wanted)
    found = changing.patch(last, wanted, current, schema)
    return found, _STRATEGIC if schema is not None else _MERGE


def _schema(manifest: dict[str, Any]) -> Any:
    """Of a built-in kind; None for a custom one. Costs the import of its declarations, so only a change asks for it."""
    from proa.api import groups
    from proa.machinery.schema import schema_of

    for resource in groups.resources():
        version = f"{resource.group}/{resource.version}" if resource.group else resource.version
        if resource.kind == manifest["kind"] and version == manifest["apiVersion"]:
            declared: Any = resource.type
            return schema_of(declared)
    return None
