"""Commands about how commons begin and fare: recipe, fork, lineage, criteria."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from p2pcommons.cli.command import Call, Command, find_commons, target_file

if TYPE_CHECKING:
    from p2pcommons.node.values import BaseInfo, EvidenceInfo, RecipeInfo

CRITERIA: Final = {
    "governance": "Governed by all its users",
    "rules": "Rules can be questioned and changed",
    "recipe": "Open recipe",
    "resource": "Resource protected",
}
STATES: Final = {"met": "it is so", "partly": "in part", "not_met": "not yet", "unknown": "not known"}
MEASURES: Final = {
    "voters": "{value} of the {of} people known to use it may vote",
    "deciders": "{value} of {of} who may vote did so within a year",
    "last_decision": "months since the last decision: {value}; {of} at most is good",
    "rules_reviewed": "{value} of {of} rules are not overdue to be looked at again",
    "recipe": "a recipe was written here: {value} of {of}",
    "export": "all entries can be taken out in an open format: {value} of {of}",
    "licence": "new entries have a free or stated licence: {value} of {of}",
    "copies": "{value} full copies are known now; {of} are asked for",
    "maintainers": "{value} people wrote within a year; {of} at least is good",
}
"""By name: what is said of it. Numbers that are not known are left out."""

_MISSING: Final = {
    "voters": "who uses it is not known",
    "deciders": "nobody may vote yet",
    "last_decision": "nothing was decided yet",
    "rules_reviewed": "no rule was set: all are by default",
    "recipe": "no recipe was written on this node",
    "export": "whether entries can be taken out is not known",
    "licence": "whether there is a licence is not known",
    "copies": "other copies are counted while a node runs",
    "maintainers": "who wrote is not known",
}


def _named(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("commons", metavar="ID", nargs="?", help="its id, the beginning of its id, or its name")


# -- recipes


def _recipe_arguments(parser: argparse.ArgumentParser) -> None:
    _named(parser)
    parser.add_argument(
        "--out", metavar="FILE", type=Path, required=True, help="where to write it, such as lavoirs.zip"
    )


async def _recipe(call: Call) -> int:
    import asyncio

    path = target_file(call.arguments.out)
    commons = await find_commons(call.verbs, call.arguments.commons)
    made = await call.verbs.recipe(commons)
    shown = await call.verbs.get_commons(commons)
    await asyncio.to_thread(_write, path, made.content)
    call.output.document({"file": str(path), **_document(made.info)})
    call.output.say(f"{path}: the rules of {made.info.name!r}, signed by you. No member and no entry is in it.")
    call.output.say('Another commons begins with them: p2pcommons commons create "NAME" --recipe FILE')
    if not shown.announced and not call.output.json:
        call.output.warn(
            "It names the id of this commons, which is not announced: whoever has the file can follow and read it."
        )
    return 0


def _write(path: Path, content: bytes) -> None:
    """The file appears when it is whole."""
    import os

    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    os.replace(partial, path)


def read_recipe_file(path: Path) -> tuple[bytes, RecipeInfo]:
    """A recipe and what it says, its signature checked. Refused `unknown-file`; FormError says what is wrong with it."""
    from p2pcommons.commons.recipe import read_recipe
    from p2pcommons.core.limits import RECIPE_BYTES_MAX
    from p2pcommons.errors import Refused
    from p2pcommons.node.beginnings import recipe_info

    try:
        with path.open("rb") as file:
            content = file.read(RECIPE_BYTES_MAX + 1)
    except OSError as error:
        raise Refused("unknown-file", f"{path} cannot be read: {error.strerror or error}.") from error
    return content, recipe_info(read_recipe(content))


def signed_by(info: RecipeInfo) -> str:
    """Whose rules a new commons began with, as the end of a sentence."""
    from p2pcommons.core.identity import did_key

    words = f" and words of its people for {', '.join(info.own_words)}" if info.own_words else ""
    return f" with the rules of {info.name!r}{words}, by a recipe that {did_key(info.author)} signed"


def _document(info: RecipeInfo) -> dict[str, object]:
    from p2pcommons.api.wire import to_json

    return dict(to_json(info))


# -- forks


def _fork_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "commons", metavar="ID", help="the commons to fork: its id, the beginning of its id, or its name"
    )
    parser.add_argument(
        "name", metavar="NAME", help="of the new commons; the same name goes on where it was interrupted"
    )


async def _fork(call: Call) -> int:
    given = call.arguments
    commons = await find_commons(call.verbs, given.commons)

    def report(done: int, total: int) -> None:
        call.output.progress(f"copied {done:,} of {total:,}" if total else f"copied {done:,}")

    made = await call.verbs.fork(commons, given.name, report)
    call.output.done()
    call.output.document(made)
    call.output.say(made.commons.id.hex())
    if call.output.json:
        return 0
    refused = sum(made.refused.values())
    call.output.warn(
        f"{given.name!r} holds {made.commons.entries:,} entries: {made.copied:,} copied now, {made.kept:,} there already"
        + (f", {refused:,} refused ({', '.join(sorted(made.refused))})" if refused else "")
        + f". Their history, {made.base.records:,} signed records, stays in {commons.hex()[:8]}: go on following it"
        + (f", and keep {made.base.file}, which is all of it as it was" if made.base.file else "")
        + "."
    )
    return 0


# -- lineage


async def _lineage(call: Call) -> int:
    shown = await call.verbs.lineage(await find_commons(call.verbs, call.arguments.commons))
    call.output.document(shown)
    if call.output.json:
        return 0
    if shown.base is not None:
        call.output.say(f"fork of     {shown.base.commons.hex()}  {shown.base.name or '(not here)'}")
        call.output.say(f"            {_base(shown.base)}")
    for one in reversed(shown.line):
        call.output.say(f"rules from  {one.commons.hex()}  {one.name or '(not here)'}")
    for each in shown.children:
        word = "forked" if each.by == "fork" else "rules to"
        call.output.say(f"{word:<10}  {each.commons.hex()}  {each.name}")
    if shown.base is None and not shown.line and not shown.children:
        call.output.say("It came from no other commons, and none that you follow came from it.")
    call.output.say("A commons is not told of those that begin from it: here are those that you follow.")
    return 0


def _base(base: BaseInfo) -> str:
    kept = f"; all of it as it was: {base.file}" if base.file else ""
    said = {
        "same": "your copy is as it was then",
        "changed": "your copy has changed since",
        "absent": f"it is not here: p2pcommons commons follow {base.commons.hex()}",
    }
    return f"{base.records:,} records when it was forked; {said.get(base.state, base.state)}{kept}"


# -- criteria


async def _criteria(call: Call) -> int:
    shown = await call.verbs.criteria(await find_commons(call.verbs, call.arguments.commons))
    call.output.document(shown)
    if call.output.json:
        return 0
    for one in shown.criteria:
        call.output.say(f"{CRITERIA.get(one.criterion, one.criterion)}: {STATES.get(one.state, one.state)}")
        for piece in one.evidence:
            call.output.say(f"  {STATES.get(piece.state, piece.state):<9}  {_evidence(piece)}")
    call.output.say("")
    call.output.say(
        "Counted on this node alone. Numbers suggest and decide nothing: what it is like, you say together."
    )
    return 0


def _evidence(piece: EvidenceInfo) -> str:
    if piece.value is None or piece.measure not in MEASURES:
        return _MISSING.get(piece.measure, piece.measure)
    return MEASURES[piece.measure].format(value=piece.value, of=piece.of)


COMMANDS = (
    Command("commons recipe", "write its rules to a signed file that others start from", _recipe, _recipe_arguments),
    Command("commons fork", "found another commons with all that this one shows", _fork, _fork_arguments),
    Command("commons lineage", "where a commons came from, and what came from it", _lineage, _named),
    Command("commons criteria", "the four criteria of a commons, by numbers", _criteria, _named),
)
