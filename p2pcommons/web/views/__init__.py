"""Every page, by where it is."""

from p2pcommons.web.views import (
    browse,
    changing,
    charter,
    commons,
    enter,
    entries,
    forks,
    members,
    moderation,
    neighbours,
    settings,
    start,
)

VIEWS = (
    *browse.VIEWS,
    *entries.VIEWS,
    *changing.VIEWS,
    *commons.VIEWS,
    *charter.VIEWS,
    *forks.VIEWS,
    *members.VIEWS,
    *moderation.VIEWS,
    *start.VIEWS,
    *neighbours.VIEWS,
    *settings.VIEWS,
    *enter.VIEWS,
)
