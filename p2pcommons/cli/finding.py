"""Which proposal or amendment a person named: by its id, or the beginning that is shown in lists."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from p2pcommons.cli.command import Call, find_commons
from p2pcommons.errors import NotFound, Refused

if TYPE_CHECKING:
    from collections.abc import Collection

    from p2pcommons.core.record import CommonsId, RecordId

_NAMED_MIN: Final = 4  # characters of an id that name a record here


def proposal_argument(parser: argparse.ArgumentParser) -> None:
    """Declare the proposal that a command is about."""
    parser.add_argument("proposal", metavar="PROPOSAL", help="its id, or the beginning, as `proposal list` shows it")


async def find_proposal(call: Call) -> tuple[CommonsId, RecordId]:
    """The commons and the proposal that a person named."""
    commons = await find_commons(call.verbs, call.arguments.commons)
    named = call.arguments.proposal.lower()
    whole = _record_id(named)
    if whole is None:
        _check_long_enough(named, "unknown-proposal", "proposal list")
        whole = _only([one.id for one in await call.verbs.proposals(commons)], named, "proposal", "proposal list")
    return commons, whole


async def find_amendment(call: Call, commons: CommonsId, named: str) -> RecordId:
    """The amendment that a person named: its id, or the beginning of that of one on an open proposal."""
    whole = _record_id(named)
    if whole is None:
        _check_long_enough(named, "unknown-amendment", "proposal show PROPOSAL")
        shown = [one for one in await call.verbs.proposals(commons) if one.state in ("open", "split")]
        ids = [amendment.id for one in shown for amendment in (await call.verbs.proposal(commons, one.id)).amendments]
        whole = _only(ids, named.lower(), "amendment", "proposal show PROPOSAL")
    return whole


def _record_id(named: str) -> RecordId | None:
    from p2pcommons.core.record import RecordId

    try:
        whole = bytes.fromhex(named)
    except ValueError:
        return None
    return RecordId(whole) if len(whole) == 32 else None


def _check_long_enough(named: str, code: str, see: str) -> None:
    if len(named) < _NAMED_MIN:
        raise NotFound(
            code, f"{named!r} is short: give at least {_NAMED_MIN} characters, as shown by: p2pcommons {see}"
        )


def _only(ids: Collection[RecordId], named: str, what: str, see: str) -> RecordId:
    found = [one for one in ids if one.hex().startswith(named)]
    if len(found) > 1:
        raise Refused(f"which-{what}", f"Several begin with {named}: give more of the id.")
    if not found:
        raise NotFound(f"unknown-{what}", f"No {what} begins with {named[:64]!r}. See: p2pcommons {see}")
    return found[0]
