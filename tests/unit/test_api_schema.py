"""Parameters, bodies, values on the wire, spools and lines: the parts of the API that know no server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import is_dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.api import wire
from p2pcommons.api.batch import Spool, lines_of, parse, render
from p2pcommons.api.forms import ID, KEY, Choice, Flag, Integer, Items, Text, Words
from p2pcommons.api.metrics import exposition
from p2pcommons.api.openapi import document
from p2pcommons.api.problems import STATUS, status_of
from p2pcommons.api.schema import BadRequest, Fields, Member, Parameter, in_path, read_arguments
from p2pcommons.api.searching import SEARCH, query_of, query_parameters
from p2pcommons.api.server import all_operations
from p2pcommons.commons.query import FACETS, SORTS, Box, Circle, Query
from p2pcommons.core.identity import PublicKey, SigningKey, did_key
from p2pcommons.core.limits import BATCH_LINE_BYTES_MAX
from p2pcommons.core.record import CommonsId, RecordId, Subject
from p2pcommons.errors import FormError, P2PCommonsError
from p2pcommons.node import values

# -- values on the wire

ids = st.binary(min_size=32, max_size=32)
instants = st.integers(0, 2**47 - 1)  # what a record time can hold
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
for kind, strategy in {
    CommonsId: ids, Subject: ids, RecordId: ids, values.Hash: ids, values.Instant: instants,
    PublicKey: st.binary(min_size=32, max_size=32).map(lambda seed: SigningKey(seed).public),
    values.Blob: st.binary(max_size=40),
}.items():  # fmt: skip
    st.register_type_strategy(kind, strategy)  # type: ignore[arg-type]
st.register_type_strategy(str, texts)

STRUCTURES = [
    values.Health, values.IdentityInfo, values.Status, values.CommonsInfo, values.PeerInfo, values.Invitation,
    values.DigestInfo, values.FacetCount, values.Withdrawal, values.RawRecord, values.UnpackInfo, values.VerifyInfo,
    values.Rebuilt, values.Check, values.PackInfo,
]  # fmt: skip


@pytest.mark.parametrize("kind", STRUCTURES, ids=lambda kind: kind.__name__)
def test_a_value_comes_back_from_its_json_as_it_was(kind: Any) -> None:
    @given(st.builds(kind))
    def check(value: Any) -> None:
        assert wire.from_json(kind, wire.load(wire.dump(wire.to_json(value)))) == value

    check()


def test_json_of_values_is_compact_and_says_ids_keys_and_times_in_their_text_forms() -> None:
    withdrawal = values.Withdrawal(
        Subject(b"\x01" * 32), CommonsId(b"\x02" * 32), SigningKey(b"a" * 32).public, values.Instant(1), "é"
    )
    assert wire.dump(wire.to_json(withdrawal)).decode() == (
        f'{{"id":"{"01" * 32}","commons":"{"02" * 32}","by":"{did_key(withdrawal.by)}",'
        '"at":"1970-01-01T00:00:00.001Z","reason":"é"}'
    )


def test_members_that_a_client_does_not_know_are_passed_over_and_missing_ones_are_an_error() -> None:
    assert wire.from_json(values.Health, {"ready": True, "later": [1]}) == values.Health(True)
    with pytest.raises(FormError):
        wire.from_json(values.Health, {"detail": ""})
    with pytest.raises(FormError):
        wire.from_json(values.PackInfo, {"records": True, "bytes": 1})


@pytest.mark.parametrize("text", [b"{", b"[1e999]", b"NaN", b"\xff", b"[" * 100_000, b"", b"1" * 5_000])
def test_what_is_not_json_of_finite_numbers_is_refused(text: bytes) -> None:
    with pytest.raises(FormError) as caught:
        wire.load(text)
    assert caught.value.code == "bad_json"


@given(st.text())
def test_any_text_is_an_instant_or_a_form_error(text: str) -> None:
    try:
        assert isinstance(wire.parse_rfc3339(text), int)
    except FormError as error:
        assert error.code == "bad_time"


# -- parameters and bodies

FORMS = [Text(5), Integer(1, 9), Choice(("a", "b")), Words(("a", "b")), Flag(), ID, KEY, Items(Text(5), 2)]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: type(form).__name__)
def test_a_form_takes_or_refuses_with_value_error_and_nothing_else(form: Any) -> None:
    @given(st.text(), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
    def check(text: str, value: Any) -> None:
        for judge, given_value in ((form.text, text), (form.json, value)):
            try:
                judge(given_value)
            except ValueError as error:
                assert str(error)

    check()


@given(st.text(max_size=5))
def test_a_parameter_that_does_not_fit_is_named(text: str) -> None:
    parameters = (in_path("id", ID, ""), Parameter("limit", Integer(1, 500), "", default=50))
    with pytest.raises(BadRequest) as caught:
        read_arguments(parameters, {"id": "00" * 32}, [("limit", "x" + text)])
    assert caught.value.members == {"parameter": "limit"}
    with pytest.raises(BadRequest) as caught:
        read_arguments(parameters, {"id": "zz" + text}, [])
    assert caught.value.members == {"parameter": "id"}


def test_unknown_missing_and_doubled_parameters_are_refused_by_name() -> None:
    parameters = (Parameter("one", Text(5), "", required=True), Parameter("many", Text(5), "", repeated=True))
    for query in ([], [("one", "a"), ("one", "b")], [("one", "")]):
        with pytest.raises(BadRequest) as caught:
            read_arguments(parameters, {}, query)
        assert caught.value.members == {"parameter": "one"}
    with pytest.raises(BadRequest, match="tipo"):
        read_arguments(parameters, {}, [("one", "a"), ("tipo", "x")])
    assert read_arguments(parameters, {}, [("one", "a"), ("many", "b"), ("many", "c")]) == {
        "one": "a",
        "many": ("b", "c"),
    }


def test_a_body_field_is_refused_by_name_whether_unknown_missing_or_wrong() -> None:
    body = Fields((Member("name", Text(5), "", required=True), Member("uses", Integer(1, 3), "", default=1)))
    assert body.check({"name": "a"}) == {"name": "a", "uses": 1}
    for wrong, name in [({"name": 1}, "name"), ({}, "name"), ({"name": "a", "uses": 4}, "uses"), ({"nom": "a"}, "nom")]:
        with pytest.raises(BadRequest) as caught:
            body.check(wrong)
        assert caught.value.members == {"field": name}
    with pytest.raises(BadRequest):
        body.check(["name"])


degrees = st.floats(-90, 90)
queries = st.builds(
    Query,
    text=texts,
    commons=st.lists(ids.map(CommonsId), unique=True, max_size=2).map(tuple),
    filters=st.lists(
        st.tuples(st.sampled_from(FACETS), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)),
        unique=True,
        max_size=4,
    ).map(
        lambda found: tuple(sorted(found, key=lambda pair: ("type", "subjects", "licence", "language").index(pair[0])))
    ),
    box=st.none() | st.builds(Box, st.floats(-180, 180), st.floats(-90, 0), st.floats(-180, 180), st.floats(0, 90)),
    near=st.none() | st.builds(Circle, degrees, degrees, st.floats(0.001, 20_000)),
    sort=st.none() | st.sampled_from(SORTS),
    facets=st.lists(st.sampled_from(FACETS), unique=True).map(tuple),
    limit=st.integers(1, 500),
    cursor=st.none() | st.from_regex("[A-Za-z0-9_-]{16,60}", fullmatch=True),
)


@given(queries)
def test_a_query_comes_back_from_its_parameters_as_it_was(query: Query) -> None:
    assert query_of(read_arguments(SEARCH, {}, query_parameters(query))) == query


# -- the OpenAPI document


def test_the_document_names_nothing_that_is_not_in_it() -> None:
    described = document(all_operations())
    references: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            references.extend([value["$ref"]] if "$ref" in value else [])
            for member in value.values():
                walk(member)
        elif isinstance(value, list):
            for member in value:
                walk(member)

    walk(described)
    assert references
    for reference in references:
        assert reference.removeprefix("#/components/schemas/") in described["components"]["schemas"], reference
    names = [operation["operationId"] for path in described["paths"].values() for operation in path.values()]
    assert len(names) == len(set(names))
    for path, operations in described["paths"].items():
        for operation in operations.values():
            declared = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
            assert declared == {part[1:-1] for part in path.split("/") if part.startswith("{")}, path
    json.dumps(described, allow_nan=False)


def test_every_error_of_the_tree_has_one_status() -> None:
    waiting = [P2PCommonsError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        error = Exception.__new__(kind)
        error.code = "some_code"
        assert 400 <= status_of(error) < 600
    assert STATUS[-1][0] is P2PCommonsError


# -- lines and spools


async def _chunks(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


class _Content:
    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    def iter_any(self) -> AsyncIterator[bytes]:
        return _chunks(self._pieces)


def _lines(pieces: list[bytes]) -> list[bytes]:
    async def collect() -> list[bytes]:
        return [line async for group in lines_of(_Content(pieces)) for line in group]

    return asyncio.run(collect())


@given(st.lists(st.binary(max_size=8) | st.sampled_from([b"\n", b"a\n", b"\r\n"]), max_size=20), st.data())
def test_chunking_never_changes_the_lines(pieces: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(pieces)
    expected = whole.split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert _lines(pieces) == expected
    cut = data.draw(st.integers(0, len(whole)))
    assert _lines([whole[:cut], whole[cut:]]) == expected


@pytest.mark.parametrize("pieces", [1, 7, 300])
def test_a_line_too_long_comes_cut_at_one_byte_more_however_it_came(pieces: int) -> None:
    long = b"x" * (2 * BATCH_LINE_BYTES_MAX)
    size = len(long) // pieces + 1
    chunks = [long[start : start + size] for start in range(0, len(long), size)]
    assert [len(line) for line in _lines([*chunks, b"\nshort\n"])] == [BATCH_LINE_BYTES_MAX + 1, 5]


def test_a_line_broken_off_with_the_connection_is_no_line() -> None:
    class Broken(_Content):
        def iter_any(self) -> AsyncIterator[bytes]:
            async def chunks() -> AsyncIterator[bytes]:
                yield b"whole\nhal"
                raise ConnectionResetError

            return chunks()

    async def collect() -> list[bytes]:
        return [line async for group in lines_of(Broken([])) for line in group]

    assert asyncio.run(collect()) == [b"whole"]


@given(st.lists(st.one_of(st.binary(min_size=1, max_size=40), st.none()), max_size=30), st.integers(0, 64))
def test_a_spool_gives_what_was_put_in_order_whenever_it_is_read(steps: list[bytes | None], memory: int) -> None:
    async def run() -> bytes:
        taken = bytearray()
        with Spool(None, memory) as spool:
            reader = spool.chunks()
            waiting = 0
            for step in steps:
                if step is not None:
                    spool.put(step)
                    waiting += len(step)
                elif waiting:
                    chunk = await anext(reader)
                    waiting -= len(chunk)
                    taken.extend(chunk)
            spool.end()
            async for chunk in reader:
                taken.extend(chunk)
        return bytes(taken)

    assert asyncio.run(run()) == b"".join(step for step in steps if step is not None)


answers = st.builds(
    values.BatchAnswer,
    line=st.integers(1, 10**9),
    id=ids.map(Subject),
    unchanged=st.booleans(),
    code=st.none(),
    detail=st.just(""),
) | st.builds(
    values.BatchAnswer,
    line=st.integers(1, 10**9),
    id=st.none(),
    unchanged=st.just(False),
    code=st.from_regex(r"[a-z]+(-[a-z]+)*", fullmatch=True),
    detail=texts,
)


@given(st.lists(answers, max_size=5))
def test_answers_to_a_batch_come_back_from_their_lines(given_answers: list[values.BatchAnswer]) -> None:
    assert [parse(line) for line in render(given_answers).splitlines()] == given_answers


def test_metrics_escape_what_would_break_their_lines() -> None:
    sample = values.Sample((("peer", 'a"b\\c\n'),), 0.5)
    text = exposition([values.Metric("x", "gauge", "two\nlines", (sample, values.Sample((), 3)))])
    assert text.splitlines() == [
        r"# HELP p2pcommons_x two\nlines",
        "# TYPE p2pcommons_x gauge",
        r'p2pcommons_x{peer="a\"b\\c\n"} 0.5',
        "p2pcommons_x 3",
    ]


def test_every_structure_of_the_values_that_is_sent_can_be_described() -> None:
    for kind in STRUCTURES:
        assert is_dataclass(kind)
        described = wire.component(kind)
        assert described["description"] and described["properties"]
