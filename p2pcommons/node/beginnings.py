"""How commons begin and what they leave: recipes, and where a commons came from (chapter 24, "Recipes" and "Forks").

What a founding record says of recipes and bases is read here, by each of its fields alone: the charter's view does not
hold it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from p2pcommons.commons.charter_bodies import Made, found
from p2pcommons.commons.charter_text import spoken
from p2pcommons.commons.doors import recovery_hash
from p2pcommons.commons.forks import Base, read_base
from p2pcommons.commons.languages import canonical
from p2pcommons.commons.recipe import (
    Signed,
    of_commons,
    read_lineage,
    read_recipe,
    start_from,
    write_recipe,
)
from p2pcommons.commons.rules import Rules
from p2pcommons.core.encoding import encode
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import FormError, Refused
from p2pcommons.node.assemblies import Assemblies
from p2pcommons.node.charters import template
from p2pcommons.node.folder import FORKS
from p2pcommons.node.founding import Charter, charter_of, found_with_words
from p2pcommons.node.membership import Membership, check_place
from p2pcommons.node.runtime import Runtime
from p2pcommons.node.values import (
    AncestorInfo,
    BaseInfo,
    Blob,
    ChildInfo,
    Hash,
    Instant,
    LineageInfo,
    RecipeFile,
    RecipeInfo,
)
from p2pcommons.store.reading import SqliteReader
from p2pcommons.sync.digest import fingerprint

_UNDETERMINED: Final = "und"  # BCP 47: the language of words is not known


class Beginnings:
    """Recipes of the commons followed here, commons founded from recipes, and who came from whom."""

    def __init__(self, runtime: Runtime, membership: Membership, assemblies: Assemblies) -> None:
        self._runtime = runtime
        self._membership = membership
        self._assemblies = assemblies

    async def charter(self, commons: CommonsId) -> Charter:
        """The rules in force. NotFound `unknown-commons`; Conflict `commons-waiting`."""
        return await self._assemblies.ask(lambda: self._membership.charter(commons), commons, charter_of, noted=False)

    async def recipe(self, commons: CommonsId) -> RecipeFile:
        """The recipe of a commons with the rules in force, signed by this person. Conflict `commons-waiting`."""
        runtime = self._runtime
        charter = self._membership.charter(commons)

        rules, own = await self.charter(commons)
        content = await runtime.read(lambda reader: founding_content(reader, commons))
        languages = [tag for tag in charter.languages if canonical(tag) == tag]
        recipe = of_commons(
            commons,
            charter.name if charter.name.strip() else commons.hex()[:8],
            template(rules.template),
            rules,
            date_ms=runtime.watch.signing_ms(),
            languages=languages,
            own={rule: {(languages or [_UNDETERMINED])[0]: text} for rule, text in own.items()},
            lineage=read_lineage(content.get("lineage")),
        )
        data = write_recipe(recipe, runtime.keys.person)
        mark = rules_mark(rules)

        def note() -> None:
            with runtime.store.transaction():
                runtime.store.put_value(recipe_name(commons), mark)

        await runtime.run(note)
        return RecipeFile(recipe_info(read_recipe(data)), Blob(data))

    async def create(
        self, name: str, recipe: bytes, join: str | None, languages: tuple[str, ...], territory: str | None
    ) -> CommonsId:
        """Found a commons with the rules of a recipe. FormError `bad_bundle`, `bad_recipe`, `bad_template`, `bad_signature`."""
        check_place(languages, territory)
        signed = read_recipe(recipe)
        start = start_from(signed, {} if join is None else {"join": {"policy": join}})
        spoken_in = languages or signed.recipe.languages
        made = found(
            name,
            entropy=secrets.token_bytes(32),
            recovery=recovery_hash(self._runtime.keys.recovery.public),
            languages=spoken_in,
            territory=territory,
            template=start.template,
            rules=start.rules,
            **start.fields,
        )
        named = Made(made.kind, {**made.body, "lineage": [one.value() for one in start.lineage]})
        own = {rule: spoken(words, (*spoken_in, _UNDETERMINED)[0]) for rule, words in start.own.items()}
        return await self._runtime.run(lambda: found_with_words(self._runtime, named, own), joins=True)

    async def lineage(self, commons: CommonsId) -> LineageInfo:
        """Where a commons came from, and what came of it here. Conflict `commons-waiting`."""
        self._membership.charter(commons)
        runtime = self._runtime
        followed = runtime.replica.followed()

        def read(reader: SqliteReader) -> Mapping[CommonsId, Mapping[str, Any]]:
            return {one: founding_content(reader, one) for one in followed}

        contents = await runtime.read(read)
        base = read_base(contents[commons].get("base"))
        line = tuple(
            AncestorInfo(CommonsId(one.commons), Hash(one.recipe), self._name(CommonsId(one.commons)))
            for one in read_lineage(contents[commons].get("lineage"))
        )
        children = (child(one, content, commons) for one, content in sorted(contents.items()))
        shown = None if base is None else self.base_info(base)
        return LineageInfo(commons, line, shown, tuple(one for one in children if one is not None))

    def base_info(self, base: Base) -> BaseInfo:
        """What is said of a base, and whether the copy here is still as it was."""
        commons = CommonsId(base.commons)
        charter, catalogue = base.sets
        info = BaseInfo(commons, base.records, Hash(charter.digest), Hash(catalogue.digest), self._name(commons))
        file = base_file(self._runtime.folder.path, base)
        info = replace(info, file=str(file) if file.is_file() else None)
        if info.name is None:
            return info
        # As readers see it, not as far as a stream has come.
        same = self._runtime.digest(commons).fingerprint == fingerprint(charter.digest, catalogue.digest)
        return replace(info, state="same" if same else "changed")

    def _name(self, commons: CommonsId) -> str | None:
        """The name of a commons that is here; None where it is not."""
        if commons not in self._runtime.replica.followed():
            return None
        charter = self._runtime.replica.charter(commons)
        return None if charter is None or not charter.founded else charter.name


def founding_content(reader: SqliteReader, commons: CommonsId) -> Mapping[str, Any]:
    """The body of a commons' founding record, whatever it holds; empty where it is not here."""
    for sealed in reader.sealed([commons]):
        try:
            return sealed.record.content()
        except FormError:
            break
    return {}


