from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from proa.base import build, log
from proa.base.metrics import Metrics


def test_the_version_names_kubernetes_and_proa() -> None:
    info = build.build()
    assert (info.major, info.minor) == ("1", "36")
    assert re.fullmatch(r"v1\.36\.\d+\+proa\.\d+\.\d+\.\d+.*", info.git_version)
    assert info.platform.startswith("linux/")


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    """The root logger, put back as it was afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield root
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level = handlers, level


def test_a_record_is_one_line_with_its_fields(root_logger: logging.Logger, tmp_path: Path) -> None:
    file = tmp_path / "logs" / "kubelet.log"
    log.configure("kubelet", file=file)
    logging.getLogger("proa.x").info("two\nlines %d", 2, extra=log.fields(pod="ns/web", why="no room = bad", empty=""))
    logging.getLogger("proa.x").debug("not shown")
    (line,) = file.read_text().splitlines()
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z I kubelet proa\.x: two\\nlines 2 "
        r'pod=ns/web why="no room = bad" empty=""',
        line,
    )


def test_a_traceback_follows_its_record_indented(root_logger: logging.Logger, tmp_path: Path) -> None:
    log.configure("x", file=tmp_path / "log")
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("proa.x").exception("failed")
    first, *rest = (tmp_path / "log").read_text().splitlines()
    assert first.endswith("E x proa.x: failed")
    assert rest[-1] == "    ValueError: broken"
    assert all(line.startswith("    ") for line in rest)


def test_a_log_file_is_rotated(root_logger: logging.Logger, tmp_path: Path) -> None:
    log.configure("x", file=tmp_path / "log", max_bytes=1000, backups=2)
    for number in range(100):
        logging.getLogger("proa.x").info("record %d", number)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1", "log.2"]
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())


def test_an_unknown_log_level_is_refused() -> None:
    with pytest.raises(ValueError, match=r"loud.*use debug"):
        log.configure("x", level="loud")


def test_metrics_are_shown_in_the_prometheus_text_format() -> None:
    metrics = Metrics()
    requests = metrics.counter("apiserver_request_total", "Requests.", ["verb", "code"])
    requests.labels("GET", "200").inc()
    requests.labels("GET", "200").inc(2)
    metrics.gauge("inflight", "Now.").labels().set(4)
    seconds = metrics.histogram("seconds", "Time.", ["verb"], buckets=(0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 3.0):
        seconds.labels("LIST").observe(value)
    metrics.statistics("proa_store", "The store.", lambda: {"rows": 7})
    text = metrics.exposition().decode()
    for line in (
        "# TYPE apiserver_request_total counter",
        'apiserver_request_total{code="200",verb="GET"} 3.0',
        "inflight 4.0",
        'seconds_bucket{le="0.1",verb="LIST"} 2.0',
        'seconds_bucket{le="1.0",verb="LIST"} 3.0',
        'seconds_bucket{le="+Inf",verb="LIST"} 4.0',
        'seconds_count{verb="LIST"} 4.0',
        'seconds_sum{verb="LIST"} 3.65',
        'proa_store{what="rows"} 7.0',
    ):
        assert line in text
    assert "process_resident_memory_bytes" in text


def test_a_counter_of_an_older_name_keeps_it() -> None:
    metrics = Metrics()
    metrics.counter("rejection_count", "Rejections.", ["name"]).labels("a").inc()
    assert 'rejection_count{name="a"} 1.0' in metrics.exposition().decode().splitlines()


def test_a_metric_is_declared_once_and_labelled_as_declared() -> None:
    metrics = Metrics()
    metrics.gauge("inflight", "Now.")
    with pytest.raises(ValueError, match="declared twice"):
        metrics.gauge("inflight", "Now.")
    with pytest.raises(ValueError, match="has labels"):
        metrics.gauge("g", "x", ["a"]).labels("1", "2")
