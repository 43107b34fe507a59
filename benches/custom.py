"""Custom resources that benches define: groups of ten, each with a schema as small operators have them."""

from __future__ import annotations

import asyncio
from typing import Any

from benches.objects import HOLE
from proa.client.protocol import Client

Document = dict[str, Any]

_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_IN_A_GROUP = 10


def group(number: int) -> str:
    return f"group{number // _IN_A_GROUP}.bench.example.org"


def definition(number: int) -> Document:
    """Of `things<number>`: a spec of a few typed fields with a default, a pattern and a list, a status, columns."""
    plural, kind = f"things{number}", f"Thing{number}"
    spec = {
        "type": "object",
        "required": ["key"],
        "properties": {
            "key": {"type": "string", "description": "A value.", "maxLength": 1000},
            "replicas": {"type": "integer", "minimum": 0, "maximum": 100, "default": 1},
            "mode": {"type": "string", "enum": ["Fast", "Safe"], "default": "Safe"},
            "host": {"type": "string", "pattern": "^[a-z.]+$"},
            "ports": {
                "type": "array",
                "items": {"type": "object", "properties": {"name": {"type": "string"}, "port": {"type": "integer"}}},
            },
        },
    }
    status = {"type": "object", "properties": {"phase": {"type": "string"}, "replicas": {"type": "integer"}}}
    schema = {"type": "object", "properties": {"spec": spec, "status": status}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [{"name": "Phase", "type": "string", "jsonPath": ".status.phase"}],
    }
    names = {"plural": plural, "kind": kind}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group(number)}"},
        "spec": {"group": group(number), "scope": "Namespaced", "names": names, "versions": [version]},
    }


def thing(name: str = HOLE, number: int = 0) -> Document:
    """As large as the ConfigMap of the same benches."""
    metadata = {"name": name}
    spec = {"key": "v" * 200, "host": "example.org"}
    return {"apiVersion": f"{group(number)}/v1", "kind": f"Thing{number}", "metadata": metadata, "spec": spec}


def path(number: int, namespace: str) -> str:
    return f"/apis/{group(number)}/v1/namespaces/{namespace}/things{number}"


async def define(client: Client, crd: Document) -> None:
    """Make a definition, and wait until it is served."""
    await client.document("POST", _DEFINITIONS, crd)
    where = f"{_DEFINITIONS}/{crd['metadata']['name']}"
    for _ in range(1000):
        if _established(await client.document("GET", where)):
            return
        await asyncio.sleep(0.01)
    raise TimeoutError(f"{where} was not established within 10 s")


def _established(crd: Document) -> bool:
    conditions = crd.get("status", {}).get("conditions", ())
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)
