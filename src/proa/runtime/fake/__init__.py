"""The fake runtime: pods that run nothing, for thousands of simulated nodes and for virtual time.

It is a product and not a test helper: what the kubelet can observe through `proa.runtime.protocol` behaves as with
real containers. Time passes only by asyncio's timers and the injected clock.
"""

from proa.runtime.fake.behaviour import Behaviour
from proa.runtime.fake.images import FakeImages
from proa.runtime.fake.runtime import FakeRuntime

__all__ = ["Behaviour", "FakeImages", "FakeRuntime"]
