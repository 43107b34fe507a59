"""Running the host's programs."""

from __future__ import annotations

import pytest

from proa.linux import command


async def test_output_and_code_are_returned() -> None:
    result = await command.run(["sh", "-c", "cat; echo err >&2; exit 3"], stdin=b"in", check=False)
    assert (result.code, result.stdout, result.stderr) == (3, b"in", b"err\n")


async def test_a_failure_says_what_the_program_said() -> None:
    with pytest.raises(command.CommandError, match="sh -c echo no way >&2; exit 2: exit code 2: no way"):
        await command.run(["sh", "-c", "echo no way >&2; exit 2"])


async def test_a_program_that_takes_too_long_is_killed_with_its_children() -> None:
    with pytest.raises(TimeoutError):
        await command.run(["sh", "-c", "sleep 1000 & sleep 1000"], timeout=0.05)


async def test_a_missing_program_is_not_found() -> None:
    with pytest.raises(FileNotFoundError):
        await command.run(["/no/such/program"])
