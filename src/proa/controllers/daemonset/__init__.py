"""DaemonSets (apps/v1): a pod on every node that suits."""

from proa.controllers.daemonset.controller import DaemonSetController

__all__ = ["DaemonSetController"]
