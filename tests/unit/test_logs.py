"""The log: one JSON object a line, text that strangers cannot shape, and no secret in either."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pcommons.cli.logs import LEVELS, Secrets, set_up
from p2pcommons.commons.invitation import Invitation
from p2pcommons.core.identity import SigningKey, did_key
from p2pcommons.core.record import CommonsId, RecordId

TOKEN = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF"
COMMONS = CommonsId(bytes(range(32)))
LINE = Invitation(COMMONS, (), RecordId(b"\x07" * 32), b"\x08" * 32).line()
logger = logging.getLogger("p2pcommons.node.meeting")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root, own = logging.getLogger(), logging.getLogger("p2pcommons")
    kept = list(root.handlers), root.level, own.level
    yield
    root.handlers[:], root.level, own.level = kept  # type: ignore[misc]
    logging.captureWarnings(False)


def written(*, as_json: bool = True, level: str | None = None) -> tuple[io.StringIO, Secrets]:
    out = io.StringIO()
    secrets = set_up(as_json=as_json, level=level, stream=out)
    secrets.hide(TOKEN)
    return out, secrets


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_is_one_object_with_time_level_event_and_fields() -> None:
    out, _ = written()
    extra = {"event": "counted", "fields": {"count": 3, "share": 0.75, "who": None}}
    logger.warning("%d of %s", 3, "four", extra=extra)
    logger.info("plain\nand simple")
    one, two = lines(out)
    assert set(one) == set(two) == {"time", "level", "event", "fields"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one["time"])
    assert (one["level"], one["event"]) == ("warning", "counted")
    assert one["fields"] == {
        "message": "3 of four", "count": 3, "share": 0.75, "who": None, "logger": "p2pcommons.node.meeting",
    }  # fmt: skip
    assert (two["level"], two["event"], two["fields"]["message"]) == ("info", "message", "plain\nand simple")


def test_a_fault_is_told_whole_in_its_one_line() -> None:
    out, _ = written()
    try:
        raise ValueError(f"at {COMMONS.hex()}")
    except ValueError:
        logger.exception("it failed")
    (line,) = lines(out)
    assert line["level"] == "error"
    assert "Traceback" in line["fields"]["error"] and "ValueError" in line["fields"]["error"]
    assert COMMONS.hex() not in out.getvalue()


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
@pytest.mark.parametrize("chosen", [None, *LEVELS])
def test_what_is_less_important_than_asked_is_not_written(chosen: str | None, as_json: bool) -> None:
    out, _ = written(as_json=as_json, level=chosen)
    for level in LEVELS:
        logger.log(getattr(logging, level.upper()), "said at %s", level)
    logging.getLogger("aiohttp.server").info("said by others")
    least = chosen or ("info" if as_json else "warning")
    said = [level for level in LEVELS if f"said at {level}" in out.getvalue()]
    assert said == list(LEVELS[LEVELS.index(least) :])
    assert "others" not in out.getvalue()


def test_without_options_a_line_is_the_sentence_alone() -> None:
    out, _ = written(as_json=False)
    logger.warning("a neighbour has another clock")
    assert out.getvalue() == "a neighbour has another clock\n"


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "text"])
def test_no_secret_is_written_wherever_it_stands(as_json: bool) -> None:
    out, _ = written(as_json=as_json, level="debug")
    shouted = COMMONS.hex().upper()
    for text in (TOKEN, LINE, COMMONS.hex(), shouted, f"Authorization: Bearer {'x' * 30}"):
        logger.info("about %s, that is", text)
        logger.warning(f"('{text}',)", extra={"event": "told", "fields": {"what": f"<{text}>"}})
        try:
            raise RuntimeError(text)
        except RuntimeError:
            logger.exception("failed")
    said = out.getvalue()
    for secret in (TOKEN, LINE, LINE.removeprefix("p2pcommons:"), COMMONS.hex(), shouted, "x" * 30):
        assert secret not in said


def test_ids_keep_a_short_name_by_which_lines_can_be_compared() -> None:
    out, _ = written()
    for identifier in (COMMONS.hex(), bytes(32).hex(), COMMONS.hex()):
        logger.info("of %s.", identifier)
    one, other, again = (line["fields"]["message"] for line in lines(out))
    assert one == again != other and len(one) < 24


def test_keys_of_nodes_are_public_and_stay() -> None:
    out, _ = written()
    logger.info("met %s", did_key(SigningKey(b"k" * 32).public))
    assert did_key(SigningKey(b"k" * 32).public) in out.getvalue()


@given(st.text())
def test_no_text_of_a_stranger_begins_a_line_or_commands_a_terminal(text: str) -> None:
    for as_json in (True, False):
        out, _ = written(as_json=as_json)
        logger.warning("the neighbour says: %s", text)
        said = out.getvalue()
        assert said.count("\n") == 1 and said.endswith("\n")
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", said)
