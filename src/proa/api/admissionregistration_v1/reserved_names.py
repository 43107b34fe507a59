"""Names that configurations of admission should not have: those of files that a server reads when it starts (KEP-5793)."""

from __future__ import annotations

from typing import Any

from proa.machinery.fields import quoted
from proa.machinery.strategy import DefaultStrategy

_RESERVED = ".static.k8s.io"


class ReservedNameStrategy(DefaultStrategy):
    """Of every webhook configuration, policy and binding."""

    def warnings(self, new: Any, old: Any) -> list[str]:
        if not new.metadata.name.endswith(_RESERVED):
            return []
        why = "reserved for static manifest-based configurations and cannot be managed via the API"
        return [f"metadata.name: names ending with {quoted(_RESERVED)} are {why}"]
