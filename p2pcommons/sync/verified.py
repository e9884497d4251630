"""Seals checked before: one signature check per tree, however many packs it travels in (chapter 13)."""

from __future__ import annotations

from collections import OrderedDict

from p2pcommons.core.identity import verify
from p2pcommons.core.limits import VERIFIED_SEALS_MAX
from p2pcommons.core.seal import Seal, Verifier, seal_message


class VerifiedSeals:
    """A bounded memory of (author, message, signature) known to be good. Bad ones are not remembered."""

    def __init__(self, verify: Verifier = verify) -> None:
        """`verify`: the predicate of chapter 11; another one in its place only counts, or remembers more."""
        self._verify = verify
        self._good: OrderedDict[tuple[bytes, bytes, bytes], None] = OrderedDict()

    def check(self, author: bytes, signature: bytes, message: bytes) -> bool:
        """The predicate of chapter 11, asked once per seal."""
        name = (author, message, signature)
        if name in self._good:
            self._good.move_to_end(name)
            return True
        if not self._verify(author, signature, message):
            return False
        self._add(name)
        return True

    def remember(self, made: Seal) -> None:
        """A seal this node made itself."""
        self._add((made.author, seal_message(made.commons, made.tree_size, made.root), made.signature))

    def _add(self, name: tuple[bytes, bytes, bytes]) -> None:
        self._good[name] = None
        if len(self._good) > VERIFIED_SEALS_MAX:
            self._good.popitem(last=False)
