"""Roles in a commons, and what each may do under its rules (chapter 24, "Rules"): for people, and for recipes.

Computed from the rules alone; who holds a role is the charter's. Knows no member.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from p2pcommons.commons.rules import RULES, Params

ROLES: Final = ("member", "steward", "host")
"""A steward is a member too. A host has no right."""

ROLE_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "member": {"en": "member", "fr": "membre"},
    "steward": {"en": "steward", "fr": "responsable"},
    "host": {"en": "host", "fr": "hébergeur"},
}

MAY: Final = (
    "write", "question", "vote", "invite", "report", "hide", "appoint", "purge", "keep_copies",
)  # fmt: skip
"""Write entries and comments; question a rule, and propose; vote; invite; report; hide; choose stewards without a
vote; remove keys for good; keep copies and pass them on."""


def roles(rules: Mapping[str, Params]) -> dict[str, tuple[str, ...]]:
    """What each role may do, in the order of MAY. `rules`: parameters by rule; what is missing is by default."""
    params = {rule: rules.get(rule, RULES[rule].defaults) for rule in RULES}
    member = {"write", "question", "vote", "report", "keep_copies"}
    steward = {"purge"}
    for act in ("invite", "hide"):
        by = params[act]["by"]
        if by == "members":
            member.add(act)
        elif by == "stewards":
            steward.add(act)
    if params["stewards"]["by"] == "stewards":
        steward.add("appoint")
    held = {"member": member, "steward": member | steward, "host": {"keep_copies"}}
    return {role: tuple(act for act in MAY if act in held[role]) for role in ROLES}
