from __future__ import annotations

import pytest

from proa.api.core_v1.resources import PODS
from proa.apiserver.connecting import connect_options
from proa.machinery.status import StatusError


def test_what_an_exec_asks_for_is_an_object() -> None:
    query = "command=sh&command=-c&container=main&stdin=true&tty=false&stdout=1&other=x"
    assert connect_options(PODS.subresource("exec"), query) == {
        "kind": "PodExecOptions",
        "apiVersion": "v1",
        "command": ["sh", "-c"],
        "container": "main",
        "stdin": True,
        "tty": False,
        "stdout": True,
    }


def test_a_proxied_path_and_forwarded_ports_are_too() -> None:
    assert connect_options(PODS.subresource("proxy"), "a=b", "/x") == {
        "kind": "PodProxyOptions",
        "apiVersion": "v1",
        "path": "/x",
    }
    assert connect_options(PODS.subresource("portforward"), "ports=1,2&ports=3")["ports"] == [1, 2, 3]
    with pytest.raises(StatusError, match="not a list of numbers"):
        connect_options(PODS.subresource("portforward"), "ports=http")
