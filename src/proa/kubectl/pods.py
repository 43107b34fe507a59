"""From a workload to one of its pods, for verbs that look into one."""

from __future__ import annotations

from typing import Any

from proa.base.errors import ProaError
from proa.kubectl.discovery import Resource
from proa.kubectl.selection import Target
from proa.kubectl.session import Session

PODS = Resource("pods", "pod", "Pod", "", "v1", True, ("po",), ("all",), ())


class NoPodError(ProaError):
    """There is no pod to look into."""


def pod_of(session: Session, target: Target) -> dict[str, Any]:
    """The pod itself, or the best of those a workload or Service selects: a ready one before a running one.

    Raises NoPodError, StatusError.
    """
    resource = target.resource
    found = session.client.get(resource.path(session.namespace, target.name))
    if resource.kind == "Pod" and not resource.group:
        return found
    selector = (found.get("spec") or {}).get("selector")
    labels = selector_text(selector) if isinstance(selector, dict) else ""
    if not labels:
        raise NoPodError(f"cannot attach to {resource.display(target.name)}: it selects no pods")
    pods: list[dict[str, Any]] = session.client.get(PODS.path(session.namespace), {"labelSelector": labels})["items"]
    if not pods:
        raise NoPodError(f"{resource.display(target.name)} has no pods")
    return max(pods, key=_rank)


def selector_text(selector: dict[str, Any]) -> str:
    """A LabelSelector, or a Service's plain map, as the labelSelector parameter has it."""
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        return ",".join(f"{key}={value}" for key, value in selector.items())
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for each in selector.get("matchExpressions") or ():
        key, values = each["key"], ",".join(each.get("values") or ())
        sign = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }
        parts.append(sign[each["operator"]])
    return ",".join(parts)


def _rank(pod: dict[str, Any]) -> tuple[bool, bool, str]:
    status = pod.get("status") or {}
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions") or ())
    return ready, status.get("phase") == "Running", str(status.get("startTime", ""))
