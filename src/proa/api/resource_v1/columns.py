"""Printer columns of devices and the claims to them."""

from __future__ import annotations

from proa.machinery.columns import AGE, NAME, Document, dig, path
from proa.machinery.resource import Column


def _state(claim: Document) -> str:
    deleted, allocated = dig(claim, "metadata", "deletionTimestamp"), dig(claim, "status", "allocation") is not None
    words = ["deleted"] if deleted else []
    if allocated:
        words.append("allocated")
        if dig(claim, "status", "reservedFor"):
            words.append("reserved")
    elif not deleted:
        words.append("pending")
    return ",".join(words)


DEVICE_CLASSES = (NAME, AGE)
RESOURCE_CLAIMS = (NAME, Column("State", _state, description="Whether it was given devices, and is in use."), AGE)
RESOURCE_CLAIM_TEMPLATES = (NAME, AGE)
RESOURCE_SLICES = (
    NAME,
    Column("Node", path("spec.nodeName"), description="The node the devices are on."),
    Column("Driver", path("spec.driver"), description="Whose devices."),
    Column("Pool", path("spec.pool.name"), description="The pool they belong to."),
    AGE,
)
