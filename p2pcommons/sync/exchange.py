"""One commons within a session: rounds of opening, finding what differs, moving it, and opening again (chapter 30).

A round brings one plane together, plane 0 first; the digests of the next opening judge it. Both sides compare the
same two openings, so they always agree on what comes next without saying so. Driven by its session: messages and
`now_ms` come in, messages go to `outbox` and what happened to `events`; pack frames are taken from `supply` as the
window allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from p2pcommons.core.limits import (
    GOSSIP_IDS_MAX,
    IDS_PER_FRAME_MAX,
    NEWS_IDS_MAX,
    ROUND_EVERY_MS,
    ROUND_SOON_MS,
    ROUND_WAIT_MS_MAX,
)
from p2pcommons.core.record import ZEROS, CommonsId
from p2pcommons.core.seal import read_pack
from p2pcommons.errors import LocalProtocolError, RemoteProtocolError
from p2pcommons.sync.choice import Method
from p2pcommons.sync.comparison import Comparison, Next
from p2pcommons.sync.digest import published, remove
from p2pcommons.sync.events import (
    CollisionFound,
    Compared,
    Completed,
    Differed,
    Event,
    OwedChanged,
    ProgressMade,
    RecordsReceived,
)
from p2pcommons.sync.finding import Finding, Found
from p2pcommons.sync.flow import Demand, Supply
from p2pcommons.sync.gossip import Gossip, Growth
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
    Echo,
    Message,
    More,
    News,
    Opening,
    Packs,
    Range,
    Refuse,
    SetDigest,
    Symbols,
    Want,
)
from p2pcommons.sync.owed import Owed
from p2pcommons.sync.refusals import Refusals
from p2pcommons.sync.rounds import TRANSITIONS, Stage, Step
from p2pcommons.sync.sketch import Sketch
from p2pcommons.sync.storage import Key

ExchangeMessage = Range | Symbols | More | Ask | Want | Packs | Confirm | Refuse | Done | News | Eager

_CHARTER, _CATALOGUE = PLANES
_ROUNDS_AT_ONCE: Final = 4  # rounds that follow each other without a pause
_ID_BYTES: Final = 32
_PAUSE_DOUBLED_MAX: Final = 4  # to 3.2 s: while records come all the time, two sets are hardly ever equal
_AT_ONCE: Final = 0  # a moment that is always past


class Exchange:
    """The rounds of one commons with one peer."""

    def __init__(
        self, library: Library, role: Role, slot: int, commons: CommonsId, events: list[Event], *,
        now_ms: int, live: bool = False, sketches: bool = False, eager: bool = True,
    ) -> None:  # fmt: skip
        """`live`, `sketches`: both ends name the feature. `eager`: have new records whole (chapter 33)."""
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
        # The listener opens beside its names. An answer to that is shorter than a second opening, if nothing differs.
        self._due_ms = _AT_ONCE if role is Role.LISTENER else now_ms + ROUND_SOON_MS
        # news, beside the rounds
        self.owed = Owed()
        self._owed_told: tuple[int, int] | None = None  # nothing before the sets were the same for the first time
        self._live = live  # both ends tell news
        self._gossip = Gossip(library.spread(commons), eager=eager)
        # this round
        self._comparison = Comparison(role, slot, sketches=sketches)
        self._plane = _CHARTER
        self._finding: Finding | None = None
        self._told = 0  # how many of its choices are events already
        self._blind = False  # ranges found nothing although digests differ
        self._stream_expected = False  # they said they would ask for the whole set
        self._streaming_in = False
        self._received = 0
        self._found = 0
        # across rounds
        self._sketches = sketches
        self._streamed: set[int] = set()  # a whole set is streamed once in a session
        self._effort = 0  # 1: refusals were forgotten, 2: fingerprints are not believed either
        self._unsettled: set[bytes] = set()  # plane-0 records that came from this peer since the last judgement
        self._brought: set[bytes] = set()  # those not let in then: perhaps they wait for a past that this peer has
        self._rounds = 0
        self._in_the_news = 0  # exchanges in a row that found nothing but what was told already
        self._gave_or_asked = False
        self._fruitless = 0
        self._opened_ms = 0
        self._number = self._number_opened = -1
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
            self.owed.add_more()
            self._due_ms = min(self._due_ms, max(now_ms, self._opened_ms + ROUND_SOON_MS))

    def tell_owed(self) -> None:
        """Tell what the peer is owed, where that changed since it was told."""
        owed = (self.owed.count, self._number)
        if self._owed_told is not None and self._owed_told != owed:
            self._owed_told = owed
            self._events.append(OwedChanged(self.commons, *owed))

    # -- news (chapter 33)

    @property
    def news_due_ms(self) -> int | None:
        """When to call `advance` for what the peer told and is not here yet; None: there is nothing."""
        return self._gossip.due_ms

    def close(self) -> None:
        """No more is said about this commons: what was asked for here may be asked elsewhere."""
        self._gossip.close()

    def tell(self, growth: Growth, now_ms: int) -> None:
        """The node's own sets grew by a step: tell the peer what it may lack, or open soon if that is not known."""
        if not self._live or growth.ids is None or growth.number != self._number + growth.steps:
            self.local_change(now_ms)
            return
        if self.supply.new_waiting > GOSSIP_IDS_MAX:
            self.local_change(now_ms)  # it does not read: an opening will find what there is by then
            return
        self._number = growth.number  # GOSSIP-5: what is told need not be opened for
        for plane in PLANES:
            refused = self._refusals.by_them(plane)
            of_plane = [identifier for its_plane, identifier in growth.ids if its_plane == plane]
            for hops, ids in self._gossip.tell(of_plane, refused):
                self.owed.add(ids)
                if hops is None:
                    self.outbox.append(News(self.slot, plane, tuple(ids)))
                else:
                    self.supply.give_new(plane, hops, ids)

    def _take_news(self, message: News, now_ms: int) -> None:
        self._check_live()
        self._gossip.known.add(message.ids)
        self.owed.settle(message.ids)
        if self._demand.ids_waiting > NEWS_IDS_MAX:
            return  # a peer that tells more than it gives: openings find what there is
        self._ask_for(message.plane, message.ids, now_ms)

    def _ask_for(self, plane: int, told: Sequence[bytes], now_ms: int) -> None:
        refused = self._refusals.by_us(plane)
        ids = [one for one in told if len(one) == _ID_BYTES and one not in refused]
        lacking = [*self._library.lacking(self.commons, ids)]
        if prefixes := [one for one in told if len(one) != _ID_BYTES]:  # found by an opening
            here = self._library.named(self.commons, plane, prefixes)
            lacking += [one for one, found in zip(prefixes, here, strict=True) if not found]
        self._gossip.forget(set(told) - set(lacking))
        self._demand.want(plane, self._gossip.hear(plane, lacking, now_ms))

    def _look_again(self, now_ms: int) -> None:
        """Ask for what others were asked for and did not give; say where whole records are of use."""
        if (due_ms := self._gossip.due_ms) is not None and due_ms <= now_ms:
            for plane, ids in self._gossip.again(now_ms):
                self._ask_for(plane, ids, now_ms)
        if self._live and (reach := self._gossip.reach_to_tell()) is not None:
            self.outbox.append(Eager(self.slot, reach))

    def _check_live(self) -> None:
        if not self._live:
            raise RemoteProtocolError("unexpected_message", "news, although a hello does not name the feature")

    # -- rounds

    def open(self, now_ms: int) -> Opening | Echo:
        """Our opening, now, in its short form where it says nothing new; `compare` follows once it is on its way."""
        self._settle(now_ms)
        charter = self._set(_CHARTER, taken_off=False).digest
        flags = THOROUGH if self._effort > 1 else 0
        if self._effort == 1 or self._refusals.are_stale(charter, now_ms) or self._lost_refused():
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
        self.owed.opened()
        self._number_opened = self._number
        self._opened_ms = now_ms
        answers = self.stage is Stage.ANSWERING
        self._step(Step.OPENING_SENT)
        return self._comparison.open(flags, sets[_CHARTER], sets[_CATALOGUE], self._sketch, answers=answers)

    def take_opening(self, told: Opening | Echo) -> None:
        """The peer's opening."""
        answers = self.stage is Stage.OPENED
        self._step(Step.OPENING_TAKEN)
        opening = self._comparison.take(told, answers=answers)
        if opening.flags & AFRESH:
            if self.stage is Stage.COMPARING and len(self._refusals):
                self._number = -1  # ours crossed theirs, with refusals taken off: it says no more what it should
            self._refusals.forget()

    def compare(self, now_ms: int) -> None:
        """Both openings are told: find what is to be done, the same on both sides."""
        if self.stage is not Stage.COMPARING:
            return
        following = self._comparison.next()
        if following is not None:
            self._step(Step.DIFFERENCE_FOUND)
            self._begin(following)
            return
        self._step(Step.NOTHING_TO_DO)
        self._rest(self._comparison.differing(), now_ms)

    def _rest(self, differing: list[int], now_ms: int) -> None:
        self._rounds = self._in_the_news = 0
        self._comparison.rest()
        for plane in PLANES:
            if plane not in differing and self._cursor(plane):
                self._library.set_cursor(self.commons, plane, None)
        if not differing:
            self._effort = self._fruitless = 0
            self.owed.proved()
            reasons = self._refusals.reasons()
            self._events.append(Completed(self.commons, sum(count for _, count in reasons), reasons))
            self._owed_told = (0, 0)
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

    def _begin(self, following: Next) -> None:
        """Begin the exchange of a plane that differs."""
        self._plane = following.plane
        self._received = self._found = self._told = 0
        self._gave_or_asked = False
        self._streaming_in, self._stream_expected = following.is_streaming_in, following.is_streaming_out
        if following.is_new:
            self._effort = self._fruitless = 0
        if following.choice.method is not Method.STREAM:
            ranges = partial(self._library.ranges, self.commons, self._plane)
            self._finding = self._comparison.finding(following, ranges)
            self._note_choices(self._finding)
            return
        self._events.append(Compared(self.commons, self._plane, *following.choice))
        if self._streaming_in:
            self.outbox.append(Ask(self.slot, self._plane, self._cursor(self._plane)))

    def _note_choices(self, finding: Finding) -> None:
        """Tell how the difference is looked for, as it becomes known."""
        for choice in finding.choices[self._told :]:
            if self._role is Role.DIALLER and choice.method is Method.RANGES:
                self._blind = True
            self._events.append(Compared(self.commons, self._plane, *choice))
        self._told = len(finding.choices)

    def advance(self, now_ms: int) -> None:
        """Do what became possible: ask, go on with ranges, be done."""
        self._look_again(now_ms)
        if self._finding is not None:
            if self._demand.ids_waiting + self.supply.ids_waiting < IDS_PER_FRAME_MAX:
                self._finding.go_on()
            self.outbox += self._finding.outbox
            self._finding.outbox.clear()
        self.outbox.extend(self._demand.next_wants())
        finding = self._stream_expected or (self._finding is not None and self._finding.is_going_on)
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
            case Range() | Symbols() | More():
                self._take_finding(message, now_ms)
            case Ask():
                self._take_ask(message)
            case Want():
                if not self._sketches and any(len(one) != _ID_BYTES for one in message.ids):
                    raise RemoteProtocolError(
                        "unexpected_message", "prefixes, although a hello does not name the feature"
                    )
                self.supply.want(message.plane, message.ids)
            case Packs():
                self._take_packs(message, now_ms)
            case Confirm():
                refused = dict(message.refused)
                self.owed.settle(one for one in self.supply.confirm() if one not in refused)
                self._take_refusals(message, now_ms)
            case Refuse():
                self._take_refusals(message, now_ms)
            case Done():
                self._take_done(message, now_ms)
            case News():
                self._take_news(message, now_ms)
            case Eager():
                self._check_live()
                self._gossip.their_reach = message.reach

    def _take_finding(self, message: Range | Symbols | More, now_ms: int) -> None:
        """Something about what differs: the listener answers it, the dialler learns from it."""
        self._expect(message, Stage.EXCHANGING)
        if self._finding is None:
            raise RemoteProtocolError("unexpected_message", f"{type(message).__name__} where none is due")
        found = self._finding.take(message)
        self._note_choices(self._finding)
        if found is not None:
            self._use(found, self._finding, now_ms)

    def _use(self, found: Found, finding: Finding, now_ms: int) -> None:
        """The dialler gives what only it has, and asks for the rest."""
        have = found.have
        if found.are_prefixes:
            named = self._library.named(self.commons, self._plane, have)
            have = list(dict.fromkeys(identifier for ids in named for identifier in ids))
        # What is in the news goes by news: what came since the opening, is on its way, or was told a moment ago.
        refused = self._refusals.by_them(self._plane)
        give = self._gossip.untold([identifier for identifier in have if identifier not in refused], now_ms)
        self.supply.push(self._plane, give)
        refused = self._refusals.by_us(self._plane)
        need = [identifier for identifier in found.need if identifier not in refused]
        ask = self._unsought(need, now_ms)
        self._demand.want(self._plane, ask)
        self._found += len(ask)
        self._gave_or_asked = self._gave_or_asked or bool(give or ask)
        if Method.LISTS in finding.methods and self._blind and (have or need):
            self._events.append(CollisionFound(self.commons, self._plane))
        if have or need:
            self._blind = False

    def _unsought(self, need: list[bytes], now_ms: int) -> list[bytes]:
        if self._library.state_number(self.commons) != self._number_opened:
            here = self._library.named(self.commons, self._plane, need)
            need = [one for one, found in zip(need, here, strict=True) if not found]
        return self._gossip.seek(self._plane, need, now_ms)

    def _take_ask(self, message: Ask) -> None:
        """The peer wants the whole set."""
        self._expect(message, Stage.EXCHANGING)
        if not self._stream_expected:
            raise RemoteProtocolError("unexpected_message", "a stream was asked for that was not announced")
        self._stream_expected = False
        self.supply.stream(message.plane, message.after)

    def _take_packs(self, message: Packs, now_ms: int) -> None:
        """Records come: they are durable, or refused, when the confirmation goes."""
        if not self._may_give(message) and (message.hops is not None or not self._demand.is_open(message.plane)):
            raise RemoteProtocolError("unexpected_message", "packs that were not asked for")
        self._demand.answer(message.plane, message.answered)
        for pack in message.packs:
            if pack[2] != message.plane or pack[1] not in (self.commons, ZEROS):
                raise RemoteProtocolError("wrong_commons", "a pack of another commons or plane than its frame says")
        taken = self._library.receive(self.commons, message.packs, now_ms)
        if message.plane == _CHARTER:
            self._unsettled |= _ids(message.packs) - taken.refused.keys()
        count = sum(len(pack[5]) for pack in message.packs)
        self._gossip.came(taken.ids, taken.refused, count, message.hops, now_ms)
        if message.answered and not self._demand.is_open(message.plane):
            self._gossip.settled(message.plane)
        refused = self._refusals.refuse(message.plane, taken.refused, self._charter(), now_ms) if taken.refused else ()
        self.outbox.append(Confirm(self.slot, message.plane, refused))
        if message.cursor is not None and self._streaming_in:
            self._library.set_cursor(self.commons, message.plane, message.cursor)
        asked = self._demand.is_open(_CHARTER)
        if message.plane == _CHARTER and not asked and (self.stage is Stage.RESTING or not self._may_give(message)):
            self._settle(now_ms)  # the past that was asked for, or news, is here: no end of a stream will come
        self._events.append(RecordsReceived(self.commons, message.plane, taken.new, len(taken.refused)))
        finding = self.stage not in (Stage.RESTING, Stage.BOTH_DONE)  # else it is news, and the sets were equal
        if finding and message.plane == self._plane and self._comparison.is_complete:
            self._received += taken.new
            own, theirs = self._comparison.own.of(self._plane), self._comparison.theirs.of(self._plane)
            have = own.count + self._received
            of = max(have, own.count + self._found if self._found else theirs.count)
            self._events.append(ProgressMade(self.commons, self._plane, have, of))

    def _may_give(self, message: Packs) -> bool:
        # Who dialled gives what it found to be lacking here; both give streams that were asked for, and what is new.
        if message.hops is not None:
            return self._live and message.hops < self._gossip.reach_asked
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
        # A commons that changes all the time, or a peer that never comes together with us, is not met without pause;
        # and where all that differed was in the news, it is for the news to end that.
        in_the_news = self._live and self._finding is not None and not self._gave_or_asked
        self._in_the_news = min(self._in_the_news + 1, _PAUSE_DOUBLED_MAX) if in_the_news else 0
        self._end_finding()
        self._rounds += 1
        at_once = self._rounds < _ROUNDS_AT_ONCE and not self._in_the_news
        self._due_ms = _AT_ONCE if at_once else self._opened_ms + (ROUND_SOON_MS << self._in_the_news)

    def _end_finding(self) -> None:
        tried = frozenset({Method.STREAM}) if self._finding is None else self._finding.methods
        self._comparison.ended(self._plane, tried)
        self._finding = None

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
        if refused:
            state = remove(state, refused)
        return SetDigest(state.count, published(state))

    def _lost_refused(self) -> bool:
        # A purge that made the peer refuse a record may take it out of our own set, too: it must be off no digest then.
        return any(
            refused and self._library.lacking(self.commons, list(refused))
            for refused in map(self._refusals.by_them, PLANES)
        )

    def _sketch(self, plane: int) -> Sketch:
        """One set's symbols now, without what the peer refused."""
        sketch = self._library.sketch(self.commons, plane)
        sketch.discard(self._refusals.by_them(plane))
        return sketch

    def _charter(self) -> bytes:
        return self._set(_CHARTER, taken_off=False).digest

    def _cursor(self, plane: int) -> Key | None:
        return self._library.cursor(self.commons, plane)

    # -- the table

    def _expect(self, message: Range | Symbols | More | Ask, stage: Stage) -> None:
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
