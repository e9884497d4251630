"""Commands about entries: add, show, edit, withdraw, history, conflicts."""

from __future__ import annotations

import argparse
import json
from typing import Any

from p2pcommons.cli.command import Call, Command, commons_argument, entry_id, find_commons
from p2pcommons.cli.output import text_of
from p2pcommons.errors import FormError, Refused


def _fields_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--field",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="title.fr=…, place.lat=48.39, subjects=…; several times for a field that holds several",
    )


def _fields(given: argparse.Namespace) -> dict[str, Any]:
    """The Entry JSON that `--type`, `--title` and `--field` say."""
    from p2pcommons.formats.targets import Target, parse_target

    said = [f"{name}={value}" for name in ("type", "title") if (value := getattr(given, name)) is not None]
    entry: dict[str, Any] = {}
    values: dict[str, list[Any]] = {}
    for text in said + given.field:
        name, equals, value = text.partition("=")
        if not equals:
            raise FormError("bad_field", f"--field {text!r} is not NAME=VALUE")
        values.setdefault(name.strip(), []).append(_value(value))
    for name, found in values.items():
        target = parse_target(name)
        if name == "source":
            entry["source"] = found[-1]
        elif not isinstance(target, Target):
            raise FormError("unknown_field", f"{name!r} {target}")
        elif len(found) > 1 and not target.several:
            raise FormError("bad_field", f"{name!r} holds one value, and {len(found)} were given")
        else:
            flat = [item for each in found for item in (each if isinstance(each, list) and target.several else [each])]
            try:
                target.put(entry, flat)
            except ValueError as error:
                raise FormError("bad_field", f"{name!r} {error}") from None
    return entry


