"""One component in the foreground: the process around `run_server` and `run_agent`.

Logging, signals (SIGTERM and SIGINT: a clean stop), the event loop, the pid file, reports to whoever waits. The same
for a component started by `up`, by systemd or by hand.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from proa.base import log as logs
from proa.cluster import processes
from proa.cluster.notify import Notifier
from proa.cluster.paths import ClusterPaths

log = logging.getLogger(__name__)
Report = Callable[[str, Mapping[str, Any]], None]


def run(
    paths: ClusterPaths,
    component: str,
    work: Callable[[Report], Coroutine[Any, Any, None]],
    *,
    ready_on: str,
    level: str = "info",
    log_file: Path | None = None,
) -> None:
    """Be the component until it is told to stop. Whatever ends it earlier is logged and raised."""
    # Imported here: the event loop of a component, not of the command line.
    import uvloop

    logs.configure(component, level=level, file=log_file, max_bytes=processes.LOG_BYTES, backups=processes.LOG_BACKUPS)
    if log_file is not None:
        _keep_errors_with_the_log()
    notifier = Notifier(component, ready_on)

    def report(step: str, fields: Mapping[str, Any]) -> None:
        log.info("%s", step, extra=logs.fields(**fields))
        notifier.report(step, fields)

    with processes.holding(paths, component):
        try:
            uvloop.run(_until_stopped(work(report), notifier))
        except Exception:
            log.critical("%s ends", component, exc_info=True)
            raise
        finally:
            notifier.close()
    log.info("stopped")


async def _until_stopped(work: Coroutine[Any, Any, None], notifier: Notifier) -> None:
    loop = asyncio.get_running_loop()
    main = loop.create_task(work, name="component")
    stopping = False

    def stop() -> None:
        nonlocal stopping
        stopping = True
        notifier.stopping()
        main.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        await main
    except asyncio.CancelledError:
        if not stopping:
            raise


def _keep_errors_with_the_log() -> None:
    """Let what the interpreter itself writes to stderr follow the log through its rotations."""
    from logging.handlers import RotatingFileHandler

    for handler in logging.getLogger().handlers:
        if isinstance(handler, RotatingFileHandler):
            handler.rotator = _rotate


def _rotate(source: str, destination: str) -> None:
    os.replace(source, destination)
    descriptor = os.open(source, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(descriptor, stream.fileno())
    os.close(descriptor)
