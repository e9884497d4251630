"""A person's shell on one data folder, with no node running."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from p2pcommons.cli.main import main


class Shell:
    """Runs commands on one data folder."""

    def __init__(self, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.data = data
        self.capsys = capsys

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """What it says; on stderr where it is refused."""
        out, err = self.both(*arguments, code=code)
        return err if code else out

    def both(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        """What it says on stdout, and on stderr."""
        assert main([*arguments, "--data", str(self.data)]) == code
        said = self.capsys.readouterr()
        return said.out, said.err

    def json(self, *arguments: str, code: int = 0) -> list[Any]:
        """The documents it prints for programs."""
        assert main([*arguments, "--json", "--data", str(self.data)]) == code
        return [json.loads(line) for line in self.capsys.readouterr().out.splitlines()]
