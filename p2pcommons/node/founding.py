"""What a new commons takes from one that is here or from a recipe: rules, with the words that people wrote for them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import NamedTuple

from p2pcommons.commons.charter_bodies import Made
from p2pcommons.commons.rules import Rules
from p2pcommons.commons.written import WRITE, write
from p2pcommons.core.limits import SALT_BYTES
from p2pcommons.core.record import CommonsId, Plane
from p2pcommons.node.assemblies import Moment
from p2pcommons.node.runtime import Runtime
from p2pcommons.sync.replica import Draft


class Charter(NamedTuple):
    """The rules of a commons now, and by rule the words that people wrote for it, as far as they are here."""

    rules: Rules
    own: Mapping[str, str]


def charter_of(moment: Moment) -> Charter:
    """The rules in force."""
    hashes = {rule: version.text for rule, version in moment.rules.versions.items() if version.text is not None}
    texts = moment.texts(hashes.values())
    return Charter(moment.rules, {rule: texts[named] for rule, named in hashes.items() if named in texts})


def found_with_words(runtime: Runtime, made: Made, own: Mapping[str, str]) -> CommonsId:
    """Found a commons, and write the words of its rules into it; in the engine's thread. FormError `bad_text`.

    To be run so that it joins a group: both are then one commit, and no commons is left without its words.
    """
    words = {rule: write(text, secrets.token_bytes(SALT_BYTES)) for rule, text in own.items()}
    body = made.body
    if words:
        body = {**body, "texts": {rule: one.hash for rule, one in words.items()}}
    person, now_ms = runtime.keys.person, runtime.watch.signing_ms()
    commons = runtime.replica.found(person, made.kind, body, now_ms)
    drafts = [Draft(Plane.CATALOGUE, one.hash, (), WRITE, one.body) for one in words.values()]
    runtime.replica.write(commons, person, drafts, now_ms)
    return commons
