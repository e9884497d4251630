"""The line one pastes into a new device to go on there as the same person (chapter 21, pasted lines).

Holds the private key that an older device made and let in for it, the entropy of the recovery words, and where the
person's commons are. Who has the line is that person: it is shown once, never logged and never replicated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from p2pcommons.commons.pasted import Pasted, pasted, unpasted
from p2pcommons.core.address import Address, parse_address
from p2pcommons.core.identity import TAG_DEVICE_LINE
from p2pcommons.core.limits import DEVICE_LINE_CHARACTERS_MAX, DEVICE_LINE_COMMONS_MAX, INVITATION_ADDRESSES_MAX
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import FormError

PREFIX: Final = "p2pcommons-device:"

_VERSION: Final = 1
_FORM: Final = Pasted(PREFIX, TAG_DEVICE_LINE, DEVICE_LINE_CHARACTERS_MAX, "device_line")


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """What the line says."""

    seed: bytes = field(repr=False)  # 32 bytes: the new device's private key
    entropy: bytes = field(repr=False)  # 16 bytes: the recovery words, the same on all devices of a person
    commons: tuple[CommonsId, ...]  # those that let the key in
    addresses: tuple[Address, ...] = ()  # each with its node's key

    def line(self) -> str:
        """The text, one word. FormError `bad_device_line` if it cannot be made."""
        _check(self)
        return pasted(_FORM, [_VERSION, self.seed, self.entropy, list(self.commons), [str(a) for a in self.addresses]])


def parse_device_line(text: str) -> DeviceLine:
    """What a pasted line says. FormError `bad_device_line`, `incomplete_device_line`, `unknown_device_line`."""
    value = unpasted(_FORM, text)
    if type(value) is not list or not value or type(value[0]) is not int:
        raise _no_line()
    if value[0] != _VERSION:
        raise FormError("unknown_device_line", "this line was made by a newer version: update to use it")
    if len(value) != 5:
        raise _no_line()
    _, seed, entropy, commons, addresses = value
    if not (_all_of(bytes, [seed, entropy]) and type(commons) is list and type(addresses) is list):
        raise _no_line()
    if not (_all_of(bytes, commons) and _all_of(str, addresses)) or len(addresses) > INVITATION_ADDRESSES_MAX:
        raise _no_line()
    read = DeviceLine(seed, entropy, tuple(map(CommonsId, commons)), tuple(map(parse_address, addresses)))
    _check(read)
    return read


def _check(line: DeviceLine) -> None:
    sizes = len(line.seed) == 32 and len(line.entropy) == 16 and all(len(each) == 32 for each in line.commons)
    if not sizes or len(line.commons) > DEVICE_LINE_COMMONS_MAX or any(a.key is None for a in line.addresses):
        raise _no_line()


def _all_of(kind: type, values: list[Any]) -> bool:
    return all(type(value) is kind for value in values)


def _no_line() -> FormError:
    return FormError("bad_device_line", "this is no line for a new device: copy the one that starts with " + PREFIX)
