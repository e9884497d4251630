"""Commands that carry entries in and out: search, import, export, pack, unpack."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from p2pcommons.cli.command import Call, Command, Needs, commons_argument, count, find_commons, target_file
from p2pcommons.cli.output import text_of
from p2pcommons.errors import FormError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from p2pcommons.cli.importing import Summary
    from p2pcommons.commons.query import Query
    from p2pcommons.formats import FieldMapping

_REFUSALS_TOLD = 20  # refused lines of one sort shown on a terminal; a file gets them all


def _circle(text: str) -> tuple[float, float]:
    try:
        latitude, longitude = (float(part) for part in text.split(","))
    except ValueError:
        latitude = longitude = 999.0
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise argparse.ArgumentTypeError(f"{text!r} is not LAT,LON in degrees, such as 48.39,-4.49")
    return latitude, longitude


def _kilometres(text: str) -> float:
    try:
        km = float(text)
    except ValueError:
        km = 0.0
    if not 0 < km <= 20_040:  # half way round the Earth
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of kilometres")
    return km


def _search_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "query", metavar="QUERY", nargs="?", default="", help='all words; "…" a phrase; wor* a beginning'
    )
    commons_argument(parser)
    parser.add_argument("--type", metavar="T", help="image, place, trail, equipment, recipe, book, …")
    parser.add_argument("--tag", metavar="SUBJECT", action="append", default=[], help="one of its subjects")
    parser.add_argument("--licence", metavar="SPDX")
    parser.add_argument("--language", metavar="fr")
    parser.add_argument("--near", metavar="LAT,LON", type=_circle)
    parser.add_argument("--km", metavar="K", type=_kilometres, default=5.0, help="how far from --near (5)")
    parser.add_argument("--sort", choices=("relevance", "updated", "created", "title"))
    parser.add_argument("--limit", metavar="N", type=count, default=50, help="how many at most (50)")


async def _query(call: Call) -> Query:
    from p2pcommons.commons.query import Circle, Query

    given = call.arguments
    named = ((given.type, "type"), (given.licence, "licence"), (given.language, "language"))
    filters = [(facet, value) for value, facet in named if value] + [("subjects", tag) for tag in given.tag]
    return Query(
        text=given.query,
        commons=(await find_commons(call.verbs, given.commons),) if given.commons else (),
        filters=tuple(filters),
        near=Circle(given.near[0], given.near[1], given.km) if given.near else None,
        sort=given.sort,
    )


async def _search(call: Call) -> int:
    from dataclasses import replace

    from p2pcommons.core.limits import PAGE_ITEMS_MAX

    query = await _query(call)
    left, shown, cursor = call.arguments.limit, 0, None
    while left > 0:
        page = await call.verbs.search(replace(query, limit=min(left, PAGE_ITEMS_MAX), cursor=cursor))
        call.output.items(page.items)
        if page.items:
            await _tell_found(call, page.items)
        shown += len(page.items)
        left -= len(page.items)
        cursor = page.next
        if cursor is None or not page.items:
            break
    if page.total:
        call.output.say(f"{shown} of {page.total} entries")
    elif await call.verbs.list_commons():
        call.output.say("Nothing found." + _unknown_type(call.arguments.type))
    else:
        call.output.say('Nothing is here yet: no commons is followed. Make one: p2pcommons commons create "NAME"')
    return 0


async def _tell_found(call: Call, items: Sequence[dict[str, Any]]) -> None:
    """A table, which names their commons where there are several: a fork shows again what its origin has."""
    heading, rows = ("id", "type", "title", "place"), [_row(entry) for entry in items]
    if call.output.json or len({entry.get("commons") for entry in items}) == 1:
        call.output.table(heading, rows)
        return
    names = {each.id.hex(): each.name for each in await call.verbs.list_commons()}
    of = [names.get(str(entry.get("commons"))) or str(entry.get("commons"))[:8] for entry in items]
    call.output.table((*heading, "commons"), [(*row, name) for row, name in zip(rows, of, strict=True)])


def _unknown_type(named: str | None) -> str:
    from p2pcommons.commons.vocabulary import TYPES

    return "" if named is None or named in TYPES else f" There is no type {named[:40]!r}: there are {', '.join(TYPES)}."


def _row(entry: dict[str, Any]) -> tuple[str, str, str, str]:
    place = entry.get("place")
    where = place.get("name") if isinstance(place, dict) else place
    title = "(not shown here: a block list)" if "lists" in entry else text_of(entry.get("title"))
    return str(entry["id"]), str(entry.get("type", "")), title, text_of(where)


# -- import


def _import_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE|URL", help="a file, an http(s) address, - for standard input, or: sample")
    commons_argument(parser, required=True)
    parser.add_argument("--format", metavar="F", default="auto", help="auto, jsonl or csv (auto)")
    parser.add_argument("--map", metavar="FILE", type=Path, help="mapping file: which column is which field")
    parser.add_argument("--dry-run", action="store_true", help="check every line and write nothing")


async def _import(call: Call) -> int:
    from p2pcommons.cli import connection
    from p2pcommons.cli.catalogue import open_catalogue
    from p2pcommons.cli.importing import Import
    from p2pcommons.cli.input import Source, beside
    from p2pcommons.formats import read

    given = call.arguments
    mapping = _mapping(given.map) if given.map else None

    told: Counter[str] = Counter()

    def refused(line: int, code: str, detail: str) -> None:
        told[code] += 1
        if told[code] <= _REFUSALS_TOLD or not call.output.on_terminal:
            call.output.warn(f"line {line}: {detail} [{code}]")

    def progress(summary: Summary) -> None:
        call.output.progress(f"{summary.added + summary.unchanged:,} of {summary.read:,} lines read")

    stream, name = await beside(partial(open_catalogue, given.file))
    source = Source(stream)
    opened = partial(read, stream, name=name, format=given.format, mapping=mapping)
    try:
        if given.dry_run:
            reading = await source.beside(opened)
            summary = await Import(reading, refused, progress, source.beside).try_out_beside()
        else:
            async with connection.connected(call.data) as verbs:
                commons = await find_commons(verbs, given.commons)
                reading = await source.beside(partial(opened, into=commons.hex()))
                summary = await Import(reading, refused, progress, source.beside).run(verbs, commons)
    finally:
        source.close()
    call.output.done()
    for code, lines in told.items() if call.output.on_terminal else ():
        if lines > _REFUSALS_TOLD:
            call.output.warn(f"and {lines - _REFUSALS_TOLD:,} lines more: {code}  (2> FILE keeps them all)")
    return _closing(call, summary)


def _mapping(path: Path) -> FieldMapping:
    from p2pcommons.core.limits import MAPPING_BYTES_MAX
    from p2pcommons.formats import parse_mapping

    with path.open("rb") as file:
        text = file.read(MAPPING_BYTES_MAX + 1)
    if len(text) > MAPPING_BYTES_MAX:
        raise FormError("bad_mapping", f"{path} is larger than {MAPPING_BYTES_MAX} bytes; is it the catalogue itself?")
    return parse_mapping(text, str(path))


def _closing(call: Call, summary: Summary) -> int:
    call.output.document(summary.to_json())
    verb = "would be added or changed" if summary.dry_run else "added or changed"
    call.output.say(
        f"{summary.read} lines read: {summary.added} {verb}, {summary.unchanged} unchanged, {summary.refused} refused, "
        f"in {summary.seconds:.1f} s"
    )
    together: dict[tuple[int, str], list[str]] = {}
    for each in summary.dropped:
        together.setdefault((each.lines, each.why), []).append(each.name)
    for (lines, why), names in together.items():
        call.output.say(f"left out: {', '.join(names)} ({lines} lines): {why}")
    if summary.own:
        call.output.say(f"left as they are: {summary.own} entries of this very commons (change them with entry edit)")
    if summary.given_sources:
        call.output.say(
            f"{summary.given_sources} lines name no source: they are known again by their content, "
            "so a line that changes becomes a new entry (give a source in the mapping to avoid it)"
        )
    if summary.broke_off is not None:
        raise summary.broke_off
    if summary.refused:
        call.output.warn(f"p2pcommons: {summary.refused} lines were refused, see above; correct them and import again")
    return 1 if summary.refused else 0


# -- export, pack, unpack


def _export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", metavar="F", default="jsonl", help="jsonl or csv (jsonl)")
    commons_argument(parser)
    parser.add_argument("--query", metavar="Q", default="", help="only what this search finds")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="where to (standard output)")


async def _export(call: Call) -> int:
    from p2pcommons.commons.query import Query

    given = call.arguments
    commons = (await find_commons(call.verbs, given.commons),) if given.commons else ()
    target = None if given.output is None else target_file(given.output)
    export = await call.verbs.export(given.format, Query(text=given.query, commons=commons))
    size = 0
    if target is None:
        out = sys.stdout.buffer
        async for chunk in export.chunks:
            out.write(chunk)
        out.flush()
        return 0
    partial = target.with_name(target.name + ".partial")
    with partial.open("wb") as file:
        async for chunk in export.chunks:
            size += file.write(chunk)
            call.output.progress(f"{size:,} bytes written")
    os.replace(partial, target)
    call.output.done()
    call.output.document({"file": str(target), "bytes": size, "media_type": export.media_type})
    call.output.say(f"{target}: {size:,} bytes")
    return 0


def _pack_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path)
    commons_argument(parser)


async def _pack(call: Call) -> int:
    commons = await find_commons(call.verbs, call.arguments.commons) if call.arguments.commons else None
    path = target_file(call.arguments.file)
    packed = await call.verbs.pack(path, commons)
    call.output.document(packed)
    call.output.say(f"{path}: {packed.records:,} records, {packed.bytes:,} bytes. Elsewhere: p2pcommons unpack FILE")
    return 0


def _unpack_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path)


async def _unpack(call: Call) -> int:
    taken = await call.verbs.unpack(call.arguments.file.absolute())
    call.output.document(taken)
    call.output.say(f"{taken.records:,} records of {len(taken.commons)} commons: {taken.new:,} new")
    for code, records in taken.refused.items():
        call.output.warn(f"{records} records refused: {code}")
    return 0


COMMANDS = (
    Command("search", "find entries", _search, _search_arguments),
    Command("import", "take a catalogue in", _import, _import_arguments, Needs.NOTHING),
    Command("export", "give a catalogue out", _export, _export_arguments),
    Command("pack", "write all records to a file, to carry by hand", _pack, _pack_arguments),
    Command("unpack", "take in a file that `pack` wrote", _unpack, _unpack_arguments),
)
