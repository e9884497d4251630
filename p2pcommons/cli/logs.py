"""What a running node writes about itself on stderr: lines for people, or one JSON object per line for programs.

    {"time": "2026-01-31T12:00:00.000Z", "level": "warning", "event": "disk_low", "fields": {"message": "…", …}}

Code logs with `logging` and a sentence; what programs may want to act on it names, with
`extra={"event": "session_ended", "fields": {…}}`. `event` is stable, `message` is for people.

No secret is ever written. Who logs does not log any (routes, never paths; keys of nodes, never ids of commons); what
slips through in the text of an exception is taken out here: the token, pasted lines, bytes that could be a key, and
ids, for which stands a short name made from them, so that two lines about one thing can still be seen to be so.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from ast import literal_eval
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, TextIO

LEVELS: Final = ("debug", "info", "warning", "error")
EVENT_DEFAULT: Final = "message"

_OWN: Final = "p2pcommons"  # our loggers; all others (aiohttp, asyncio, zeroconf) speak from `warning` on
_HANDLER: Final = "p2pcommons-logs"
_ID: Final = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{64}(?![0-9A-Za-z])")
_INVITATION: Final = re.compile(r"p2pcommons(?:-device)?:[A-Za-z0-9_-]{20,}")  # and lines for a new device
_BYTES: Final = re.compile(  # as Python shows them in an exception
    r"""(?<!\w)b(?:'(?:[ -&(-\[\]-~]|\\(?:[tnr\\'"]|x[0-9a-f]{2}))*'|"(?:[ !#-\[\]-~]|\\(?:[tnr\\'"]|x[0-9a-f]{2}))*")"""
)
_BYTES_MIN: Final = 16  # shorter ones are no key, no id and no entropy
_BEARER: Final = re.compile(r"(?i)(bearer\s+)[^\s'\"]+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Secrets:
    """What is taken out of every line."""

    def __init__(self) -> None:
        self._known: list[str] = []

    def hide(self, text: str) -> None:
        """Never write this text."""
        if text and text not in self._known:
            self._known.append(text)

    def clean(self, text: str) -> str:
        """The text without what must not be read in it."""
        for known in self._known:
            text = text.replace(known, "[token]")
        text = _INVITATION.sub("[invitation]", text)
        text = _BEARER.sub(r"\1[token]", text)
        return _ID.sub(lambda found: _short_name(found[0]), _BYTES.sub(_without_bytes, text))


def _short_name(digits: str) -> str:
    return f"[id {sha256(digits.lower().encode()).hexdigest()[:8]}]"


def _without_bytes(found: re.Match[str]) -> str:
    value = literal_eval(found[0])
    if len(value) == 32:
        return _short_name(value.hex())
    return found[0] if len(value) < _BYTES_MIN else "[bytes]"


class JsonLines(logging.Formatter):
    """One JSON object per line."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        """The line of one record."""
        fields = {"message": record.getMessage(), **_fields(record)}
        if record.name != _OWN:
            fields["logger"] = record.name
        if record.exc_info and record.exc_info[0] is not None:
            fields["error"] = self.formatException(record.exc_info)
        line = {
            "time": _rfc3339(record.created),
            "level": _level(record),
            "event": getattr(record, "event", EVENT_DEFAULT),
            "fields": {name: self._clean(value) for name, value in fields.items()},
        }
        return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(line, ensure_ascii=False, default=str))

    def _clean(self, value: Any) -> Any:
        if isinstance(value, (int, float)) or value is None:
            return value
        return self._secrets.clean(str(value))


class TextLines(logging.Formatter):
    """A line for people: the sentence alone, or behind its time and level."""

    def __init__(self, secrets: Secrets, *, dated: bool) -> None:
        super().__init__()
        self._secrets = secrets
        self._dated = dated

    def format(self, record: logging.LogRecord) -> str:
        """The line of one record; strangers' texts in it cannot begin a new one."""
        text = _CONTROL.sub(_escaped, record.getMessage())
        if self._dated:
            text = f"{_rfc3339(record.created)} {_level(record):7} {text}"
        if record.exc_info and record.exc_info[0] is not None:
            # Its lines stay under the one they belong to, whatever a stranger's text in them looks like.
            traced = _CONTROL.sub(_escaped_but_line_ends, self.formatException(record.exc_info))
            text += "".join(f"\n    {line}" for line in traced.split("\n"))
        return self._secrets.clean(text)


def set_up(*, as_json: bool = False, level: str | None = None, stream: TextIO | None = None) -> Secrets:
    """Write this process's log from now on; what is said to the answer is kept out of it.

    `level`: one of `LEVELS`; None: `info` in JSON, else `warning`.
    """
    secrets = Secrets()
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.set_name(_HANDLER)
    handler.setFormatter(JsonLines(secrets) if as_json else TextLines(secrets, dated=level is not None))
    root = logging.getLogger()
    for before in [each for each in root.handlers if each.get_name() == _HANDLER]:
        root.removeHandler(before)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    chosen = level or ("info" if as_json else "warning")
    logging.getLogger(_OWN).setLevel(chosen.upper())
    if as_json:
        logging.captureWarnings(True)
    return secrets


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields = getattr(record, "fields", None)
    return dict(fields) if isinstance(fields, dict) else {}


def _level(record: logging.LogRecord) -> str:
    return record.levelname.lower()


def _rfc3339(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds") + "Z"


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def _escaped_but_line_ends(found: re.Match[str]) -> str:
    return found[0] if found[0] == "\n" else _escaped(found)
