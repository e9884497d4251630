"""Lines of a file that no one vouches for: bounded, numbered, one at a time, whatever the file's size.

What every reader of `p2pcommons.formats` shares: what a line gives (`Row`), why one is refused (`Refusal`), and how
bytes become lines. It knows no format and no entry. Chapter 90 bounds a line.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple, cast

from p2pcommons.core.limits import BATCH_LINE_BYTES_MAX
from p2pcommons.errors import FormError

GZIP_MAGIC = b"\x1f\x8b"
UTF8_MARK = b"\xef\xbb\xbf"


class Refusal(NamedTuple):
    """Why a line gives no entry: a stable code, and a sentence for people."""

    code: str
    detail: str


Row = tuple[int, dict[str, Any] | Refusal]
"""A line's number in its file, from 1, and what it gives."""


class Rows(NamedTuple):
    """A file being read. `heading`: the names of its columns where its rows are text cells; None: JSON values."""

    rows: Iterator[Row]
    heading: tuple[str, ...] | None


NOT_UTF8 = Refusal("not_utf8", "this line is not UTF-8; save the file as UTF-8 and import it again")
TOO_LONG = Refusal("line_too_long", f"this line is longer than {BATCH_LINE_BYTES_MAX} bytes, the most that is read")


class Opened(NamedTuple):
    """A file's bytes, decompressed, and its first bytes, which reading the stream gives again."""

    stream: BinaryIO
    first: bytes


def opened(raw: BinaryIO) -> Opened:
    """Look through gzip, a byte-order mark included in `first` and in the stream.

    FormError("truncated") where compressed bytes cannot be read at all.
    """
    buffered = _buffered(raw)
    if buffered.peek(2)[:2] == GZIP_MAGIC:
        buffered = io.BufferedReader(cast(Any, gzip.GzipFile(fileobj=buffered)), 1 << 16)
    try:
        first = buffered.peek(4096)[:4096]
    except (EOFError, OSError, zlib.error) as error:
        raise FormError("truncated", f"the compressed file is damaged or cut short ({error}); fetch it again") from None
    return Opened(cast(BinaryIO, buffered), first)


class Lines:
    """Iterates over a stream's lines as (number, bytes without line end), or a Refusal in place of bytes.

    A line longer than `bytes_max` is skipped as it is read and never held whole. The first line loses its byte-order
    mark. FormError("truncated") where a compressed file ends early.
    """

    def __init__(self, stream: BinaryIO, bytes_max: int = BATCH_LINE_BYTES_MAX) -> None:
        self.number = 0
        self._stream = stream
        self._bytes_max = bytes_max

    def __iter__(self) -> Iterator[tuple[int, bytes | Refusal]]:
        return self

    def __next__(self) -> tuple[int, bytes | Refusal]:
        line = self._readline()
        if not line:
            raise StopIteration
        self.number += 1
        if self.number == 1:
            line = line.removeprefix(UTF8_MARK)
        if len(line) > self._bytes_max + 2:  # 2: the line end is not counted
            while line and not line.endswith(b"\n"):
                line = self._readline()
            return self.number, TOO_LONG
        return self.number, line.rstrip(b"\r\n")

    def _readline(self) -> bytes:
        try:
            return self._stream.readline(self._bytes_max + 3)
        except (EOFError, OSError, zlib.error) as error:
            raise FormError(
                "truncated",
                f"the file is damaged or ends early after line {self.number} ({error}); "
                "what came before was read: fetch it again and import it again",
            ) from None


def _buffered(raw: BinaryIO) -> io.BufferedReader:
    return raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(cast(Any, raw), 1 << 16)
