"""What a Job's podFailurePolicy says about one failed pod (KEP-3329). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from proa.api.batch_v1 import PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement
from proa.api.core_v1 import ContainerStatus, Pod

FAIL_JOB, FAIL_INDEX, IGNORE, COUNT = "FailJob", "FailIndex", "Ignore", "Count"


@dataclass(frozen=True, slots=True)
class Judgement:
    """action: of the rule that matched, Count when none did. message: why the Job fails, for FailJob."""

    action: str = COUNT
    message: str = ""


def judge(policy: PodFailurePolicy | None, pod: Pod) -> Judgement:
    """By the first rule that matches."""
    name = f"{pod.metadata.namespace}/{pod.metadata.name}"
    for number, rule in enumerate(policy.rules if policy is not None else ()):
        end = f"matching {rule.action} rule at index {number}"
        if rule.onExitCodes is not None:
            for container, code in _exits(pod, rule.onExitCodes):
                return Judgement(
                    rule.action, f"Container {container.name} for pod {name} failed with exit code {code} {end}"
                )
        else:
            for pattern in rule.onPodConditions:
                for condition in pod.status.conditions:
                    if (condition.type, condition.status) == (pattern.type, pattern.status or "True"):
                        return Judgement(rule.action, f"Pod {name} has condition {condition.type} {end}")
    return Judgement()


def _exits(pod: Pod, requirement: PodFailurePolicyOnExitCodesRequirement) -> Iterator[tuple[ContainerStatus, int]]:
    """The containers whose exit code meets the requirement; success (0) never does."""
    for status in (*pod.status.initContainerStatuses, *pod.status.containerStatuses):
        ended = status.state.terminated
        if ended is None or ended.exitCode == 0:
            continue
        if requirement.containerName is not None and requirement.containerName != status.name:
            continue
        if (ended.exitCode in requirement.values) == (requirement.operator == "In"):
            yield status, ended.exitCode
