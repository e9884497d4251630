"""What reads strangers' bytes for how a commons governs itself: charters' words, assemblies, removals, moderation,
recipes, forks, and what is asked of the API (`targets`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from zipfile import ZipFile

from p2pcommons.api.routes import OPERATIONS
from p2pcommons.api.schema import BadRequest, Fields
from p2pcommons.commons.assembly import assemble
from p2pcommons.commons.assembly_bodies import read_assembly
from p2pcommons.commons.bundle import write_bundle
from p2pcommons.commons.charter import judge
from p2pcommons.commons.charter_bodies import found, join_open
from p2pcommons.commons.charter_text import TEMPLATES, charter_in_words, read_template, sentence
from p2pcommons.commons.discussion import comment, read_comment
from p2pcommons.commons.forks import read_base
from p2pcommons.commons.matters import read_effect
from p2pcommons.commons.minutes import minutes, minutes_hash, people_value
from p2pcommons.commons.moderation import Who, acts_of, moderate
from p2pcommons.commons.moderation_bodies import read_moderation
from p2pcommons.commons.recipe import CONTENT, MANIFEST, SIGNATURE, read_lineage, read_recipe, start_from, write_recipe
from p2pcommons.commons.recipe import of_commons as recipe_of
from p2pcommons.commons.removal_bodies import read_removal
from p2pcommons.commons.rules import MATTERS, RULES, Rules, read_params
from p2pcommons.commons.tally import read_method, tally
from p2pcommons.commons.written import body_text, write
from p2pcommons.core.encoding import encode_body
from p2pcommons.core.identity import TAG_RECIPE, SigningKey, did_key
from p2pcommons.core.record import ZEROS, Record, build, decode_body
from p2pcommons.errors import FormError
from p2pcommons.node.beginnings import child

from .stranger import frames, joined

ROOT: Final = Path(__file__).resolve().parents[2]
ALICE: Final = SigningKey(b"\1" * 32)
BOB: Final = SigningKey(b"\2" * 32)
_COMMONS: Final = bytes([6]) * 32
_SELF: Final = b"SELF"  # stands, in fuzzed bodies, for the id of the record before, four bytes for thirty-two


def cases(chapter: str, *ops: str) -> Iterator[tuple[str, Any]]:
    """The inputs of these operations among a chapter's vectors."""
    path = ROOT / "protocol" / "vectors" / f"{chapter}.json"
    for case in json.loads(path.read_text(encoding="utf-8"))["cases"]:
        if case["op"] in ops:
            yield case["op"], case["in"]


# -- bodies


def bodies(data: bytes) -> None:
    """ "kind NUL body" for each reader of the bodies of plane 0 that views look into."""
    name, _, body = data.partition(b"\0")
    kind = name.decode("utf-8", "replace")
    for read in (read_assembly, read_removal, read_moderation):
        read(kind, body)
    body_text(body)
    said = read_comment(body)
    assert said is None or read_comment(comment(*said)) == said, "what was read is written and read again"


def body_seeds() -> Iterator[bytes]:
    """Every body in the vectors of assemblies and moderation."""
    for chapter in ("22-assembly", "23-moderation"):
        for op, given in cases(chapter, "assembly_fits", "moderation_fits", "text"):
            yield given.get("kind", op).encode() + b"\0" + bytes.fromhex(given["body"])
    yield b"text\0" + write("some words", bytes(16)).body
    yield b"comment.write\0" + comment("yes", bytes(32))


def founding(data: bytes) -> None:
    """A founding record's body: rules, base, lineage, and what is told of it as of another's child."""
    content = _content(data)
    if content is None:
        return
    rules = Rules.founded(content, _COMMONS, 0)
    encode_body({"rules": rules.value()})
    base, line = read_base(content.get("base")), read_lineage(content.get("lineage"))
    if base is not None:
        assert read_base(base.value()) == base
    assert read_lineage([one.value() for one in line]) == line
    child(_COMMONS, content, _COMMONS)  # type: ignore[arg-type]
    charter_in_words(_template(rules.template), rules, "fr")


def founding_seeds() -> Iterator[bytes]:
    for _, given in cases("24-rules", "base", "lineage"):
        yield bytes.fromhex(given["body"])
    for join in ("open", "vote"):
        made = found("A commons", entropy=bytes(32), recovery=bytes(32), join=join, rules={"hide": {"by": "members"}})
        yield encode_body(made.body)


def effects(data: bytes) -> None:
    """A map of any kind as the parameters of each rule, as the effect of each matter, and as a method with choices."""
    content = _content(data)
    if content is None:
        return
    for rule in RULES:
        read_params(rule, content)
    for matter in (*MATTERS, str(content.get("matter"))[:40]):
        read_effect(matter, content)
    method = read_method(*(content.get(name) for name in ("mode", "threshold", "options", "grades")))
    choices = content.get("choices")
    if method is not None and isinstance(choices, list):
        fit = [one for one in choices if isinstance(one, str | dict)]
        counted = tally(method, fit, quorum=1, electorate=len(fit) + 1)
        assert counted == tally(method, fit[::-1], quorum=1, electorate=len(fit) + 1), "no order of ballots shows"


