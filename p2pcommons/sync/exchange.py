"""One commons within a session: rounds of opening, finding what differs, moving it, and opening again (chapter 30).

A round brings one plane together, plane 0 first; the digests of the next opening judge it. Both sides compare the
same two openings, so they always agree on what comes next without saying so. Driven by its session: messages and
`now_ms` come in, messages go to `outbox` and what happened to `events`; pack frames are taken from `supply` as the
window allows.
"""

from __future__ import annotations

from typing import Any, Final

from p2pcommons.core.limits import (
    IDS_PER_FRAME_MAX,
    NEWS_IDS_MAX,
    RANGE_ROUNDS_MAX,
    ROUND_EVERY_MS,
    ROUND_SOON_MS,
    ROUND_WAIT_MS_MAX,
)
from p2pcommons.core.record import ZEROS, CommonsId
from p2pcommons.core.seal import read_pack
from p2pcommons.errors import LocalProtocolError, RemoteProtocolError
from p2pcommons.sync.digest import published, remove
from p2pcommons.sync.events import CollisionFound, Completed, Differed, Event, ProgressMade, RecordsReceived
from p2pcommons.sync.flow import Demand, Supply
from p2pcommons.sync.gossip import Growth, Known
from p2pcommons.sync.handshake import Role
from p2pcommons.sync.library import NUMBER_BITS, Library
from p2pcommons.sync.message import (
    AFRESH,
    PLANES,
    STREAM,
    THOROUGH,
    Ask,
    Confirm,
    Done,
    Eager,
    Message,
    News,
    Opening,
    Packs,
    Range,
    Refuse,
    SetDigest,
    Want,
)
from p2pcommons.sync.range_index import RangeIndex
from p2pcommons.sync.ranges import initiate, reconcile, respond
from p2pcommons.sync.refusals import Refusals
from p2pcommons.sync.rounds import TRANSITIONS, Stage, Step
from p2pcommons.sync.storage import Key

ExchangeMessage = Range | Ask | Want | Packs | Confirm | Refuse | Done | News | Eager

_CHARTER: Final = 0
_ROUNDS_AT_ONCE: Final = 4  # rounds that follow each other without a pause
_AT_ONCE: Final = 0  # a moment that is always past


