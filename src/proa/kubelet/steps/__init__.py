"""The steps of a pod's life on a node, one module each, and which instruction each carries out.

A step is an async function of (node, pod, state, instruction) that may be begun again after any failure or restart of
the agent. It returns what it made known and raises what went wrong; retrying is the state machine's business.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from proa.api.core_v1 import Pod
from proa.kubelet import state as instructions
from proa.kubelet.context import Node
from proa.kubelet.services import Outcome
from proa.kubelet.steps import containers, deletion, images, killing, sandbox, volumes

Step = Callable[[Node, Pod, instructions.PodState, Any], Coroutine[Any, Any, Outcome]]

# In the order a pod goes through them.
ORDER: tuple[tuple[type, Step], ...] = (
    (instructions.SetUpVolumes, volumes.set_up),
    (instructions.CreateSandbox, sandbox.create),
    (instructions.PullImage, images.pull),
    (instructions.StartContainer, containers.start),
    (instructions.KillContainer, killing.kill),
    (instructions.RemoveContainer, killing.remove),
    (instructions.StopSandbox, sandbox.stop),
    (instructions.TearDownVolumes, volumes.tear_down),
    (instructions.FinishDeletion, deletion.finish),
)

STEPS: Mapping[type, Step] = dict(ORDER)
