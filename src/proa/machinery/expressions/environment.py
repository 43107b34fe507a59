"""The base environment of Kubernetes 1.36 and the limits of what evaluating may cost."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from proa.lang.cel.environment import Environment
from proa.lang.cel.extensions.lists import LISTS_LIBRARY
from proa.lang.cel.extensions.sets import SETS
from proa.lang.cel.extensions.strings import STRINGS
from proa.lang.cel.types import Type
from proa.machinery.expressions.authorization import AUTHORIZATION
from proa.machinery.expressions.collections import LISTS, REGEX
from proa.machinery.expressions.formats import FORMATS
from proa.machinery.expressions.measures import MEASURES
from proa.machinery.expressions.networks import NETWORKS
from proa.machinery.expressions.urls import URLS

PER_CALL_LIMIT = 1_000_000
"""One evaluation: about a tenth of a second in the reference implementation."""
BUDGET = 10_000_000
"""All rules of one object, or one binding of a policy."""
MATCH_CONDITIONS_BUDGET = 2_500_000
"""The match conditions of one webhook or policy."""
LONGEST_MESSAGE = 5 * 1024

LIBRARIES = (
    URLS,
    REGEX,
    LISTS,
    AUTHORIZATION,
    MEASURES,
    STRINGS,
    SETS,
    NETWORKS,
    FORMATS,
    LISTS_LIBRARY,
)


@cache
def base() -> Environment:
    """Without variables."""
    return Environment({}, LIBRARIES, limit=PER_CALL_LIMIT)


def with_variables(variables: Mapping[str, Type]) -> Environment:
    return base().extended(variables)
