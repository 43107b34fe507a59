"""Deployments (apps/v1): replace the pods of an application by new ones, a few at a time, and remember how it was."""

from proa.controllers.deployment.controller import DeploymentController

__all__ = ["DeploymentController"]
