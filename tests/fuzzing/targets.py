"""What reads strangers' bytes, one target each: any bytes give a value or a documented error, in bounded time and memory.

`scripts/fuzz` drives them by coverage; `test_fuzzing.py` passes their seeds, and every input that once broke one.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from p2pcommons.api.searching import parse_box, parse_circle
from p2pcommons.commons.charter import judge
from p2pcommons.commons.device_line import DeviceLine, parse_device_line
from p2pcommons.commons.doors import read_form
from p2pcommons.commons.draft import draft_from_json
from p2pcommons.commons.edit import read_edit, read_withdraw
from p2pcommons.commons.edtf import is_edtf, years
from p2pcommons.commons.entry import EntryRecord, fold
from p2pcommons.commons.entry_json import entry_json
from p2pcommons.commons.invitation import parse_invitation
from p2pcommons.commons.languages import canonical
from p2pcommons.commons.licences import facet, is_expression
from p2pcommons.commons.projection import document
from p2pcommons.commons.recipe import read_recipe
from p2pcommons.core.address import Address, parse_address
from p2pcommons.core.encoding import decode, encode
from p2pcommons.core.identity import SigningKey, parse_did_key
from p2pcommons.core.limits import FRAME_BYTES_MAX
from p2pcommons.core.outside import may_exchange
from p2pcommons.core.record import ZEROS, CommonsId, Record, build, decode_body, normalise_source, parse_header
from p2pcommons.core.seal import read_pack
from p2pcommons.core.words import entropy
from p2pcommons.errors import FormError, P2PCommonsError, Refused, RemoteProtocolError
from p2pcommons.formats.mapping import parse_mapping
from p2pcommons.formats.reading import read
from p2pcommons.node.exchange import read_pack_file
from p2pcommons.sync.compression import METHODS, message_of
from p2pcommons.sync.message import decode_message, encode_message
from p2pcommons.sync.peer_record import read_record
from p2pcommons.sync.range_message import read_claims

from . import governing
from .stranger import Stranger, frames, joined

ROOT: Final = Path(__file__).resolve().parents[2]
VECTORS: Final = ROOT / "protocol" / "vectors"
FOUND: Final = Path(__file__).resolve().parent / "found"
"""Inputs that once broke a target, a folder each: `found/TARGET/…`."""

_HEX: Final = re.compile(r"(?:[0-9a-f]{2}){2,}")
_SEED_BYTES_MAX: Final = 16_384


class Target(NamedTuple):
    """One reader of strangers' bytes. `run` raises only `errors`; `seeds` gives inputs that reach its depths."""

    name: str
    run: Callable[[bytes], object]
    errors: tuple[type[Exception], ...]
    seeds: Callable[[], Iterator[bytes]]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _vectors(*chapters: str) -> Iterator[str]:
    for chapter in chapters:
        yield from _strings(json.loads((VECTORS / f"{chapter}.json").read_text(encoding="utf-8")))


def _bytes_of(*chapters: str) -> Callable[[], Iterator[bytes]]:
    """Every hexadecimal text of these chapters' vectors."""
    return lambda: (
        bytes.fromhex(text) for text in _vectors(*chapters) if _HEX.fullmatch(text) and len(text) <= 2 * _SEED_BYTES_MAX
    )


def _texts_of(*chapters: str) -> Callable[[], Iterator[bytes]]:
    """Every other text of them."""
    return lambda: (text.encode("utf-8", "surrogatepass") for text in _vectors(*chapters) if not _HEX.fullmatch(text))


def _text(run: Callable[[str], object]) -> Callable[[bytes], object]:
    """A target that reads text; bytes that are none are turned into what a person could paste."""
    return lambda data: run(data.decode("utf-8", "replace"))


def _encoding(data: bytes) -> None:
    value = decode(data, bytes_max=FRAME_BYTES_MAX)
    assert encode(value) == data, "what is canonical comes back as it was"


def _message(data: bytes) -> None:
    message = decode_message(data)
    assert decode_message(encode_message(message)) == message, "what was read is written and read again"


def _pack(data: bytes) -> None:
    read_pack(decode(data, bytes_max=FRAME_BYTES_MAX), lambda key, signature, message: True)


