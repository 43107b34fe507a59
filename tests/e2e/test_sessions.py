"""Sessions with running containers: logs, exec, attach, cp, port-forward and run, as people use them."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.kubectl import SERVE, Failed, Kubectl, container, deployment, eventually, pod


class Terminal:
    """A terminal of 30 rows and 100 columns with a kubectl in it."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def expect(self, pattern: str, seconds: float = 20) -> str:
        """Wait until the pattern is shown; what is shown up to it is taken away."""
        deadline = time.monotonic() + seconds
        while (found := re.search(pattern, self.shown)) is None:
            ready, _, _ = select.select([self._master], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{pattern!r} was not shown, but {self.shown!r}"
            try:
                block = os.read(self._master, 4096)
            except OSError:  # the other side has closed
                block = b""
            assert block, f"{pattern!r} was not shown before the end, but {self.shown!r}"
            self.shown += block.decode()
        self.shown = self.shown[found.end() :]
        return found[0]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@contextmanager
def terminal(kubectl: Kubectl, *arguments: str) -> Iterator[Terminal]:
    opened = Terminal(kubectl.command(*arguments))
    try:
        yield opened
    finally:
        opened.close()


def counting(last: int) -> tuple[str, ...]:
    return (
        "sh",
        "-c",
        f"for i in $(seq {last}); do echo line $i; done; trap 'exit 0' TERM; while :; do sleep 0.1; done",
    )


def test_logs_of_a_container_whole_or_its_end(kubectl: Kubectl) -> None:
    kubectl.apply(pod("web", container(command=counting(5))))
    kubectl.ready("web")
    lines = [f"line {number}" for number in range(1, 6)]
    eventually(lambda: kubectl("logs", "web").splitlines() == lines)
    assert kubectl("logs", "web", "--tail=2").splitlines() == lines[-2:]
    assert kubectl("logs", "web", "--since=1h").splitlines() == lines
    assert kubectl("logs", "web", "--since-time=2100-01-01T00:00:00Z") == ""
    assert kubectl("logs", "web", "--limit-bytes=6") == "line 1"
    assert re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z line 1\n", kubectl("logs", "web", "--timestamps"))


def test_logs_follow_until_the_container_ends(kubectl: Kubectl) -> None:
    kubectl.apply(
        pod("web", container(command=("sh", "-c", "echo first; while [ ! -e /go ]; do sleep 0.1; done; echo last")))
    )
    kubectl.wait("jsonpath={.status.containerStatuses[0].restartCount}=0", "pod/web")
    kubectl("patch", "pod", "web", "--type=merge", "-p", '{"metadata":{"labels":{"x":"y"}}}')
    kubectl.ready("web")
    with kubectl.started("logs", "-f", "web") as following:
        assert following.stdout is not None
        assert following.stdout.readline() == "first\n"
        kubectl("exec", "web", "--", "touch", "/go")
        assert following.stdout.readline() == "last\n"
        assert following.wait(10) == 0


def test_logs_of_the_container_before_it_crashed(kubectl: Kubectl) -> None:
    script = "echo run; [ -e /data/once ] && exec sleep 1000; touch /data/once; exit 3"
    main = container(command=("sh", "-c", script), volumeMounts=[{"name": "data", "mountPath": "/data"}])
    kubectl.apply(pod("web", main, volumes=[{"name": "data", "emptyDir": {}}]))
    kubectl.wait("jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/web")
    kubectl.ready("web")
    assert kubectl("logs", "web", "--previous") == "run\n"
    assert kubectl("logs", "web") == "run\n"


def test_logs_of_one_or_all_containers_or_of_a_selection(kubectl: Kubectl) -> None:
    two = [container(name, command=("sh", "-c", f"echo {name}; exec sleep 1000")) for name in ("a", "b")]
    kubectl.apply(pod("web", *two))
    kubectl.ready("web")
    assert eventually(lambda: kubectl("logs", "web", "-c", "b")) == "b\n"
    assert eventually(lambda: kubectl("logs", "web")) == "a\n"  # the first one, with a remark on stderr
    assert sorted(kubectl("logs", "web", "--all-containers").split()) == ["a", "b"]
    prefixed = kubectl("logs", "-l", "app=web", "--all-containers", "--prefix")
    assert "[pod/web/b] b\n" in prefixed
    with pytest.raises(Failed, match="container nobody is not valid for pod web"):
        kubectl("logs", "web", "-c", "nobody")


def test_exec_hands_back_output_errors_and_the_exit_code(kubectl: Kubectl) -> None:
    kubectl.apply(pod("web"))
    kubectl.ready("web")
    result = kubectl.run("exec", "web", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (result.returncode, result.stdout) == (7, "out\n")
    assert result.stderr.splitlines() == ["err", "command terminated with exit code 7"]
    missing = kubectl.run("exec", "web", "--", "nonsense")
    assert missing.returncode != 0
    assert "nonsense" in missing.stderr


def test_exec_passes_all_of_its_input_on(kubectl: Kubectl) -> None:
    kubectl.apply(pod("web"))
    kubectl.ready("web")
    megabyte = "0123456789abcde\n" * 65536
    assert kubectl("exec", "-i", "web", "--", "wc", "-c", stdin=megabyte).split() == [str(len(megabyte))]
    assert kubectl("exec", "-i", "web", "--", "cat", stdin=megabyte) == megabyte


def test_exec_gives_a_shell_in_a_terminal(kubectl: Kubectl) -> None:
    kubectl.apply(pod("web"))
    kubectl.ready("web")
    with terminal(kubectl, "exec", "-it", "web", "--", "sh") as shell:
        shell.expect("# ")
        shell.type("tty; stty size\n")
        shell.expect(r"/dev/pts/\d+\r\n")
        shell.expect("30 100\r\n")
        shell.type("echo $((6 * 7)); sleep 1000\n")
        shell.expect("42\r\n")
        shell.type("\x03")  # the interrupt goes to the process inside
        shell.expect("# ")
        shell.type("exit 5\n")
        assert shell.process.wait(10) == 5


def test_attach_shows_what_the_container_says_and_sends_it_input(kubectl: Kubectl) -> None:
    echo = container(command=("sh", "-c", "while read line; do echo got $line; done"), stdin=True)
    kubectl.apply(pod("web", echo))
    kubectl.ready("web")
    with kubectl.started("attach", "-i", "web", stdin=subprocess.PIPE) as attached:
        assert attached.stdin is not None
        assert attached.stdout is not None
        attached.stdin.write("hello\n")
        attached.stdin.flush()
        assert attached.stdout.readline() == "got hello\n"


def test_attach_joins_the_terminal_of_a_container(kubectl: Kubectl) -> None:
    kubectl.apply(pod("web", container(command=("sh",), stdin=True, tty=True)))
    kubectl.ready("web")
    with terminal(kubectl, "attach", "-it", "web") as attached:
        attached.type("echo $((6 * 7)); stty size\n")
        attached.expect("42\r\n")
        attached.expect("30 100\r\n")


def test_debug_adds_a_container_to_a_running_pod(kubectl: Kubectl) -> None:
    kubectl.apply(pod("web"))
    kubectl.ready("web")
    kubectl(
        "debug", "web", "--image=bb:2", "--profile=general", "--container=debugger", "--", "sh", "-c", "echo $VERSION"
    )
    kubectl.wait("jsonpath={.status.ephemeralContainerStatuses[0].state.terminated.exitCode}=0", "pod/web")
    assert kubectl("logs", "web", "-c", "debugger") == "2\n"


def test_cp_copies_files_and_directories_both_ways(kubectl: Kubectl, tmp_path: Path) -> None:
    kubectl.apply(pod("web"))
    kubectl.ready("web")
    there = tmp_path / "there"
    (there / "deep").mkdir(parents=True)
    (there / "deep" / "file").write_bytes(os.urandom(100_000))
    kubectl("cp", str(there), "web:/tmp/copied")
    kubectl("cp", "web:/tmp/copied", str(tmp_path / "back"))
    assert (tmp_path / "back" / "deep" / "file").read_bytes() == (there / "deep" / "file").read_bytes()


def test_port_forward_carries_http(kubectl: Kubectl) -> None:
    kubectl.apply(deployment("web", container(command=SERVE)))
    kubectl.rolled_out("deployment/web")
    with kubectl.started("port-forward", "deployment/web", ":8080") as forward:
        assert forward.stdout is not None
        found = re.search(r"127\.0\.0\.1:(\d+) -> 8080", forward.stdout.readline())
        assert found

        def page() -> bytes:
            with urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/") as answer:
                content: bytes = answer.read()
                return content

        assert eventually(page) == b"1\n"
        for _ in range(20):
            assert page() == b"1\n"


def test_run_makes_a_pod_and_takes_it_away_again(kubectl: Kubectl) -> None:
    assert kubectl("run", "web", "--image=bb:1", "--", "sleep", "1000") == "pod/web created\n"
    kubectl.ready("web")
    kubectl("delete", "pod", "web", "--grace-period=1")
    answer = kubectl("run", "once", "--rm", "-i", "--image=bb:1", "--restart=Never", "--", "cat", stdin="through\n")
    assert answer.splitlines()[0] == "through"
    assert 'pod "once" deleted' in answer
    failing = kubectl.run("run", "bad", "--rm", "-i", "--image=bb:1", "--restart=Never", "--", "sh", "-c", "exit 4")
    assert failing.returncode == 4
    assert kubectl("get", "pods", "-o", "name") == ""


def test_run_gives_a_shell_in_a_terminal(kubectl: Kubectl) -> None:
    with terminal(kubectl, "run", "shell", "--rm", "-it", "--image=bb:1", "--restart=Never", "--", "sh") as shell:
        shell.expect("# ", seconds=30)
        shell.type("echo $((6 * 7))\n")
        shell.expect("42\r\n")
        shell.type("exit\n")
        shell.expect('pod "shell" deleted')
        assert shell.process.wait(10) == 0
