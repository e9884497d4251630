"""How the API is served: its settings, and the values its handlers find in the application."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from p2pcommons.api.auth import Session

HEARTBEAT_S_DEFAULT: Final = 15.0  # shorter than what proxies and browsers take for a dead stream (30 to 60 s)

PACK_TYPE: Final = "application/vnd.p2pcommons.pack"
RECORDS_HEADER: Final = "P2PCommons-Records"
"""How many records a pack file holds, told beside it."""


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """What `build_app` must be told."""

    token: str
    """The content of `DATA/api-token`."""
    hosts: tuple[str, ...] = ()
    """Names and addresses, besides those of loopback, by which this node may be called (`Host`, without port)."""
    public_hosts: tuple[str, ...] = ()
    """Names by which other nodes come in through a proxy: good for `NODES_PATH` alone, and for nothing of the API."""
    session: Session | None = None
    """The page's sessions."""
    scratch: Path | None = None
    """An existing folder for temporary files (spools, packs, backups on their way), held by this process alone:
    what a killed one left is removed at the start. None: the system's."""
    heartbeat_s: float = HEARTBEAT_S_DEFAULT
    """How long an event stream is silent before it shows that it lives."""


SCRATCH_PREFIX: Final = "api-scratch-"
"""How temporary folders in `ApiSettings.scratch` are called."""

SCRATCH: Final = web.AppKey[Path | None]("scratch")
HEARTBEAT_S: Final = web.AppKey("heartbeat_s", float)
