"""Backups: one file with the database and the person's keys, and the way back into an empty folder.

A backup is a zip of the SQLite file and the person's secrets. A node's own key is not in it: two nodes must never
have one key.
"""

from __future__ import annotations

import os
import shutil
import zipfile
import zlib
from pathlib import Path
from typing import Final

from p2pcommons.errors import FormError, Refused, StoreError
from p2pcommons.node.folder import DATABASE, SECRETS
from p2pcommons.store.sqlite import SqliteStore

_MARK: Final = "p2pcommons-backup-1"
_COPY_BYTES: Final = 1024 * 1024
_RESTORING: Final = "restoring"  # the folder in which a backup is unpacked and looked at first


def write_backup(store: SqliteStore, folder: Path, path: Path) -> int:
    """Write the backup of a folder, mode 0600, whole or not at all; its size in bytes."""
    beside = path.with_name(path.name + ".database")  # a folder: what is copied there must not be read by others
    partial = path.with_name(path.name + ".partial")
    handle = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
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
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        partial.unlink(missing_ok=True)
    return path.stat().st_size


def read_backup(path: Path, folder: Path) -> None:
    """Bring a backup into a folder that holds no identity, whole or not at all.

    Refused `folder-not-empty`, `file-unusable`; FormError `not_a_backup`.
    """
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
    beside = folder / _RESTORING
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir(mode=0o700)
        with source, zipfile.ZipFile(source) as archive:
            names = set(archive.namelist())
            if _MARK not in names or DATABASE not in names:
                raise FormError("not_a_backup", f"{path} is no backup: name a file that `p2pcommons backup` wrote.")
            for name in (DATABASE, *SECRETS):  # only names we know: a strange archive writes nowhere else
                if name in names:
                    _extract(archive, name, beside / name)
        SqliteStore(beside / DATABASE).close()
        for name in (DATABASE, *SECRETS):
            if name in names:
                os.replace(beside / name, folder / name)
    except StoreError as error:
        raise FormError("not_a_backup", f"The database in this backup cannot be used. {error.detail}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:  # RuntimeError: behind a password, say
        raise FormError("not_a_backup", f"{path} cannot be read as a backup ({error}): use another one.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _extract(archive: zipfile.ZipFile, name: str, target: Path) -> None:
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file, archive.open(name) as source:
        shutil.copyfileobj(source, file, _COPY_BYTES)
        file.flush()
        os.fsync(file.fileno())
