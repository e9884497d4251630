"""What people call themselves: signed words in plane 1, which can be erased (chapter 21, "Names").

A name tells nobody apart: two may say the same, and who reads goes by keys. Knows no store: records about a person's keys
come in, the last name that fits comes out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from p2pcommons.core.encoding import encode_body
from p2pcommons.core.limits import PERSON_NAME_CHARACTERS_MAX
from p2pcommons.core.record import Record, decode_body
from p2pcommons.errors import FormError

PROFILE: Final = "person.profile"

_REFUSED: Final = re.compile(
    # Controls; what is not seen, or turns the direction of writing; halves of surrogate pairs.
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)


def is_name(text: object) -> bool:
    """Whether a person may call themselves so: 1 to 60 characters on one line, no space at an end, none that hides."""
    if type(text) is not str or not 1 <= len(text) <= PERSON_NAME_CHARACTERS_MAX or text != text.strip():
        return False
    return _REFUSED.search(text) is None


def profile(name: str) -> bytes:
    """The body of a profile; without a name, that one has none any more. FormError `bad_name`."""
    if name and not is_name(name):
        raise FormError(
            "bad_name",
            f"A name has at most {PERSON_NAME_CHARACTERS_MAX} characters on one line, none of them hidden, and no space at an end.",
        )
    return encode_body({"name": name})


def read_profile(body: bytes) -> str | None:
    """The name in a body, empty for none any more; None for a body that does not fit (CHARTER-44)."""
    try:
        name = decode_body(body).get("name")
    except FormError:
        return None
    return name if type(name) is str and (not name or is_name(name)) else None


def name_of(records: Iterable[Record], keys: Iterable[bytes], stands: Callable[[Record], bool]) -> str | None:
    """What a person with these keys calls themselves, by records about these. `stands`: as in `discussion`."""
    own, last, found = frozenset(keys), (-1, b""), ""
    for record in records:
        header = record.header
        if (
            header.kind != PROFILE
            or record.body is None
            or header.author not in own
            or bytes(header.subject) != bytes(header.author)
        ):
            continue
        said, place = read_profile(record.body), (header.time, bytes(record.id))
        if said is not None and place > last and stands(record):
            last, found = place, said
    return found or None
