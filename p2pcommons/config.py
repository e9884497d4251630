"""Settings of a node: one frozen value, each with its meaning and its default."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

API_PORT_DEFAULT: Final = 7420
LISTEN_PORT_DEFAULT: Final = 7421
NO_LAN: Final = "P2PCOMMONS_NO_LAN"
"""An environment variable that, not empty, does what `--no-lan` does: for containers, tests and careful people."""
NODES_PATH: Final = "/p2p"
"""Where, at the API's own port, other nodes come in through a proxy: `wss://HOST/p2p`."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host and a port to bind. Port 0: any free one."""

    host: str
    port: int
    asked_for: bool = False  # by a person: a taken port is then an error, else the next free one is used

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Settings:
    """How one node runs."""

    data: Path
    """The data folder: database, keys, token. Made where absent."""
    api: Endpoint | None = Endpoint("127.0.0.1", API_PORT_DEFAULT)
    """Where the local API and the page answer."""
    listen: Endpoint | None = Endpoint("0.0.0.0", LISTEN_PORT_DEFAULT)
    """Where other nodes come in; None: nowhere."""
    lan: bool = True
    """Whether to look for neighbours on the local network and answer them."""
    introductions: bool | None = None
    """Whether to tell other nodes of each other, and to dial those they tell of; None: as `lan`."""
    interfaces: tuple[str, ...] = ()
    """Interfaces that count as local networks (names, `*` allowed); empty: those that the rule of chapter 34 picks."""
    peers: tuple[str, ...] = ()
    """Addresses dialled in this run only."""
    follow: tuple[str, ...] = ()
    """Commons followed from this run on."""
    dial: bool = True
    """Whether to dial kept peers at all; off for a command that opens the folder by itself."""
    names: tuple[str, ...] = ()
    """Host names this node answers to behind a proxy (`wss://HOST/p2p`), each with a port where that is not 443."""
    trust_clock: bool = False
    """A person says that this machine's clock is right, whatever speaks against it."""
    keep_free: int | None = None
    """Bytes of the disk that are to stay free: below, nothing is taken from peers and no import. None: by its size."""


def default_data_folder() -> Path:
    """`P2PCOMMONS_DATA`, else the platform's folder for a user's data."""
    named = os.environ.get("P2PCOMMONS_DATA")
    if named:
        return Path(named)
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "p2pcommons"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home)) / "p2pcommons"
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "p2pcommons"
