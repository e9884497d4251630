"""JSON that strangers wrote, read with bounds; and the one way JSON is written in bundles (chapter 24, "Recipes").

Values are what the standard reader gives, but every text is one that UTF-8 and the canonical encoding can hold.
"""

from __future__ import annotations

import json
from typing import Any

from p2pcommons.errors import FormError


def read_json(data: bytes, what: str, *, code: str, bytes_max: int) -> Any:
    """The value of a JSON document. FormError `code` where it is none, is too long or holds text that is none."""
    if len(data) > bytes_max:
        raise FormError(code, f"{what} is longer than {bytes_max} bytes")
    try:
        value = json.loads(data)
        # Lone surrogates come in by \u escapes only, and would fail much later, where the text is written.
        again = json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise FormError(code, f"{what} is no JSON") from error
    if rb"\u0000" in again:
        raise FormError(code, f"{what} holds U+0000")
    return value


def write_json(value: Any) -> bytes:
    """The value as JSON for people and machines: keys in order, one member a line, UTF-8, a line end."""
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"
