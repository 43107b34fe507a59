"""The zygote: a small process, started once by the agent, that forks a shim for each pod in about a millisecond.

It has imported everything a shim needs; the pages are shared with all shims. Its only state is standard input, a
socket whose other end the agent holds: each request is one byte and a connection on which the shim will answer. When
the agent's end closes, the zygote ends, but no shim does.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys

from proa.linux import cgroups, process
from proa.runtime.embedded import shim, wire


def main(cgroup: str) -> None:
    """Fork shims for whoever holds the other end of standard input; they inherit the group `cgroup`."""
    process.set_name("proa-zygote")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # shims outlive us; none is waited for
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tree = cgroups.detect()
    tree.create(cgroup, {})
    tree.join(cgroup)
    control = socket.socket(fileno=0)
    gc.collect()
    gc.freeze()
    gc.disable()
    while True:
        data, descriptors = wire.receive_some(control)
        if not data:
            os._exit(0)
        for descriptor in descriptors:
            if os.fork() == 0:
                _become_shim(socket.socket(fileno=descriptor))
            os.close(descriptor)


def _become_shim(connection: socket.socket) -> None:
    """In the fork: the connection's request says which sandbox to hold; it is answered when the sandbox stands."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        process.close_all_but([0, 1, 2, connection.fileno()])
        gc.enable()
        shim.run(connection)
        code = 0
    except BaseException as error:  # nobody above would report it
        wire.send(connection, {"error": wire.describe(error)})
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        sys.stderr.flush()
        os._exit(code)
