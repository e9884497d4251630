"""Who may import whom: lazy and type-only imports count too."""

import ast
from pathlib import Path

import pytest

import p2pcommons

ROOT = Path(p2pcommons.__file__).parent
ALLOWED = {
    "errors": set(),
    "config": {"errors"},
    "core": {"errors"},
    "commons": {"errors", "core", "sync.storage"},
    "sync": {"errors", "core"},
    "store": {"errors", "core", "commons", "sync.storage"},
    "network": {"errors", "core", "sync.handshake"},
    "formats": {"errors", "core", "commons"},
    "node": {"errors", "config", "core", "commons", "sync", "store", "network", "formats"},
    "api": {"errors", "config", "core", "commons", "formats", "node"},
    "web": {"errors", "core", "commons", "node.values", "node.assembly_values", "node.moderation_values", "api"},
    "cli": {"errors", "config", "core", "commons", "formats", "api", "node", "web"},
}
ASYNC = {"network", "node", "api", "cli", "web"}
IMPURE = {"socket", "os", "time", "random", "secrets", "asyncio", "threading", "logging", "pathlib"}
MODULES = sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem in ALLOWED)


def _imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def _layer(path: Path) -> str:
    relative = path.relative_to(ROOT)
    return relative.stem if len(relative.parts) == 1 else relative.parts[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_only_down(path: Path) -> None:
    layer = _layer(path)
    for name in _imported(path):
        if not name.startswith("p2pcommons."):
            continue
        inner = name.removeprefix("p2pcommons.")
        if inner.split(".")[0] in (layer, "__version__"):
            continue
        allowed = any(
            inner == part or inner.startswith(part + ".") or part.startswith(inner + ".") for part in ALLOWED[layer]
        )
        assert allowed, f"{layer} may not import {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_value_machines_know_no_socket_file_clock_or_dice(path: Path) -> None:
    layer = _layer(path)
    roots = {name.split(".")[0] for name in _imported(path)}
    if layer in ("core", "commons", "sync"):
        assert not roots & IMPURE
        asked = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        assert not asked & {"now", "utcnow", "today"}, "a clock is asked"
    if layer not in ASYNC:
        assert "asyncio" not in roots and "aiohttp" not in roots
