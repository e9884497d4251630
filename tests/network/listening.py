"""Driving `speaker.py` on a host of the test bed, and hearing what it prints."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from bed import Host
from living import until

SPEAKER = str(Path(__file__).with_name("speaker.py"))


class Speaker:
    """The program on its host, and the lines it has printed; it ends with the `with` block."""

    def __init__(self, host: Host, *words: str) -> None:
        self._command = host.command(sys.executable, SPEAKER, *words)
        self.lines: list[list[str]] = []

    def __enter__(self) -> Speaker:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        until(lambda: ["ready"] in self.lines)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._reader.join()
        self._process.stdout.close()
        assert self._process.wait() == 0

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.split())

    def heard(self, what: str) -> list[list[str]]:
        return [line[1:] for line in list(self.lines) if line[0] == what]


def txt(pairs: dict[str, str]) -> str:
    made = [f"{name}={value}".encode() for name, value in pairs.items()]
    return b"".join(bytes([len(one)]) + one for one in made).hex()
