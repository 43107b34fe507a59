"""`kubectl exec`: a command in a container, its streams ours, its exit code ours."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
from collections.abc import Iterator
from typing import Any

import click

from proa.kubectl.pods import PODS, pod_of
from proa.kubectl.selection import SelectionError, single
from proa.kubectl.session import Session, session_options
from proa.kubectl.websocket import ERROR, RESIZE, STDERR, STDIN, STDOUT, WebSocket, connect

_CHUNK = 32 * 1024


@click.command(context_settings={"ignore_unknown_options": False, "allow_interspersed_args": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="POD | TYPE/NAME -- COMMAND [ARGS...]")
@session_options
@click.option("-c", "--container", default="")
@click.option("-i", "--stdin", "wants_stdin", is_flag=True, help="Pass our standard input on.")
@click.option("-t", "--tty", is_flag=True, help="Give the command a terminal.")
@click.option("-q", "--quiet", is_flag=True)
def command(session: Session, words: tuple[str, ...], container: str, wants_stdin: bool, tty: bool, quiet: bool) -> int:
    """Run a command in a container."""
    if len(words) < 2:
        raise SelectionError("you must specify at least one command for the container: exec POD -- COMMAND")
    pod = pod_of(session, single(session.discovery, words[:1], "pods"))
    phase = (pod.get("status") or {}).get("phase")
    if phase in ("Succeeded", "Failed"):
        raise SelectionError(f"cannot exec into a container in a completed pod; current phase is {phase}")
    names = [each["name"] for each in pod["spec"]["containers"]]
    if not container and len(names) > 1 and not quiet:
        click.echo(f'Defaulted container "{names[0]}" out of: {", ".join(names)}', err=True)
    if tty and not (wants_stdin and sys.stdin.isatty()):
        click.echo("Unable to use a TTY - input is not a terminal or the right kind of file", err=True)
        tty = False
    query: dict[str, Any] = {
        "container": container or names[0],
        "command": list(words[1:]),
        "stdout": "true",
        "stdin": str(wants_stdin).lower(),
        "stderr": str(not tty).lower(),
        "tty": str(tty).lower(),
    }
    stream = connect(session.client, PODS.path(session.namespace, pod["metadata"]["name"], "exec"), query)
    try:
        with _raw_terminal() if tty else contextlib.nullcontext():
            status = _Exchange(stream, wants_stdin=wants_stdin, tty=tty).run()
    finally:
        stream.close()
    return _exit_code(status)


class _Exchange:
    """Bytes between the terminal and the stream until the server has said how it ended."""

    def __init__(self, stream: WebSocket, *, wants_stdin: bool, tty: bool) -> None:
        self._stream = stream
        self._stdin = wants_stdin
        self._tty = tty
        self._status = b""

    def run(self) -> bytes:
        """The Status the server ends with, '' when it broke off."""
        wake, waker = os.pipe()
        os.set_blocking(waker, False)
        with _woken_by_signals(waker) if self._tty else contextlib.nullcontext():
            if self._tty:
                self._resize()
            poll = select.poll()
            poll.register(self._stream.fileno(), select.POLLIN)
            poll.register(wake, select.POLLIN)
            if self._stdin:
                poll.register(0, select.POLLIN)
            try:
                while self._receive():
                    for descriptor, _ in poll.poll():
                        if descriptor == wake:
                            os.read(wake, _CHUNK)
                            self._resize()
                        elif descriptor == 0 and not self._forward():
                            poll.unregister(0)
            finally:
                os.close(wake)
                os.close(waker)
        return self._status

    def _receive(self) -> bool:
        """Write out what has come; False at the end."""
        for channel, data in self._stream.messages():
            if channel in (STDOUT, STDERR):
                _write(1 if channel == STDOUT else 2, data)
            elif channel == ERROR:
                self._status += data
        return not self._stream.closed

    def _forward(self) -> bool:
        data = os.read(0, _CHUNK)
        if data:
            self._stream.send(STDIN, data)
        else:
            self._stream.end(STDIN)
        return bool(data)

    def _resize(self) -> None:
        size = os.get_terminal_size(0)
        self._stream.send(RESIZE, json.dumps({"Width": size.columns, "Height": size.lines}).encode())


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


@contextlib.contextmanager
def _raw_terminal() -> Iterator[None]:
    """Every key goes through, Ctrl-C too; the terminal is as before afterwards."""
    import termios
    import tty

    before = termios.tcgetattr(0)
    try:
        tty.setraw(0)
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _woken_by_signals(waker: int) -> Iterator[None]:
    """Let a change of the window's size end the wait for input."""
    before = signal.signal(signal.SIGWINCH, lambda *_: None)
    wakeup = signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        signal.signal(signal.SIGWINCH, before)


def _exit_code(status: bytes) -> int:
    """The command's own code; 1 with a message when it could not run or the connection broke."""
    if not status:
        click.echo("error: the server closed the stream before the command had ended", err=True)
        return 1
    found = json.loads(status)
    if found.get("status") == "Success":
        return 0
    if found.get("reason") == "NonZeroExitCode":
        for cause in (found.get("details") or {}).get("causes") or ():
            if cause.get("reason") == "ExitCode":
                code = int(cause["message"])
                click.echo(f"command terminated with exit code {code}", err=True)
                return code
    click.echo(f"error: {found.get('message') or 'the command could not be run'}", err=True)
    return 1