def _edit(data: bytes) -> None:
    body = decode_body(data)
    if isinstance(body, dict):
        read_edit(body)
        read_withdraw(body)


def _body(data: bytes) -> Any:
    try:
        return decode_body(data)
    except FormError:
        return None


def _view(data: bytes) -> None:
    """Two bodies of one subject, the second after the first: fold, search document, JSON."""
    half = len(data) // 2
    first, second = bytes([1]) * 32, bytes([2]) * 32
    bodies = [_body(data), None] if _body(data) is not None else [_body(data[:half]), _body(data[half:])]
    records = [
        EntryRecord(first, 1 << 16, b"\3" * 32, (), "entry.edit", bodies[0], True),
        EntryRecord(second, 2 << 16, b"\4" * 32, (first,), "entry.edit", bodies[1], True),
    ]
    records = [one for one in records if one.body is None or isinstance(one.body, dict)]
    view = fold(b"\7" * 32, records)
    assert view.canonical() == fold(b"\7" * 32, records[::-1]).canonical(), "no order of arrival shows"
    document(view)
    entry_json(view, b"\5" * 32)


def _charter(data: bytes) -> None:
    """Frames of "kind NUL body": the charter records of two keys, each naming the record before."""
    keys = (SigningKey(b"\1" * 32).public, SigningKey(b"\2" * 32).public)
    records: list[Record] = []
    for number, frame in enumerate(frames(data)):
        kind, _, body = frame.partition(b"\0")
        past = [one.id for one in records[-1:]]
        commons = records[0].id if records else ZEROS
        try:
            records.append(
                build(
                    commons=commons, plane=0, author=keys[number % 2], after=ZEROS, time=(number + 1) << 16,
                    subject=ZEROS, prev=past, kind=kind.decode("utf-8", "replace"), body=body, salt=bytes(16),
                )
            )  # fmt: skip
        except FormError:
            continue
    if records:
        charter = judge(records, records[0].id)
        assert charter.digest == judge(records[::-1], records[0].id).digest, "no order of arrival shows"


def _forms(data: bytes) -> None:
    kind, _, body = data.partition(b"\0")
    read_form(kind.decode("utf-8", "replace"), body)


def _fitting() -> Iterator[bytes]:
    """ "kind NUL body" of every body in the vectors of the charter."""
    cases = json.loads((VECTORS / "21-charter.json").read_text(encoding="utf-8"))["cases"]
    for case in cases:
        if case["op"] == "fits":
            yield case["in"]["kind"].encode() + b"\0" + bytes.fromhex(case["in"]["body"])


def _charters() -> Iterator[bytes]:
    """Each body behind the founding record, and many of them together."""
    bodies = list(_fitting())
    founding = next(one for one in bodies if one.startswith(b"commons.found\0"))
    yield from (joined([founding, one]) for one in bodies)
    yield joined([founding, *bodies[:40]])


def _draft(data: bytes) -> None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    draft_from_json(value)


def _words_of_licences(text: str) -> None:
    is_expression(text)
    facet(text)


def _dates(text: str) -> None:
    assert is_edtf(text) == (years(text) is not None)


def _catalogue(data: bytes) -> None:
    for _ in read(io.BytesIO(data), name="a file"):
        pass


def _pack_file(data: bytes) -> None:
    alice = Stranger(dials=True).alice
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        read_pack_file(alice, Path(file.name), 1_790_000_000_000)


def _session(data: bytes) -> None:
    stranger = Stranger(dials=bool(data[:1] and data[0] & 1))
    for frame in frames(data[1:]):
        stranger.say(frame)
        if stranger.ended:
            break
    assert stranger.is_unharmed(), "the node keeps what it had"


def _conversations() -> Iterator[bytes]:
    shown = list(_bytes_of("30-sessions")())
    for role in (b"\0", b"\1"):
        yield from (role + joined([frame]) for frame in shown)
        yield role + joined(shown[:20])


def _given(*texts: str) -> Callable[[], Iterator[bytes]]:
    return lambda: (text.encode() for text in texts)


def _entries() -> Iterator[bytes]:
    """The entries of the sample, as JSON."""
    yield from (ROOT / "p2pcommons" / "data" / "sample.jsonl").read_bytes().splitlines()[:60]


