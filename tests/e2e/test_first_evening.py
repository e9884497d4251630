"""The walk-through does what it says: every line is typed, every answer compared, in both languages' one story."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from p2pcommons.commons.invitation import parse_invitation
from p2pcommons.core.address import parse_address
from tests.e2e.processes import WAIT_S, NodeProcess
from tests.e2e.proxy import CountingProxy
from tests.e2e.walk import Step, answers, steps

DOCS = Path(__file__).parents[2] / "docs"
TEXTS = {name: (DOCS / name).read_text(encoding="utf-8") for name in ("first-evening.md", "premiere-soiree.md")}
LOOKING = ("search", "commons list", "commons show", "entry show", "entry conflicts")  # may be typed again and again


def test_both_languages_tell_the_same_steps() -> None:
    english, french = (steps(text) for text in TEXTS.values())
    assert english == french
    assert len(english) > 30


def test_an_answer_that_differs_is_seen() -> None:
    assert answers(["id  title", "…   Cale des pêcheurs"], "id    title\n3f9a  Cale  des pêcheurs\n")
    assert answers(["…", "title  X", "…"], "id 1\ntitle X\nauthors me\n")
    assert not answers(["…   Cale"], "3f9a  Quai\n")
    assert not answers(["title X"], "title X\ntitle Y\n")
    assert not answers(["title X", "members 3"], "title X\n")


class Evening:
    """The machines, the one cable between Brieg's and the box, and what each person has in their shell."""

    def __init__(self, folder: Path, cable: CountingProxy) -> None:
        self._folder = folder
        self._nodes: dict[str, NodeProcess] = {}
        self._cable = cable
        self._shell: dict[str, str] = {}  # what people read to each other: the line, the address, the words
        self._program = folder / "bin"
        self._program.mkdir()
        script = self._program / "p2pcommons"
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m p2pcommons.cli.main "$@"\n')
        script.chmod(0o755)

    def data(self, who: str) -> Path:
        return self._folder / who

    async def take(self, step: Step) -> None:
        """Do one step; AssertionError where the answer is another."""
        if step.command.startswith("#"):
            self._happen(step)
        elif step.command == "p2pcommons up":
            self._start(step)
        elif any(step.command.startswith(f"p2pcommons {words}") for words in LOOKING):
            self._look(step)
        else:
            self._compare(step, self._type(step))

    def end(self) -> None:
        for node in self._nodes.values():
            node.kill()

    def _happen(self, step: Step) -> None:
        match step.command:
            case "# pulls the cable":
                self._cable.pull()
            case "# plugs the cable in":
                self._cable.plug()
            case "# loses her laptop":
                self._nodes[step.who].kill()
            case _:
                raise AssertionError(f"nobody knows how to do {step.command!r}")

    def _start(self, step: Step) -> None:
        node = self._nodes[step.who] = NodeProcess(self.data(step.who))
        # As typed, but for what this machine must not do: take fixed ports, meet strangers of the local network.
        node.start(variables={"P2PCOMMONS_DATA": str(node.data), "PYTHONIOENCODING": "utf-8"})
        if step.who == "box":
            self._cable.target = node.listen
        self._compare(step, node.log())

    def _look(self, step: Step) -> None:
        """What is here comes from others, so a look is repeated until it is here."""
        until = time.monotonic() + WAIT_S
        while not answers(step.answer, said := self._type(step)):
            assert time.monotonic() < until, f"{step} answers {said}"
            time.sleep(0.05)

    def _type(self, step: Step) -> str:
        """Run one line in that person's shell; what it says, and what it leaves in variables."""
        kept = self._folder / "shell"
        variables = {
            **{name: value for name, value in os.environ.items() if not name.startswith("P2PCOMMONS")},
            **{name: self._by_cable(step.who, value) for name, value in self._shell.items()},
            "PATH": f"{self._program}:{os.environ['PATH']}",
            "P2PCOMMONS_DATA": str(self.data(step.who)),
            "PYTHONIOENCODING": "utf-8",
        }
        line = f"set -a\n{step.command}\ncode=$?\nenv -0 > {shlex.quote(str(kept))}\nexit $code"
        done = subprocess.run(
            ["bash", "-c", line], capture_output=True, text=True, timeout=WAIT_S, env=variables, cwd=self._folder
        )
        assert done.returncode == 0, f"{step.command}: {done.stderr}"
        for variable in kept.read_text().split("\0"):
            name, _, value = variable.partition("=")
            if step.command.startswith(f"{name}="):
                assert value, f"{step.command} gave nothing"
                self._shell[name] = value
        return done.stdout

    def _by_cable(self, who: str, value: str) -> str:
        """Brieg reaches the box through his cable: the line he pastes names its end."""
        if who != "brieg" or not value.startswith("p2pcommons:"):
            return value
        line = parse_invitation(value)
        end = parse_address(self._cable.address)
        return line._replace(addresses=tuple(end._replace(key=each.key) for each in line.addresses)).line()

    def _compare(self, step: Step, said: str) -> None:
        assert answers(step.answer, said), f"{step} answers {said}"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path


@pytest.mark.slow
async def test_every_line_of_the_first_evening_is_typed_and_answered(tmp_path: Path) -> None:
    async with CountingProxy("127.0.0.1:9") as cable:
        evening = Evening(tmp_path, cable)
        try:
            for step in steps(TEXTS["first-evening.md"]):
                await asyncio.to_thread(evening.take, step)
        finally:
            evening.end()
