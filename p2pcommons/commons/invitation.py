"""The line one pastes to join a commons (chapter 21, invitations).

Holds the commons' id, where nodes are that have it, and, where joining is by invitation, the id of the invite
record and its private key: who has the line can join. It is a secret, never logged and never replicated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from p2pcommons.commons.pasted import Pasted, pasted, unpasted
from p2pcommons.core.address import Address, parse_address
from p2pcommons.core.identity import TAG_INVITATION
from p2pcommons.core.limits import INVITATION_ADDRESSES_MAX, INVITATION_CHARACTERS_MAX
from p2pcommons.core.record import CommonsId, RecordId
from p2pcommons.errors import FormError

PREFIX: Final = "p2pcommons:"

_VERSION: Final = 1
_FORM: Final = Pasted(PREFIX, TAG_INVITATION, INVITATION_CHARACTERS_MAX, "invitation")


@dataclass(frozen=True, slots=True)
class Invitation:
    """What an invitation line says. Without `invite` and `seed` it leads to a commons whose joining is open."""

    commons: CommonsId
    addresses: tuple[Address, ...] = ()  # each with its node's key
    invite: RecordId | None = None  # the member.invite record
    seed: bytes | None = field(default=None, repr=False)  # 32 bytes: the invitation's private key

    def line(self) -> str:
        """The text: `p2pcommons:` and base64url, one word. FormError `bad_invitation` if it cannot be made."""
        _check(self)
        value = [_VERSION, self.commons, [str(a) for a in self.addresses], self.invite or b"", self.seed or b""]
        return pasted(_FORM, value)


def parse_invitation(text: str) -> Invitation:
    """The invitation in a pasted line; line breaks, quotes and spaces that mail put in are passed over.

    FormError `bad_invitation`, `incomplete_invitation` (the paste lost or changed something) or
    `unknown_invitation` (made by a newer version).
    """
    return _read(unpasted(_FORM, text))


def _read(value: Any) -> Invitation:
    if type(value) is not list or not value or type(value[0]) is not int:
        raise _no_invitation()
    if value[0] != _VERSION:
        raise FormError("unknown_invitation", "this invitation was made by a newer version: update to use it")
    if len(value) != 5:
        raise _no_invitation()
    _, commons, addresses, invite, seed = value
    if any(type(part) is not bytes for part in (commons, invite, seed)) or type(addresses) is not list:
        raise _no_invitation()
    if len(addresses) > INVITATION_ADDRESSES_MAX or any(type(address) is not str for address in addresses):
        raise _no_invitation()
    read = Invitation(
        CommonsId(commons), tuple(map(parse_address, addresses)), RecordId(invite) if invite else None, seed or None
    )
    _check(read)
    return read


def _check(invitation: Invitation) -> None:
    if len(invitation.commons) != 32:
        raise FormError("bad_invitation", "an invitation names a commons by 32 bytes")
    if (invitation.invite is None) != (invitation.seed is None):
        raise FormError("bad_invitation", "an invitation has both its record and its key, or neither")
    if any(part is not None and len(part) != 32 for part in (invitation.invite, invitation.seed)):
        raise FormError("bad_invitation", "an invitation's record and key have 32 bytes each")
    if len(invitation.addresses) > INVITATION_ADDRESSES_MAX:
        raise FormError("bad_invitation", f"an invitation names at most {INVITATION_ADDRESSES_MAX} addresses")
    if any(address.key is None for address in invitation.addresses):
        raise FormError("bad_invitation", "every address of an invitation carries its node's key (KEY@HOST:PORT)")


def _no_invitation() -> FormError:
    return FormError("bad_invitation", "this is no invitation of p2pcommons")
