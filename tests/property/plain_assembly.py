"""The rules of chapter 22 written out as plainly as they read: sets of ids and recursion, no bits, nothing remembered
but answers. Shares with the package the reading of bodies, rules and tallies, and who is admitted in a past (chapter 21).

Knows no removals.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

from p2pcommons.commons.assembly_bodies import Amend, Answer, Cast, Close, Open, Sheet, ballots_root, read_assembly
from p2pcommons.commons.charter import judge
from p2pcommons.commons.doors import APPROVE, act_hash, remembered_verify
from p2pcommons.commons.grounding import ground
from p2pcommons.commons.matters import Effect, read_effect
from p2pcommons.commons.organisation_bodies import read_declaration
from p2pcommons.commons.rules import RULES, Rules, read_params
from p2pcommons.commons.tally import tally
from p2pcommons.core.record import Record

Past = frozenset[bytes]


class Said(NamedTuple):
    """What the rules say of one proposal."""

    fault: str | None
    root: bytes | None  # of what stands closed
    passed: bool
    outgrown: bool
    in_force: bool


def read_aloud(records: Iterable[Record], commons: bytes) -> tuple[dict[bytes, Said], Rules]:
    """What the rules say of every proposal of a set of plane 0, and the rules in force."""
    given = {r.id: r for r in records}
    grounds = ground(given, commons, remembered_verify)
    structure = {one.id for one in (*grounds.doors, *grounds.acts)}  # a rotation that does not hold is no door
    forms = {i: read_assembly(r.header.kind, r.body or b"") for i, r in given.items()}

    declarations = {i: form for i, r in given.items() if (form := read_declaration(r.header.kind, r.body or b""))}

    def of(kind: type) -> list[bytes]:
        return [i for i, form in forms.items() if isinstance(form, kind)]

    @cache
    def past(i: bytes) -> Past:
        prev = given[i].header.prev
        return frozenset(prev).union(*(past(p) for p in prev))

    @cache
    def members(within: Past) -> dict[bytes, bytes]:
        charter = judge([given[i] for i in within], commons)
        found = {}
        for member in charter.members:
            keys = [key for key in member.keys if key in charter.admitted]
            found.update(dict.fromkeys(keys, min(keys)))
        return found

    def electors(p: bytes) -> dict[bytes, bytes]:
        return members(past(p))

    def size(within: Past) -> int:
        return len(set(members(within).values()))

    def elector(p: bytes, i: bytes) -> bytes | None:
        author = given[i].header.author
        if author in electors(p):
            return electors(p)[author]
        linked = members(past(i))
        found = {electors(p)[k] for k in electors(p) if author in linked and linked.get(k) == linked[author]}
        return found.pop() if len(found) == 1 else None

    @cache
    def declares(i: bytes) -> bool:
        """Whether a declaration counts."""
        return given[i].header.author in members(past(i)) and approved(i, ruled=False) is not False

    @cache
    def declared(person: bytes, within: Past) -> frozenset[bytes]:
        """The declarations of a person that are in force."""
        own = {i for i in declarations if i in within and members(within).get(given[i].header.author) == person}
        own = {i for i in own if declares(i)}
        return frozenset(i for i in own if not any(i in past(other) for other in own))

    @cache
    def approved(i: bytes, ruled: bool = True) -> bool | None:
        """Whether the people of the organisation that wrote a record approved of it; None where none wrote it."""
        within, header = past(i), given[i].header
        person = members(within).get(header.author)
        mine = frozenset() if person is None else declared(person, within)
        if not mine:
            return None
        if len(mine) > 4:
            return False
        wanted = act_hash(commons, f"for {header.kind}", header.author + (given[i].body or b""))
        least = rules(within).params("organisations")["needed"] if ruled else 1
        who = {
            given[a].header.author
            for a in within
            if given[a].header.kind == APPROVE and given[a].content().get("act") == wanted
        }
        saying = {members(within)[key] for key in who if key in members(within)}
        saying = {one for one in saying if not declared(one, within)}
        return all(
            len(saying & {members(within).get(key) for key in declarations[d].people})
            >= max(least, declarations[d].quorum)
            for d in mine
        )

    def closers(p: bytes) -> set[bytes]:
        return {electors(p)[key] for key in forms[p].closers if key in electors(p)}

    def offered(i: bytes, within: Past) -> bool:
        return i in within and counts(i) and not own(i)

    def effect_fault(matter: str, effect: Effect, within: Past) -> str | None:
        content = effect.content
        if matter == "rule":
            if read_params(content["rule"], content["params"]) is None:
                return "params"
            return None if rules(within)[content["rule"]].version == effect.version else "version"
        if matter == "steward" and rules(within).params("stewards")["by"] != "vote":
            return "not_by_vote"
        if matter == "amend" and not offered(content["amendment"], within):
            return "no_amendment"
        return None

    @cache
    def fault(p: bytes) -> str | None:
        form: Any = forms[p]
        within = past(p)
        if given[p].header.author not in electors(p):
            return "no_member"
        if approved(p) is False:
            return "unapproved"
        count, k = rules(within).closing(size(within))
        if len(form.closers) != count or len(closers(p)) != count or form.k != k:
            return "closers"
        decision = rules(within).decision(form.matter)
        if not decision.is_method(form.method):
            return "method"
        if form.quorum != decision.quorum(size(within)):
            return "quorum"
        return effect_fault(form.matter, form.effect, within)

    def proposes(p: bytes, i: bytes) -> bool:
        return elector(p, i) == electors(p)[given[p].header.author]

    def is_open(p: bytes, within: Past) -> bool:
        ordered = p in within and isinstance(forms[p], Open) and fault(p) is None
        return ordered and standing(p, within) is None

    @cache
    def counts(i: bytes) -> bool:
        """Whether an amendment counts."""
        form: Any = forms.get(i)
        if (
            not isinstance(form, Amend)
            or approved(i) is False
            or form.proposal not in given
            or not is_open(form.proposal, past(i))
        ):
            return False
        first: Any = forms[form.proposal]
        effect = read_effect(first.matter, form.content)
        if effect is None or effect[:2] != first.effect[:2] or given[i].header.author not in members(past(i)):
            return False
        return effect_fault(first.matter, effect, past(form.proposal)) is None

    def own(i: bytes) -> bool:
        form: Any = forms[i]
        return proposes(form.proposal, i)

    def current(p: bytes, within: Past) -> list[bytes]:
        here = wordings_within(p, within)
        return [w for w in here if not any(w in past(other) for other in here)]

    def wordings_within(p: bytes, within: Past) -> list[bytes]:
        found = [p] if p in within else []
        for i in within:
            form = forms[i]
            if isinstance(form, Amend | Answer) and sets_wording(p, i):
                found.append(i)
        return found

    @cache
    def sets_wording(p: bytes, i: bytes) -> bool:
        form: Any = forms[i]
        if isinstance(form, Amend):
            return form.proposal == p and counts(i) and own(i)
        a = form.amendment
        if (
            approved(i) is False
            or not form.take
            or a not in past(i)
            or not counts(a)
            or own(a)
            or forms[a].proposal != p
        ):
            return False
        voted = in_force(("amendment", a), past(i)) is not None and given[i].header.author in members(past(i))
        return is_open(p, past(i)) and (proposes(p, i) or voted)

    def gathered(i: bytes) -> set[bytes]:
        found = set()
        for named in given[i].header.prev:
            if isinstance(forms[named], Cast):
                found.add(named)
            elif isinstance(forms[named], Sheet):
                found |= gathered(named)
        return found

    @cache
    def counted(c: bytes) -> frozenset[bytes]:
        p, wording = forms[c].proposal, forms[c].wording
        text = forms[p].text if wording == p else wording_text(wording)
        by: dict[bytes, list[bytes]] = {}
        for b in gathered(c):
            doors = [x for x in given[b].header.prev if x != wording]
            if approved(b) is not None:
                doors = [x for x in doors if given[x].header.kind != APPROVE]
            fits = wording in given[b].header.prev and forms[b].text == text and len(doors) <= 1
            fits = fits and all(lets_in(d) == given[b].header.author for d in doors)
            person = elector(p, b)
            if forms[b].proposal == p and fits and person is not None and approved(b) is not False:
                by.setdefault(person, []).append(b)
        found = set()
        for ballots in by.values():
            left = [b for b in ballots if not any(b in forms[other].replaces for other in ballots)]
            if len({forms[b].choice for b in left}) == 1:
                found.add(min(left))
        return frozenset(found)

    def wording_text(w: bytes) -> bytes:
        form: Any = forms[w]
        text: bytes = form.text if isinstance(form, Amend) else forms[form.amendment].text
        return text

    @cache
    def lets_in(d: bytes) -> bytes | None:
        header = given[d].header
        if header.kind in ("commons.found", "member.join", "key.rotate"):
            return header.author
        return given[d].content().get("key") if header.kind == "device.add" else None

    def closings(p: bytes, within: Past) -> list[bytes]:
        named = [c for c in of(Close) if c in within and forms[c].proposal == p and p in past(c)]
        return [c for c in named if elector(p, c) in closers(p)]

    def said(c: bytes) -> tuple[Any, ...]:
        return forms[c].wording, forms[c].number, forms[c].root

    def same(p: bytes, c: bytes) -> bool:
        if current(p, past(c)) != [forms[c].wording]:
            return False
        return (len(counted(c)), ballots_root(counted(c))) == (forms[c].number, forms[c].root)

    @cache
    def standing(p: bytes, within: Past) -> tuple[bytes, ...] | None:
        """The equal closings that stand."""
        for number in range(stuck(p, within) + 1, 0, -1):
            for alike in in_round(p, within, number)[0]:
                if len({elector(p, c) for c in alike}) >= forms[p].k:
                    return tuple(sorted(alike))
        return None

    def in_round(p: bytes, within: Past, number: int, whatever: bool = False) -> tuple[list[list[bytes]], int]:
        """Of one round the closings that count, alike ones together; and how many closers have not closed in it."""
        some = [c for c in closings(p, within) if stuck(p, past(c)) + 1 == number]
        words: dict[Any, set[Any]] = {}
        for c in some:
            words.setdefault(elector(p, c), set()).add(said(c))
        sound = [c for c in some if (whatever or same(p, c)) and len(words[elector(p, c)]) == 1]
        alike = [[c for c in sound if said(c) == one] for one in {said(c) for c in sound}]
        return alike, len(closers(p)) - len(words)

    @cache
    def stuck(p: bytes, within: Past) -> int:
        """How many rounds of closings are stuck."""
        number = 0
        while True:
            alike, left = in_round(p, within, number + 1, whatever=True)
            most = max((len({elector(p, c) for c in some}) for some in alike), default=0)
            if most + left >= forms[p].k:
                return number
            number += 1

    @cache
    def passes(p: bytes, within: Past) -> bool:
        stands = standing(p, within)
        if stands is None:
            return False
        choices = [forms[b].choice for b in counted(stands[0])]
        plain = [choice if isinstance(choice, str) else dict(choice) for choice in choices]
        return tally(forms[p].method, plain, quorum=forms[p].quorum, electorate=size(past(p))).passed

    @cache
    def outgrown(p: bytes, within: Past) -> bool:
        for i in within:
            known = isinstance(forms[i], Open | Amend | Answer | Close) or i in structure or i in declarations
            if known and p not in past(i) and i not in past(p) and i != p and size(past(i)) >= 2 * size(past(p)):
                return True
        return False

    def applies(p: bytes, within: Past) -> bool:
        return passes(p, within) and not outgrown(p, within)

    def after(later: bytes, earlier: bytes, within: Past) -> bool:
        if applies(earlier, past(later)) or applies(later, past(earlier)):
            return applies(earlier, past(later))
        saw = {elector(later, c) for c in standing(later, within) or () if applies(earlier, past(c))}
        return len(saw) >= forms[later].k

    @cache
    def in_force(topic: Any, within: Past) -> bytes | None:
        proposals = [p for p in of(Open) if p in within and forms[p].effect.topic == topic]
        found = [p for p in proposals if fault(p) is None and applies(p, within)]
        while found:
            rest = [p for p in found if not any(applies(p, past(q)) for q in found)]
            last = [
                p for p in rest
                if not any(after(q, p, within) and not after(p, q, within) for q in rest if q != p)
            ] or rest or found  # fmt: skip
            if len(last) == 1:
                return last[0]
            found = [p for p in found if p not in last and all(after(q, p, within) for q in last)]
        return None

    @cache
    def rules(within: Past) -> Rules:
        founding = given[commons]
        found = Rules.founded(founding.content(), commons, founding.header.time >> 16)
        for rule in RULES:
            p = in_force(("rule", rule.encode()), within)
            if p is not None:
                stands = standing(p, within) or ()
                wording = forms[stands[0]].wording
                content = (
                    forms[p].effect.content if wording == p
                    else forms[wording].content if isinstance(forms[wording], Amend)
                    else forms[forms[wording].amendment].content
                )  # fmt: skip
                since = min(given[c].header.time for c in stands) >> 16
                changed = found.amended(rule, content["params"], p, since, text=content["text"])
                assert changed is not None
                found = changed
        return found

    everything = frozenset(given)
    found = {}
    for p in of(Open):
        if fault(p) is not None:
            found[p] = Said(fault(p), None, False, False, False)
            continue
        stands = standing(p, everything)
        topic = forms[p].effect.topic
        found[p] = Said(
            None,
            forms[stands[0]].root if stands else None,
            passes(p, everything),
            outgrown(p, everything),
            topic is not None and in_force(topic, everything) == p,
        )
    return found, rules(everything)
