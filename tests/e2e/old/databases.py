"""Data folders that programs of other days wrote, and what they held: made once by `make.py`, then frozen."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from p2pcommons.core.record import CommonsId
from p2pcommons.node.values import DigestInfo

HERE: Final = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Old:
    """One data folder, `NAME.zip`, and beside it what it held. `NAME` begins with the number of its schema."""

    name: str

    @property
    def held(self) -> dict[str, Any]:
        """`commons`, `person`, `digest`, `titles` of all that is shown, and how many entries some searches find
        (`found`, after a rebuild `found_rebuilt`)."""
        held: dict[str, Any] = json.loads((HERE / f"{self.name}.json").read_text())
        return held

    @property
    def schema(self) -> int:
        """The number of its schema."""
        return int(self.name.split("-")[0])

    @property
    def commons(self) -> CommonsId:
        """The one that it follows."""
        return CommonsId(bytes.fromhex(self.held["commons"]))

    @property
    def digest(self) -> dict[str, Any]:
        """What the program said of it that wrote it."""
        return dict(self.held["digest"])

    def unpack(self, data: Path) -> None:
        """The folder as it was, at this place."""
        with zipfile.ZipFile(HERE / f"{self.name}.zip") as archive:
            archive.extractall(data)
        data.chmod(0o700)
        for file in data.iterdir():
            file.chmod(0o600)

    @staticmethod
    def told(digest: DigestInfo) -> dict[str, Any]:
        """A digest as it is kept beside the folder."""
        return {
            "records": digest.records,
            "fingerprint": digest.fingerprint.hex(),
            "entries": digest.entries,
            "state": digest.state.hex(),
        }


ALL: Final = tuple(Old(path.stem) for path in sorted(HERE.glob("*.zip")))
