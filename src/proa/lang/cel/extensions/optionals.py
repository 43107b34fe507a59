"""Optional values: `a.?b`, `a[?0]`, `optional.of`, `orValue` and the rest. The macros are in `macros`."""

from __future__ import annotations

from typing import Any

from proa.lang.cel.errors import no_such_overload
from proa.lang.cel.functions import A, B, Library, function, member, overload
from proa.lang.cel.types import BOOL, INT, list_of, map_of, optional_of
from proa.lang.cel.values import LISTS, MAPS, NONE, Duration, Optional, Timestamp


def _planned(*arguments: Any) -> Any:
    raise no_such_overload()


def _is_zero(value: Any) -> bool:
    if value is None or isinstance(value, (bool, int, float, str, bytes, *LISTS, *MAPS)):
        return not value
    if isinstance(value, Timestamp):
        return value.is_zero
    return isinstance(value, Duration) and value.nanos == 0


def _of_non_zero(value: Any) -> Optional:
    return NONE if _is_zero(value) else Optional(value)


def _unwrap(elements: Any) -> list[Any]:
    return [each.content for each in elements if isinstance(each, Optional) and each.present]


def _first(elements: Any) -> Optional:
    return Optional(elements[0]) if elements else NONE


def _last(elements: Any) -> Optional:
    return Optional(elements[-1]) if elements else NONE


_OPTIONAL = optional_of(A)
_KEYED = map_of(A, B)

OPTIONALS = Library(
    (
        function("optional.of", overload("optional_of", (A,), _OPTIONAL, Optional)),
        function("optional.ofNonZeroValue", overload("optional_ofNonZeroValue", (A,), _OPTIONAL, _of_non_zero)),
        function("optional.none", overload("optional_none", (), _OPTIONAL, lambda: NONE)),
        function("optional.unwrap", overload("optional_unwrap", (list_of(_OPTIONAL),), list_of(A), _unwrap)),
        function("unwrapOpt", member("optional_unwrapOpt", (list_of(_OPTIONAL),), list_of(A), _unwrap)),
        function("value", member("optional_value", (_OPTIONAL,), A, Optional.value)),
        function("hasValue", member("optional_hasValue", (_OPTIONAL,), BOOL, lambda each: each.present)),
        function("or", member("optional_or_optional", (_OPTIONAL, _OPTIONAL), _OPTIONAL, _planned)),
        function("orValue", member("optional_orValue_value", (_OPTIONAL, A), A, _planned)),
        function("first", member("list_first", (list_of(A),), _OPTIONAL, _first)),
        function("last", member("list_last", (list_of(A),), _OPTIONAL, _last)),
        function(
            "_[?_]",
            overload("list_optindex_optional_int", (list_of(A), INT), _OPTIONAL, _planned),
            overload("optional_list_optindex_optional_int", (optional_of(list_of(A)), INT), _OPTIONAL, _planned),
            overload("map_optindex_optional_value", (_KEYED, A), optional_of(B), _planned),
            overload("optional_map_optindex_optional_value", (optional_of(_KEYED), A), optional_of(B), _planned),
        ),
        function(
            "_[_]",
            overload("optional_list_index_int", (optional_of(list_of(A)), INT), _OPTIONAL, _planned),
            overload("optional_map_index_value", (optional_of(_KEYED), A), optional_of(B), _planned),
        ),
    )
)
