"""The stages of a round about one commons, and which follows which (chapter 30, "Rounds")."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from p2pcommons.sync.handshake import Role


class Stage(Enum):
    """Where a commons is in its round."""

    RESTING = auto()
    OPENED = auto()  # our opening is told
    ANSWERING = auto()  # theirs is known, ours is due
    COMPARING = auto()  # both are known
    EXCHANGING = auto()
    DONE_SENT = auto()
    DONE_TAKEN = auto()
    BOTH_DONE = auto()


class Step(Enum):
    """What moves a commons on in its round."""

    OPENING_SENT = auto()
    OPENING_TAKEN = auto()
    NOTHING_TO_DO = auto()
    DIFFERENCE_FOUND = auto()
    DONE_SENT = auto()
    DONE_TAKEN = auto()


_BOTH: Final = {
    (Stage.RESTING, Step.OPENING_SENT): Stage.OPENED,
    (Stage.RESTING, Step.OPENING_TAKEN): Stage.ANSWERING,
    (Stage.OPENED, Step.OPENING_TAKEN): Stage.COMPARING,
    (Stage.ANSWERING, Step.OPENING_SENT): Stage.COMPARING,
    (Stage.COMPARING, Step.NOTHING_TO_DO): Stage.RESTING,
    (Stage.COMPARING, Step.DIFFERENCE_FOUND): Stage.EXCHANGING,
}
# The dialler is done first and opens the next round; so all refusals of a round are known before its successor.
TRANSITIONS: Final = {
    Role.DIALLER: {
        **_BOTH,
        (Stage.EXCHANGING, Step.DONE_SENT): Stage.DONE_SENT,
        (Stage.DONE_SENT, Step.DONE_TAKEN): Stage.BOTH_DONE,
        (Stage.BOTH_DONE, Step.OPENING_SENT): Stage.OPENED,
    },
    Role.LISTENER: {
        **_BOTH,
        (Stage.EXCHANGING, Step.DONE_TAKEN): Stage.DONE_TAKEN,
        (Stage.DONE_TAKEN, Step.DONE_SENT): Stage.BOTH_DONE,
        (Stage.BOTH_DONE, Step.OPENING_TAKEN): Stage.ANSWERING,
    },
}