def _catalogues() -> Iterator[bytes]:
    lines = list(_entries())
    yield b"\n".join(lines[:5])
    yield from lines[:40]
    yield b"title,type,creators,date\nA mill,place,Anne|Yves,1890/1914\n"
    yield 'title;type;place.name\n"Moulin; à vent";place;Crozon\n'.encode("latin-1")
    yield gzip.compress(lines[0], mtime=0)


def _mappings() -> Iterator[bytes]:
    for path in sorted((ROOT / "examples").glob("*.json")):
        yield path.read_bytes()


def _device_lines() -> Iterator[bytes]:
    for addresses in ((), (Address(SigningKey(b"\2" * 32).public, "example.org", 7421),)):
        yield DeviceLine(b"\1" * 32, bytes(16), (CommonsId(b"\3" * 32),), addresses).line().encode()


_FORM: Final = (FormError,)

TARGETS: Final = {
    target.name: target
    for target in (
        Target("encoding", _encoding, _FORM, _bytes_of("10-encoding", "12-records", "30-sessions")),
        Target("header", parse_header, _FORM, _bytes_of("12-records")),
        Target("pack", _pack, _FORM, _bytes_of("13-seals")),
        Target("body", _edit, _FORM, _bytes_of("20-merge")),
        Target("view", _view, (), _bytes_of("20-merge")),
        Target("forms", _forms, (), _fitting),
        Target("charter", _charter, (), _charters),
        Target("governing", governing.bodies, (), governing.body_seeds),
        Target("founding", governing.founding, (), governing.founding_seeds),
        Target("effects", governing.effects, (), governing.effect_seeds),
        Target("assembly", governing.assembly, (), governing.assembly_seeds),
        Target("moderation", governing.moderation, (), governing.moderation_seeds),
        Target("recipe", read_recipe, _FORM, governing.recipe_seeds),
        Target("recipe_text", governing.recipe_content, _FORM, governing.recipe_content_seeds),
        Target("template", governing.template_file, _FORM, governing.template_seeds),
        Target(
            "rule_words", _text(governing.words_of_a_rule), (), _given("{closers}: {needed:one:many}", "{quorum} {x")
        ),
        Target("asked", governing.asked, (), governing.asked_seeds),
        Target("message", _message, (RemoteProtocolError,), _bytes_of("30-sessions")),
        Target(
            "compressed", lambda data: message_of(data, METHODS), (RemoteProtocolError,), _bytes_of("36-compression")
        ),
        Target("ranges", lambda data: list(read_claims(data)), (RemoteProtocolError,), _bytes_of("31-ranges")),
        Target("session", _session, (), _conversations),
        Target("pack_file", _pack_file, _FORM, _bytes_of("13-seals")),
        Target("peer", lambda data: read_record(data, bytes(64)), _FORM, _bytes_of("35-peers")),
        Target("outside", _text(lambda text: may_exchange(text, 7421)), (), _texts_of("35-peers")),
        Target("did_key", _text(parse_did_key), _FORM, _texts_of("11-identity")),
        Target("words", _text(entropy), _FORM, _texts_of("11-words")),
        Target("address", _text(parse_address), _FORM, _texts_of("21-charter")),
        Target("invitation", _text(parse_invitation), _FORM, _texts_of("21-charter")),
        Target("device_line", _text(parse_device_line), _FORM, _device_lines),
        Target("source", _text(normalise_source), _FORM, _texts_of("12-records")),
        Target("dates", _text(_dates), (), _texts_of("20-merge")),
        Target("languages", _text(canonical), (), _texts_of("20-merge")),
        Target("licences", _text(_words_of_licences), (), _texts_of("20-merge")),
        Target("entry_json", _draft, _FORM, _entries),
        Target("catalogue", _catalogue, (FormError, Refused), _catalogues),
        Target("mapping", lambda data: parse_mapping(data, "a mapping"), (P2PCommonsError,), _mappings),
        Target("box", _text(parse_box), (ValueError,), _given("-5.2,48.1,-4,48.6", "170,-10,-170,10")),
        Target("circle", _text(parse_circle), (ValueError,), _given("48.39,-4.48,10")),
    )
}


def check(target: Target, data: bytes) -> None:
    """Pass one input. What is not documented is raised as it is."""
    try:
        target.run(data)
    except target.errors:
        pass