def effect_seeds() -> Iterator[bytes]:
    for _, given in cases("24-rules", "params"):
        if isinstance(given["value"], dict):
            yield encode_body(given["value"])
    for _, given in cases("24-rules", "tally"):
        yield encode_body(given)
    for content in (
        {"person": bytes(32)}, {"entry": bytes(32)}, {"keys": [bytes(32)], "succession": True}, {"amendment": bytes(32)},
        {"criterion": "rules"}, {"params": {"floor": 2}, "rule": "replicas", "text": bytes(32), "version": bytes(32)},
    ):  # fmt: skip
        yield encode_body(content)


# -- folds


def assembly(data: bytes) -> None:
    """Frames of "kind NUL body": what two members wrote, each on the record before; in a body, SELF is that one's id."""
    records = _founded()
    for number, frame in enumerate(frames(data)):
        name, _, body = frame.partition(b"\0")
        past = [records[-1].id]
        if name.startswith(b"+"):  # on the records before that one, not knowing of it
            name, past = name[1:], [records[-2].id]
        try:
            records.append(
                build(
                    commons=records[0].id, plane=0, author=(ALICE, BOB)[number % 2].public, after=ZEROS,
                    time=(number + 9) << 16, subject=ZEROS, prev=past, kind=name.decode("utf-8", "replace"),
                    body=body.replace(_SELF + bytes(28), records[-1].id), salt=bytes(16),
                )
            )  # fmt: skip
        except FormError:
            continue
    folded, reversed_ = (assemble(some, records[0].id) for some in (records, records[::-1]))
    assert minutes_hash(minutes(folded)) == minutes_hash(minutes(reversed_)), "no order of arrival shows"
    assert people_value(folded) == people_value(reversed_), "no order of arrival shows"
    charter = judge(records, records[0].id)
    assert len(charter.members) >= 1 or charter.former, "somebody is told of"


def assembly_seeds() -> Iterator[bytes]:
    fit = [given for _, given in cases("22-assembly", "assembly_fits")]
    parts = [given["kind"].encode() + b"\0" + bytes.fromhex(given["body"]) for given in fit]
    yield joined(parts[:40])
    yield from (joined([one, parts[0], b"+" + one]) for one in parts[::4])
    me, other = ALICE.public, BOB.public
    self_ = _SELF + bytes(28)
    sitting = [
        ("proposal.open", {"closers": sorted([me, other]), "closes": 1, "effect": {}, "k": 2, "matter": "text",
                           "mode": "majority", "opens": 0, "quorum": 2, "text": bytes(32)}),
        ("ballot.cast", {"choice": "for", "proposal": self_, "replaces": [], "text": bytes(32)}),
        ("closing.publish", {"count": 0, "excluded": [], "proposal": self_, "root": bytes(32), "wording": self_}),
        ("member.leave", {"person": me}),
        ("member.remove", {"heads": [[me, 1, [self_]]], "keep": False, "person": other}),
        ("member.keep", {"ids": [self_]}),
        ("charter.stewards", {"add": [other], "end": []}),
        ("member.purge", {"doors": [], "keys": [other]}),
        ("member.organisation", {"people": sorted([me, other]), "quorum": 1}),
        ("charter.approve", {"act": self_}),
        ("member.ask", {"body": b"\x80", "kind": "member.leave"}),
    ]  # fmt: skip
    made = [kind.encode() + b"\0" + encode_body(body) for kind, body in sitting]
    yield joined(made)
    yield joined([made[8], made[9], made[3], made[8].replace(me, bytes(32)), b"+" + made[8], made[0], made[10]])
    yield joined([made[6], made[4], b"+" + made[4].replace(other, me), made[5], made[3]])


def moderation(data: bytes) -> None:
    """Frames of "kind NUL body": what two members and a steward did."""
    records: list[Record] = []
    for number, frame in enumerate(frames(data)):
        name, _, body = frame.partition(b"\0")
        before = records[-1].id if records else ZEROS
        try:
            records.append(
                build(
                    commons=_COMMONS, plane=0, author=(ALICE, BOB)[number % 2].public, after=ZEROS,
                    time=(number % 5 + 1) << 16, subject=ZEROS, prev=[], kind=name.decode("utf-8", "replace"),
                    body=body.replace(_SELF + bytes(28), before), salt=bytes(16),
                )
            )  # fmt: skip
        except FormError:
            continue

    def who(record: Record) -> Who:
        return Who(record.header.author, True, record.header.author == ALICE.public, "stewards")

    assert moderate(acts_of(records, who)) == moderate(acts_of(records[::-1], who)), "no order of arrival shows"


