"""Settings: language and look, the recovery words, where everything is."""

from __future__ import annotations

from p2pcommons.core.identity import did_key
from p2pcommons.web.visit import Answer, Page, Redirect, View, Visit, address


async def show(visit: Visit) -> Answer:
    """`/settings`."""
    status = await visit.commons.status()
    identity = await visit.commons.identity()
    return Page(
        "settings.html",
        {
            "status": status,
            "words_seen": identity.words_seen,
            "person": did_key(identity.person),
            "node": did_key(identity.node),
        },
    )


async def trust_clock(visit: Visit) -> Answer:
    """The person says that the clock of this machine is right."""
    await visit.commons.trust_clock()
    return Redirect(address("/settings", "clock"))


async def words(visit: Visit) -> Answer:
    """Show the recovery words; asked for by a form, so that no address and no history leads there."""
    found = await visit.commons.recovery_words(visit.texts.language)
    return Page("words.html", {"words": found})


VIEWS = (
    View("GET", "/settings", show),
    View("POST", "/settings/words", words),
    View("POST", "/settings/clock", trust_clock),
)
