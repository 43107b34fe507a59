# ruff: noqa: E501 (tables of expressions)

from __future__ import annotations

from typing import Any

import pytest

from proa.lang.cel import types
from proa.lang.cel.environment import Budget
from proa.lang.cel.errors import CelError, CompileError
from proa.machinery.expressions.authorization import AUTHORIZER_TYPE, Authorizer, Decision, Question
from proa.machinery.expressions.environment import with_variables

ENVIRONMENT = with_variables({"self": types.DYN, "authorizer": AUTHORIZER_TYPE})


def evaluate(expression: str, **variables: Any) -> Any:
    return ENVIRONMENT.compile(expression).evaluate(variables)


@pytest.mark.parametrize(
    "expression",
    [
        "[1, 2, 3].isSorted() && !['b', 'a'].isSorted()",
        "[1, 2].sum() == 3 && [1.5, 2.0].sum() == 3.5 && [duration('1m')].sum() == duration('60s')",
        "['a', 'c', 'b'].max() == 'c' && [3, 1].min() == 1",
        "[1, 2, 2].indexOf(2) == 1 && [1, 2, 2].lastIndexOf(2) == 2 && [1].indexOf(5) == -1",
        "'abc 123'.find('[0-9]+') == '123' && 'a1b2c3'.findAll('[0-9]', 2) == ['1', '2']",
        "url('https://user:pw@example.com:8080/a%20b?k=v&k=w#f').getHost() == 'example.com:8080'",
        "url('https://[::1]:80/').getHostname() == '::1' && url('https://[::1]:80/').getPort() == '80'",
        "url('https://example.com/a b?k=v&k=w').getQuery()['k'] == ['v', 'w'] && url('/a b').getEscapedPath() == '/a%20b'",
        "isURL('https://example.com') && isURL('/path') && !isURL('../x') && !isURL('http://a b.com') && !isURL('')",
        "ip('127.0.0.1').isLoopback() && ip('::1').family() == 6 && ip('224.0.0.1').isLinkLocalMulticast()",
        "ip('ff02::1').isLinkLocalMulticast() && ip('169.254.1.1').isLinkLocalUnicast() && ip('8.8.8.8').isGlobalUnicast()",
        "!ip('255.255.255.255').isGlobalUnicast() && isIP('1.2.3.4') && !isIP('1.2.3') && !isIP('::ffff:1.2.3.4')",
        "ip.isCanonical('2001:db8::abcd') && !ip.isCanonical('2001:DB8::ABCD') && string(ip('10.0.0.1')) == '10.0.0.1'",
        "cidr('10.0.0.0/8').containsIP('10.1.1.1') && cidr('10.0.0.0/8').containsIP(ip('10.1.1.1'))",
        "cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && !cidr('10.1.0.0/16').containsCIDR(cidr('10.0.0.0/8'))",
        "cidr('192.168.1.5/24').masked() == cidr('192.168.1.0/24') && cidr('192.168.1.5/24').ip() == ip('192.168.1.5')",
        "cidr('::/0').prefixLength() == 0 && isCIDR('10.0.0.0/8') && !isCIDR('10.0.0.0/33') && !isCIDR('10.0.0.0/08')",
        "quantity('1Gi').isGreaterThan(quantity('1G')) && quantity('500m').add(quantity('500m')) == quantity('1')",
        "quantity('50k').sub(20).asInteger() == 49980 && !quantity('1.5').isInteger() && quantity('-1').sign() == -1",
        "isQuantity('1.3Gi') && !isQuantity('200K') && quantity('1500m').asApproximateFloat() == 1.5",
        "semver('1.2.3-rc.2').isLessThan(semver('1.2.3')) && semver('1.2.3-rc.2').isLessThan(semver('1.2.3-rc.10'))",
        "semver('v1.02', true) == semver('1.2.0') && !isSemver('1.2') && isSemver('1.2.3+build') && semver('1.2.3').patch() == 3",
        "!format.dns1123Label().validate('my-name').hasValue() && format.dns1123Label().validate('My').value().size() == 1",
        "format.named('uuid').value().validate('x').value() == ['does not match the UUID format'] && !format.named('x').hasValue()",
        "!format.dns1123LabelPrefix().validate('my-').hasValue() && !format.date().validate('2024-02-29').hasValue()",
        "format.datetime().validate('2024-02-30T00:00:00Z').hasValue() && !format.byte().validate('aGk=').hasValue()",
        "type(quantity('1')) == kubernetes.Quantity && type(ip('::1')) == net.IP",
    ],
)
def test_what_kubernetes_adds_to_the_language_holds(expression: str) -> None:
    assert evaluate(expression, self={}) is True


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("quantity('x')", "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
        ("semver('1.2')", "No Major.Minor.Patch elements found"),
        ("semver('01.2.3')", 'Major number must not contain leading zeroes "01"'),
        ("ip('::ffff:1.2.3.4')", 'IPv4-mapped IPv6 address "::ffff:1.2.3.4" is not allowed'),
        ("url('../x')", 'URL parse error during conversion from string: parse "../x": invalid URI for request'),
        ("url('ht tp://x')", 'URL parse error during conversion from string: parse "ht tp://x": invalid URI for request'),
        ("[].max() == 1", "max called on empty list"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_why(expression: str, message: str) -> None:
    with pytest.raises(CelError) as caught:
        evaluate(expression)
    assert str(caught.value) == message


def test_functions_of_one_type_refuse_another_when_compiled() -> None:
    with pytest.raises(CompileError, match=r"no matching overload for 'isLoopback' applied to 'string\.\(\)'"):
        ENVIRONMENT.compile("'127.0.0.1'.isLoopback()")


def test_the_authorizer_asks_what_the_expression_says() -> None:
    asked: list[Question] = []

    def decide(question: Question) -> Decision:
        asked.append(question)
        return Decision(question.verb == "get", "because")

    authorizer = Authorizer(decide)
    assert evaluate(
        "authorizer.group('apps').resource('deployments').subresource('scale').namespace('ns').name('n')"
        ".labelSelector('a=b').fieldSelector('c=d').check('get').allowed()",
        authorizer=authorizer,
    )
    assert (
        evaluate("authorizer.serviceAccount('ns', 'sa').path('/x').check('post').reason()", authorizer=authorizer)
        == "because"
    )
    assert asked == [
        Question("get", group="apps", resource="deployments", subresource="scale", namespace="ns", name="n", label_selector="a=b", field_selector="c=d"),
        Question("post", ("ns", "sa"), path="/x"),
    ]  # fmt: skip


def test_an_expression_can_afford_two_questions() -> None:
    question = "authorizer.group('').resource('pods').check('get').allowed()"
    authorizer = Authorizer(lambda question: Decision(True))
    assert evaluate(f"{question} && {question}", authorizer=authorizer)
    with pytest.raises(CelError, match="cost limit exceeded"):
        evaluate(f"{question} && {question} && {question}", authorizer=authorizer)


@pytest.mark.parametrize(
    ("expression", "low", "high", "actual"),
    [
        ("[1, 2, 3, 4, 5].sum()", 15, 15, 5),
        ("[1, 2, 3, 4, 5].indexOf(3)", 15, 15, 5),
        ("url('https:://kubernetes.io/').getHost()", 4, 4, 4),
        ("url('https:://kubernetes.io/') == url('https:://kubernetes.io/')", 7, 9, 7),
        ("ip('192.168.0.1') == ip('192.168.0.1')", 5, 5, 5),
        ("ip.isCanonical('2001:db8:3333:4444:5555:6666:7777:8888')", 8, 8, 8),
        ("'abc 123 def 123'.split(' ')", 3, 3, 3),
        ("'123 abc 123'.replace('123', '456')", 3, 3, 3),
        ("'abc'.lowerAscii()", 1, 1, 1),
        ("sets.contains([1], [1])", 22, 22, 2),
        ("sets.equivalent([1], [1])", 23, 23, 3),
        ("quantity('12Mi').isGreaterThan(quantity('12Mi'))", 3, 3, 3),
        ("semver('1.0.0') == semver('1.0.0')", 3, 3, 3),
        ("authorizer.group('').resource('pods').check('create').allowed()", 350004, 350004, 350004),
    ],
)
def test_costs_are_those_of_the_reference_implementation(expression: str, low: int, high: int, actual: int) -> None:
    program = ENVIRONMENT.compile(expression)
    assert program.cost_of() == (low, high)
    budget = Budget(1 << 40)
    program.evaluate({"authorizer": Authorizer(lambda question: Decision(True))}, budget)
    assert (1 << 40) - budget.remaining == actual
