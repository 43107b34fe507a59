"""What makes a controller look at a key: changes of its own objects, of objects they own, or of anything it maps.

A trigger is a declaration; `Controller.triggers` lists them and the runner connects them to the shared informers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from proa.client.informer import key_of
from proa.machinery.resource import Resource
from proa.rules.owners import controller_of, refers_to

Keys = Callable[[Any, Any], Iterable[str]]


class For(msgspec.Struct, frozen=True):
    """The objects the controller is for: their key is the key. `when(old, new)` may leave changes out."""

    resource: Resource[Any]
    when: Callable[[Any, Any], bool] | None = None

    def keys(self, _: Resource[Any], old: Any, new: Any) -> Iterable[str]:
        if self.when is not None and not self.when(old, new):
            return ()
        return (key_of(new if new is not None else old),)


class Owns(msgspec.Struct, frozen=True):
    """Objects controlled by those the controller is for: the key is the controlling owner's, old and new."""

    resource: Resource[Any]

    def keys(self, owner: Resource[Any], old: Any, new: Any) -> Iterable[str]:
        keys = set()
        for obj in (old, new):
            if obj is None:
                continue
            reference = controller_of(obj)
            if reference is not None and refers_to(reference, owner):
                namespace = obj.metadata.namespace
                keys.add(f"{namespace}/{reference.name}" if namespace and owner.namespaced else reference.name)
        return keys


class Maps(msgspec.Struct, frozen=True):
    """Any other objects: `function(old, new)` yields the keys to look at."""

    resource: Resource[Any]
    function: Keys

    def keys(self, _: Resource[Any], old: Any, new: Any) -> Iterable[str]:
        return self.function(old, new)


Trigger = For | Owns | Maps
