"""A folder of files by their blob ids: written whole or not at all, checked whenever read, resumed after a kill.

A file that is here whole is `aa/<id>` (`aa`: the id's first two digits), beside it `aa/<id>.leaves`: the hashes of its
chunks, 32 bytes each, from which the id can be computed. What is read is compared with them, chunk by chunk, so that a
disk that changed a byte is found by whoever reads it and by a scrub. A file that is coming is `coming/<id>` with its
hashes beside it, zeros for a chunk that is not here: what a killed process has left is looked at once and goes on. A
file that is being added has a name by lot, and is thrown away with the process that was adding it.

Knows no entry and no peer. Every method may block on the disk; one thread at a time may use one `Receiving` or `Adding`.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from p2pcommons.core.blob import Blob, Hasher, Tree, blob_id, chunk_count, chunk_hash, chunk_hashes, range_bytes, verify
from p2pcommons.core.limits import CHUNK_BYTES
from p2pcommons.errors import FormError, StoreError

_COMING: Final = "coming"
_ADDING: Final = "adding-"
_LEAVES: Final = ".leaves"
_ABSENT: Final = bytes(32)
"""Stands for the hash of a chunk that is not here. (No chunk has it: nobody finds 256 zero bits.)"""
_READ_CHUNKS: Final = 16  # read and hashed at a time: 1 MiB of memory


class Damaged(StoreError):
    """Chunks of a file are not what they were: the disk, or somebody, changed them."""

    def __init__(self, blob: bytes, chunks: list[int]) -> None:
        super().__init__(
            "damaged_file", f"The file {blob.hex()} is damaged here; a neighbour that has it can repair it."
        )
        self.blob = blob
        self.chunks = chunks


class BlobFolder:
    """The files under one folder, which is made when the first one comes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def clear_unfinished(self) -> None:
        """Throw away what processes that are gone were adding; for who holds the folder, before anybody adds."""
        for file in (self._path / _COMING).glob(_ADDING + "*"):
            file.unlink(missing_ok=True)

    def has(self, blob: bytes) -> bool:
        """Whether the file is here, whole."""
        return self._whole(blob).exists()

    def ids(self) -> Iterator[bytes]:
        """Every file that is here whole, in no order."""
        for file in self._path.glob("[0-9a-f][0-9a-f]/*"):
            if len(file.name) == 64:
                with suppress(ValueError):
                    yield bytes.fromhex(file.name)

    def open(self, blob: bytes) -> Reading:
        """Read a file. KeyError where it is not here; Damaged where its hashes are not its id's any more."""
        path = self._whole(blob)
        try:
            file = path.open("rb")
        except FileNotFoundError:
            raise KeyError(blob) from None
        try:
            return Reading(blob, file, _leaves_beside(path))
        except BaseException:
            file.close()
            raise

    def add(self) -> Adding:
        """Begin to add a file whose bytes are known here alone so far."""
        return Adding(self)

    def receive(self, blob: bytes, size: int) -> Receiving:
        """Begin, or go on with, a file that comes in pieces; also one that is here and damaged."""
        return Receiving(self, blob, size)

    def remove(self, blob: bytes) -> None:
        """Let a file go, whole or coming. One that is not here is no error."""
        for path in (self._whole(blob), self._coming(blob)):
            path.unlink(missing_ok=True)
            _beside(path).unlink(missing_ok=True)

    def keep(self, blob: bytes, data: Path, leaves: Path) -> None:
        """Bring a file to its place, once its bytes are on the disk: the hashes first, for the file says it is whole."""
        place = self._whole(blob)
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.replace(leaves, _beside(place))
        os.replace(data, place)
        for folder in (place.parent, self._path):
            _sync_folder(folder)

    def coming(self, name: str) -> Path:
        """Where a file lies that is not whole yet."""
        folder = self._path / _COMING
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder / name

    def _coming(self, blob: bytes) -> Path:
        return self._path / _COMING / blob.hex()

    def _whole(self, blob: bytes) -> Path:
        name = blob.hex()
        return self._path / name[:2] / name


