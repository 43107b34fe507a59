"""Sets of capabilities."""

from __future__ import annotations

import pytest

from proa.linux import capabilities


def test_nothing_asked_for_is_the_default_set() -> None:
    assert capabilities.to_mask(capabilities.compute((), ())) == 0xA80425FB


def test_all_is_dropped_before_single_ones_are_added() -> None:
    assert capabilities.compute(("NET_BIND_SERVICE",), ("ALL",)) == {"NET_BIND_SERVICE"}
    assert capabilities.compute(("ALL",), ("SYS_ADMIN",)) == set(capabilities.NAMES) - {"SYS_ADMIN"}


def test_a_name_may_carry_the_kernel_s_prefix() -> None:
    assert "NET_ADMIN" in capabilities.compute(("cap_net_admin",), ())


def test_privileged_is_everything() -> None:
    assert capabilities.compute((), ("ALL",), privileged=True) == set(capabilities.NAMES)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown capability 'SYS_FLY'"):
        capabilities.compute((), ("SYS_FLY",))
