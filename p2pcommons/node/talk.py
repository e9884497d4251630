"""What was said about peers in one session, as the node that says it must remember (chapter 35)."""

from __future__ import annotations

from dataclasses import dataclass, field

from p2pcommons.core.address import Address
from p2pcommons.core.identity import PublicKey
from p2pcommons.core.outside import group_of
from p2pcommons.node.contacts import Contact
from p2pcommons.node.meeting import Meeting
from p2pcommons.sync.peer_record import PeerRecord


@dataclass(slots=True)
class Talk:
    """What was said about peers in one session."""

    meeting: Meeting
    contact: Contact | None
    introduced_ms: int | None = None
    record: PeerRecord | None = None
    """Ours, as it was told there."""
    checked: tuple[Address, ...] = ()
    """Which addresses it was asked to dial back, and when."""
    checked_ms: int | None = None
    checking: bool = False
    """Asked to be dialled back, not answered yet."""
    wants_peers: bool = False
    told_ms: int | None = None
    told: dict[PublicKey, tuple[int, int]] = field(default_factory=dict)
    """Which records were told there: when they were made, and the bits."""
    seen: str = ""
    """This node's IP address as it is seen there."""
    proved_ms: int | None = None
    looked: int = -1
    """Up to which news it was told."""

    @property
    def chosen(self) -> bool:
        """Whether a person chose this peer."""
        return self.contact is not None and not self.contact.found

    @property
    def group(self) -> str:
        """The network that it tells from."""
        return group_of(self.meeting.link.ip or self.meeting.link.remote)
