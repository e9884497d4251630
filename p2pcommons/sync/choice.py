"""How the difference of one plane is found: by a stream, a sketch, ranges or lists; and why (chapters 30 to 32).

One pure function decides. What both ends must agree on without a word (streams, lists, whether a sketch is due)
rests on the two openings alone; whether a sketch is worth trying the listener says by what it sends.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from p2pcommons.core.limits import SKETCH_DIFFERENCES_MAX

FEATURE: Final = "sketch"
"""Named in the hello of a node that sends and reads coded symbols."""


class Method(StrEnum):
    """How a difference is found."""

    STREAM = "stream"  # it is nearly everything: all records in order, nothing is compared
    SKETCH = "sketch"  # coded symbols: the cost is that of what differs, whatever the size of the sets
    RANGES = "ranges"  # sums of ranges: any difference, at some 900 bytes for each
    LISTS = "lists"  # all ids, range by range: where sums were made to lie


class Reason(StrEnum):
    """Why."""

    ASKED = "asked"  # one end has nothing yet, or a stream of it was cut
    DISTRUST = "distrust"  # sums found nothing, and the digests differ
    USUAL = "usual"
    NO_FEATURE = "no_feature"  # one end knows no sketch
    TRIED = "tried"  # the sketch was tried from these same openings
    TOO_MANY = "too_many"  # more differences than symbols can tell
    NOT_READ = "not_read"  # all symbols came, or a difference of nothing: ids were chosen against the sketch


class Situation(NamedTuple):
    """What is known of one plane that differs, when both openings are."""

    streams: bool  # an end asks for all of it
    thorough: bool  # the dialler, who asks, believes no sums
    sketches: bool  # both ends know the sketch
    tried: frozenset[Method]  # from these same openings, in this session
    estimated: int | None  # differences; None on the dialler's side, which waits for what the listener sends

    @property
    def is_sketch_due(self) -> bool:
        """Whether the listener begins, with symbols or with the word that there are none."""
        return self.sketches and not (self.streams or self.thorough or self.tried)


class Choice(NamedTuple):
    """What is done, and why."""

    method: Method
    reason: Reason


CHOICES: Final = (
    Choice(Method.STREAM, Reason.ASKED),
    Choice(Method.SKETCH, Reason.USUAL),
    Choice(Method.RANGES, Reason.NO_FEATURE),
    Choice(Method.RANGES, Reason.TOO_MANY),
    Choice(Method.RANGES, Reason.NOT_READ),
    Choice(Method.RANGES, Reason.TRIED),
    Choice(Method.LISTS, Reason.DISTRUST),
)
"""All there are."""


def choose(about: Situation) -> Choice | None:
    """What to do about a plane that differs; None where all was tried."""
    if about.streams:
        return None if Method.STREAM in about.tried else Choice(Method.STREAM, Reason.ASKED)
    if about.thorough:
        return None if Method.LISTS in about.tried else Choice(Method.LISTS, Reason.DISTRUST)
    if Method.RANGES in about.tried:
        return None
    if about.is_sketch_due:
        if about.estimated is None or about.estimated <= SKETCH_DIFFERENCES_MAX:
            return Choice(Method.SKETCH, Reason.USUAL)
        return Choice(Method.RANGES, Reason.TOO_MANY)
    return Choice(Method.RANGES, Reason.TRIED if about.tried else Reason.NO_FEATURE)


def table() -> tuple[tuple[str, str, str], ...]:
    """The function as people read it: situation, method, reason."""
    nothing, sketch, both = frozenset[Method](), frozenset({Method.SKETCH}), frozenset({Method.SKETCH, Method.RANGES})
    situations = (
        ("one set is empty, or its stream was cut", Situation(True, False, True, nothing, 1000)),
        (f"at most {SKETCH_DIFFERENCES_MAX:,} differences, as it seems", Situation(False, False, True, nothing, 100)),
        ("more differences", Situation(False, False, True, nothing, SKETCH_DIFFERENCES_MAX + 1)),
        ("the sketch changed nothing", Situation(False, False, True, sketch, 100)),
        ("a peer that knows no sketch", Situation(False, False, False, nothing, 100)),
        ("ranges changed nothing either", Situation(False, False, True, both, 100)),
        ("then, with sums distrusted", Situation(False, True, True, nothing, 100)),
    )
    return tuple((what, *(choose(situation) or ("none", "tried"))) for what, situation in situations)
