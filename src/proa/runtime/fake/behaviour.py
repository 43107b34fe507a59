"""What a simulated container does: scripted by the caller, by annotations, or read from its command.

Annotations of the pod or the container, all optional (times in seconds):
`proa.fake/start-latency`, `proa.fake/start-error`, `proa.fake/exit-after`, `proa.fake/exit-code`,
`proa.fake/oom-after`, `proa.fake/stop-latency` ('never': ignores its stop signal), `proa.fake/exec-error`.
`proa.fake/failing-probes` is read by the simulated kubelet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

_PREFIX = "proa.fake/"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """`exit_after` None: as the command says, for ever if that is not understood. `stop_latency` inf: until killed."""

    start_latency: float = 0.0
    start_error: str = ""
    exit_after: float | None = None
    exit_code: int = 0
    oom: bool = False
    stop_latency: float | None = None
    exec_error: str = ""
    logs: tuple[str, ...] = ()
    """Lines on stdout when it starts."""

    def with_annotations(self, annotations: Mapping[str, str]) -> Behaviour:
        """This behaviour with what the annotations override. ValueError names an annotation that makes no sense."""
        changes: dict[str, Any] = {}
        for key, value in annotations.items():
            if not key.startswith(_PREFIX):
                continue
            match key.removeprefix(_PREFIX):
                case "start-latency":
                    changes["start_latency"] = _seconds(key, value)
                case "start-error":
                    changes["start_error"] = value
                case "exit-after":
                    changes["exit_after"] = _seconds(key, value)
                case "exit-code":
                    changes["exit_code"] = int(_seconds(key, value))
                case "oom-after":
                    changes |= {"exit_after": _seconds(key, value), "oom": True, "exit_code": 137}
                case "stop-latency":
                    changes["stop_latency"] = math.inf if value == "never" else _seconds(key, value)
                case "exec-error":
                    changes["exec_error"] = value
                case "failing-probes":
                    continue
                case _:
                    raise ValueError(f"annotation {key} is unknown to the fake runtime")
        return replace(self, **changes) if changes else self


def _seconds(key: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number < math.inf:
        raise ValueError(f"annotation {key}: {value!r} is not a number of at least 0")
    return number
