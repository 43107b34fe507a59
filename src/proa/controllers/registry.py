"""Every controller, in the order it starts: adding one is its module and its line here."""

from __future__ import annotations

from proa.control.manager import ControllerFactory
from proa.controllers.deployment import DeploymentController
from proa.controllers.replicaset import ReplicaSetController

CONTROLLERS: tuple[ControllerFactory, ...] = (
    ReplicaSetController,
    DeploymentController,
)
