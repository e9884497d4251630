"""Upkeep: what a person does to a node's folder now and then - pack files, backup, checks, views made anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from p2pcommons.core.record import CommonsId
from p2pcommons.errors import NotFound, Refused
from p2pcommons.node.archive import write_backup
from p2pcommons.node.checking import check_store
from p2pcommons.node.clones import ADVICE as COPIES_ADVICE
from p2pcommons.node.clones import COPIES
from p2pcommons.node.disk import ADVICE, told
from p2pcommons.node.exchange import read_pack_file, write_pack_file
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.values import (
    Check,
    DigestInfo,
    Hash,
    Notice,
    PackInfo,
    PeerInfo,
    Progress,
    Rebuilt,
    UnpackInfo,
    VerifyInfo,
)
from p2pcommons.sync import holding

T = TypeVar("T")


class Upkeep:
    """The verbs of upkeep. `notices` tells what a person should look at; `peers` whom this node dials, or is None
    where it meets nobody."""

    def __init__(
        self,
        runtime: Runtime,
        notices: Callable[[], Sequence[Notice]],
        peers: Callable[[], Sequence[PeerInfo]] | None,
    ) -> None:
        self._runtime = runtime
        self._notices = notices
        self._peers = peers

    async def pack(self, path: Path, commons: CommonsId | None = None) -> PackInfo:
        """Write a pack file of one or all followed commons."""
        if commons is not None:
            self._runtime.check_followed(commons)
        if path.is_relative_to(self._runtime.folder.path):  # on its way to somebody who only needs to ask
            self._runtime.disk.check_room("a pack file in the data folder")
        replica = self._runtime.replica
        chosen = sorted(replica.followed()) if commons is None else [commons]
        return await self._runtime.run(
            _on_disk(lambda: write_pack_file(replica, chosen, path, self._runtime.check_going_on), path)
        )

    async def unpack(self, path: Path) -> UnpackInfo:
        """Take a pack file."""
        runtime = self._runtime
        runtime.disk.check_room("the records of this file")
        return await runtime.run(
            _on_disk(lambda: read_pack_file(runtime.replica, path, runtime.now_ms(), runtime.check_going_on), path)
        )

    async def backup(self, path: Path) -> int:
        """Write a backup of the whole folder, private keys included."""
        runtime = self._runtime
        return await runtime.run(_on_disk(lambda: write_backup(runtime.store, runtime.folder.path, path), path))

    async def verify(self, progress: Progress | None = None) -> VerifyInfo:
        """Check every hash and signature; bodies found damaged are asked for again."""
        runtime = self._runtime
        steps = check_store(runtime.store, runtime.replica, progress or (lambda done, total: None))
        result = None
        while (step := await runtime.run(lambda: next(steps, None))) is not None:
            result = step
        assert result is not None

        def lose(commons: CommonsId, ids: list[bytes]) -> None:
            if commons in runtime.replica.followed():  # a person may have let it go meanwhile
                runtime.replica.lose_bodies(commons, ids)

        for commons, ids in result.damaged_bodies.items():
            await runtime.run(lambda c=commons, i=ids: lose(c, i))  # type: ignore[misc]
        return VerifyInfo(result.records, result.bodies, tuple(result.faults))

    async def rebuild(self, progress: Progress | None = None) -> tuple[Rebuilt, ...]:
        """Make all views from records anew."""
        replica = self._runtime.replica
        out = []

        def remake(commons: CommonsId) -> Rebuilt | None:
            if commons not in replica.followed():  # a person let it go meanwhile
                return None
            before = replica.digest(commons)

            def told(done: int) -> None:
                self._runtime.check_going_on()
                if progress is not None:
                    progress(done, before.records)

            return Rebuilt(commons, digest_info(before), digest_info(replica.rebuild(commons, told)))

        for commons in sorted(replica.followed()):
            made = await self._runtime.run(lambda c=commons: remake(c))  # type: ignore[misc]
            if made is not None:
                out.append(made)
        return tuple(out)

    async def doctor(self) -> tuple[Check, ...]:
        """Look at what commonly goes wrong."""
        folder = self._runtime.folder
        disk = self._runtime.disk.look()
        faults = await self._runtime.read(lambda reader: reader.integrity())
        checks = [
            Check("database", not faults, "; ".join(faults[:3]) or "the file is in order", "restore a backup"),
            Check(
                "disk",
                not disk.low,
                f"{told(disk)}" + ("; nothing is taken from other nodes, and no import" if disk.low else ""),
                ADVICE,
            ),
            Check(
                "recovery words",
                folder.words_seen,
                "written down" if folder.words_seen else "never shown: a lost disk is a lost identity",
                "p2pcommons identity words",
            ),
            Check(
                "secrets",
                folder.secrets_are_private(),
                "keys and token are readable by you alone"
                if folder.secrets_are_private()
                else "others on this machine can read your keys, or what unused invitations hold",
                f"chmod -R go= {folder.path}",
            ),
            self._clock_check(),
            self._copies_check(),
            self._neighbours_check(),
        ]
        return tuple(c if not c.ok else Check(c.name, True, c.detail) for c in checks)

    def _clock_check(self) -> Check:
        fault = self._runtime.watch.fault()
        fault = fault or self._runtime.watch.ahead()
        advice = "set the clock of this machine; or, if it is right as it is: p2pcommons trust-clock"
        return Check("clock", fault is None, fault or "nothing speaks against it", advice)

    def _copies_check(self) -> Check:
        told = [notice.text for notice in self._notices() if notice.code in COPIES]
        advice = (
            COPIES_ADVICE
            if not self._runtime.forked
            else f"{COPIES_ADVICE}; to write from two devices, use `p2pcommons identity device`"
        )
        return Check("copies", not told, "; ".join(told) or "no copy of this folder was met", advice)

    def _neighbours_check(self) -> Check:
        if self._peers is None:
            return Check("neighbours", True, "no node runs, so none are looked at")
        peers = self._peers()
        met = len({peer.key for peer in peers if peer.state == "connected"})
        if met or not peers:
            return Check("neighbours", True, f"{met} connected")
        whys = "; ".join(peer.why for peer in peers if peer.why)
        return Check("neighbours", False, f"none of {len(peers)} is connected: {whys}", "check their addresses")


def digest_info(summed: holding.Digest) -> DigestInfo:
    """The digest of a commons, as people see it."""
    return DigestInfo(
        summed.records, Hash(summed.fingerprint), summed.bodies_missing, summed.entries, Hash(summed.state)
    )


def _on_disk(job: Callable[[], T], path: Path) -> Callable[[], T]:
    """A job on a file a person named, whose faults are told as theirs to mend."""

    def run() -> T:
        try:
            return job()
        except FileNotFoundError as error:
            raise NotFound("unknown-file", f"{error.filename or path} is not there.") from error
        except OSError as error:
            raise Refused("file-unusable", f"{path} cannot be used: {error.strerror or error}.") from error

    return run
