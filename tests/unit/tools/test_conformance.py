from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

TOOL = Path(__file__).parents[3] / "tools" / "conformance.py"


@pytest.fixture(scope="module")
def conformance() -> ModuleType:
    import sys

    spec = importlib.util.spec_from_file_location("conformance_tool", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


REPORT = """<testsuites><testsuite>
<testcase name="[SynchronizedBeforeSuite]" status="passed"/>
<testcase name="[It] [sig-node] Pods run [Conformance]" status="passed"/>
<testcase name="[It] [sig-node] Pods stop [Conformance]" status="failed"><failure message="no"/></testcase>
<testcase name="[It] [sig-apps] Jobs [Conformance]" status="skipped"><skipped message="x"/></testcase>
</testsuite></testsuites>"""


def test_a_report_tells_passed_from_failed_and_leaves_out_what_was_skipped(
    conformance: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "junit_01.xml").write_text(REPORT)
    results = conformance.read(tmp_path)
    assert results.passed == ("[sig-node] Pods run [Conformance]",)
    assert results.failed == ("[sig-node] Pods stop [Conformance]",)
    assert results.code == 1


def test_a_failed_set_up_of_the_suite_is_a_failure(conformance: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text(
        '<testsuite><testcase name="[SynchronizedBeforeSuite]"><failure/></testcase></testsuite>'
    )
    assert conformance.read(tmp_path).failed == ("[SynchronizedBeforeSuite]",)


def test_no_report_is_no_success(conformance: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(conformance.UnusableError, match="no JUnit report"):
        conformance.read(tmp_path)


def test_nothing_run_is_no_success(conformance: ModuleType) -> None:
    assert conformance.Results((), ()).code == 2


def test_the_list_gains_what_passed_loses_what_failed_and_keeps_what_did_not_run(
    conformance: ModuleType, tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    conformance.write_list(page, conformance.Results(("b", "a", "x"), ()))
    page.write_text("# Mine\n" + page.read_text() + "after\n")
    conformance.write_list(page, conformance.Results(("c",), ("a",)))
    text = page.read_text()
    assert text.startswith("# Mine\n")
    assert "3 tests:\n\n- b\n- c\n- x\n<!--" in text
    assert text.endswith("after\n")


def test_the_binary_is_run_and_its_report_is_read(
    conformance: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    binary, report, kubeconfig = tmp_path / "e2e.test", tmp_path / "report.xml", tmp_path / "kubeconfig"
    report.write_text(REPORT)
    kubeconfig.write_text("")
    binary.write_text(
        "#!/bin/sh\nfor each; do case $each in --report-dir=*) cp " + str(report) + " ${each#*=}/junit_01.xml;; "
        "esac; done\nexit 1\n"
    )
    binary.chmod(0o755)
    monkeypatch.setattr("sys.argv", ["conformance", str(binary), "Pods", "--kubeconfig", str(kubeconfig)])
    with pytest.raises(SystemExit) as ended:
        conformance.main()
    assert ended.value.code == 1
    assert "1 passed, 1 failed\nFAILED [sig-node] Pods stop [Conformance]\n" in capsys.readouterr().out
