"""One node of the bench, as a process of its own: started, measured, stopped."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from p2pcommons.api.client import Client
from p2pcommons.cli.bench.works import MAPPING
from p2pcommons.core.record import CommonsId
from p2pcommons.node.folder import DATABASE, running_node

_POLL_S: Final = 0.005
_STOP_S_MAX: Final = 60
_IDLE_AFTER_S: Final = 35  # a node looks twice, 15 s apart, before it takes itself for idle (`node.idle`)
_IDLE_S_MAX: Final = 600  # then it learns the words of a million entries in some ten seconds of processor time
_CALM_S: Final = 5
_CALM_SHARE: Final = 0.02  # of one core, while it does nothing


class BenchNode:
    """A node in a folder."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._log = data.with_name(data.name + ".log")
        self._process: subprocess.Popen[bytes] | None = None
        self.started_s = 0.0

    async def start(self, *arguments: str) -> None:
        """Start, and wait for the first answer."""
        began = time.perf_counter()
        process = self._process = self._spawn(arguments)
        while running_node(self.data) is None:
            if process.poll() is not None:
                raise SystemExit(f"a node of the bench ended; its words are in {self._log}")
            await asyncio.sleep(_POLL_S)
        async with self.client() as client:
            await client.status()
        self.started_s = time.perf_counter() - began

    def _spawn(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "p2pcommons.cli.main", "--data", str(self.data), "up"]
        command += ["--api", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--no-lan", *arguments]
        with self._log.open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log)

    def client(self) -> Client:
        """A client of this node."""
        return Client.of_folder(self.data)

    @property
    def listen(self) -> str:
        """Where it lets others in."""
        note = running_node(self.data)
        assert note is not None
        return str(note["listen"])

    def memory_mb(self, what: str = "VmRSS") -> float:
        """Its memory in MB of 10^6 bytes: now (VmRSS), what of it is its own and no mapped file (RssAnon), or at most so
        far (VmHWM)."""
        assert self._process is not None
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith(what):
                return int(line.split()[1]) * 1024 / 1e6
        return 0.0

    def cpu_s(self) -> float:
        """Processor time it took so far, all its threads together."""
        assert self._process is not None
        after_name = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")

    def database_bytes(self) -> int:
        """What its folder takes on the disk for the catalogue."""
        return sum(path.stat().st_blocks * 512 for path in self.data.glob(DATABASE + "*"))

    async def rest(self) -> None:
        """Wait until it did what it does when nobody asks, and does nothing."""
        await asyncio.sleep(_IDLE_AFTER_S)
        before = -1.0 * _CALM_S
        for _ in range(_IDLE_S_MAX // _CALM_S):
            now = self.cpu_s()
            if now - before < _CALM_SHARE * _CALM_S:
                return
            before = now
            await asyncio.sleep(_CALM_S)

    def import_(self, source: Path, commons: CommonsId) -> float:
        """Import a file as a person would; seconds that it took, the node's and the command's work together."""
        mapping = source.with_suffix(".mapping.json")
        mapping.write_text(json.dumps(MAPPING))
        command = [sys.executable, "-m", "p2pcommons.cli.main", "--data", str(self.data), "--json", "import"]
        command += [str(source), "--map", str(mapping), "--commons", commons.hex()]
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            raise SystemExit(f"the import failed: {done.stderr.decode()[-500:]}")
        return time.perf_counter() - began

    def metrics(self) -> dict[str, float]:
        """The numbers without labels that it tells at `/metrics`."""
        note = running_node(self.data)
        assert note is not None
        with urllib.request.urlopen(f"http://{note['api']}/metrics", timeout=_STOP_S_MAX) as answer:
            lines = [line.split() for line in answer.read().decode().splitlines()]
        return {words[0].removeprefix("p2pcommons_"): float(words[1]) for words in lines if len(words) == 2}

    def stop(self) -> None:
        """Stop it and wait."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=_STOP_S_MAX)
            self._process = None
