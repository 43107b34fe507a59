"""What the texts that name things may look like, and how names and UIDs are generated.

Each check returns the list of what is wrong, empty when nothing is, in the words clients know. Source: RFC 1123, RFC
1035, RFC 6335, and the API's documentation of labels. Not here: which field obeys which rule, IP addresses
(`addresses`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_LABEL1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_SEARCH_LABEL = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SEARCH = rf"{_SEARCH_LABEL}(\.{_SEARCH_LABEL})*"
_KEY = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_KEY})?"
_ENV = "[-._a-zA-Z][-._a-zA-Z0-9]*"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_HEADER = "[-A-Za-z0-9]+"
_PERCENT = "[0-9]+%"
_WILDCARD = rf"\*\.{_SUBDOMAIN}"

_SYSCTL_SEGMENT = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SYSCTL = rf"({_SYSCTL_SEGMENT}[\./])*{_SYSCTL_SEGMENT}"

_label = re.compile(_LABEL).fullmatch
_subdomain = re.compile(_SUBDOMAIN).fullmatch
_search = re.compile(_SEARCH).fullmatch
_label1035 = re.compile(_LABEL1035).fullmatch
_key = re.compile(_KEY).fullmatch
_value = re.compile(_VALUE).fullmatch
_env = re.compile(_ENV).fullmatch
_config_key = re.compile(_CONFIG_KEY).fullmatch
_header = re.compile(_HEADER).fullmatch
_percent = re.compile(_PERCENT).fullmatch
_wildcard = re.compile(_WILDCARD).fullmatch
_sysctl = re.compile(_SYSCTL).fullmatch

_ENDS = "and must start and end with an alphanumeric character"
_LABEL_TEXT = f"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', {_ENDS}"
_SUBDOMAIN_TEXT = (
    f"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', {_ENDS}"
)
_SEARCH_TEXT = (
    f"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', {_ENDS}"
)
_LABEL1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
    "start with an alphabetic character, and end with an alphanumeric character"
)
_WILDCARD_TEXT = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
    "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
)
_KEY_TEXT = f"must consist of alphanumeric characters, '-', '_' or '.', {_ENDS}"
_VALUE_TEXT = f"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', {_ENDS}"
_ENV_TEXT = (
    "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', "
    "and must not start with a digit"
)
_RELAXED_ENV_TEXT = "a valid environment variable name must consist only of printable ASCII characters other than '='"
_CONFIG_KEY_TEXT = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
_HEADER_TEXT = "a valid HTTP header must consist of alphanumeric characters or '-'"
_PERCENT_TEXT = "a valid percent string must be a numeric string followed by an ending '%'"

Check = Callable[[str], list[str]]


def _no_match(text: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{each}', " for each in examples)
    return f"{text} (e.g. {shown}regex used for validation is '{pattern}')"


def too_long(limit: int, unit: str = "characters") -> str:
    return f"must be no more than {limit} {unit}"


def in_range(low: int, high: int) -> str:
    return f"must be between {low} and {high}, inclusive"


def dns1123_label(value: str) -> list[str]:
    """`my-name`, at most 63."""
    errors = [] if len(value) <= 63 else [too_long(63)]
    if _label(value) is None:
        if _subdomain(value) is not None:
            errors.append("must not contain dots")
        else:
            errors.append(_no_match(_LABEL_TEXT, _LABEL, "my-name", "123-abc"))
    return errors


def dns1123_subdomain(value: str) -> list[str]:
    """`example.com`, at most 253."""
    errors = [] if len(value) <= 253 else [too_long(253)]
    if _subdomain(value) is None:
        errors.append(_no_match(_SUBDOMAIN_TEXT, _SUBDOMAIN, "example.com"))
    return errors


def search_domain(value: str) -> list[str]:
    """What resolvers add to names: a subdomain whose labels may have underscores."""
    errors = [] if len(value) <= 253 else [too_long(253)]
    if _search(value) is None:
        errors.append(_no_match(_SEARCH_TEXT, _SEARCH, "example.com"))
    return errors


def dns1035_label(value: str) -> list[str]:
    """A DNS label that starts with a letter (Service names), at most 63."""
    errors = [] if len(value) <= 63 else [too_long(63)]
    if _label1035(value) is None:
        errors.append(_no_match(_LABEL1035_TEXT, _LABEL1035, "my-name", "abc-123"))
    return errors


def wildcard_subdomain(value: str) -> list[str]:
    """`*.example.com`."""
    errors = [] if len(value) <= 253 else [too_long(253)]
    if _wildcard(value) is None:
        errors.append(_no_match(_WILDCARD_TEXT, _WILDCARD, "*.example.com"))
    return errors


def path_segment(value: str) -> list[str]:
    """A name that is safe in a URL path (RBAC objects)."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{each}'" for each in "/%" if each in value]


