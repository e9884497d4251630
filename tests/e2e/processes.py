"""Nodes as processes of their own, as a person would start them."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from p2pcommons.api.client import Client
from p2pcommons.core.record import CommonsId
from p2pcommons.node.folder import running_node
from p2pcommons.node.values import DigestInfo

_HERE = Path(__file__).resolve().parent
COMMAND = [sys.executable, "-m", "p2pcommons.cli.main"]
WAIT_S = 120.0  # how long anything may take before a test gives up: far above what it takes


def command(
    data: Path, *words: str, check: bool = True, timeout: float = WAIT_S, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command line to its end. `variables`: of its environment, besides those here."""
    environment = {name: value for name, value in os.environ.items() if name != "P2PCOMMONS_DATA"}
    environment.update(variables or {})
    done = subprocess.run(
        [*COMMAND, "--data", str(data), *words], capture_output=True, text=True, timeout=timeout, env=environment
    )
    if check:
        assert done.returncode == 0, f"{words}: {done.stderr}"
    return done


def answer(data: Path, *words: str) -> Any:
    """The one JSON document a command prints."""
    return json.loads(command(data, "--json", *words).stdout)


def faults(*named: str) -> dict[str, str]:
    """The environment of a node with these faults (`faults/sitecustomize.py`)."""
    path = os.pathsep.join((str(_HERE / "faults"), str(_HERE.parents[1])))
    return {"PYTHONPATH": path, "P2PCOMMONS_FAULTS": " ".join(named)}


class NodeProcess:
    """A node in a process, which may be killed at any moment and started again."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._process: subprocess.Popen[bytes] | None = None
        self._log = data.with_name(data.name + ".log")

    def start(
        self,
        *arguments: str,
        listen: str = "127.0.0.1:0",
        wait: bool = True,
        variables: Mapping[str, str] | None = None,
    ) -> NodeProcess:
        """Start it; `wait`: until it answers. `variables`: of its environment, besides those here."""
        words = ["up", "--api", "127.0.0.1:0", "--listen", listen, "--no-lan", *arguments]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*COMMAND, "--data", str(self.data), *words],
                stdout=log,
                stderr=log,
                env={**os.environ, **(variables or {})},
            )
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self) -> None:
        """Until it answers."""
        process = self.process
        until = time.monotonic() + WAIT_S
        while True:
            note = running_node(self.data)
            if note is not None and note["pid"] == process.pid:
                return
            assert process.poll() is None, f"the node ended with {process.returncode}: {self.log()[-2000:]}"
            assert time.monotonic() < until, f"the node did not answer: {self.log()[-2000:]}"
            time.sleep(0.02)

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def client(self) -> Client:
        return Client.of_folder(self.data)

    @property
    def listen(self) -> str:
        note = running_node(self.data)
        assert note is not None
        return str(note["listen"])

    def kill(self) -> None:
        """`kill -9`."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=WAIT_S)


async def equal(nodes: list[NodeProcess], commons: bytes) -> DigestInfo:
    """Wait until all nodes hold the same records; their one digest."""
    until = time.monotonic() + WAIT_S
    while True:
        found = []
        for node in nodes:
            async with node.client() as client:
                found.append(await client.digest(CommonsId(commons)))
        if len({each.fingerprint for each in found}) == 1 and found[0].records:
            assert len({each.state for each in found}) == 1, "equal records, different views"
            return found[0]
        assert time.monotonic() < until, f"the nodes did not become equal: {found}"
        await asyncio.sleep(0.05)


def datasets() -> Path:
    """Where the real catalogues are; skips where they are not."""
    named = os.environ.get("P2PCOMMONS_DATASETS")
    if not named or not Path(named).is_dir():
        pytest.skip("P2PCOMMONS_DATASETS names no folder with the real catalogues")
    return Path(named)


def works(count: int) -> Iterator[bytes]:
    """Works of art as lines of Entry JSON: real ones."""
    with gzip.open(datasets() / "tate-artworks.jsonl.gz") as file:
        for _, line in zip(range(count), file, strict=False):
            raw = json.loads(line)
            entry = {
                "type": "image",
                "title": raw["title"],
                "source": raw["source"],
                "subjects": raw.get("subjects", []),
            }
            yield json.dumps({**entry, "creators": raw.get("creators", [])}).encode() + b"\n"


def made_up(count: int, prefix: str = "made") -> Iterator[bytes]:
    """Entries of the project's own making, as lines of Entry JSON."""
    for number in range(count):
        entry = {
            "type": "book",
            "title": f"Cahier {prefix} {number}",
            "description": f"Un cahier trouvé au grenier, le {number}e de la série. " * 4,
            "subjects": [f"grenier {number % 7}", "cahiers", f"série {number % 31}"],
            "source": f"{prefix}:{number}",
        }
        yield json.dumps(entry, ensure_ascii=False).encode() + b"\n"
