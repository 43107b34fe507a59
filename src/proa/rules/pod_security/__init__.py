"""The Pod Security Standards: what the levels privileged, baseline and restricted demand of a pod. Pure.

`controls` has one function for each control, `standard` the table of them by level and version, `policy` what a
namespace's labels ask for. Not here: refusing anything (the PodSecurity admission plugin).
"""

from proa.rules.pod_security.controls import Subject, Violation
from proa.rules.pod_security.policy import (
    BASELINE,
    LATEST,
    PRIVILEGED,
    RESTRICTED,
    LabelError,
    Level,
    Policy,
    level_of,
    policy_of,
    version_of,
)
from proa.rules.pod_security.standard import CONTROLS, details, evaluate, reasons

__all__ = [
    "BASELINE",
    "CONTROLS",
    "LATEST",
    "PRIVILEGED",
    "RESTRICTED",
    "LabelError",
    "Level",
    "Policy",
    "Subject",
    "Violation",
    "details",
    "evaluate",
    "level_of",
    "policy_of",
    "reasons",
    "version_of",
]
