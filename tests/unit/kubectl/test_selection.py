"""What the words and files of a command name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proa.client.connection import Connection
from proa.kubectl.client import Client
from proa.kubectl.discovery import Discovery, UnknownResourceError
from proa.kubectl.selection import SelectionError, Target, manifests, single, targets
from proa.kubectl.session import FlagError, seconds


def listed(group: str, *resources: dict[str, Any]) -> dict[str, Any]:
    versions = [{"version": "v1", "resources": list(resources)}]
    return {"kind": "APIGroupDiscoveryList", "items": [{"metadata": {"name": group}, "versions": versions}]}


def resource(name: str, kind: str, *short: str, categories: tuple[str, ...] = ("all",)) -> dict[str, Any]:
    return {
        "resource": name,
        "singularResource": kind.lower(),
        "responseKind": {"kind": kind},
        "scope": "Namespaced",
        "shortNames": list(short),
        "categories": list(categories),
        "verbs": ["get", "list"],
    }


class Server(Client):
    """Answers discovery and counts how often it was asked."""

    def __init__(self) -> None:
        super().__init__(Connection("https://example.test:1"))
        self.asked = 0
        self.apps = [resource("deployments", "Deployment", "deploy")]

    def get(self, path: str, query: Any = None, *, accept: str = "") -> dict[str, Any]:
        self.asked += 1
        if path == "/api":
            return listed("", resource("pods", "Pod", "po"), resource("secrets", "Secret", categories=()))
        return listed("apps", *self.apps)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return Server()


def named(found: list[Target]) -> list[tuple[str, str]]:
    return [(each.resource.full_name, each.name) for each in found]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["pods"], [("pods", "")]),
        (["po", "a", "b"], [("pods", "a"), ("pods", "b")]),
        (["Pod/a", "deploy/b"], [("pods", "a"), ("deployments.apps", "b")]),
        (["po,deployment.apps"], [("pods", ""), ("deployments.apps", "")]),
        (["deployments.v1.apps", "x"], [("deployments.apps", "x")]),
        (["all"], [("pods", ""), ("deployments.apps", "")]),
    ],
)
def test_words_name_resources_and_objects(server: Server, words: list[str], found: list[tuple[str, str]]) -> None:
    assert named(targets(Discovery(server), words)) == found


@pytest.mark.parametrize("words", [[], ["pods/a", "b"], ["pods/"], ["/a"], ["pods/a/b"]])
def test_words_that_name_nothing_are_refused(server: Server, words: list[str]) -> None:
    with pytest.raises(SelectionError):
        targets(Discovery(server), words)


def test_a_lone_name_is_of_the_default_kind(server: Server) -> None:
    assert named([single(Discovery(server), ["web"], "pods")]) == [("pods", "web")]
    with pytest.raises(SelectionError, match="expected one object"):
        single(Discovery(server), ["pods"] * 3, "pods")


def test_discovery_is_asked_once_and_again_for_what_is_new(server: Server) -> None:
    Discovery(server).find("po")
    assert server.asked == 2
    Discovery(server).find("po")
    assert server.asked == 2
    server.apps.append(resource("widgets", "Widget"))
    assert Discovery(server).of_kind("apps/v1", "Widget").name == "widgets"
    assert server.asked == 4
    with pytest.raises(UnknownResourceError, match='resource type "gadgets"'):
        Discovery(server).find("gadgets")


def test_files_hold_many_objects_and_lists_of_them(tmp_path: Path) -> None:
    item = "{apiVersion: v1, kind: Pod, metadata: {name: %s}}"
    (tmp_path / "a.yaml").write_text(f"{item % 'a'}\n---\n{item % 'b'}\n")
    (tmp_path / "b.json").write_text('{"apiVersion":"v1","kind":"List","items":[' + item % '"c"' + "]}")
    (tmp_path / "c.txt").write_text("not: {yaml")
    assert [each["metadata"]["name"] for each in manifests([str(tmp_path)])] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind: Pod", "apiVersion is not set"),
        ("apiVersion: v1", "kind is not set"),
        ("apiVersion: v1\nkind: Pod", "metadata.name is not set"),
        ("- a", "must be a mapping"),
        ("a: [", "error parsing"),
    ],
)
def test_a_file_that_holds_no_object_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(SelectionError, match=r"x\.yaml") as error:
        list(manifests([str(tmp_path / "x.yaml")]))
    assert words in str(error.value)


@pytest.mark.parametrize(("text", "value"), [("5s", 5), ("1h30m", 5400), ("0", 0), ("1.5m", 90), ("-1s", -1), ("2", 2)])
def test_durations_are_written_as_in_go(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "s", "5 s", "1d", "5sx"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(FlagError):
        seconds(text)
