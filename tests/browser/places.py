"""Every page there is, by the view that shows it: where to find one in the furnished world, and in which states."""

from __future__ import annotations

from typing import Final, NamedTuple

V: Final = "/commons/{commons}/proposals/{proposal}"


class Place(NamedTuple):
    """One page in one state. `view`: the path of its view; `target`: filled in from the names of the world."""

    name: str
    view: str
    target: str
    status: int = 200


PLACES: Final = (
    Place("catalogue", "/", "/"),
    Place("catalogue-found", "/", "/?q=lavoir&type=place&commons={commons}"),
    Place("catalogue-nothing", "/", "/?q=zzzz"),
    Place("catalogue-waiting", "/", "/?commons={waiting}"),
    Place("unsettled", "/unsettled", "/unsettled"),
    Place("add", "/add", "/add"),
    Place("entry", "/entries/{entry}", "/entries/{entry}"),
    Place("entry-disputed", "/entries/{entry}", "/entries/{disputed}"),
    Place("entry-withdrawn", "/entries/{entry}", "/entries/{gone}", 410),
    Place("entry-hidden", "/entries/{entry}", "/entries/{hidden}", 403),
    Place("entry-absent", "/entries/{entry}", "/entries/{absent}", 404),
    Place("edit", "/entries/{entry}/edit", "/entries/{entry}/edit"),
    Place("history", "/entries/{entry}/history", "/entries/{disputed}/history"),
    Place("withdraw", "/entries/{entry}/withdraw", "/entries/{entry}/withdraw"),
    Place("moderate", "/entries/{entry}/moderate", "/entries/{reported}/moderate?do=report"),
    Place("commons-list", "/commons", "/commons"),
    Place("commons-new", "/commons/new", "/commons/new"),
    Place("commons", "/commons/{commons}", "/commons/{commons}"),
    Place("commons-waiting", "/commons/{commons}", "/commons/{waiting}"),
    Place("unfollow", "/commons/{commons}/unfollow", "/commons/{commons}/unfollow"),
    Place("charter", "/commons/{commons}/charter", "/commons/{commons}/charter"),
    Place("rule", "/commons/{commons}/charter/{rule}", "/commons/{commons}/charter/join"),
    Place("question", "/commons/{commons}/charter/{rule}/question", "/commons/{commons}/charter/join/question"),
    Place("proposals", "/commons/{commons}/proposals", "/commons/{hall}/proposals"),
    Place("propose", "/commons/{commons}/proposals/new", "/commons/{hall}/proposals/new"),
    Place("proposal", V, "/commons/{hall}/proposals/{offered}"),
    Place("amend", f"{V}/amend", "/commons/{hall}/proposals/{offered}/amend"),
    Place("discussion", f"{V}/discussion", "/commons/{hall}/proposals/{offered}/discussion"),
    Place("close", f"{V}/close", "/commons/{hall}/proposals/{offered}/close"),
    Place("members", "/commons/{commons}/members", "/commons/{gens}/members"),
    Place("member-act", "/commons/{commons}/members/act", "/commons/{gens}/members/act?do=remove&key={member}"),
    Place("lineage", "/commons/{commons}/lineage", "/commons/{commons}/lineage"),
    Place("fork", "/commons/{commons}/fork", "/commons/{commons}/fork"),
    Place("moderation", "/commons/{commons}/moderation", "/commons/{commons}/moderation"),
    Place("neighbours", "/neighbours", "/neighbours"),
    Place("block", "/neighbours/block", "/neighbours/block?key={neighbour}"),
    Place("settings", "/settings", "/settings"),
    Place("welcome", "/welcome", "/welcome"),
    Place("public", "/public", "/public"),
    Place("join", "/join", "/join"),
    Place("enter", "/enter", "/enter"),
    Place("nowhere", "", "/nowhere", 404),
)
