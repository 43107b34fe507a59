"""Logging: one line a record, the same shape from every component, over the standard library.

Modules log with `logging.getLogger(__name__)` and %-arguments, so that a record nobody wants costs almost nothing;
what a record is about goes into `extra=fields(pod="ns/web")` and comes out as `pod=ns/web`. An entry point calls
`configure` once. Not here: Kubernetes Events and audit, which are API matters.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

_LEVELS = {logging.DEBUG: "D", logging.INFO: "I", logging.WARNING: "W", logging.ERROR: "E", logging.CRITICAL: "F"}


def fields(**values: object) -> dict[str, Any]:
    """What a record is about, for `extra=`."""
    return {"fields": values}


class LineFormatter(logging.Formatter):
    """`2026-01-02T03:04:05.678Z I apiserver proa.store.watchcache: message key=value`, UTC.

    A traceback follows on indented lines, so that a line which is not indented is always a record.
    """

    def __init__(self, component: str) -> None:
        super().__init__()
        self._component = component
        self._second = 0
        self._stamp = ""

    def format(self, record: logging.LogRecord) -> str:
        second = int(record.created)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        message = record.getMessage()
        if "\n" in message:
            message = message.replace("\n", "\\n")
        line = (
            f"{self._stamp}.{int(record.msecs):03d}Z {_LEVELS.get(record.levelno, record.levelname)} "
            f"{self._component} {record.name}: {message}"
        )
        values: dict[str, object] | None = getattr(record, "fields", None)
        if values:
            line += "".join(f" {name}={_quoted(value)}" for name, value in values.items())
        if record.exc_info:
            line += "\n    " + self.formatException(record.exc_info).replace("\n", "\n    ")
        return line


def _quoted(value: object) -> str:
    text = str(value)
    plain = text and not any(character in ' "=\n\t' for character in text)
    return text if plain else json.dumps(text, ensure_ascii=False)


def configure(
    component: str,
    *,
    level: str = "info",
    file: Path | None = None,
    max_bytes: int = 10 << 20,
    backups: int = 3,
) -> None:
    """Send what this process logs at `level` or above to `file` (rotated at `max_bytes`, `backups` kept) or to stderr.

    Replaces an earlier configuration. Raises ValueError for an unknown level.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"log level {level!r} is unknown: use debug, info, warning, error or critical")
    handler: logging.Handler
    if file is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        from logging.handlers import RotatingFileHandler  # imports sockets and queues: only where files are wanted

        file.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(file, maxBytes=max_bytes, backupCount=backups, encoding="utf-8")
    handler.setFormatter(LineFormatter(component))
    root = logging.getLogger()
    for old in tuple(root.handlers):
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(number)
    # None of these is shown: let the records do without looking them up.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
