"""The commons a node follows: the list, one of them, founding, following, inviting, and the sample to begin with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from importlib.resources import files
from typing import Any, Final

from p2pcommons.commons.charter import JOIN_POLICIES
from p2pcommons.core.record import CommonsId
from p2pcommons.errors import FormError, P2PCommonsError, Refused
from p2pcommons.web import labels
from p2pcommons.web.criteria_words import told_criteria
from p2pcommons.web.proposal_reading import grouped
from p2pcommons.web.texts import LANGUAGES, N_
from p2pcommons.web.visit import Answer, Page, Redirect, View, Visit, address, now_ms

USES_MAX: Final = 10_000
DAYS_MAX: Final = 3_650
NEARBY_ITEMS: Final = 50  # announced commons shown: a hall has a few; what is more comes by its id
_LIMITS: Final = N_("Give 1 to 10,000 uses and 1 to 3,650 days.")
_PRIVATE: Final = {"uses": "5", "days": "30"}


async def listing(visit: Visit) -> Answer:
    """`/commons`: all of them, and following one more by its id."""
    return await _listing(visit, "", None)


async def _listing(visit: Visit, typed: str, problem: str | None) -> Page:
    status = await visit.commons.status()
    nearby = [one for one in status.nearby if not one.followed][:NEARBY_ITEMS]
    values = {
        "followed": status.commons, "notices": status.notices, "nearby": nearby, "typed": typed, "problem": problem
    }  # fmt: skip
    return Page("commons_list.html", values, 422 if problem else 200)


async def follow(visit: Visit) -> Answer:
    """Follow a commons by its id."""
    typed = visit.typed("commons").strip().lower()
    try:
        commons = visit.commons_id(typed)
    except P2PCommonsError:
        return await _listing(visit, visit.typed("commons"), labels.REFUSALS["bad-id"])
    await visit.commons.follow(commons)
    return Redirect(address(f"/commons/{commons.hex()}", "followed"))


async def show(visit: Visit) -> Answer:
    """`/commons/ID`."""
    return await _one(visit, dict(_PRIVATE), None)


async def _one(visit: Visit, typed: dict[str, str], problem: str | None) -> Page:
    commons = visit.commons_id()
    info = await visit.commons.get_commons(commons)
    here = info.state != "waiting"
    values: dict[str, Any] = {
        "info": info,
        "digest": await visit.commons.digest(commons),
        "lineage": await visit.commons.lineage(commons) if here else None,
        "criteria": told_criteria((await visit.commons.criteria(commons)).criteria, visit.texts) if here else None,
        "waiting": len(grouped(await visit.commons.proposals(commons), now_ms())[0].items) if here else 0,
        "typed": typed,
        "problem": problem,
    }
    return Page("commons.html", values, 422 if problem else 200)


async def invite(visit: Visit) -> Answer:
    """Make an invitation, and show its line this once."""
    typed = {"uses": visit.typed("uses").strip(), "days": visit.typed("days").strip()}
    if not _whole(typed["uses"], USES_MAX) or not _whole(typed["days"], DAYS_MAX):
        return await _one(visit, typed, _LIMITS)
    commons = visit.commons_id()
    made = await visit.commons.invite(commons, uses=int(typed["uses"]), days=int(typed["days"]))
    status = await visit.commons.status()
    return Page(
        "invited.html",
        {
            "info": await visit.commons.get_commons(commons),
            "invitation": made,
            "reachable": any(each.reach != "local" or not _is_loopback(each.address) for each in status.addresses),
        },
    )


# -- letting go


async def unfollow_form(visit: Visit) -> Answer:
    """`/commons/ID/unfollow`: says what is lost, what stays, and asks whether it is meant."""
    info = await visit.commons.get_commons(visit.commons_id())
    return Page("unfollow.html", {"info": info, "confirmed": await holding_the_same(visit, info.id)})


async def holding_the_same(visit: Visit, commons: CommonsId) -> int:
    """How many neighbours connected now confirmed that they hold all of a commons that is here."""
    peers = await visit.commons.peers()
    return len({peer.key for peer in peers for each in peer.commons if (each.commons, each.state) == (commons, "same")})


async def unfollow(visit: Visit) -> Answer:
    """Forget the commons and the copy of it here."""
    await visit.commons.unfollow(visit.commons_id())
    return Redirect(address("/commons", "unfollowed"))


def _whole(text: str, most: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 8 and 1 <= int(text) <= most


def _is_loopback(place: str) -> bool:
    return place.rpartition("@")[2].startswith(("127.", "[::1]"))


# -- founding


async def create_form(visit: Visit) -> Answer:
    """`/commons/new`."""
    return _creating({"join": "invite", "languages": visit.texts.language}, {})


async def create(visit: Visit) -> Answer:
    """Found a commons."""
    typed = {name: visit.typed(name).strip() for name in ("name", "join", "territory")}
    chosen = [value for key, value in visit.form if key == "languages" and value in LANGUAGES]
    errors = {}
    if not typed["name"]:
        errors["name"] = N_("Give it a name.")
    if typed["join"] not in JOIN_POLICIES:
        typed["join"] = "invite"
    if not errors:
        try:
            made = await visit.commons.create_commons(
                typed["name"], join=typed["join"], languages=chosen, territory=typed["territory"] or None
            )
        except (FormError, Refused) as error:
            where = "territory" if "territory" in error.code or "territory" in error.detail else "name"
            errors[where] = labels.REFUSALS.get(error.code.replace("_", "-"), labels.FIELD_ERROR)
        else:
            return Redirect(address(f"/commons/{made.id.hex()}", "created"))
    return _creating({**typed, "languages": " ".join(chosen)}, errors)


def _creating(typed: dict[str, str], errors: dict[str, str]) -> Page:
    policies = [policy for policy in JOIN_POLICIES if policy != "vote"]  # until votes are there, it would let nobody in
    return Page("commons_new.html", {"typed": typed, "errors": errors, "policies": policies}, 422 if errors else 200)


# -- the sample


async def sample(visit: Visit) -> Answer:
    """Load the sample catalogue of the package; a second time adds nothing."""
    commons = visit.commons_id()
    text = (files("p2pcommons") / "data" / "sample.jsonl").read_bytes()

    async def lines() -> AsyncIterator[Sequence[bytes]]:
        yield text.splitlines()

    new = 0
    async for answers in await visit.commons.batch(commons, lines()):
        new += sum(answer.code is None and not answer.unchanged for answer in answers)
    return Redirect(address("/", "sample" if new else "sample-again", commons=commons.hex()))


VIEWS = (
    View("GET", "/commons", listing),
    View("POST", "/commons/follow", follow),
    View("GET", "/commons/new", create_form),
    View("POST", "/commons/new", create, publishes=True),
    View("GET", "/commons/{commons}", show),
    View("GET", "/commons/{commons}/unfollow", unfollow_form),
    View("POST", "/commons/{commons}/unfollow", unfollow),
    View("POST", "/commons/{commons}/invite", invite, publishes=True),
    View("POST", "/commons/{commons}/sample", sample, publishes=True),
)
