"""A file of bearer tokens (`--token-auth-file`): lines of token, user, uid and, quoted, groups separated by commas."""

from __future__ import annotations

import logging
from pathlib import Path

from proa.apiserver.identity import User
from proa.base.errors import ProaError

log = logging.getLogger(__name__)


class TokenFileError(ProaError):
    """The file is not one of tokens."""


def read(path: Path) -> dict[str, User]:
    """Users by token. Raises TokenFileError, OSError."""
    import csv

    found: dict[str, User] = {}
    with path.open(newline="") as file:
        for record in csv.reader(file, strict=True):
            if not record:
                continue
            if len(record) < 3:
                raise TokenFileError(
                    f"token file '{path}' must have at least 3 columns (token, user name, user uid), "
                    f"found {len(record)}"
                )
            token, name, uid, *rest = (each.strip() for each in record)
            if not token:
                log.warning("%s: a line without a token is left out", path)
                continue
            if token in found:
                log.warning("%s: a token is there twice, the last line counts", path)
            found[token] = User(name, uid, tuple(rest[0].split(",")) if rest and rest[0] else ())
    return found
