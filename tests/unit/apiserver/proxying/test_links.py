from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.apiserver.proxying.links import Links

LINKS = Links("/api/v1/proxy", frozenset({"10.0.0.1:80", "front"}))


@pytest.mark.parametrize(
    ("url", "rewritten"),
    [
        ("/a/b?c=d#e", "/api/v1/proxy/a/b?c=d#e"),
        ("/", "/api/v1/proxy/"),
        ("a/b", "a/b"),
        ("?q", "?q"),
        ("#part", "#part"),
        ("http://10.0.0.1:80/a", "/api/v1/proxy/a"),
        ("//front/a", "/api/v1/proxy/a"),
        ("http://other/a", "http://other/a"),
        ("mailto:/a", "mailto:/a"),
        ("/api/v1/proxy/a", "/api/v1/proxy/a"),
        ("/api/v1/proxyother", "/api/v1/proxy/api/v1/proxyother"),
        ("http://[bad/a", "http://[bad/a"),
    ],
)
def test_only_what_begins_at_the_servers_root_is_rewritten(url: str, rewritten: str) -> None:
    assert LINKS.url(url) == rewritten


@pytest.mark.parametrize(
    ("page", "rewritten"),
    [
        ("<A HREF='/x'>", "<A HREF='/api/v1/proxy/x'>"),
        ("<a class=b href=/x>", "<a class=b href=/api/v1/proxy/x>"),
        ('<a href="/x?a&amp;b">', '<a href="/api/v1/proxy/x?a&amp;b">'),
        ('<a title="<b href=/x>" href="/x">', '<a title="<b href=/x>" href="/api/v1/proxy/x">'),
        ('<div href="/x">', '<div href="/x">'),
        ('<form action="/x"/>', '<form action="/api/v1/proxy/x"/>'),
        ('<script src="/x">a<b href="/x"></script><a href="/x">',
         '<script src="/api/v1/proxy/x">a<b href="/x"></script><a href="/api/v1/proxy/x">'),
        ('<!-- <a href="/x"> --><a href="/x">', '<!-- <a href="/x"> --><a href="/api/v1/proxy/x">'),
        ('<!-- <a href="/x">', '<!-- <a href="/x">'),
        ('<style><a href="/x">', '<style><a href="/x">'),
        ('1 < 2 <a href="/x', '1 < 2 <a href="/x'),
    ],
)  # fmt: skip
def test_links_of_a_page_are_found_where_a_browser_sees_them(page: str, rewritten: str) -> None:
    assert LINKS.page(page) == rewritten


@given(st.text(alphabet="<>ahref='\"/ !-x\n"))
def test_a_page_without_links_stays_as_it_is(page: str) -> None:
    assert Links("", frozenset()).page(page) == page
