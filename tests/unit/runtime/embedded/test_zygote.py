"""What the zygote loads is memory of every pod."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import proa
from proa.linux import command

REPORT = """
import sys; sys.path.append(sys.argv[1])
import proa.runtime.embedded.zygote, proa.linux.cgroups.v1, proa.linux.cgroups.v2, json
rss = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))
print(json.dumps({"modules": sorted(sys.modules), "rss": rss}))
"""


async def test_the_zygote_loads_little_and_stays_small() -> None:
    source = str(Path(proa.__file__).parent.parent)
    arguments = [sys.executable, "-I", "-S", "-c", REPORT, source]
    await command.run(arguments)  # the first time bytecode may have to be written
    report = json.loads((await command.run(arguments)).stdout)
    heavy = {"asyncio", "dataclasses", "inspect", "logging", "msgspec", "pathlib", "subprocess", "typing"}
    assert heavy & set(report["modules"]) == set()
    assert report["rss"] < 13_000, "KiB"
