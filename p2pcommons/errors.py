"""One exception tree; each error carries a stable `code`.

Expected refusals are values (`Rejected(code)`), not exceptions. What is raised here is for people or for a
session's end: `detail` says what happened and what to do next.
"""

from __future__ import annotations


class P2PCommonsError(Exception):
    """Base of all errors of this package: a stable `code` and a sentence for people in `detail`."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class FormError(P2PCommonsError):
    """Bytes that are not what the protocol says they must be (chapters 10 to 13)."""


class LocalProtocolError(P2PCommonsError):
    """Our own caller asked for something the protocol does not allow."""


class RemoteProtocolError(P2PCommonsError):
    """The peer broke the protocol: its session ends and its score remembers it."""


class Refused(P2PCommonsError):
    """A verb that a person asked for and that cannot be done; `detail` says what to do instead."""


class NotFound(Refused):
    """What was named is not on this node."""


class Conflict(Refused):
    """The thing changed since the caller last saw it."""


class StoreError(P2PCommonsError):
    """The data folder cannot be used: locked, of another version, full, unreadable."""
