"""Commands about the rules of a commons."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from p2pcommons.cli.command import Call, Command, commons_argument, find_commons, language
from p2pcommons.cli.proposals import params_argument, tell_opened

if TYPE_CHECKING:
    from p2pcommons.node.values import ArticleInfo


def _show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--language", metavar="fr", help="in which language (yours, where its words have it)")
    parser.add_argument("--exact", action="store_true", help="with ids, parameters and versions")
    commons_argument(parser)


async def _show(call: Call) -> int:
    given = call.arguments
    commons = await find_commons(call.verbs, given.commons)
    shown = await call.verbs.charter(commons, given.language or language())
    call.output.document(shown)
    if call.output.json:
        return 0
    call.output.say(f"{shown.title}: {shown.name}")
    call.output.say(shown.summary)
    for part in shown.parts:
        call.output.say("")
        call.output.say(part.title.upper())
        if part.text:
            call.output.say(part.text)
        for article in part.articles:
            call.output.say(f"  {article.title}. {article.text}")
            if article.review_due:
                call.output.say(f'      To be looked at again: p2pcommons charter question {article.rule} "WHY"')
            if given.exact:
                call.output.say(f"      {_exact(article)}")
    call.output.say("")
    call.output.say(
        "Every rule can be questioned: p2pcommons charter question RULE TEXT (--exact shows what rules are called)."
    )
    return 0


def _exact(article: ArticleInfo) -> str:
    from p2pcommons.api.wire import rfc3339

    said = ", ".join(f"{name} {value}" for name, value in sorted(article.params.items()))
    if article.review_at is None:
        return f"{article.rule}: {said}; by default"
    return f"{article.rule}: {said}; set by {article.version.hex()[:8]}, to review {rfc3339(article.review_at)[:10]}"


def _history_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("rule", metavar="RULE", nargs="?", help="its id; else all rules that were changed")
    commons_argument(parser)


async def _history(call: Call) -> int:
    from p2pcommons.api.wire import rfc3339

    shown = await call.verbs.charter_history(
        await find_commons(call.verbs, call.arguments.commons), call.arguments.rule
    )
    call.output.items(shown)
    if call.output.json:
        return 0
    if not shown:
        call.output.say(
            "No rule was changed since the founding."
            if call.arguments.rule is None
            else "It never was set: all of it is by default."
        )
        return 0
    call.output.table(
        ("since", "rule", "version", "", "says"),
        [
            (
                rfc3339(one.at)[:10], one.rule, one.version.hex()[:8], "in force" if one.in_force else "",
                ", ".join(f"{name} {value}" for name, value in sorted(one.params.items())) + (f" ({one.title})" if one.title else ""),
            )
            for one in shown
        ],
    )  # fmt: skip
    return 0


def _question_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("rule", metavar="RULE", help="its id, as `charter show --exact` shows it")
    parser.add_argument("text", metavar="TEXT", help="what you propose, and why; its first line is the title")
    params_argument(parser)
    commons_argument(parser)


async def _question(call: Call) -> int:
    from p2pcommons.node.assembly_values import Question

    given = call.arguments
    commons = await find_commons(call.verbs, given.commons)
    asked = Question(given.text, "rule", rule=given.rule, params=dict(given.params) or None, words=given.words)
    same = asked.params is None and asked.words is None
    tell_opened(call, await call.verbs.propose(commons, asked), same_rule=same)
    return 0


COMMANDS = (
    Command("charter show", "the rules of a commons, in words", _show, _show_arguments),
    Command("charter history", "the versions that rules had", _history, _history_arguments),
    Command("charter question", "propose to change a rule, or to say it otherwise", _question, _question_arguments),
)
