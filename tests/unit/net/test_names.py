"""Names of kernel objects fit, and tell clusters apart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proa.net import names


@given(st.text(min_size=1), st.text(min_size=1))
def test_link_names_fit_into_the_kernels_limit(cluster: str, sandbox: str) -> None:
    assert len(names.bridge(cluster)) <= 15
    assert len(names.pod_link(cluster, sandbox)) <= 15
    assert names.owns(cluster, names.pod_link(cluster, sandbox))
    assert names.owns(cluster, names.bridge(cluster))


def test_another_clusters_links_are_not_ours() -> None:
    assert not names.owns("one", names.pod_link("two", "sandbox"))
    assert not names.owns("one", names.bridge("two"))
    assert not names.owns("one", "eth0")
