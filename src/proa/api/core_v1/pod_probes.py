"""What makes the probes and the hooks of a container wrong.

Source: the API reference of core/v1 Probe, Lifecycle and their handlers.
"""

from __future__ import annotations

from functools import lru_cache
from operator import attrgetter

from proa.api.core_v1.container import Container, EphemeralContainer, Lifecycle, LifecycleHandler, Probe
from proa.api.core_v1.pod import PodSpec
from proa.api.core_v1.pod_checks import report
from proa.machinery.fields import ROOT, ErrorList, FieldError, Path
from proa.machinery.names import http_header_name, port_name, port_number

_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_probes_of = attrgetter(*_PROBES)
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
_WINDOWS_SIGNALS = ("SIGKILL", "SIGTERM")
_NAMED_SIGNALS = (
    "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP"
    " TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX"
)
_REAL_TIME_SIGNALS = (*(f"SIGRTMIN+{each}" for each in range(1, 16)), *(f"SIGRTMAX-{each}" for each in range(1, 15)))
_LINUX_SIGNALS = tuple(sorted((*(f"SIG{each}" for each in _NAMED_SIGNALS.split()), *_REAL_TIME_SIGNALS)))


def validate_probes(container: Container | EphemeralContainer, errors: ErrorList) -> None:
    """Those of a container, relative to it."""
    for field, probe in zip(_PROBES, _probes_of(container), strict=True):
        if probe is not None:
            found = _probe_problems(probe, field == "readinessProbe")
            if found:
                report(errors, ROOT.child(field), found)


@lru_cache(1024)
def _probe_problems(probe: Probe, of_readiness: bool) -> tuple[FieldError, ...]:
    errors, path = ErrorList(), ROOT
    _validate_handler(probe, None, path, errors)
    grace = probe.terminationGracePeriodSeconds
    if grace is not None and grace <= 0:
        errors.invalid(path.child("terminationGracePeriodSeconds"), grace, "must be greater than 0")
    if of_readiness:
        if grace is not None:
            detail = "must not be set for readinessProbes"
            errors.invalid(path.child("terminationGracePeriodSeconds"), grace, detail)
    elif probe.successThreshold not in (None, 0, 1):
        errors.invalid(path.child("successThreshold"), probe.successThreshold, "must be 1")
    return tuple(errors)


def validate_lifecycle(lifecycle: Lifecycle, spec: PodSpec, path: Path, errors: ErrorList) -> None:
    """Of a container of a pod with that spec."""
    for field in ("postStart", "preStop"):
        handler = getattr(lifecycle, field)
        if handler is not None:
            _validate_handler(handler, spec.terminationGracePeriodSeconds, path.child(field), errors)
    signal, where = lifecycle.stopSignal, path.child("stopSignal")
    if signal is None:
        return
    if spec.os is None:
        errors.forbidden(where, "may not be set for containers with empty `spec.os.name`")
    elif spec.os.name in ("linux", "windows"):
        allowed = _LINUX_SIGNALS if spec.os.name == "linux" else _WINDOWS_SIGNALS
        if signal not in allowed:
            errors.unsupported(where, signal, allowed)


def _validate_handler(handler: Probe | LifecycleHandler, grace: int | None, path: Path, errors: ErrorList) -> None:
    """grace: the pod's grace period, which a hook that sleeps may not outlast."""
    chosen = [each for each in _HANDLERS if getattr(handler, each, None) is not None]
    if not chosen:
        errors.required(path, "must specify a handler type")
        return
    for extra in chosen[1:]:
        errors.forbidden(path.child(extra), "may not specify more than 1 handler type")
    kind = chosen[0]
    action, where = getattr(handler, kind), path.child(kind)
    if kind == "exec":
        if not action.command:
            errors.required(where.child("command"))
    elif kind == "sleep":
        if grace is not None and not 0 <= action.seconds <= grace:
            detail = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
            errors.invalid(where, action.seconds, detail)
    elif kind != "grpc":  # its port is a number, which the declaration bounds
        port = action.port
        for problem in port_number(port) if isinstance(port, int) else port_name(port):
            errors.invalid(where.child("port"), port, problem)
    if kind == "httpGet":
        for header in action.httpHeaders:
            for problem in http_header_name(header.name):
                errors.invalid(where.child("httpHeaders"), header.name, problem)
