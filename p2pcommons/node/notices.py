"""What a person should know of because only a person can end it, as `status` tells it: each once, the gravest first.

Reads what watch, disk, neighbours and charters have found; finds nothing itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from p2pcommons.core.identity import PublicKey, did_key
from p2pcommons.node.clones import FORKED_CHAIN
from p2pcommons.node.disk import told
from p2pcommons.node.neighbours import Neighbours
from p2pcommons.node.runtime import FORKED, Runtime
from p2pcommons.node.values import Notice


def notices(runtime: Runtime, neighbours: Neighbours | None) -> tuple[Notice, ...]:
    """All that hold now."""
    return (
        *_clock(runtime),
        *_disk(runtime),
        *(() if neighbours is None else neighbours.notices()),
        *_forks(runtime),
        *_left_behind(runtime),
    )


def _clock(runtime: Runtime) -> list[Notice]:
    fault, ahead = runtime.watch.fault(), runtime.watch.ahead()
    if fault is not None:
        return [
            Notice(
                "clock-wrong",
                f"the clock of this machine seems wrong: {fault}. Set it; or, if it is right: p2pcommons trust-clock",
            )
        ]
    if ahead is not None:
        return [
            Notice(
                "clock-ahead",
                f"the clock of this machine seems ahead: {ahead}. Others take what you write when its time has come",
            )
        ]
    return []


def _disk(runtime: Runtime) -> list[Notice]:
    found = runtime.disk.look()
    text = f"the disk is nearly full ({told(found)}): nothing is taken from other nodes, and no import, until there is room"
    return [Notice("disk-low", text)] if found.low else []


def _forks(runtime: Runtime) -> list[Notice]:
    return [Notice(FORKED_CHAIN, FORKED, _names(runtime, sorted(runtime.forked)))] if runtime.forked else []


def _left_behind(runtime: Runtime) -> list[Notice]:
    me = runtime.keys.person.public
    found: dict[bytes, list[bytes]] = {}
    for commons, charter in sorted(runtime.replica.charters().items()):
        for key in charter.left_behind(me):
            found.setdefault(key, []).append(commons)
    return [
        Notice(
            "left-behind",
            f"your words replaced the key {did_key(PublicKey(key))}, which still counts: whoever has the lost machine writes "
            "as you. Ask the stewards to remove that key for good",
            (did_key(PublicKey(key)), *_names(runtime, places)),
        )
        for key, places in sorted(found.items())
    ]


def _names(runtime: Runtime, places: Sequence[bytes]) -> tuple[str, ...]:
    """Commons by name, where it is known."""
    charters = runtime.replica.charters()
    return tuple(charters[one].name if one in charters else one.hex() for one in places)
