"""Commands that look after the data folder: backup, restore, verify, rebuild, doctor, bench."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from p2pcommons.cli.command import Call, Command, Needs, target_file

if TYPE_CHECKING:
    from p2pcommons.node.values import Progress


def _file_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path)


def _progress(call: Call, doing: str) -> Progress:
    def report(done: int, total: int) -> None:
        call.output.progress(f"{doing} {done:,} of {total:,}" if total else f"{doing} {done:,}")

    return report


async def _backup(call: Call) -> int:
    path = target_file(call.arguments.file)
    size = await call.verbs.backup(path)
    call.output.document({"file": str(path), "bytes": size})
    call.output.say(f"{path}: {size:,} bytes. It holds your private keys: keep it where only you can read it.")
    return 0


async def _restore(call: Call) -> int:
    from p2pcommons.cli.connection import typed
    from p2pcommons.node.local import restore

    await restore(call.arguments.file, call.data)
    call.output.document({"file": str(call.arguments.file), "data": str(call.data)})
    call.output.say(f"Restored into {call.data}. Start it: {typed('up', call.data)}")
    return 0


async def _verify(call: Call) -> int:
    report = await call.verbs.verify(_progress(call, "checked"))
    call.output.done()
    call.output.document(report)
    for fault in report.faults:
        call.output.say(f"fault: {fault}")
    call.output.say(f"{report.records} records, {report.bodies} bodies, {len(report.faults)} faults")
    if report.faults:
        call.output.warn(
            f"p2pcommons: {len(report.faults)} faults: this folder is damaged; restore a backup, "
            "or follow the commons in a new folder and let peers fill it"
        )
    return 1 if report.faults else 0


async def _rebuild(call: Call) -> int:
    rebuilt = await call.verbs.rebuild(_progress(call, "rebuilt"))
    call.output.done()
    call.output.items(rebuilt)
    for each in rebuilt:
        same = each.before == each.after
        call.output.facts(
            [
                ("commons", each.commons.hex()),
                ("before", f"{each.before.state.hex()}  {each.before.entries} entries"),
                ("after", f"{each.after.state.hex()}  {each.after.entries} entries"),
                (
                    "",
                    "the same"
                    if same
                    else "different: the views were damaged or of another version, and are right now",
                ),
            ]
        )
    return 0


async def _doctor(call: Call) -> int:
    checks = await call.verbs.doctor()
    call.output.items(checks)
    call.output.table(
        ("", "what", "found", "advice"),
        [("ok" if each.ok else "!!", each.name, each.detail, each.advice or "") for each in checks],
    )
    wrong = [each.name for each in checks if not each.ok]
    if wrong:
        call.output.warn(f"p2pcommons: to look at: {', '.join(wrong)}")
    return 1 if wrong else 0


async def _bench(call: Call) -> int:
    import asyncio

    from p2pcommons.cli import bench

    return await asyncio.to_thread(bench.main, call.arguments)


def _bench_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--entries", type=int, default=69_202, help="how many entries of the catalogue (all of it: 69,202)"
    )
    parser.add_argument("--runs", type=int, default=3, help="how often import and first sync are repeated (3)")
    parser.add_argument("--large", action="store_true", help="also 1,000,000 entries: some minutes and 2 GB more")
    parser.add_argument("--folder", type=Path, help="where the large commons is kept, to be used again the next time")
    parser.add_argument("--markdown", action="store_true", help="the table as the README shows it")


COMMANDS = (
    Command("backup", "write the whole folder, keys included, to one file", _backup, _file_argument),
    Command("restore", "fill an empty data folder from a backup", _restore, _file_argument, Needs.NOTHING),
    Command("verify", "check every hash and signature", _verify),
    Command("rebuild", "make all views from the records anew", _rebuild),
    Command("doctor", "look at what commonly goes wrong", _doctor),
    Command("bench", "measure this machine with the project's own benchmark", _bench, _bench_options, Needs.NOTHING),
)
