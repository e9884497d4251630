"""A node's data folder: its lock, its secrets, and the note that tells the command line where the node answers.

Secrets are files of mode 0600, written whole or not at all. The lock is the operating system's: a killed process
releases it. Knows nothing of records.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from p2pcommons.core.identity import SigningKey, recovery_key
from p2pcommons.errors import Refused, StoreError

DATABASE: Final = "catalogue.sqlite"
DATABASE_SUFFIXES: Final = ("", "-wal", "-shm", ".columns")
"""The files that a database is made of."""
NODE_NOTE: Final = "node.json"
API_TOKEN: Final = "api-token"
_LOCK: Final = "lock"
_PERSON: Final = "person.key"
_NODE: Final = "node.key"
_PLACE: Final = "node.place"
_ENTROPY: Final = "recovery.entropy"
_LOCK_TRIES: Final = 10
_LOCK_PAUSE_S: Final = 0.02
_WORDS_SEEN: Final = "recovery.seen"
CERTIFICATE: Final = "node.pem"
SECRETS: Final = {_PERSON: 32, _ENTROPY: 16, _WORDS_SEEN: 0}
"""What a backup takes besides the database, with its size in bytes: a node's own key stays, a restored folder gets a
new one."""
FORKS: Final = "forks"
"""A folder with pack files of what was forked: a backup takes them too, for nothing else may hold what a base was."""
RESTORING: Final = "restoring"
"""The folder in which a backup is unpacked and looked at first."""
RESTORED_WHOLE: Final = "whole"
"""A file in it: all is there, and only to be brought to its place."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Who writes here, which machine this is, and the words' 16 bytes of entropy."""

    person: SigningKey
    node: SigningKey
    entropy: bytes
    first_run: bool
    copied: bool  # the folder was restored or copied: the node key is new

    @property
    def recovery(self) -> SigningKey:
        """The key that the recovery words stand for."""
        return recovery_key(self.entropy)


