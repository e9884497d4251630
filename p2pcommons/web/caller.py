"""Whose browser is calling: the user that owns the other end of a loopback connection, as the system tells it.

A machine may be shared: every user of it reaches 127.0.0.1, and so does a proxy that runs on it for the whole world.
The page must know its owner's browser from those. Linux lists every TCP socket with its user's number; where a
system does not, the answer is None and nothing is guessed. Knows no HTTP.
"""

from __future__ import annotations

import os
import sys
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final

SOCKETS: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_WORD: Final = 4  # bytes the kernel prints as one number of the machine's own byte order

End = tuple[str, int]
"""An address and a port."""


def is_own_user(caller: End, here: End, sockets: tuple[Path, ...] = SOCKETS) -> bool | None:
    """Whether the socket `caller` that is connected to `here` belongs to the user of this process; None: unknown."""
    wanted = {(a, b) for a in _spellings(caller) for b in _spellings(here)}
    known = False
    for table in sockets:
        try:
            lines = table.read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        known = True
        for line in lines:
            cells = line.split()
            if len(cells) > 7 and (cells[1], cells[2]) in wanted:
                return int(cells[7]) == os.getuid()
    return False if known else None


def _spellings(end: End) -> tuple[str, ...]:
    """How the tables write an end: as IPv4, as IPv6, as IPv4 within IPv6."""
    host, port = ip_address(end[0].partition("%")[0]), end[1]
    mapped = host.ipv4_mapped if isinstance(host, IPv6Address) else None
    if mapped is not None:
        host = mapped
    found = [_spelling(host.packed, port)]
    if isinstance(host, IPv4Address):
        found.append(_spelling(bytes(10) + b"\xff\xff" + host.packed, port))
    return tuple(found)


def _spelling(packed: bytes, port: int) -> str:
    words = [packed[at : at + _WORD] for at in range(0, len(packed), _WORD)]
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words) + f":{port:04X}"
