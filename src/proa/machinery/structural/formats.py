"""The formats of strings that schemas may name, and what a text must look like to have one.

Unknown formats mean nothing. Source: the list of supported formats in the documentation of CustomResourceDefinitions.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from datetime import date
from urllib.parse import urlsplit

_HOSTNAME_LABEL = re.compile(r"[^\W_](?:(?:-|[^\W_]){0,61}[^\W_])?")
_TOP_LABEL = re.compile(r"[^\W\d_]{2,63}")
_UUID = "[0-9a-f]{8}-?[0-9a-f]{4}-?%s[0-9a-f]{3}-?%s[0-9a-f]{3}-?[0-9a-f]{12}"
_DATE_TIME = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(\.\d+)?([Zz]|[+-]\d{2}:?\d{2})?", re.ASCII
)
_DURATION = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_WORDED = re.compile(
    r"\s*[+-]?\d+(?:\.\d+)?\s*(?:ns|nanos?|nanoseconds?|us|µs|micros?|microseconds?|ms|millis?|milliseconds?"
    r"|s|secs?|seconds?|m|mins?|minutes?|h|hr|hours?|d|days?|w|wk|weeks?)\s*",
    re.ASCII,
)
_COLOR_PART = r"\s*(?:0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*"
_CARD = re.compile(
    r"4\d{12}(?:\d{3})?|5[1-5]\d{14}|6(?:011|5\d\d)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:2131|1800|35\d{3})\d{11}"
)


def _matches(pattern: str, flags: int = 0) -> Callable[[str], bool]:
    match = re.compile(pattern, flags | re.ASCII).fullmatch
    return lambda text: match(text) is not None


def _address(kind: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            kind(text)
        except ValueError:
            return False
        return True

    return check


def _ipv6(text: str) -> bool:
    return ":" in text and _address(ipaddress.IPv6Address)(text)


def _cidr(text: str) -> bool:
    return "/" in text and _address(ipaddress.ip_interface)(text) and text.rpartition("/")[2].isdecimal()


def _hostname(text: str) -> bool:
    *labels, last = text.split(".")
    if len(text) > 255 or any(_HOSTNAME_LABEL.fullmatch(each) is None for each in labels):
        return False
    return (_TOP_LABEL if labels else _HOSTNAME_LABEL).fullmatch(last) is not None


def _uri(text: str) -> bool:
    """Absolute, or a path from the root, as a request line has it."""
    if not text or any(character <= " " or character == "\x7f" for character in text):
        return False
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return text.startswith("/") or (bool(parts.scheme) and text[:1].isalpha())


def _email(text: str) -> bool:
    address = text.strip()
    if address.endswith(">") and "<" in address:
        address = address[address.rindex("<") + 1 : -1]
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain or (re.search(r"\s|[<>(),:;\\]", local) and not local.startswith('"')):
        return False
    return not re.search(r"[\s@<>(),:;\\]", domain) and not domain.startswith(".") and ".." not in address


def _mac(text: str) -> bool:
    for separator, size in ((":", 2), ("-", 2), (".", 4)):
        parts = text.split(separator)
        if len(parts) * size // 2 in (6, 8, 20) and all(re.fullmatch(f"[0-9a-fA-F]{{{size}}}", p) for p in parts):
            return True
    return False


def _byte(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _date(text: str) -> bool:
    return re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII) is not None and _address(date.fromisoformat)(text)


def _date_time(text: str) -> bool:
    found = _DATE_TIME.fullmatch(text)
    if found is None or not _date(text[:10]):
        return False
    hour, minute, second = (int(each) for each in found.group(4, 5, 6))
    return hour <= 23 and minute <= 59 and second <= 59


def _duration(text: str) -> bool:
    if text == "0" or _WORDED.fullmatch(text):
        return True
    sign, rest = text[:1] in ("+", "-"), text
    if sign:
        rest = text[1:]
    return bool(rest) and re.fullmatch(f"(?:{_DURATION.pattern.removeprefix('[+-]?')})+", rest, re.ASCII) is not None


def _isbn10(text: str) -> bool:
    digits = re.sub(r"[\s-]", "", text)
    if re.fullmatch(r"\d{9}[\dX]", digits, re.ASCII) is None:
        return False
    return sum((10 if each == "X" else int(each)) * (10 - at) for at, each in enumerate(digits)) % 11 == 0


def _isbn13(text: str) -> bool:
    digits = re.sub(r"[\s-]", "", text)
    if re.fullmatch(r"\d{13}", digits, re.ASCII) is None:
        return False
    return sum(int(each) * (3 if at % 2 else 1) for at, each in enumerate(digits)) % 10 == 0


def _credit_card(text: str) -> bool:
    digits = re.sub(r"\D", "", text)
    if _CARD.fullmatch(digits) is None:
        return False
    total = 0
    for at, each in enumerate(reversed(digits)):
        value = int(each) * (2 if at % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


_SHORT_NAME = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_short_name = _matches(_SHORT_NAME)
_long_name = _matches(rf"{_SHORT_NAME}(\.{_SHORT_NAME})*")
_ANY_HEX = "[0-9a-f]"

CHECKS: dict[str, Callable[[str], bool]] = {
    "bsonobjectid": _matches("[0-9a-fA-F]{24}"),
    "uri": _uri,
    "email": _email,
    "hostname": _hostname,
    "ipv4": _address(ipaddress.IPv4Address),
    "ipv6": _ipv6,
    "cidr": _cidr,
    "mac": _mac,
    "uuid": _matches(_UUID % (_ANY_HEX, _ANY_HEX), re.IGNORECASE),
    "uuid3": _matches(_UUID % ("3", _ANY_HEX), re.IGNORECASE),
    "uuid4": _matches(_UUID % ("4", "[89ab]"), re.IGNORECASE),
    "uuid5": _matches(_UUID % ("5", "[89ab]"), re.IGNORECASE),
    "isbn": lambda text: _isbn10(text) or _isbn13(text),
    "isbn10": _isbn10,
    "isbn13": _isbn13,
    "creditcard": _credit_card,
    "ssn": _matches(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
    "hexcolor": _matches("#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "rgbcolor": _matches(rf"rgb\({_COLOR_PART},{_COLOR_PART},{_COLOR_PART}\)"),
    "byte": _byte,
    "password": lambda text: True,
    "date": _date,
    "duration": _duration,
    "datetime": _date_time,
    "k8sshortname": lambda text: len(text) <= 63 and _short_name(text),
    "k8slongname": lambda text: len(text) <= 253 and _long_name(text),
}
"""By name without dashes, which do not count."""

_NUMERIC = {"integer": ("int32", "int64"), "number": ("float", "double")}


def text_check(type: str, format: str) -> Callable[[str], bool] | None:
    """The check of texts under a schema of this type and format; None when there is none."""
    if not format or type not in ("", "string"):
        return None
    return CHECKS.get(format.replace("-", ""))


def is_known(type: str, format: str) -> bool:
    """Whether the format means something on a schema of this type."""
    if type in ("", "string"):
        return format.replace("-", "") in CHECKS
    return format in _NUMERIC.get(type, ())