class DataFolder:
    """An existing data folder, held by this process from `lock()` to `release()`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.path / DATABASE

    def lock(self) -> None:
        """Make the folder where absent and take it. StoreError `folder_locked`, `folder_unusable`."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                "folder_unusable",
                f"The data folder {self.path} cannot be used: {error.strerror}. Choose another with --data.",
            ) from error
        try:
            _take_lock(handle)
        except OSError as error:
            os.close(handle)
            raise StoreError(
                "folder_locked",
                f"The data folder {self.path} is used by another p2pcommons process. If a node is starting there, try again "
                "in a moment; else stop that one, or choose another with --data.",
            ) from error
        self._lock = handle
        try:
            self.finish_restore()  # else a process that died in one would leave the records without their person
        except OSError as error:
            self.release()
            raise StoreError(
                "folder_unusable",
                f"What was restored into {self.path} cannot be brought to its place: {error.strerror}.",
            ) from error
        # A note that lies here now is of a node that was killed. Another program may answer at its address by now, and
        # while we hold the lock the command line would take it for this one, and tell it the token.
        with suppress(OSError):
            self.remove_note()

    def finish_restore(self) -> None:
        """Bring what a restore has unpacked whole to its place; does nothing where there is none."""
        beside = self.path / RESTORING
        if (beside / RESTORED_WHOLE).exists():
            for name in (DATABASE, *SECRETS):
                if (beside / name).exists():
                    os.replace(beside / name, self.path / name)
            for file in sorted((beside / FORKS).glob("*")):
                (self.path / FORKS).mkdir(mode=0o700, exist_ok=True)
                os.replace(file, self.path / FORKS / file.name)
            shutil.rmtree(beside)

    def database_bytes(self) -> int:
        """How large the database is, with its log."""
        total = 0
        for suffix in DATABASE_SUFFIXES:
            try:
                total += (self.path / f"{DATABASE}{suffix}").stat().st_size
            except FileNotFoundError:
                pass
        return total

    def make_database(self) -> None:
        """Make an empty database file where there is none, so that nobody else reads it: unused invitations are in it."""
        os.close(os.open(self.database, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def release(self) -> None:
        """Let the folder go."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # -- keys

    def keys(self) -> Keys:
        """The keys kept here; made at the first run. A folder that was copied gets a new node key."""
        first_run = not (self.path / _PERSON).exists()
        if first_run:
            if not (self.path / _ENTROPY).exists():
                self._write(_ENTROPY, secrets.token_bytes(16))
            self._write(_PERSON, secrets.token_bytes(32))
        place = self._place()
        copied = place is not None and self._read(_PLACE) != place
        if place is None or copied:
            self._write(_NODE, secrets.token_bytes(32))
            (self.path / CERTIFICATE).unlink(missing_ok=True)
            made = self._place()
            assert made is not None
            self._write(_PLACE, made)
        return Keys(
            SigningKey(self._read(_PERSON)), SigningKey(self._read(_NODE)), self._read(_ENTROPY), first_run, copied
        )

    def _place(self) -> bytes | None:
        """Where the node key's file lies on this machine's disk: a copy lies elsewhere."""
        try:
            found = os.stat(self.path / _NODE)
        except FileNotFoundError:
            return None
        # Not the device: its number may change at a restart. The machine's own id tells a cloned disk from its original.
        return f"{found.st_ino} {_machine()}".encode()

    def adopt(self, entropy: bytes, *, person: bytes | None = None) -> None:
        """Start an identity from recovery words, or (`person`: a key's seed) as a further device of somebody.

        Refused `identity-exists` where there is one already.
        """
        if (self.path / _PERSON).exists():
            raise Refused(
                "identity-exists",
                f"{self.path} already holds an identity. Restore into an empty folder: --data NEW_FOLDER.",
            )
        self._write(_ENTROPY, entropy)
        self._write(_WORDS_SEEN, b"")
        if person is not None:
            self._write(_PERSON, person)

    @property
    def words_seen(self) -> bool:
        """Whether the recovery words were shown once."""
        return (self.path / _WORDS_SEEN).exists()

    def note_words_seen(self) -> None:
        """Remember that they were."""
        self._write(_WORDS_SEEN, b"")

    def secrets_are_private(self) -> bool:
        """Whether only this user can read keys, token and database."""
        if self.path.stat().st_mode & 0o077 == 0:
            return True
        database = (f"{DATABASE}{suffix}" for suffix in DATABASE_SUFFIXES)  # unused invitations are in it
        names = (*SECRETS, _NODE, API_TOKEN, CERTIFICATE, *database)
        return all((self.path / name).stat().st_mode & 0o077 == 0 for name in names if (self.path / name).exists())

    # -- the local API

    def token(self) -> str:
        """The token that writing over the API needs; made where absent."""
        path = self.path / API_TOKEN
        if not path.exists():
            self._write(API_TOKEN, secrets.token_urlsafe(32).encode())
        return path.read_text().strip()

    def write_note(self, note: dict[str, Any]) -> None:
        """`node.json`: how the command line finds this node."""
        self._write(NODE_NOTE, json.dumps(note).encode())

    def remove_note(self) -> None:
        """The node stops."""
        (self.path / NODE_NOTE).unlink(missing_ok=True)

    # -- files

    def _read(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return b""

    def _write(self, name: str, data: bytes) -> None:
        try:
            write_secret(self.path / name, data)
        except OSError as error:
            raise StoreError(
                "folder_unusable",
                f"{self.path / name} cannot be written: {error.strerror}. Make room, or see whose folder it is, then try again.",
            ) from error


def new_file(path: Path) -> int:
    """A handle to write a new file of mode 0600 in the place of whatever is there.

    What is there is never written into: whoever put it there could read on, or made it a link to another file.
    """
    path.unlink(missing_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def write_secret(path: Path, data: bytes) -> None:
    """Write a file of mode 0600, whole or not at all, and durably."""
    partial = path.with_name(path.name + ".partial")
    handle = new_file(partial)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    os.replace(partial, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _machine() -> str:
    """The id that systemd gives an installation (machine-id(5)), as a short hash; empty where there is none."""
    try:
        return sha256(b"p2pcommons" + Path("/etc/machine-id").read_bytes()).hexdigest()[:16]
    except OSError:
        return ""


def _take_lock(handle: int) -> None:
    # Who only looks whether a node runs holds the lock for an instant: that is no reason to give up.
    for _ in range(_LOCK_TRIES - 1):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            time.sleep(_LOCK_PAUSE_S)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def running_node(data: Path) -> dict[str, Any] | None:
    """What `node.json` tells of the node running on a folder, or None (absent, or left by a killed one)."""
    try:
        note = json.loads((data / NODE_NOTE).read_text())
        handle = os.open(data / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return note if isinstance(note, dict) else None
    finally:
        os.close(handle)
    return None
