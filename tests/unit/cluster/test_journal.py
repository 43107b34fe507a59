from pathlib import Path

from proa.cluster.journal import FileJournal, Mark, marks


def test_what_was_recorded_and_not_forgotten_is_still_there_in_order(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "journal")
    journal.record("link", "a")
    journal.record("mount", "/x y")
    journal.record("link", "b")
    journal.forget("link", "a")
    assert marks(tmp_path / "journal") == [Mark("mount", "/x y"), Mark("link", "b")]
    assert journal.statistics() == {"mount": 1, "link": 1}
    journal.close()


def test_a_second_life_of_the_process_goes_on_where_the_first_was_killed(tmp_path: Path) -> None:
    first = FileJournal(tmp_path / "journal")
    first.record("link", "a")
    second = FileJournal(tmp_path / "journal")
    second.record("link", "a")
    second.record("link", "b")
    second.forget("link", "a")
    assert marks(tmp_path / "journal") == [Mark("link", "b")]
    first.close()
    second.close()


def test_a_torn_last_line_still_names_its_object(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("+ link a\n- link a\n+ cgroup c\n+ mo")
    assert marks(tmp_path / "journal") == [Mark("cgroup", "c")]
    (tmp_path / "journal").write_text("+ link a\n+ mount /x")
    assert marks(tmp_path / "journal") == [Mark("link", "a"), Mark("mount", "/x")]