def moderation_seeds() -> Iterator[bytes]:
    parts = [
        given["kind"].encode() + b"\0" + bytes.fromhex(given["body"])
        for _, given in cases("23-moderation", "moderation_fits")
    ]
    yield joined(parts)
    entry, self_ = bytes([7]) * 32, _SELF + bytes(28)
    done: list[tuple[str, dict[str, Any]]] = [
        ("entry.report", {"entry": entry, "reason": "spam"}),
        ("entry.hide", {"entry": entry, "reason": "spam", "reports": [self_]}),
        ("entry.show", {"acts": [self_], "entry": entry}),
        ("entry.review", {"entry": entry, "reports": [self_]}),
        ("key.block", {"add": [[entry, "harm"]], "remove": []}),
    ]
    yield joined([kind.encode() + b"\0" + encode_body(body) for kind, body in done])
    yield from (joined([one]) for one in parts[::3])


# -- files and words


def recipe_content(data: bytes) -> None:
    """Frames that are the files of a recipe, whole and signed: what stands in them is a stranger's."""
    some = frames(data)
    files = {name: some[at] if at < len(some) else b"" for at, name in enumerate(CONTENT)}
    manifest = b"".join(f"{sha256(files[name]).hexdigest()}  {name}\n".encode() for name in CONTENT)
    signature = ALICE.sign(TAG_RECIPE + _COMMONS + sha256(manifest).digest())
    signed = {"author": did_key(ALICE.public), "signature": signature.hex()}
    bundle = write_bundle({**files, MANIFEST: manifest, SIGNATURE: json.dumps(signed).encode()})
    start = start_from(read_recipe(bundle))
    encode_body({"lineage": [one.value() for one in start.lineage], "rules": start.rules, **start.fields})


def recipe_content_seeds() -> Iterator[bytes]:
    for data in recipe_seeds():
        with ZipFile(BytesIO(data)) as archive:
            parts = [archive.read(name) if name in archive.namelist() else b"" for name in CONTENT]
        if all(len(part) < 65_536 for part in parts):
            yield joined(parts)


def recipe_seeds() -> Iterator[bytes]:
    """Bundles that hold what they have to hold."""
    for _, given in cases("24-rules", "recipe"):
        data = bytes.fromhex(given["bytes"]) if "bytes" in given else b""
        if data[:2] == b"PK":
            try:
                read_recipe(data)
            except FormError:
                continue
            yield data
    yield write_recipe(
        recipe_of(_COMMONS, "A commons", _template(), Rules(), date_ms=1_790_000_000_000, languages=["fr"],
                  own={"edit": {"fr": "Chacune écrit."}}),
        ALICE,
    )  # fmt: skip


def template_file(data: bytes) -> None:
    """A charter's template, and each of its rules in words."""
    read = read_template(data)
    for language in ("fr", "en", "und"):
        charter_in_words(read, Rules(), language)


def template_seeds() -> Iterator[bytes]:
    for name in TEMPLATES:
        yield (ROOT / "p2pcommons" / "data" / "charters" / f"{name}.json").read_bytes()


def words_of_a_rule(text: str) -> None:
    """Words that people gave a rule."""
    for rule in ("closing", "decide.text", "licence"):
        sentence(_template(), rule, RULES[rule].defaults, "fr", {"fr": text})


# -- what is asked of the API


def asked(data: bytes) -> None:
    """A JSON body, for every operation that takes one."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    for body in _forms():
        try:
            body.check(value)
        except BadRequest:
            continue


def asked_seeds() -> Iterator[bytes]:
    for value in (
        {"text": "shall we?", "matter": "rule", "rule": "replicas", "params": {"floor": 3}, "closers": []},
        {"choice": "for", "reason": "because"}, {"grades": {"a": 1}}, {"take": True}, {"early": True, "afresh": False},
        {"text": "x", "matter": "steward", "stewards": [did_key(ALICE.public)], "succession": True},
        {"name": "A commons", "charter": "association", "join": "open", "languages": ["fr"], "territory": "29019"},
    ):  # fmt: skip
        yield json.dumps(value).encode()


@cache
def _forms() -> tuple[Fields, ...]:
    return tuple(one.body for one in OPERATIONS if isinstance(one.body, Fields))


def _content(data: bytes) -> dict[str, Any] | None:
    try:
        return decode_body(data)
    except FormError:
        return None


@cache
def _template(name: str = "") -> Any:
    name = name if name in TEMPLATES else TEMPLATES[0]
    return read_template((ROOT / "p2pcommons" / "data" / "charters" / f"{name}.json").read_bytes())


def _founded() -> list[Record]:
    """A commons of two, fresh."""
    return list(_two())


@cache
def _two() -> tuple[Record, ...]:
    made = found("A town", entropy=bytes(32), recovery=bytes(32), join="open", stamp_bits=0)
    founding_record = build(
        commons=ZEROS, plane=0, author=ALICE.public, after=ZEROS, time=1 << 16, subject=ZEROS, prev=[], kind=made.kind,
        body=made.body, salt=bytes(16),
    )  # fmt: skip
    joins = join_open(recovery=bytes(32), stamp=bytes(8))
    joined_record = build(
        commons=founding_record.id, plane=0, author=BOB.public, after=ZEROS, time=2 << 16, subject=BOB.public,
        prev=[founding_record.id], kind=joins.kind, body=joins.body, salt=bytes(16),
    )  # fmt: skip
    return founding_record, joined_record
