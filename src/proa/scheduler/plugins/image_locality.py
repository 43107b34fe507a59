"""ImageLocality: prefers nodes that already have large images of the pod, less so the more nodes have them."""

from __future__ import annotations

import numpy as np

from proa.api.core_v1 import Pod
from proa.scheduler.columns import Columns, Demand, Rows
from proa.scheduler.framework import MAX_SCORE, Scores

_MEGABYTE = 1024 * 1024
_LEAST = 23 * _MEGABYTE
_MOST_PER_CONTAINER = 1000 * _MEGABYTE


class ImageLocality:
    name = "ImageLocality"
    weight = 1
    normalize = ""

    def score_features(self, pod: Pod, demand: Demand, columns: Columns) -> tuple[str, ...] | None:
        wanted = tuple(_normalized(each.image) for each in (*pod.spec.initContainers, *pod.spec.containers))
        return wanted if any(each in columns.images for each in wanted) else None

    def score(self, features: tuple[str, ...], columns: Columns, rows: Rows | slice) -> Scores:
        sizes = np.zeros(len(columns.exists), np.float64)
        nodes = max(len(columns), 1)
        for image in features:
            held = columns.images.get(image, {})
            spread = len(held) / nodes
            for row, size in held.items():
                sizes[row] += size * spread
        most = _MOST_PER_CONTAINER * len(features)
        scores: Scores = np.floor(MAX_SCORE * (np.clip(sizes[rows], _LEAST, most) - _LEAST) / (most - _LEAST))
        return scores


def _normalized(image: str) -> str:
    """A name without a tag or digest means `latest`."""
    return image if ":" in image.rpartition("/")[2] or "@" in image else f"{image}:latest"