def child(commons: CommonsId, content: Mapping[str, Any], of: CommonsId) -> ChildInfo | None:
    """What a founding record says of having begun from another commons; None where it does not."""
    name = content.get("name")
    shown = name if isinstance(name, str) else ""
    base = read_base(content.get("base"))
    if base is not None and base.commons == of:
        return ChildInfo(commons, shown, "fork")
    line = read_lineage(content.get("lineage"))
    return ChildInfo(commons, shown, "recipe") if line and line[-1].commons == of else None


def recipe_info(signed: Signed) -> RecipeInfo:
    """What is told of a recipe."""
    recipe = signed.recipe
    return RecipeInfo(
        CommonsId(recipe.commons), recipe.name, Hash(signed.hash), signed.author, Instant(recipe.date_ms),
        tuple(recipe.own),
    )  # fmt: skip


def rules_mark(rules: Rules) -> bytes:
    """By which a node knows whether the recipe it wrote last still has the rules in force."""
    return encode(rules.value())


def recipe_name(commons: bytes) -> str:
    """The local value that holds `rules_mark` of the last recipe."""
    return f"recipe/{commons.hex()}"


def base_file(data: Path, base: Base) -> Path:
    """Where in a data folder the pack file of a base is, if it was forked there."""
    charter, catalogue = (one.digest.hex()[:8] for one in base.sets)
    return data / FORKS / f"{base.commons.hex()[:16]}-{charter}{catalogue}.pack"


def check_recipe_alone(charter: str | None) -> None:
    """Refused `two-charters`: rules come from a template or from a recipe."""
    if charter is not None:
        raise Refused("two-charters", "A recipe brings its rules: name a charter or a recipe, not both.")
