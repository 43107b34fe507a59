"""nftables through `nft -f -`: one script is one transaction, all of it or nothing.

Shared by the pod network's own table and by the service proxy; what the tables contain is theirs. nft(8) is a program
of the host (Debian package nftables); a host without it is told apart before the first call by `available`.
"""

from __future__ import annotations

import json
import shutil
from typing import Any

from proa.base.errors import ProaError
from proa.linux import command

_PATH = "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin"


class NftError(ProaError):
    """nft refused a script, or is not there; the message is nft's."""


def available() -> str | None:
    """The path of nft, or None where the host has none."""
    return shutil.which("nft") or shutil.which("nft", path=_PATH)


async def _nft(*arguments: str, script: str = "") -> bytes:
    program = available()
    if program is None:
        raise NftError("nft is not installed (Debian package nftables)")
    try:
        result = await command.run((program, *arguments), stdin=script.encode())
    except command.CommandError as error:
        raise NftError(str(error)) from error
    return result.stdout


async def apply(script: str) -> None:
    """Run the script as one transaction. NftError: nothing of it was done."""
    await _nft("-f", "-", script=script)


async def listing(*what: str) -> list[dict[str, Any]]:
    """The objects of `nft -j -a list <what>`, each a dict with its kind as only key, without the metainfo."""
    document = json.loads(await _nft("-j", "-a", "list", *what))
    return [entry for entry in document["nftables"] if "metainfo" not in entry]


async def delete_table(family: str, table: str) -> None:
    """Delete the table if it is there."""
    await apply(f"table {family} {table}\ndelete table {family} {table}\n")
