"""Entering another network namespace for the length of a block, by one thread.

A socket belongs to the network namespace its thread was in when it was made, and keeps it; so a netlink socket for a
pod's namespace is made inside this block and used after it. Only for worker threads or code that does not await
inside the block. setns(2) needs CAP_SYS_ADMIN.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from proa.linux.namespaces import setns

CLONE_NEWNET = 0x40000000
THREAD_NETNS = "/proc/thread-self/ns/net"


@contextmanager
def entered(netns: int) -> Iterator[None]:
    """The calling thread is in the network namespace open as descriptor `netns`; back again at the end. OSError."""
    own = os.open(THREAD_NETNS, os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(netns, CLONE_NEWNET)
        try:
            yield
        finally:
            setns(own, CLONE_NEWNET)
    finally:
        os.close(own)
