"""The garbage collector: what an owner leaves behind goes too, as far as its owner references say."""

from proa.controllers.garbage.controller import GarbageCollector

__all__ = ["GarbageCollector"]
