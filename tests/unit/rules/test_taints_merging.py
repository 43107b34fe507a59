from __future__ import annotations

from proa.api.core_v1 import Toleration
from proa.rules.taints import merged_tolerations


def test_a_toleration_that_another_one_covers_is_dropped() -> None:
    everything = Toleration(operator="Exists")
    one = Toleration(key="a", operator="Equal", value="1", effect="NoSchedule")
    any_value = Toleration(key="a", operator="Exists", effect="NoSchedule")
    short = Toleration(key="b", operator="Exists", effect="NoExecute", tolerationSeconds=5)
    long = Toleration(key="b", operator="Exists", effect="NoExecute", tolerationSeconds=9)
    assert merged_tolerations((one, one)) == (one,)
    assert merged_tolerations((one, any_value)) == (any_value,)
    assert merged_tolerations((any_value, one)) == (any_value,)
    assert merged_tolerations((one, short, everything)) == (everything,)
    assert merged_tolerations((short, one)) == (short, one)
    assert merged_tolerations((long, short)) == (long,)