class Reading:
    """One file, read in any order, each chunk compared with its hash."""

    def __init__(self, blob: bytes, file: BinaryIO, leaves: list[bytes]) -> None:
        self.blob = blob
        self.size = os.fstat(file.fileno()).st_size
        self._file = file
        self._tree = Tree(leaves)
        if -(-self.size // CHUNK_BYTES) != len(leaves) or blob_id(self.size, self._tree.root) != blob:
            raise Damaged(blob, [])  # its length or its hashes: which chunks are good cannot be told from them

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    def chunks(self, start: int, stop: int) -> bytes:
        """Chunks `start` to `stop` (exclusive), all of them in the file. Damaged, naming those that are not right."""
        data = os.pread(self._file.fileno(), range_bytes(self.size, start, stop), start * CHUNK_BYTES)
        found = chunk_hashes(data)
        wanted = self._tree.leaves[start:stop]
        if found != list(wanted):
            found += [_ABSENT] * (len(wanted) - len(found))
            wrong = [start + place for place, leaf in enumerate(wanted) if found[place] != leaf]
            raise Damaged(self.blob, wrong)
        return data

    def proof(self, start: int, stop: int) -> list[bytes]:
        """What proves chunks `start` to `stop` to whoever knows id and size (MEDIA-3)."""
        return self._tree.proof(start, stop)

    def bytes_between(self, first: int, end: int) -> Iterator[bytes]:
        """The bytes from `first` to `end` (exclusive; no further than the file goes), 1 MiB at most at a time."""
        end = min(end, self.size)
        while first < end:
            start = first // CHUNK_BYTES
            stop = min(start + _READ_CHUNKS, -(-end // CHUNK_BYTES))
            base = start * CHUNK_BYTES
            data = self.chunks(start, stop)[first - base : end - base]
            yield data
            first += len(data)

    def scrub(self) -> Iterator[list[int]]:
        """Read all of it, 1 MiB a step: the chunks that are damaged, step by step (empty lists where none is)."""
        count = len(self._tree.leaves)
        for start in range(0, count, _READ_CHUNKS):
            try:
                self.chunks(start, min(start + _READ_CHUNKS, count))
            except Damaged as error:
                yield error.chunks
            else:
                yield []


class Adding:
    """A file whose bytes come from here; in its place when `finish` has returned, and gone when it was not called."""

    def __init__(self, folder: BlobFolder) -> None:
        self._folder = folder
        self._path = folder.coming(_ADDING + secrets.token_hex(16))
        self._file = self._path.open("xb")
        self._hasher = Hasher()

    def __enter__(self) -> Adding:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # a full disk is told once, by write()
            self._file.close()
        self._path.unlink(missing_ok=True)
        _beside(self._path).unlink(missing_ok=True)

    def write(self, data: bytes | memoryview) -> None:
        """The next bytes, of any length. FormError `bad_size` for more than a file may have."""
        self._hasher.update(data)
        self._file.write(data)

    def finish(self) -> Blob:
        """Keep the file: durable when this returns, under the id that its bytes have."""
        blob, tree = self._hasher.finish()
        self._file.flush()
        os.fsync(self._file.fileno())
        if not self._folder.has(blob.id):
            leaves = _beside(self._path)
            _write_durably(leaves, b"".join(tree.leaves))
            self._folder.keep(blob.id, self._path, leaves)
        return blob


class Receiving:
    """A file that comes in pieces from whoever has it. Every piece is proved before it is written."""

    def __init__(self, folder: BlobFolder, blob: bytes, size: int) -> None:
        self.blob = blob
        self.size = size
        self._folder = folder
        self._path = folder.coming(blob.hex())
        count = chunk_count(size)
        if folder.has(blob):
            self._take_back(folder)
        self._data = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._hashes = os.open(_beside(self._path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            os.close(self._data)
            raise
        self._leaves = self._looked_at(count)
        self.missing = {place for place, leaf in enumerate(self._leaves) if leaf == _ABSENT}
        """The chunks that are not here."""

    def __enter__(self) -> Receiving:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop for now; what has come stays."""
        for handle in (self._data, self._hashes):
            if handle >= 0:
                os.close(handle)
        self._data = self._hashes = -1

    def put(self, start: int, data: bytes, nodes: list[bytes]) -> None:
        """Take whole chunks from `start` on. FormError where they are not of this file, and nothing is written."""
        if not data or (len(data) % CHUNK_BYTES and start * CHUNK_BYTES + len(data) != self.size):
            raise FormError("bad_range", "chunks come whole")
        leaves = chunk_hashes(data)
        verify(self.blob, self.size, start, leaves, nodes)
        _write_all(self._data, data, start * CHUNK_BYTES)
        _write_all(self._hashes, b"".join(leaves), start * 32)
        self._leaves[start : start + len(leaves)] = leaves
        self.missing.difference_update(range(start, start + len(leaves)))

    def finish(self) -> None:
        """Keep the file, when nothing is missing: durable, and whole for everybody, when this returns.

        ValueError while something is missing. Damaged where the hashes that an earlier process wrote were changed
        since: all is missing again then.
        """
        if self.missing:
            raise ValueError(f"{len(self.missing)} chunks are missing")
        if blob_id(self.size, Tree(self._leaves).root) != self.blob:
            self.missing = set(range(len(self._leaves)))
            self._leaves = [_ABSENT] * len(self._leaves)
            os.ftruncate(self._hashes, 0)
            raise Damaged(self.blob, sorted(self.missing))
        os.ftruncate(self._data, self.size)
        os.ftruncate(self._hashes, 32 * len(self._leaves))
        os.fsync(self._data)
        os.fsync(self._hashes)
        self._folder.keep(self.blob, self._path, _beside(self._path))
        self.close()

    def _take_back(self, folder: BlobFolder) -> None:
        """A file that was whole and is damaged becomes one that is coming: only what is wrong must come again."""
        whole = folder._whole(self.blob)
        os.replace(whole, self._path)  # from here on it is not whole for anybody
        with suppress(FileNotFoundError):
            os.replace(_beside(whole), _beside(self._path))

    def _looked_at(self, count: int) -> list[bytes]:
        """The hashes of the chunks that lie here: those that an earlier process wrote and whose bytes are there."""
        written = os.pread(self._hashes, 32 * count, 0)
        leaves = [written[at : at + 32] if at + 32 <= len(written) else _ABSENT for at in range(0, 32 * count, 32)]
        for place, leaf in enumerate(leaves):
            if leaf != _ABSENT:
                data = os.pread(self._data, range_bytes(self.size, place, place + 1), place * CHUNK_BYTES)
                if chunk_hash(data) != leaf:
                    leaves[place] = _ABSENT
        return leaves


def _beside(path: Path) -> Path:
    return path.with_name(path.name + _LEAVES)


def _leaves_beside(path: Path) -> list[bytes]:
    try:
        written = _beside(path).read_bytes()
    except FileNotFoundError:
        return []
    return [written[at : at + 32] for at in range(0, len(written), 32)]


def _write_all(handle: int, data: bytes, at: int) -> None:
    view = memoryview(data)
    while view:
        done = os.pwrite(handle, view, at)
        view, at = view[done:], at + done


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