def qualified_name(value: str) -> list[str]:
    """`example.com/MyName`: label keys, annotation keys, resource names, taint keys."""
    prefix, slash, name = value.rpartition("/")
    if "/" in prefix:
        return [
            "a valid label key " + _no_match(_KEY_TEXT, _KEY, "MyName", "my.name", "123-abc")
            + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ]  # fmt: skip
    errors = []
    if slash:
        errors += [f"prefix part {text}" for text in (dns1123_subdomain(prefix) if prefix else ["must be non-empty"])]
    if not name:
        errors.append("name part must be non-empty")
    elif len(name) > 63:
        errors.append("name part " + too_long(63, "bytes"))
    if _key(name) is None:
        errors.append("name part " + _no_match(_KEY_TEXT, _KEY, "MyName", "my.name", "123-abc"))
    return errors


def label_value(value: str) -> list[str]:
    """At most 63; may be empty."""
    errors = [] if len(value) <= 63 else [too_long(63, "bytes")]
    if _value(value) is None:
        errors.append(_no_match(_VALUE_TEXT, _VALUE, "MyValue", "my_value", "12345"))
    return errors


def config_key(value: str) -> list[str]:
    """A key of a ConfigMap or Secret: it becomes a file name."""
    errors = [] if len(value) <= 253 else [too_long(253)]
    if _config_key(value) is None:
        errors.append(_no_match(_CONFIG_KEY_TEXT, _CONFIG_KEY, "key.name", "KEY_NAME", "key-name"))
    return errors + _dots(value)


def env_var_name(value: str) -> list[str]:
    """The narrow rule for environment variable names (ConfigMap keys used as such)."""
    errors = []
    if _env(value) is None:
        errors.append(_no_match(_ENV_TEXT, _ENV, "my.env-name", "MY_ENV.NAME", "MyEnvName1"))
    return errors + _dots(value)


def relaxed_env_var_name(value: str) -> list[str]:
    """The rule pods obey: any printable ASCII but `=`."""
    if not value:
        return ["environment variable name must be non-empty"]
    return [] if value.isascii() and value.isprintable() and "=" not in value else [_RELAXED_ENV_TEXT]


def sysctl_name(value: str) -> list[str]:
    """A kernel parameter below /proc/sys, its parts separated by dots or slashes."""
    if len(value) <= 253 and _sysctl(value) is not None:
        return []
    return [f"must have at most 253 characters and match regex ^{_SYSCTL}$"]


def port_name(value: str) -> list[str]:
    """An IANA service name in lower case, at most 15."""
    errors = [] if len(value) <= 15 else [too_long(15)]
    if not value or not re.fullmatch("[-a-z0-9]+", value):
        errors.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        errors.append("must contain at least one letter (a-z)")
    if "--" in value:
        errors.append("must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        errors.append("must not begin or end with a hyphen")
    return errors


def port_number(value: int) -> list[str]:
    return [] if 1 <= value <= 65535 else [in_range(1, 65535)]


def percent(value: str) -> list[str]:
    """`25%`."""
    return [] if _percent(value) else [_no_match(_PERCENT_TEXT, _PERCENT, "1%", "93%")]


def http_header_name(value: str) -> list[str]:
    return [] if _header(value) else [_no_match(_HEADER_TEXT, _HEADER, "X-Header-Name")]


def _dots(value: str) -> list[str]:
    if value in (".", ".."):
        return [f"must not be '{value}'"]
    return ["must not start with '..'"] if value.startswith("..") else []


RULES: dict[str, Check] = {
    "subdomain": dns1123_subdomain,
    "label": dns1123_label,
    "label1035": dns1035_label,
    "path": path_segment,
}
"""By `Resource.name_rule`."""


def name_errors(rule: str, name: str) -> list[str]:
    """What is wrong with an object's name under its resource's rule."""
    return RULES[rule](name)


_GENERATED_LENGTH = 63
_SUFFIX_LENGTH = 5
_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # no vowels, nothing that looks alike: no words by accident


def generate_name(prefix: str, random: Random) -> str:
    """A name from `metadata.generateName`: the prefix, cut to fit in 63, and five random letters."""
    return prefix[: _GENERATED_LENGTH - _SUFFIX_LENGTH] + suffix(random)


def suffix(random: Random, length: int = _SUFFIX_LENGTH) -> str:
    """Letters that make a name unique, safe in every kind of name."""
    bits = random.getrandbits(16 * length)  # one draw: a system's source costs a call to the kernel each
    return "".join(_SUFFIX_LETTERS[(bits >> 16 * at & 0xFFFF) % len(_SUFFIX_LETTERS)] for at in range(length))


def safe_encode(text: str) -> str:
    """A hash's digits written with the letters of suffixes (pod-template-hash)."""
    return "".join(_SUFFIX_LETTERS[ord(each) % len(_SUFFIX_LETTERS)] for each in text)


# What RFC 9562 says of a version 4 UUID's bits: those that are random, and the version and variant among them.
_UID_RANDOM = ~(0xF000 << 64 | 0xC000 << 48)
_UID_FIXED = 0x4000 << 64 | 0x8000 << 48


def new_uid(random: Random) -> str:
    """A random (version 4) UUID."""
    text = (random.getrandbits(128) & _UID_RANDOM | _UID_FIXED).to_bytes(16).hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