class Exchange:
    """The rounds of one commons with one peer."""

    def __init__(
        self, library: Library, role: Role, slot: int, commons: CommonsId, events: list[Event], *, live: bool = False
    ) -> None:
        self.commons = commons
        self.slot = slot
        self.stage = Stage.RESTING
        self.outbox: list[Message] = []
        self.supply = Supply(library, slot, commons)
        self._library = library
        self._role = role
        self._events = events
        self._demand = Demand(slot)
        self._refusals = Refusals()
        self._due_ms = _AT_ONCE
        # news, beside the rounds
        self._live = live  # both ends tell news
        self._known = Known()
        self._eager = False  # we asked for new records whole
        self._they_are_eager = False
        # this round
        self._own: Opening | None = None
        self._theirs: Opening | None = None
        self._plane = _CHARTER
        self._index: RangeIndex | None = None
        self._range_waiting: bytes | None = (
            None  # our next message of ranges, held until there is room for what it finds
        )
        self._range_asked = False
        self._range_rounds = 0
        self._blind = False  # ranges found nothing although digests differ
        self._stream_expected = False  # they said they would ask for the whole set
        self._streaming_in = False
        self._received = 0
        self._found = 0
        # across rounds
        self._tried: dict[int, tuple[SetDigest, SetDigest, int, int]] = {}
        self._streamed: set[int] = set()  # a whole set is streamed once in a session
        self._effort = 0  # 1: refusals were forgotten, 2: fingerprints are not believed either
        self._unsettled: set[bytes] = set()  # plane-0 records that came from this peer since the last judgement
        self._brought: set[bytes] = set()  # those not let in then: perhaps they wait for a past that this peer has
        self._rounds = 0
        self._fruitless = 0
        self._opened_ms = 0
        self._number = -1
        self._born = library.state_number(commons) >> NUMBER_BITS

    @property
    def is_former(self) -> bool:
        """Whether the commons was let go and followed again since: what was tried with its former self means nothing."""
        return self._library.state_number(self.commons) >> NUMBER_BITS != self._born

    # -- when

    @property
    def due_ms(self) -> int | None:
        """When to open; None while it is not ours to say."""
        if self.stage is Stage.ANSWERING:
            return _AT_ONCE
        if self.stage is Stage.RESTING:
            return self._due_ms
        if self.stage is Stage.BOTH_DONE and self._role is Role.DIALLER and self.supply.is_settled:
            return self._due_ms
        return None

    def local_change(self, now_ms: int) -> None:
        """The node's own sets changed, perhaps: open soon if these did."""
        if self._library.state_number(self.commons) != self._number:
            self._due_ms = min(self._due_ms, max(now_ms, self._opened_ms + ROUND_SOON_MS))

    # -- news (chapter 33)

    def ask_whole(self) -> None:
        """Have new records come whole from this peer."""
        if self._live and not self._eager:
            self._eager = True
            self.outbox.append(Eager(self.slot, True))

    def tell(self, growth: Growth, now_ms: int) -> None:
        """The node's own sets grew by a step: tell the peer what it may lack, or open soon if that is not known."""
        if not self._live or growth.ids is None or growth.number != self._number + 1:
            self.local_change(now_ms)
            return
        self._number = growth.number  # GOSSIP-5: what is told need not be opened for
        for plane in PLANES:
            refused = self._refusals.by_them(plane)
            ids = self._known.unknown((i for its_plane, i in growth.ids if its_plane == plane), refused)
            self._known.add(ids)
            if ids and self._they_are_eager:
                self.supply.push(plane, ids)
            elif ids:
                self.outbox.append(News(self.slot, plane, tuple(ids)))

    def _take_news(self, message: News, now_ms: int) -> None:
        self._check_live()
        self._known.add(message.ids)
        if self._demand.ids_waiting > NEWS_IDS_MAX:
            return  # a peer that tells more than it gives: openings find what there is
        refused = self._refusals.by_us(message.plane)
        told = [identifier for identifier in message.ids if identifier not in refused]
        self._demand.want(message.plane, self._library.lacking(self.commons, told, now_ms))

    def _check_live(self) -> None:
        if not self._live:
            raise RemoteProtocolError("unexpected_message", "news, although a hello does not name the feature")

    # -- rounds

    def open(self, now_ms: int) -> Opening:
        """Our opening, now; `compare` follows once it is on its way."""
        self._settle(now_ms)
        charter = self._set(_CHARTER, taken_off=False).digest
        flags = THOROUGH if self._effort > 1 else 0
        if self._effort == 1 or self._refusals.are_stale(charter, now_ms):
            self._refusals.forget()
            flags |= AFRESH
        sets = tuple(self._set(plane) for plane in PLANES)
        for plane in PLANES:
            if plane not in self._streamed and (not sets[plane].count or self._cursor(plane)):
                flags |= STREAM[plane]
        # What no set shows is asked for beside the round.
        self._demand.want_once(_CHARTER, self._library.missing(self.commons, self._brought))
        for plane in PLANES:
            self._demand.want_once(plane, self._library.wanted_bodies(self.commons))
        self._number = self._library.state_number(self.commons)
        self._opened_ms = now_ms
        self._own = Opening(self.slot, flags, *sets)
        self._step(Step.OPENING_SENT)
        return self._own

    def take_opening(self, opening: Opening) -> None:
        """The peer's opening."""
        self._step(Step.OPENING_TAKEN)
        self._theirs = opening
        if opening.flags & AFRESH:
            if self.stage is Stage.COMPARING and len(self._refusals):
                self._number = -1  # ours crossed theirs, with refusals taken off: it says no more what it should
            self._refusals.forget()

    def compare(self, now_ms: int) -> None:
        """Both openings are told: find what is to be done, the same on both sides."""
        if self.stage is not Stage.COMPARING:
            return
        assert self._own is not None and self._theirs is not None
        own, theirs = self._own, self._theirs
        differing = [plane for plane in PLANES if own.of(plane) != theirs.of(plane)]
        for plane in differing:
            mask = STREAM[plane] | THOROUGH
            pair = (own.of(plane), theirs.of(plane), own.flags & mask, theirs.flags & mask)
            before = self._tried.get(plane)
            if before == pair:
                continue  # it was tried, and changed nothing on either side
            if before is None or before[:2] != pair[:2]:
                self._effort = self._fruitless = 0
            self._tried[plane] = pair
            self._step(Step.DIFFERENCE_FOUND)
            self._begin(plane)
            return
        self._step(Step.NOTHING_TO_DO)
        self._rest(differing, now_ms)

    def _rest(self, differing: list[int], now_ms: int) -> None:
        self._rounds = 0
        for plane in PLANES:
            if plane not in differing and self._cursor(plane):
                self._library.set_cursor(self.commons, plane, None)
        if not differing:
            self._effort = self._fruitless = 0
            self._tried.clear()
            reasons = self._refusals.reasons()
            self._events.append(Completed(self.commons, sum(count for _, count in reasons), reasons))
        elif self._effort < 2:
            self._effort = 1 if self._effort == 0 and len(self._refusals) else 2
            self._due_ms = _AT_ONCE
            return
        else:
            self._fruitless += 1
            self._events.append(Differed(self.commons, tuple(differing)))
        # The listener's turn comes later, so that as a rule one side opens and the other answers.
        wait = ROUND_EVERY_MS if self._role is Role.DIALLER else ROUND_EVERY_MS * 3 // 2
        self._due_ms = now_ms + min(wait << min(self._fruitless, 10), ROUND_WAIT_MS_MAX)
        self.local_change(now_ms)

    def _begin(self, plane: int) -> None:
        assert self._own is not None and self._theirs is not None
        self._plane = plane
        self._received = self._found = self._range_rounds = 0
        self._range_waiting, self._range_asked, self._index = None, False, None
        self._streaming_in = bool(self._own.flags & STREAM[plane])
        self._stream_expected = bool(self._theirs.flags & STREAM[plane])
        if self._streaming_in:
            self.outbox.append(Ask(self.slot, plane, self._cursor(plane)))
        elif not self._stream_expected:
            self._index = self._library.ranges(self.commons, plane).copy()
            if self._role is Role.DIALLER:
                self._blind = self._blind or not self._thorough
                self._range_waiting = initiate(self._index, lists_only=self._thorough)

    @property
    def _thorough(self) -> bool:
        return self._own is not None and bool(self._own.flags & THOROUGH)

    def advance(self, now_ms: int) -> None:
        """Do what became possible: ask, go on with ranges, be done."""
        if self._range_waiting is not None and self._demand.ids_waiting + self.supply.ids_waiting < IDS_PER_FRAME_MAX:
            self.outbox.append(Range(self.slot, self._plane, self._range_waiting))
            self._range_waiting, self._range_asked = None, True
        self.outbox.extend(self._demand.next_wants())
        finding = self._stream_expected or self._range_waiting is not None or self._range_asked
        if finding or self._demand.ids_waiting or not self.supply.is_empty:
            return
        if self.stage is (Stage.EXCHANGING if self._role is Role.DIALLER else Stage.DONE_TAKEN):
            self._settle(now_ms)
            self.outbox.append(Done(self.slot, self._plane))
            self._step(Step.DONE_SENT)

    # -- messages

    def take(self, message: ExchangeMessage, now_ms: int) -> None:
        """A message about this commons. RemoteProtocolError if it does not belong here and now."""
        match message:
            case Range():
                self._take_range(message)
            case Ask():
                self._take_ask(message)
            case Want():
                self.supply.want(message.plane, message.ids)
            case Packs():
                self._take_packs(message, now_ms)
            case Confirm():
                self.supply.confirm()
                self._take_refusals(message, now_ms)
            case Refuse():
                self._take_refusals(message, now_ms)
            case Done():
                self._take_done(message, now_ms)
            case News():
                self._take_news(message, now_ms)
            case Eager():
                self._check_live()
                self._they_are_eager = message.on

    def _take_range(self, message: Range) -> None:
        """A message of ranges: the listener answers it, the dialler learns from it."""
        self._expect(message, Stage.EXCHANGING)
        self._range_rounds += 1
        if self._index is None or self._range_rounds > RANGE_ROUNDS_MAX:
            raise RemoteProtocolError("unexpected_message", "ranges where none are due")
        if self._role is Role.LISTENER:
            self.outbox.append(Range(self.slot, self._plane, respond(self._index, message.body)))
            return
        if not self._range_asked:
            raise RemoteProtocolError("unexpected_message", "an answer of ranges that was not asked for")
        self._range_asked = False
        step = reconcile(self._index, message.body, lists_only=self._thorough)
        self._range_waiting = step.message
        refused = self._refusals.by_them(self._plane)
        have = [identifier for identifier in step.have if identifier not in refused]
        self.supply.push(self._plane, have)
        refused = self._refusals.by_us(self._plane)
        need = [identifier for identifier in step.need if identifier not in refused]
        self._demand.want(self._plane, need)
        self._found += len(need)
        if self._thorough and self._blind and (have or need):
            self._events.append(CollisionFound(self.commons, self._plane))
        if have or need:
            self._blind = False

    def _take_ask(self, message: Ask) -> None:
        """The peer wants the whole set."""
        self._expect(message, Stage.EXCHANGING)
        if not self._stream_expected:
            raise RemoteProtocolError("unexpected_message", "a stream was asked for that was not announced")
        self._stream_expected = False
        self.supply.stream(message.plane, message.after)

    def _take_packs(self, message: Packs, now_ms: int) -> None:
        """Records come: they are durable, or refused, when the confirmation goes."""
        if not self._demand.is_open(message.plane) and not self._may_give(message):
            raise RemoteProtocolError("unexpected_message", "packs that were not asked for")
        self._demand.answer(message.plane, message.answered)
        for pack in message.packs:
            if pack[2] != message.plane or pack[1] not in (self.commons, ZEROS):
                raise RemoteProtocolError("wrong_commons", "a pack of another commons or plane than its frame says")
        taken = self._library.receive(self.commons, message.packs, now_ms)
        if message.plane == _CHARTER:
            self._unsettled |= _ids(message.packs) - taken.refused.keys()
        self._known.add(taken.ids)
        refused = self._refusals.refuse(message.plane, taken.refused, self._charter(), now_ms) if taken.refused else ()
        self.outbox.append(Confirm(self.slot, message.plane, refused))
        if message.cursor is not None and self._streaming_in:
            self._library.set_cursor(self.commons, message.plane, message.cursor)
        asked = self._demand.is_open(_CHARTER)
        if message.plane == _CHARTER and not asked and (self.stage is Stage.RESTING or not self._may_give(message)):
            self._settle(now_ms)  # the past that was asked for, or news, is here: no end of a stream will come
        self._events.append(RecordsReceived(self.commons, message.plane, taken.new, len(taken.refused)))
        finding = self.stage not in (Stage.RESTING, Stage.BOTH_DONE)  # else it is news, and the sets were equal
        if finding and message.plane == self._plane and self._own is not None and self._theirs is not None:
            self._received += taken.new
            have = self._own.of(self._plane).count + self._received
            found = self._own.of(self._plane).count + self._found
            of = max(have, found if self._found else self._theirs.of(self._plane).count)
            self._events.append(ProgressMade(self.commons, self._plane, have, of))

    def _may_give(self, message: Packs) -> bool:
        # Who dialled gives what it found to be lacking here; both give streams that were asked for.
        if self._eager:
            return True
        giving = self._streaming_in or self._role is Role.LISTENER
        return self.stage in (Stage.EXCHANGING, Stage.DONE_SENT) and message.plane == self._plane and giving

    def _take_refusals(self, message: Confirm | Refuse, now_ms: int) -> None:
        if message.refused:
            self._refusals.take(message.plane, message.refused, self._charter(), now_ms)

    def _take_done(self, message: Done, now_ms: int) -> None:
        """The peer has nothing more to find or give in this exchange."""
        if message.plane != self._plane or self._stream_expected:
            raise RemoteProtocolError("unexpected_message", "done, with another plane or before what was announced")
        self._step(Step.DONE_TAKEN)
        self._settle(now_ms)
        if self._streaming_in:
            self._streaming_in = False
            self._streamed.add(self._plane)
            if self._cursor(self._plane):
                self._library.set_cursor(self.commons, self._plane, None)
        self._index = None
        self._rounds += 1
        # A commons that changes all the time, or a peer that never comes together with us, is not met without pause.
        self._due_ms = _AT_ONCE if self._rounds < _ROUNDS_AT_ONCE else self._opened_ms + ROUND_SOON_MS

    # -- what is here

    def _settle(self, now_ms: int) -> None:
        if not self._unsettled:
            return
        judged = self._library.settle(self.commons)
        refused = {identifier: code for identifier, code in judged.items() if identifier in self._unsettled}
        self._brought = set(refused)
        self._unsettled.clear()
        told = self._refusals.refuse(_CHARTER, refused, self._charter(), now_ms) if refused else ()
        if told:
            self.outbox.append(Refuse(self.slot, _CHARTER, told))

    def _set(self, plane: int, *, taken_off: bool = True) -> SetDigest:
        state = self._library.set_state(self.commons, plane)
        refused = self._refusals.by_them(plane) if taken_off else {}
        if len(refused) > state.count:
            raise RemoteProtocolError("bad_refusal", "the peer refused more records than there are")
        if refused:
            state = remove(state, refused)
        return SetDigest(state.count, published(state))

    def _charter(self) -> bytes:
        return self._set(_CHARTER, taken_off=False).digest

    def _cursor(self, plane: int) -> Key | None:
        return self._library.cursor(self.commons, plane)

    # -- the table

    def _expect(self, message: Range | Ask, stage: Stage) -> None:
        if self.stage is not stage or message.plane != self._plane:
            raise RemoteProtocolError("unexpected_message", f"{type(message).__name__} outside its exchange")

    def _step(self, step: Step) -> None:
        after = TRANSITIONS[self._role].get((self.stage, step))
        if after is None:
            error = RemoteProtocolError if step in (Step.OPENING_TAKEN, Step.DONE_TAKEN) else LocalProtocolError
            raise error("unexpected_message", f"{step.name} does not follow {self.stage.name}")
        self.stage = after


def _ids(packs: list[Any]) -> set[bytes]:
    """The records of packs that were checked already."""
    return {sealed.record.id for pack in packs for sealed in read_pack(pack, lambda *_: True).records}
