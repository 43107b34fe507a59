"""The table of what works is what the recorded test run says, and nothing else."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]

REPORT = """<testsuites><testsuite>
<testcase classname="tests.unit.scheduler.test_queue" name="test_a_pod_waits"/>
<testcase classname="tests.contract.test_store" name="test_a_key_is_taken_once[memory]"/>
<testcase classname="tests.contract.test_store" name="test_a_key_is_taken_once[sqlite]"/>
<testcase classname="tests.contract.test_store" name="test_history_ends[memory]"/>
<testcase classname="tests.contract.test_store" name="test_history_ends[sqlite]"><failure message="no"/></testcase>
<testcase classname="tests.root.test_new" name="test_it_is_counted_somewhere"><skipped message="no root"/></testcase>
</testsuite></testsuites>"""


@pytest.fixture(scope="module")
def works() -> ModuleType:
    spec = importlib.util.spec_from_file_location("works_tool", ROOT / "tools/works.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def outcomes(works: ModuleType, tmp_path: Path) -> dict[str, dict[str, int | str]]:
    report = tmp_path / "junit.xml"
    report.write_text(REPORT)
    found: dict[str, dict[str, int | str]] = works.read(report)
    return found


def test_cases_are_counted_by_test_and_one_bad_case_makes_a_test_bad(
    outcomes: dict[str, dict[str, int | str]],
) -> None:
    assert outcomes == {
        "tests/contract/test_store.py": {"test_a_key_is_taken_once": 2, "test_history_ends": "failed"},
        "tests/root/test_new.py": {"test_it_is_counted_somewhere": "skipped"},
        "tests/unit/scheduler/test_queue.py": {"test_a_pod_waits": 1},
    }


def test_what_did_not_pass_is_shown_and_not_counted(
    works: ModuleType, outcomes: dict[str, dict[str, int | str]]
) -> None:
    lines = works.table(outcomes).splitlines()
    assert any(line.endswith("| 1 (and 1 not) | 2 |") for line in lines)
    assert any(line.endswith("| 0 (and 1 not) | 0 |") for line in lines)
    assert lines[-1] == "| **all** | | **2** | **3** |"
    page = works.page(outcomes)
    assert "- a key is taken once (2 cases)\n" in page
    assert "- FAILED: history ends\n" in page
    assert "- SKIPPED: it is counted somewhere\n" in page


def test_a_readme_without_marks_is_refused(works: ModuleType) -> None:
    with pytest.raises(ValueError, match="works: begin"):
        works.placed("# proa", "table")


def test_the_committed_tables_are_what_the_recorded_run_says(works: ModuleType) -> None:
    recorded = json.loads((ROOT / "docs/works.json").read_text())
    readme = (ROOT / "README.md").read_text()
    assert works.placed(readme, works.table(recorded)) == readme
    assert works.page(recorded) == (ROOT / "docs/works.md").read_text()
