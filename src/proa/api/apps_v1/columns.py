"""Printer columns of the workload controllers."""

from __future__ import annotations

from proa.machinery.columns import AGE, NAME, NONE, Document, dig, images, labels_text, path, selector_text
from proa.machinery.resource import Column

_INT = "integer"
_SELECTOR = Column(
    "Selector", lambda d: selector_text(dig(d, "spec", "selector")), priority=1, description="Which pods it owns."
)
_IMAGES = images("spec.template.spec")


def _ready(document: Document) -> str:
    return f"{dig(document, 'status', 'readyReplicas') or 0}/{dig(document, 'spec', 'replicas') or 0}"


def _number(name: str, field: str, description: str, type: str = _INT) -> Column:
    return Column(name, path(field, 0), type, description=description)


DEPLOYMENTS = (
    NAME,
    Column("Ready", _ready, description="Ready pods of wanted pods."),
    _number("Up-to-date", "status.updatedReplicas", "Pods of the newest template.", "string"),
    _number("Available", "status.availableReplicas", "Pods ready for long enough.", "string"),
    AGE,
    *_IMAGES,
    _SELECTOR,
)
REPLICA_SETS = (
    NAME,
    _number("Desired", "spec.replicas", "Wanted pods."),
    _number("Current", "status.replicas", "Existing pods."),
    _number("Ready", "status.readyReplicas", "Ready pods."),
    AGE,
    *_IMAGES,
    _SELECTOR,
)
STATEFUL_SETS = (NAME, Column("Ready", _ready, description="Ready pods of wanted pods."), AGE, *_IMAGES)
DAEMON_SETS = (
    NAME,
    _number("Desired", "status.desiredNumberScheduled", "Nodes that should have a pod."),
    _number("Current", "status.currentNumberScheduled", "Nodes that have one."),
    _number("Ready", "status.numberReady", "Ready pods."),
    _number("Up-to-date", "status.updatedNumberScheduled", "Pods of the newest template."),
    _number("Available", "status.numberAvailable", "Pods ready for long enough."),
    Column(
        "Node Selector",
        lambda d: labels_text(dig(d, "spec", "template", "spec", "nodeSelector")),
        description="Which nodes.",
    ),
    AGE,
    *_IMAGES,
    _SELECTOR,
)


def _controller(document: Document) -> str:
    owners = dig(document, "metadata", "ownerReferences") or ()
    owner = next((each for each in owners if each.get("controller")), None)
    if owner is None:
        return NONE
    group = owner.get("apiVersion", "").rpartition("/")[0]
    kind = owner.get("kind", "").lower()
    return f"{kind}.{group}/{owner.get('name')}" if group else f"{kind}/{owner.get('name')}"


CONTROLLER_REVISIONS = (
    NAME,
    Column("Controller", _controller, description="Whose revision."),
    _number("Revision", "revision", "Its number.", "string"),
    AGE,
)
