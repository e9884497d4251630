"""The README says what the program does: its commands parse, its files are there, its Python compiles."""

from __future__ import annotations

import argparse
import ast
import os
import re
import shlex
from pathlib import Path

import pytest

from p2pcommons import Client
from p2pcommons.cli.main import build_parser

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
HEREDOC = re.compile(r"<<'?(\w+)'?\n.*?^\1$", re.DOTALL | re.MULTILINE)
INNER = re.compile(r"\$\(([^()]*)\)")
VARIABLE = re.compile(r"\$(\w+)")
VALUES = {"LINE": "p2pcommons:line", "ADDRESS": "127.0.0.1:7421"}  # any other variable of the README is an id
PLACEHOLDERS = {"NOM", "FICHIER", "CORRESPONDANCE", "MOTS", "LIGNE", "ID", "ADRESSE", "NAME", "DIR"}
FOLDERS = ("scripts/", "protocol/", "p2pcommons/", "examples/", "tests/", "docs/", ".ci/")


def _blocks(language: str) -> list[str]:
    return [text for found, text in FENCE.findall(README) if found == language]


def commands(shell: str) -> list[list[str]]:
    """Every simple command of a shell text, as words; those in `$(…)` too."""
    text = HEREDOC.sub("", shell).replace("\\\n", " ")
    found: list[list[str]] = []
    for line in text.splitlines():
        inner = INNER.findall(line)
        line = INNER.sub("0" * 64, line)
        for part in (*inner, line):
            words = shlex.shlex(part, posix=True, punctuation_chars="|;&<>")
            words.whitespace_split = True
            words.commenters = "#"
            command: list[str] = []
            for word in [*words, ";"]:
                if set(word) <= set("|;&"):
                    if command:
                        found.append(command)
                    command = []
                elif command or not re.fullmatch(r"\w+=.*", word, re.DOTALL):
                    command.append(VARIABLE.sub(lambda name: VALUES.get(name[1], "0" * 64), word))
    return found


INLINE = [text for text in re.findall(r"`([^`\n]+)`", FENCE.sub("", README)) if re.match(r"p2pcommons \w", text)]
SHELL = [command for block in _blocks("sh") for command in commands(block)]


def _until_redirection(command: list[str]) -> list[str]:
    return command[: next((n for n, word in enumerate(command) if set(word) <= set("<>")), len(command))]


@pytest.mark.parametrize(
    "command", [command for command in SHELL if command[0] == "p2pcommons"], ids=lambda command: " ".join(command)[:60]
)
def test_every_command_of_the_shell_examples_parses(command: list[str]) -> None:
    words = _until_redirection(command)[1:]
    if "--help" in words:
        return
    arguments, rest = build_parser().parse_known_args(words)
    assert hasattr(arguments, "command"), f"{words} is only the beginning of a command"
    assert not rest or arguments.command.passes_on, f"unknown: {rest}"


@pytest.mark.parametrize("text", INLINE)
def test_every_command_named_in_the_text_exists_with_its_options(text: str) -> None:
    parser: argparse.ArgumentParser = build_parser()
    options: set[str] = set(parser._option_string_actions)
    for word in shlex.split(text)[1:]:
        below = next((a for a in parser._actions if isinstance(a, argparse._SubParsersAction)), None)
        if word.startswith("-"):
            assert word in options, f"{text!r}: no option {word}"
        elif below is not None and word in below.choices:
            parser = below.choices[word]
            options |= set(parser._option_string_actions)
        else:
            assert below is None or word in PLACEHOLDERS or "/" in word, f"{text!r}: no command {word}"


def test_every_file_it_names_is_there() -> None:
    outside = FENCE.sub("", README)
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", outside) if "://" not in link]
    named = [word for text in re.findall(r"`([^`\n]+)`", outside) for word in text.split() if word.startswith(FOLDERS)]
    run = [word for command in SHELL for word in command if word.startswith(FOLDERS)]
    assert len(links) > 10 and "scripts/up" in run
    missing = [name for name in (*links, *named, *run) if not (ROOT / name).exists()]
    assert missing == []
    assert [name for name in run if name.startswith("scripts/") and not os.access(ROOT / name, os.X_OK)] == []


def test_every_link_inside_leads_to_a_heading() -> None:
    headings = {
        re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= headings


def test_the_map_names_every_script() -> None:
    table = README.partition("## The repository")[2].partition("\n## ")[0]
    for path in (ROOT / "scripts").iterdir():
        if path.is_file():
            name = "vectors_*.py" if path.name.startswith("vectors_") else path.name
            assert name in table, f"{path.name} is not in the map"


def test_the_client_example_compiles_and_uses_what_the_client_has() -> None:
    [example] = _blocks("python")
    tree = ast.parse(example)
    compile(tree, "README.md", "exec")
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            exec(compile(ast.Module([statement], []), "README.md", "exec"), {})
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("node", "Client")
    }
    assert used and all(hasattr(Client, name) for name in used)


def test_the_figures_have_their_place_and_columns() -> None:
    figures = README.partition("<!-- figures -->")[2].partition("<!-- /figures -->")[0].strip().splitlines()
    assert figures[0] == "| what | asked | measured |"
    assert all(line.startswith("| ") and line.endswith("|") and line.count("|") == 4 for line in figures[2:])
