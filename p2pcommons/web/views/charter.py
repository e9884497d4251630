"""The charter of a commons: its rules in words, and one rule with all that it said before."""

from __future__ import annotations

from p2pcommons.errors import NotFound
from p2pcommons.web.proposal_reading import article_of
from p2pcommons.web.rule_words import param_rows, rule_sentence
from p2pcommons.web.views.proposing import rule_of
from p2pcommons.web.visit import Answer, Page, View, Visit, now_ms


async def show(visit: Visit) -> Answer:
    """`/commons/ID/charter`."""
    commons = visit.commons_id()
    found = await visit.commons.charter(commons, visit.texts.language)
    now = now_ms()
    due = [a.rule for part in found.parts for a in part.articles if a.review_at is not None and a.review_at < now]
    return Page("charter.html", {"info": await visit.commons.get_commons(commons), "charter": found, "due": due})


async def rule(visit: Visit) -> Answer:
    """`/commons/ID/charter/RULE`: what it says, exactly, since when, and what it said before."""
    commons, name = visit.commons_id(), rule_of(visit)
    charter = await visit.commons.charter(commons, visit.texts.language)
    article = article_of(charter, name)
    if article is None:
        raise NotFound("unknown-rule", f"there is no rule {name!r}")
    versions = await visit.commons.charter_history(commons, name)
    said = [(one, rule_sentence(visit.texts, charter.template, name, one.params, one.words)) for one in versions]
    return Page(
        "rule.html",
        {
            "info": await visit.commons.get_commons(commons),
            "article": article,
            "due": article.review_at is not None and article.review_at < now_ms(),
            "params": param_rows(visit.texts, name, None, article.params),
            "versions": said[::-1],
        },
    )


VIEWS = (
    View("GET", "/commons/{commons}/charter", show),
    View("GET", "/commons/{commons}/charter/{rule}", rule),
)
