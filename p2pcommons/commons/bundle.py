"""A bundle of files as bytes, and back: a zip whose bytes are a function of its files (chapter 24, "Recipes").

Written: names in order, one fixed date, nothing compressed, so that equal files give equal bytes with every
program. Read: strangers' archives, within bounds checked before memory is spent, and never a name that was not
asked for, so that nothing can be written beside the place it is unpacked to. Knows no folder.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping
from io import BytesIO
from typing import Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo
from zlib import error as ZlibError

from p2pcommons.core.limits import RECIPE_BYTES_MAX, RECIPE_FILE_BYTES_MAX
from p2pcommons.errors import FormError

_DATE: Final = (1980, 1, 1, 0, 0, 0)  # the first that a zip can tell
_UNIX: Final = 3
_MODE: Final = 0o100644 << 16  # a plain file that all may read
_END_RECORD: Final = struct.Struct("<4s4H2LH")  # the last thing in a zip: it says how many files there are

# What the zip reader of the standard library raises on bytes that are no zip, or one it cannot read: encrypted.
_FAULTS: Final = (
    BadZipFile, ZlibError, struct.error, EOFError, NotImplementedError, OSError, OverflowError, RuntimeError, ValueError,
    LookupError,
)  # fmt: skip


def write_bundle(files: Mapping[str, bytes]) -> bytes:
    """A zip of these files, the same bytes for the same files."""
    out = BytesIO()
    with ZipFile(out, "w", ZIP_STORED) as archive:
        for name in sorted(files):
            info = ZipInfo(name, _DATE)
            info.create_system, info.external_attr = _UNIX, _MODE
            archive.writestr(info, files[name])
    return out.getvalue()


def read_bundle(data: bytes, names: Collection[str]) -> dict[str, bytes]:
    """The files of a zip, which must be exactly those of `names`. FormError `bad_bundle`.

    Files may be stored or deflated; each is at most RECIPE_FILE_BYTES_MAX, whatever the archive says of it.
    """
    if len(data) > RECIPE_BYTES_MAX:
        raise _bad(f"it is longer than {RECIPE_BYTES_MAX} bytes")
    if _count(data) != len(names):
        raise _bad(f"it does not hold exactly {', '.join(sorted(names))}")
    try:
        with ZipFile(BytesIO(data)) as archive:
            return _read(archive, names)
    except _FAULTS as error:
        raise _bad("it is damaged, or no zip") from error


def _read(archive: ZipFile, names: Collection[str]) -> dict[str, bytes]:
    infos = archive.infolist()
    if sorted(info.orig_filename for info in infos) != sorted(names):
        raise _bad(f"it does not hold exactly {', '.join(sorted(names))}")
    files = {}
    for info in infos:
        if info.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise _bad(f"{info.filename} is compressed in an unusual way")
        with archive.open(info) as stream:
            # What it says of its size is a stranger's word: no more than this is unpacked of it.
            content = stream.read(RECIPE_FILE_BYTES_MAX + 1)
        if len(content) > RECIPE_FILE_BYTES_MAX:
            raise _bad(f"{info.filename} is longer than {RECIPE_FILE_BYTES_MAX} bytes")
        files[info.orig_filename] = content
    return files


def _count(data: bytes) -> int:
    """How many files the archive says it has, before any of them is looked at; -1 where it says nothing."""
    # Ours end there, without a comment; an archive of a million names is refused without listing them.
    at = len(data) - _END_RECORD.size
    if at < 0:
        return -1
    magic, _disk, _start, _here, count, size, _offset, comment = _END_RECORD.unpack_from(data, at)
    return count if magic == b"PK\x05\x06" and size <= at and comment == 0 else -1


def _bad(why: str) -> FormError:
    return FormError("bad_bundle", f"this bundle cannot be read: {why}")
