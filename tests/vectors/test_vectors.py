from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pcommons.core import identity, limits

ROOT = Path(__file__).resolve().parents[2]
PROTOCOL = ROOT / "protocol"
sys.path[:0] = [str(ROOT / "scripts"), str(PROTOCOL / "harness")]

import vectors_core  # noqa: E402
import verify  # noqa: E402

FILES = sorted(path.name for path in (PROTOCOL / "vectors").glob("1[0-3]-*.json"))
CHAPTERS = ("10-encoding", "11-identity", "12-records", "13-seals")


def cases(file: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((PROTOCOL / "vectors" / file).read_text())["cases"]
    return found


JUDGED = {"decode": "bytes", "header": "header", "record": "body", "pack": "bytes", "verify": "signature"}
SMALL = [case for file in FILES for case in cases(file) if case["op"] in JUDGED and len(str(case)) < 10_000]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)


def test_each_chapter_has_vectors() -> None:
    assert {f"{chapter}.json" for chapter in CHAPTERS} <= set(FILES)


@pytest.mark.parametrize("file", FILES)
def test_the_package_passes_the_vectors(file: str) -> None:
    for case in cases(file):
        expected = {key: case[key] for key in ("out", "error") if key in case}
        assert vectors_core.answer(case["op"], case["in"]) == expected, case["name"]


@pytest.mark.parametrize("file", FILES)
def test_there_are_more_refusals_than_the_rest(file: str) -> None:
    def refused(case: dict[str, Any]) -> bool:
        return "error" in case or case["out"] == {"valid": False} or bool(case["out"].get("faults"))

    found = cases(file)
    if file not in ("11-words.json",):
        assert sum(map(refused, found)) > len(found) / 2


def test_the_independent_reader_passes_the_vectors() -> None:
    done = run("protocol/harness/verify.py", "protocol/vectors")
    assert done.returncode == 0, done.stdout + done.stderr
    for file in FILES:
        left_out = 0 if file != "11-words.json" else len(cases(file))
        assert f"{file}: {len(cases(file)) - left_out} cases tried, {left_out} not supported" in done.stdout


def test_the_harness_drives_any_implementation() -> None:
    command = f"{sys.executable} scripts/vectors --serve"
    done = run("protocol/harness/verify.py", "--drive", command, "protocol/vectors")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"13-seals.json: {len(cases('13-seals.json'))} cases tried, 0 not supported" in done.stdout


def test_the_harness_notices_a_wrong_implementation(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text('import sys\nfor line in sys.stdin: print(\'{"error": "key_order"}\', flush=True)\n')
    done = run("protocol/harness/verify.py", "--drive", f"{sys.executable} {wrong}", "protocol/vectors")
    assert done.returncode == 1
    assert "is expected" in done.stdout


@settings(max_examples=300)
@given(st.sampled_from(SMALL), st.data())
def test_the_package_and_the_independent_reader_judge_damaged_vectors_alike(case: Any, data: st.DataObject) -> None:
    place = JUDGED[case["op"]]
    raw = bytearray.fromhex(case["in"][place])
    for at in data.draw(st.lists(st.integers(0, max(0, len(raw) - 1)), min_size=1, max_size=3)):
        raw[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    asked = {**case["in"], place: raw.hex()}
    assert vectors_core.answer(case["op"], asked) == verify.answer(case["op"], asked)


def test_vectors_are_what_their_generator_makes() -> None:
    done = run("scripts/vectors", "--check")
    named = [line for line in done.stderr.splitlines() if any(chapter[:2] == line[17:19] for chapter in CHAPTERS)]
    assert not named, done.stderr
    assert "Traceback" not in done.stderr, done.stderr


def test_the_reader_shares_nothing_with_the_package_and_stays_small() -> None:
    for name in ("reader", "verify"):
        text = (PROTOCOL / "harness" / f"{name}.py").read_text()
        imported = set(re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE))
        assert imported <= set(sys.stdlib_module_names) | {"reader"}
        assert text.count("\n") <= 300


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_worked_examples_stand_in_the_vectors(chapter: str) -> None:
    text = (PROTOCOL / f"{chapter}.md").read_text()
    kept = "".join((PROTOCOL / "vectors" / file).read_text() for file in FILES)
    constants = {point.hex() for point in identity._REFUSED_POINTS}
    blocks = re.findall(r"(?:^    [0-9a-f ]+\n)+", text, re.MULTILINE) + re.findall(r"`([0-9a-f]{24,})`", text)
    assert blocks
    for block in blocks:
        shown = re.sub(r"\s", "", block)
        assert shown in kept or all(part in kept or part in constants for part in block.split()), block


def test_all_tags_stand_in_the_table() -> None:
    text = (PROTOCOL / "11-identity.md").read_text()
    listed = {tag.encode() + b"\0" for tag in re.findall(r"^\| `(p2pcommons [a-z0-9 ]+)` \|", text, re.MULTILINE)}
    used = {value for name, value in vars(identity).items() if name.startswith("TAG_")}
    assert used <= listed
    assert len(listed) == len(set(listed))


def test_the_table_of_limits_says_what_the_code_does() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (\d+) \|", (PROTOCOL / "90-limits-and-threats.md").read_text(), re.MULTILINE)
    assert len(rows) > 10
    for name, value in rows:
        assert getattr(limits, name) == int(value), name


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_code_of_the_vectors_stands_in_a_table_of_its_chapter(chapter: str) -> None:
    names = CHAPTERS if chapter in ("12-records", "13-seals") else (chapter,)
    text = "".join((PROTOCOL / f"{name}.md").read_text() for name in names if name <= chapter)
    listed = set(re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE))
    for file in FILES:
        if file.startswith(chapter[:2]):
            for case in cases(file):
                codes = [case["error"]] if "error" in case else [code for _, code in case["out"].get("faults", [])]
                assert set(codes) <= listed, case["name"]
