"""What people say of a proposal: signed comments in plane 1, which can be erased (chapter 22, "Discussion").

Knows no assembly: records about one subject come in, comments come out, in an order that is the same on every node.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from p2pcommons.core.encoding import encode_body
from p2pcommons.core.limits import WRITTEN_CHARACTERS_MAX
from p2pcommons.core.record import Record, RecordId, decode_body
from p2pcommons.errors import FormError

COMMENT: Final = "comment.write"


class Comment(NamedTuple):
    """What somebody said, and what they answered."""

    id: RecordId
    author: bytes
    time: int  # of the record
    text: str
    on: bytes | None  # the comment it answers


def comment(text: str, on: bytes | None = None) -> bytes:
    """The body of a comment. FormError `bad_text` for a blank one, or one that is too long."""
    if not _is_text(text):
        raise FormError(
            "bad_text", f"Write 1 to {WRITTEN_CHARACTERS_MAX:,} characters, not all of them blank, and none of code 0."
        )
    return encode_body({"text": text} if on is None else {"on": on, "text": text})


def read_comment(body: bytes) -> tuple[str, bytes | None] | None:
    """The text in a body, and what it answers; None for a body that does not fit (ASSEMBLY-25)."""
    try:
        said = decode_body(body)
    except FormError:
        return None
    text, on = said.get("text"), said.get("on")
    if not _is_text(text) or not (on is None or (type(on) is bytes and len(on) == 32)):
        return None
    return str(text), on


def discuss(records: Iterable[Record], stands: Callable[[Record], bool]) -> list[Comment]:
    """The comments among all records about one subject, in their order (ASSEMBLY-26).

    `stands`: whether a record counts, and no erasure names it.
    """
    here: dict[bytes, Record] = {record.id: record for record in records}
    after: dict[bytes, list[bytes]] = {}
    waits: dict[bytes, int] = {}
    for name, record in here.items():
        known = [one for one in set(record.header.prev) if one in here]
        waits[name] = len(known)
        for one in known:
            after.setdefault(one, []).append(name)
    ready = [(here[name].header.time, name) for name, count in waits.items() if not count]
    heapq.heapify(ready)
    found: list[Comment] = []
    while ready:
        time, identifier = heapq.heappop(ready)
        record = here[identifier]
        said = read_comment(record.body) if record.header.kind == COMMENT and record.body is not None else None
        if said is not None and stands(record):
            found.append(Comment(record.id, record.header.author, time, *said))
        for behind in after.get(identifier, ()):
            waits[behind] -= 1
            if not waits[behind]:
                heapq.heappush(ready, (here[behind].header.time, behind))
    return found


def _is_text(text: object) -> bool:
    return type(text) is str and bool(text.strip()) and len(text) <= WRITTEN_CHARACTERS_MAX and "\0" not in text
