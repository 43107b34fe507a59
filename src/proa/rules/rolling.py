"""How far a rolling update may go above and below the wanted number of pods (maxSurge, maxUnavailable)."""

from __future__ import annotations

from proa.machinery.intorstring import scaled
from proa.machinery.scalars import IntOrString


def rolling_bounds(
    max_surge: IntOrString | None, max_unavailable: IntOrString | None, replicas: int
) -> tuple[int, int]:
    """(how many more, how many fewer available than `replicas`): never both 0, or nothing could move."""
    surge = scaled(max_surge or 0, replicas, round_up=True)
    unavailable = min(scaled(max_unavailable or 0, replicas, round_up=False), replicas)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, unavailable
