"""Walk-throughs as they are lived: machines, what each person has in their shell, and one cable that can be pulled."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from p2pcommons.commons.invitation import parse_invitation
from p2pcommons.core.address import parse_address
from tests.e2e.processes import WAIT_S, NodeProcess
from tests.e2e.proxy import CountingProxy
from tests.e2e.walk import Step, answers, steps

DOCS = Path(__file__).parents[2] / "docs"
LOOKING = tuple(
    f"p2pcommons {words}"
    for words in (
        "search", "commons list", "commons show", "commons lineage", "entry show", "entry conflicts", "member list",
        "charter show", "charter history", "proposal list", "proposal show", "outcome",
    )
)  # fmt: skip
"""May be typed again and again."""


async def live(text: str, folder: Path, *, far: str, near: str) -> None:
    """Do all steps of a text; AssertionError where an answer is another. A cable leads from `far` to `near`."""
    async with CountingProxy("127.0.0.1:9") as cable:
        evening = _Evening(folder, cable.address, far)
        try:
            for step in steps(text):
                match step.command:
                    case "# pulls the cable":
                        cable.pull()
                    case "# plugs the cable in":
                        cable.plug()
                    case "# loses her laptop":
                        evening.nodes[step.who].kill()
                    case _:
                        await asyncio.to_thread(evening.take, step)
                        if step.who == near:
                            cable.target = evening.nodes[near].listen
        finally:
            evening.end()


class _Evening:
    """The machines, and what each person has in their shell. `cable`: HOST:PORT of the end of the cable at `far`."""

    def __init__(self, folder: Path, cable: str, far: str) -> None:
        self._folder = folder
        self._cable = parse_address(cable)
        self._far = far
        self._shell: dict[str, str] = {}  # what people read to each other: the line, the address, the words
        self.nodes: dict[str, NodeProcess] = {}
        self._program = folder / "bin"
        self._program.mkdir()
        script = self._program / "p2pcommons"
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m p2pcommons.cli.main "$@"\n')
        script.chmod(0o755)

    def take(self, step: Step) -> None:
        """Do one step; AssertionError where the answer is another."""
        if step.command == "p2pcommons up":
            # As typed, but for what a test must not do: take fixed ports, meet strangers of the local network.
            node = self.nodes[step.who] = NodeProcess(self._folder / step.who)
            node.start(variables={"P2PCOMMONS_DATA": str(node.data), "PYTHONIOENCODING": "utf-8"})
            _until(step, node.log)
        elif step.command.startswith(LOOKING):
            _until(step, lambda: self._type(step))
        else:
            said = self._type(step)
            assert answers(step.answer, said), f"{step} answers {said}"

    def end(self) -> None:
        """All machines are switched off."""
        for node in self.nodes.values():
            node.kill()

    def _type(self, step: Step) -> str:
        """Run one line in that person's shell; what it says. What it leaves in a variable is kept for all."""
        kept = self._folder / "variables"
        spoken = {
            name: self._by_cable(value) if step.who == self._far else value for name, value in self._shell.items()
        }
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("P2PCOMMONS")},
            **spoken,
            "PATH": f"{self._program}:{os.environ['PATH']}",
            "P2PCOMMONS_DATA": str(self._folder / step.who),
            "PYTHONIOENCODING": "utf-8",
            "LC_ALL": "en_GB.UTF-8",
        }
        script = f"set -a\n{step.command}\ncode=$?\nenv -0 > {shlex.quote(str(kept))}\nexit $code"
        done = subprocess.run(
            ["bash", "-c", script], capture_output=True, text=True, timeout=WAIT_S, env=environment, cwd=self._folder
        )
        assert done.returncode == 0, f"{step.command}: {done.stderr}"
        for variable in kept.read_text().split("\0"):
            name, _, value = variable.partition("=")
            if step.command.startswith(f"{name}=") and name:
                assert value, f"{step.command} gave nothing"
                self._shell[name] = value
        return done.stdout

    def _by_cable(self, value: str) -> str:
        """The way from there leads through the cable, so the line that is pasted names the end of it."""
        if not value.startswith("p2pcommons:"):
            return value
        line = parse_invitation(value)
        return replace(line, addresses=tuple(self._cable._replace(key=each.key) for each in line.addresses)).line()


def _until(step: Step, look: Callable[[], str]) -> None:
    """What is seen comes from others, so one looks again until it is there."""
    until = time.monotonic() + WAIT_S
    while not answers(step.answer, said := look()):
        assert time.monotonic() < until, f"{step} answers {said}"
        time.sleep(0.05)
