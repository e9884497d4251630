"""Backups: one file with the database and the person's keys, and the way back into an empty folder.

A backup is a zip of the SQLite file, the person's secrets, and the pack files of what was forked here. A node's own key
is not in it: two nodes must never have one key.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Final

from p2pcommons.errors import FormError, Refused, StoreError
from p2pcommons.node.folder import (
    DATABASE,
    FORKS,
    RESTORED_WHOLE,
    RESTORING,
    SECRETS,
    DataFolder,
    new_file,
    write_secret,
)
from p2pcommons.store.sqlite import SqliteStore

_MARK: Final = "p2pcommons-backup-1"
_BASE: Final = re.compile(rf"{FORKS}/[0-9a-f]{{16}}-[0-9a-f]{{16}}\.pack")  # as `beginnings.base_file` names them
_COPY_BYTES: Final = 1024 * 1024
# What reading a zip raises on bytes that are none, or on such as it cannot read: behind a password, say.
_FAULTS: Final = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, OverflowError, RuntimeError, ValueError, LookupError,
)  # fmt: skip


def write_backup(store: SqliteStore, folder: Path, path: Path) -> int:
    """Write the backup of a folder, mode 0600, whole or not at all; its size in bytes."""
    beside = path.with_name(path.name + ".database")  # a folder: what is copied there must not be read by others
    partial = path.with_name(path.name + ".partial")
    handle = new_file(partial)
    try:
        with os.fdopen(handle, "wb") as file:
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir(mode=0o700)
            database = beside / DATABASE
            store.backup_to(os.fspath(database))
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                archive.writestr(_MARK, b"")
                archive.write(database, DATABASE)
                for name in SECRETS:
                    if (folder / name).exists():
                        archive.write(folder / name, name)
                for pack in sorted((folder / FORKS).glob("*.pack")):  # after the database: each fork in it has its file
                    archive.write(pack, f"{FORKS}/{pack.name}", zipfile.ZIP_STORED)  # random bytes, mostly
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        partial.unlink(missing_ok=True)
    return path.stat().st_size


def read_backup(path: Path, held: DataFolder) -> None:
    """Bring a backup into a folder that holds no identity, whole or not at all; a process that dies in it leaves what
    the next one to lock the folder finishes.

    Refused `folder-not-empty`, `file-unusable`; FormError `not_a_backup`.
    """
    folder = held.path
    if any((folder / name).exists() for name in (DATABASE, *SECRETS)):
        raise Refused(
            "folder-not-empty", f"{folder} already holds a node. Restore into a new folder: --data NEW_FOLDER."
        )
    try:
        source = path.open("rb")
    except OSError as error:
        raise Refused(
            "file-unusable", f"{path} cannot be read: {error.strerror}. Check its name and its permissions."
        ) from error
    beside = folder / RESTORING
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir(mode=0o700)
        with source, zipfile.ZipFile(source) as archive:
            names = set(archive.namelist())
            if _MARK not in names or DATABASE not in names:
                raise FormError("not_a_backup", f"{path} is no backup: name a file that `p2pcommons backup` wrote.")
            known = _known(names)
            _check_sizes(archive, known, folder)
            (beside / FORKS).mkdir(mode=0o700)
            for name in known:
                _extract(archive, name, beside / name)
        SqliteStore(beside / DATABASE).close()
        write_secret(beside / RESTORED_WHOLE, b"")
        held.finish_restore()
    except StoreError as error:
        raise FormError("not_a_backup", f"The database in this backup cannot be used. {error.detail}") from error
    except _FAULTS as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # a place that no file has; else it is our disk
            raise
        raise FormError("not_a_backup", f"{path} cannot be read as a backup ({error}): use another one.") from error
    finally:
        if not (beside / RESTORED_WHOLE).exists():
            shutil.rmtree(beside, ignore_errors=True)


def _known(names: set[str]) -> list[str]:
    """Of the names in an archive those that a backup has: a strange one writes nowhere else."""
    return [name for name in (DATABASE, *SECRETS) if name in names] + sorted(filter(_BASE.fullmatch, names))


def _check_sizes(archive: zipfile.ZipFile, known: list[str], folder: Path) -> None:
    """Before anything is unfolded: reading an archive's file stops at the size that the archive tells."""
    told = {name: archive.getinfo(name) for name in known}
    for name, info in told.items():
        wrong = name in SECRETS and info.file_size != SECRETS[name]
        if wrong or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FormError("not_a_backup", f"{name} in this file is not as `p2pcommons backup` writes it.")
    size, free = sum(info.file_size for info in told.values()), shutil.disk_usage(folder).free
    if size > free:
        raise Refused(
            "file-unusable", f"This backup unfolds to {size:,} bytes, and {free:,} are free: make room first."
        )


def _extract(archive: zipfile.ZipFile, name: str, target: Path) -> None:
    handle = new_file(target)
    with os.fdopen(handle, "wb") as file, archive.open(name) as source:
        shutil.copyfileobj(source, file, _COPY_BYTES)
        file.flush()
        os.fsync(file.fileno())
