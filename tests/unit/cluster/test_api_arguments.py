from __future__ import annotations

from pathlib import Path

import pytest

from proa.cluster.api_arguments import KNOWN, ApiArguments, ArgumentError, merged


def test_without_arguments_every_default_holds() -> None:
    assert ApiArguments.of(()) == ApiArguments()


def test_an_argument_is_read_as_its_kind_with_or_without_dashes() -> None:
    assert ApiArguments.of(["anonymous-auth=false"]).anonymous_auth is False
    assert ApiArguments.of(["--anonymous-auth=false"]).anonymous_auth is False


def test_a_flag_without_a_value_is_true_and_the_last_of_several_counts() -> None:
    assert ApiArguments.of(["anonymous-auth=false", "anonymous-auth"]).anonymous_auth is True


def test_an_unknown_argument_is_refused_with_the_known_ones_and_a_guess() -> None:
    with pytest.raises(ArgumentError) as refused:
        ApiArguments.of(["anonymous-atuh=false"])
    assert "did you mean anonymous-auth?" in str(refused.value)
    assert all(name in str(refused.value) for name in KNOWN)


def test_a_bad_value_is_refused_with_the_flag_the_fault_and_what_is_right() -> None:
    with pytest.raises(ArgumentError, match=r"anonymous-auth=maybe: 'maybe' is neither .*: it must be true or false"):
        ApiArguments.of(["anonymous-auth=maybe"])


def test_a_missing_value_is_refused() -> None:
    with pytest.raises(ArgumentError, match="token-auth-file: the value is missing"):
        ApiArguments.of(["token-auth-file"])


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"token-auth-file=.*No such file.*must be a file that can be read"):
        ApiArguments.of([f"token-auth-file={tmp_path / 'missing'}"])


def test_given_arguments_replace_kept_ones_of_the_same_name_and_an_empty_one_drops_it() -> None:
    kept = merged((), ["anonymous-auth=false", "enable-bootstrap-token-auth=false"])
    assert merged(kept, ["anonymous-auth=true"]) == ("enable-bootstrap-token-auth=false", "anonymous-auth=true")
    assert merged(kept, ["anonymous-auth="]) == ("enable-bootstrap-token-auth=false",)


def test_a_file_name_is_kept_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tokens.csv").write_text("t,u,1\n")
    monkeypatch.chdir(tmp_path)
    assert merged((), ["token-auth-file=tokens.csv"]) == (f"token-auth-file={tmp_path / 'tokens.csv'}",)


def test_admission_plugins_are_chosen_by_name_and_unknown_ones_are_told_at_once() -> None:
    arguments = ApiArguments.of(["enable-admission-plugins=AlwaysPullImages", "disable-admission-plugins=Priority"])
    assert arguments.enable_admission_plugins == ("AlwaysPullImages",)
    assert arguments.disable_admission_plugins == ("Priority",)
    with pytest.raises(ArgumentError, match="there is no admission plugin 'AlwaysWrong': there are Namespace"):
        ApiArguments.of(["enable-admission-plugins=AlwaysWrong"])
