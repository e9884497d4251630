"""Every page, by where it is."""

from p2pcommons.web.views import (
    amending,
    browse,
    changing,
    charter,
    commons,
    discussing,
    enter,
    entries,
    forks,
    members,
    moderation,
    neighbours,
    origins,
    proposals,
    proposing,
    settings,
    start,
    voting,
)

VIEWS = (
    *browse.VIEWS,
    *entries.VIEWS,
    *changing.VIEWS,
    *commons.VIEWS,
    *charter.VIEWS,
    *proposing.VIEWS,  # before `proposals`: /proposals/new is no proposal
    *proposals.VIEWS,
    *amending.VIEWS,
    *discussing.VIEWS,
    *voting.VIEWS,
    *origins.VIEWS,
    *forks.VIEWS,
    *members.VIEWS,
    *moderation.VIEWS,
    *start.VIEWS,
    *neighbours.VIEWS,
    *settings.VIEWS,
    *enter.VIEWS,
)