def _value(text: str) -> Any:
    """A value as text, or as JSON where it is an object or a list."""
    if text[:1] in ("{", "["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    commons_argument(parser, required=True)
    parser.add_argument("--type", metavar="T", required=True, help="image, place, trail, equipment, recipe, book, …")
    parser.add_argument("--title", metavar="TEXT", help="its title (in one language: --field title.fr=…)")
    _fields_arguments(parser)


async def _add(call: Call) -> int:
    entry = _fields(call.arguments)
    added = await call.verbs.add_entry(await find_commons(call.verbs, call.arguments.commons), entry)
    call.output.document(added.entry)
    call.output.say(str(added.entry["id"]))
    return 0


def _id_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", type=entry_id)


def _show_arguments(parser: argparse.ArgumentParser) -> None:
    _id_argument(parser)
    parser.add_argument("--hidden", action="store_true", help="although it is hidden; without this one reads why")


async def _show(call: Call) -> int:
    found = await call.verbs.get_entry(call.arguments.id, hidden=call.arguments.hidden)
    call.output.document(found.entry)
    _facts(call, found.entry)
    return 0


def _facts(call: Call, entry: dict[str, Any]) -> None:
    pairs: list[tuple[str, str]] = []
    for name, value in entry.items():
        if name != "conflicts":
            pairs.append((name, _shown(value)))
    for name, others in entry.get("conflicts", {}).items():
        pairs += [(f"{name} (also)", _shown(each)) for each in others]
    call.output.facts(pairs)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(_shown(each) for each in value)
    if isinstance(value, dict):
        return "\n".join(f"{key}: {_line(each)}" for key, each in value.items())
    return str(value)


def _edit_arguments(parser: argparse.ArgumentParser) -> None:
    _id_argument(parser)
    parser.add_argument("--type", metavar="T")
    parser.add_argument("--title", metavar="TEXT")
    _fields_arguments(parser)
    parser.add_argument("--clear", metavar="NAME", action="append", default=[], help="take a field away")


async def _edit(call: Call) -> int:
    given = call.arguments
    patch = _fields(given)
    for name in given.clear:
        whole, dot, part = name.partition(".")
        if dot:
            patch.setdefault(whole, {})[part] = None
        else:
            patch[whole] = None
    if not patch:
        raise FormError("nothing_to_do", "Say what to change: --title, --field NAME=VALUE or --clear NAME.")
    changed = await call.verbs.patch_entry(given.id, patch)
    call.output.document(changed.entry)
    _facts(call, changed.entry)
    return 0


def _withdraw_arguments(parser: argparse.ArgumentParser) -> None:
    _id_argument(parser)
    parser.add_argument("--reason", metavar="TEXT", help="shown to who looks for it")


async def _withdraw(call: Call) -> int:
    withdrawn = await call.verbs.withdraw_entry(call.arguments.id, call.arguments.reason)
    call.output.document(withdrawn)
    call.output.say(f"Withdrawn: {withdrawn.id.hex()}. Its records stay, and say who withdrew it, when and why.")
    return 0


async def _restore(call: Call) -> int:
    restored = await call.verbs.restore_entry(call.arguments.id)
    call.output.document(restored.entry)
    call.output.say(f"Shown again: {restored.entry['id']}")
    return 0


def _erase_arguments(parser: argparse.ArgumentParser) -> None:
    _id_argument(parser)
    parser.add_argument("--yes", action="store_true", help="it is meant: this cannot be undone")
    commons_argument(parser)


async def _erase(call: Call) -> int:
    given = call.arguments
    commons = await find_commons(call.verbs, given.commons) if given.commons else None
    if not given.yes:
        raise Refused(
            "not-confirmed",
            "This is for good: all that you wrote of this entry goes, here and on every node that obeys. What others wrote "
            "stays. If it is meant, say it again with --yes.",
        )
    done = await call.verbs.erase_words(given.id, commons=commons)
    call.output.document(done)
    call.output.say(
        f"Erased: {done.records} record{'' if done.records == 1 else 's'}. Their bytes leave this disk within 30 days; who "
        "copied them elsewhere may have them still."
    )
    return 0


async def _history(call: Call) -> int:
    from p2pcommons.api.wire import rfc3339
    from p2pcommons.core.identity import did_key

    cursor, first = None, True
    while first or cursor is not None:
        page = await call.verbs.history(call.arguments.id, cursor=cursor)
        call.output.items(page.items)
        for item in page.items:
            call.output.facts(
                [
                    ("when", rfc3339(item.at)),
                    ("who", did_key(item.author) + ("" if item.counts else "  (does not count)")),
                    ("what", item.kind),
                    ("record", item.record.hex()),
                    *((name, _shown(value)) for name, value in (item.body or {"body": "erased"}).items()),
                ]
            )
            call.output.say()
        cursor, first = page.next, False
    return 0


def _conflicts_arguments(parser: argparse.ArgumentParser) -> None:
    commons_argument(parser)


async def _conflicts(call: Call) -> int:
    commons = await find_commons(call.verbs, call.arguments.commons) if call.arguments.commons else None
    cursor, shown = None, 0
    while not shown or cursor is not None:
        page = await call.verbs.conflicts(commons, cursor=cursor)
        call.output.items(page.items)
        for entry in page.items:
            shown += 1
            call.output.say(f"{entry['id']}  {text_of(entry.get('title'))}")
            for name, others in entry.get("conflicts", {}).items():
                call.output.say(f"    {name}: {_line(entry.get(name))}")
                for other in others:
                    call.output.say(f"    {name} (also): {_line(other)}")
        cursor = page.next
        if not page.items:
            break
    if not shown:
        call.output.say("No conflicts.")
    return 0


def _line(value: Any) -> str:
    return _shown(value).replace("\n", "; ")


COMMANDS = (
    Command("entry add", "add an entry", _add, _add_arguments),
    Command("entry show", "show an entry", _show, _show_arguments),
    Command("entry edit", "change an entry", _edit, _edit_arguments),
    Command("entry withdraw", "withdraw an entry", _withdraw, _withdraw_arguments),
    Command("entry restore", "show a withdrawn entry again", _restore, _id_argument),
    Command("entry erase", "erase what you wrote of an entry, for good", _erase, _erase_arguments),
    Command("entry history", "who wrote what of an entry", _history, _id_argument),
    Command("entry conflicts", "entries that two people changed at once", _conflicts, _conflicts_arguments),
)
