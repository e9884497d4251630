"""Every page, by where it is."""

from p2pcommons.web.views import browse, changing, commons, enter, entries, neighbours, settings, start

VIEWS = (
    *browse.VIEWS,
    *entries.VIEWS,
    *changing.VIEWS,
    *commons.VIEWS,
    *start.VIEWS,
    *neighbours.VIEWS,
    *settings.VIEWS,
    *enter.VIEWS,
)
