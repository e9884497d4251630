"""What a person may expect of a command that fails, and waiting for what must come true."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tests.e2e.processes import COMMAND, WAIT_S, command

T = TypeVar("T")
HERE = ("--no-lan", "--api", "127.0.0.1:0", "--listen", "127.0.0.1:0")  # an `up` that disturbs nobody
STOP_S_MAX = 5.0  # what a node may take to end (6-interfaces)
_SLACK_S = 3.0  # what a machine with other work to do may add to that


def refused(done: subprocess.CompletedProcess[str], *says: str) -> str:
    """Judge a command that could not be done: exit code 1, one line on stderr that says these words; the line."""
    assert done.returncode == 1, f"exit code {done.returncode}: {done.stdout}{done.stderr}"
    return told(done.stderr, *says)


def told(stderr: str, *says: str) -> str:
    """Judge what a failing command wrote on stderr: one line for people, never the inside of the program."""
    lines = stderr.splitlines()
    assert len(lines) == 1, f"not one line: {stderr!r}"
    line = lines[0]
    assert line.startswith("p2pcommons: "), line
    for inside in ("Traceback", "Error(", "Exception", "<class", "Warning", ".partial", "NoneType", "errno"):
        assert inside.lower() not in line.lower(), line
    for word in says:
        assert word in line, f"{word!r} is not said: {line}"
    return line


def unusable(data: Path, *says: str) -> None:
    """A folder that cannot be used says so whoever asks."""
    for words in (("search", "cahier"), ("up", *HERE)):
        done = command(data, *words, check=False)
        refused(done, *says)
        assert done.stdout == ""


def quiet(log: str) -> None:
    """Judge the log of a node: nothing in it that a person could not read."""
    assert "Traceback" not in log and "Warning" not in log, log[-4000:]


def until(holds: Callable[[], T | None], what: str, deadline_s: float = WAIT_S) -> T:
    """Wait until something is there, by looking."""
    end = time.monotonic() + deadline_s
    while True:
        found = holds()
        if found:
            return found
        assert time.monotonic() < end, f"never came: {what}"
        time.sleep(0.02)


async def until_async(holds: Callable[[], Awaitable[T | None]], what: str, deadline_s: float = WAIT_S) -> T:
    """The same, where looking takes asking."""
    end = time.monotonic() + deadline_s
    while True:
        found = await holds()
        if found:
            return found
        assert time.monotonic() < end, f"never came: {what}"
        await asyncio.sleep(0.02)


def ends_in_time(process: subprocess.Popen[bytes], asked: float) -> int:
    """The exit code of a process that was asked to stop at that moment, if it ends within 5 s of it."""
    code = process.wait(timeout=WAIT_S)
    took = time.monotonic() - asked
    assert took < STOP_S_MAX + _SLACK_S, f"it took {took:.1f} s to stop"
    return code


@contextmanager
def started(data: Path, *words: str, **more: object) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on by itself, killed at the end if it still runs."""
    process = subprocess.Popen(
        [*COMMAND, "--data", str(data), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,  # type: ignore[call-overload]
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
