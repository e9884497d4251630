"""Where a catalogue to import is read from: a file, standard input, a URL, or the sample that comes with the package."""

from __future__ import annotations

import io
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import IO, BinaryIO, Final, NamedTuple, cast
from urllib.parse import urlsplit

from p2pcommons.cli.input import standard_input
from p2pcommons.core.limits import IMPORT_URL_BYTES_MAX, IMPORT_URL_WAIT_S_MAX
from p2pcommons.errors import Refused

SAMPLE: Final = "sample"
"""The word that names the sample catalogue, where no file is called so."""


class Catalogue(NamedTuple):
    """A catalogue's bytes, and the name that tells its format."""

    stream: BinaryIO
    name: str


def open_catalogue(named: str) -> Catalogue:
    """Open what a person named. OSError for a file; Refused `unreachable` for a URL."""
    if named == "-":
        return Catalogue(standard_input(), "")
    if urlsplit(named).scheme in ("http", "https"):
        return _fetch(named)
    path = Path(named)
    if named == SAMPLE and not path.exists():
        from importlib.resources import files

        sample = files("p2pcommons") / "data" / "sample.jsonl"
        return Catalogue(io.BytesIO(sample.read_bytes()), "sample.jsonl")
    return Catalogue(path.open("rb"), path.name)


def _fetch(url: str) -> Catalogue:
    opener = urllib.request.build_opener(_WebOnly)
    request = urllib.request.Request(url, headers={"User-Agent": "p2pcommons", "Accept": "*/*"})
    try:
        answer = opener.open(request, timeout=IMPORT_URL_WAIT_S_MAX)
    except urllib.error.HTTPError as error:
        error.close()
        raise Refused("unreachable", f"{url} answered {error.code} {error.reason}; check the address.") from None
    except (OSError, ValueError) as error:  # URLError is an OSError
        inner = getattr(error, "reason", error)
        reason = (inner.strerror if isinstance(inner, OSError) else None) or inner
        raise Refused("unreachable", f"{url} cannot be fetched: {reason}. Check the address and try again.") from None
    bounded = io.BufferedReader(_Bounded(answer, url), 1 << 16)
    return Catalogue(cast(BinaryIO, bounded), Path(urlsplit(answer.url).path).name)


class _WebOnly(urllib.request.HTTPRedirectHandler):
    max_redirections = 5

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme not in ("http", "https"):
            fp.close()
            raise urllib.error.URLError(f"it leads to {newurl[:200]}, which is not on the web")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


class _Bounded(io.RawIOBase):
    """An answer's bytes, up to a limit, with its failures told in words."""

    def __init__(self, answer: IO[bytes], url: str) -> None:
        self._answer = answer
        self._url = url
        self._left = IMPORT_URL_BYTES_MAX

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        try:
            data = self._answer.read1(len(buffer))  # type: ignore[attr-defined]
        except OSError as error:
            raise Refused("unreachable", f"{self._url} broke off ({error}); run the import again.") from None
        self._left -= len(data)
        if self._left < 0:
            raise Refused("too_large", f"{self._url} gives more than {IMPORT_URL_BYTES_MAX} bytes; import it in parts.")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._answer.close()
        super().close()
