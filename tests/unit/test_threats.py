"""The chapter of threats is true to the project: its tests exist, its dependencies are those that are installed."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHAPTER = (ROOT / "protocol" / "90-limits-and-threats.md").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def _tests() -> dict[str, set[str]]:
    """The names of all tests, by the name of their module."""
    return {
        path.stem: {
            node.name
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        }
        for path in (ROOT / "tests").rglob("test_*.py")
    }


def test_every_test_that_the_chapter_names_is_there() -> None:
    named = re.findall(r"`(test_\w+)::(test_\w+)`", CHAPTER)
    tests = _tests()
    assert len(named) > 40
    assert not [f"{module}::{name}" for module, name in named if name not in tests.get(module, ())]


def test_every_dependency_is_accounted_for_with_the_version_it_needs() -> None:
    wanted = dict(re.fullmatch(r"([\w.-]+)>=([\w.]+)(?:;.*)?", line).groups() for line in PROJECT["dependencies"])  # type: ignore[union-attr]
    rows = dict(re.findall(r"^\| `([a-z][a-z0-9.-]*)` \| ([\d.]+) \|", CHAPTER, re.MULTILINE))
    assert rows == wanted


def test_nothing_reads_what_can_act_by_itself() -> None:
    """No XML, no pickles, no other program, nothing evaluated: modules that the package never imports."""
    refused = re.compile(r"(xml|pickle|marshal|shelve|subprocess|tarfile|yaml|lxml|dill|pty)(\.|$)")
    measuring = ROOT / "p2pcommons" / "cli" / "bench"  # starts nodes of its own
    for path in (ROOT / "p2pcommons").rglob("*.py"):
        if path.is_relative_to(measuring):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "compile", "__import__"), f"{path}:{node.lineno}"
                continue
            else:
                continue
            assert not [name for name in names if refused.match(name)], f"{path}:{node.lineno}"
