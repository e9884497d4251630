"""The four criteria of a commons as a picture: one row each, with a mark, words and who says so.

An SVG that stands alone or within a page: marks differ by form, words say the same, colour adds nothing
(`currentColor`); its title and description say all of it to who does not see it. Knows no request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from markupsafe import Markup, escape

from p2pcommons.commons.criteria import Standing
from p2pcommons.web.texts import N_, Texts

CRITERIA: Final[Mapping[str, str]] = {
    "governance": N_("Governed by all its users"),
    "rules": N_("Rules open to change"),
    "recipe": N_("Open recipe"),
    "resource": N_("Resource protected"),
}
"""By name of the criterion."""

STATES: Final[Mapping[str, str]] = {
    "met": N_("it is so"),
    "partly": N_("in part"),
    "not_met": N_("not yet"),
    "unknown": N_("not known"),
}
"""By name of the state."""

SVG: Final = "http://www.w3.org/2000/svg"

# Drawn at the size of reading: on a telephone of 320 points the words stay 15 points high.
_WIDTH: Final = 320
_ROW: Final = 52
_MARK_X: Final = 20
_TEXT_X: Final = 44
_RADIUS: Final = 11


def criteria_picture(standings: Sequence[Standing], texts: Texts, *, name: str = "criteria") -> Markup:
    """The picture in the language of `texts`. `name`: start of its ids, one's own for each picture of a page."""
    title = texts.text("The four criteria of a commons")
    told = [_told(standing, texts) for standing in standings]
    about = Markup(". ").join(Markup("{} – {}").format(label, state) for label, state in told)
    height = _ROW * len(standings)
    rows = Markup("").join(
        _row(place * _ROW, standing, *words)
        for place, (standing, words) in enumerate(zip(standings, told, strict=True))
    )
    return Markup(
        '<svg xmlns="{svg}" class="criteria" role="img" lang="{lang}" viewBox="0 0 {width} {height}" '
        'width="{width}" height="{height}" aria-labelledby="{name}-title {name}-desc">'
        '<title id="{name}-title">{title}</title><desc id="{name}-desc">{about}.</desc>{rows}</svg>'
    ).format(svg=SVG, lang=texts.language, width=_WIDTH, height=height, name=name, title=title, about=about, rows=rows)


def _told(standing: Standing, texts: Texts) -> tuple[Markup, Markup]:
    state = texts.text(STATES[standing.state])
    if standing.contested:
        state = texts.text("{state}, contested", state=state)
    elif standing.assessment is None and standing.state != "unknown":
        state = texts.text("{state}, by the numbers", state=state)
    return texts.text(CRITERIA[standing.criterion]), state


def _row(top: int, standing: Standing, label: Markup, state: Markup) -> Markup:
    middle = top + _ROW // 2
    weight = Markup(' font-weight="bold"') if standing.contested else Markup("")
    return Markup(
        '<g class="{state_name}">{mark}'
        '<text x="{x}" y="{first}" font-family="sans-serif" font-size="15" fill="currentColor">{label}</text>'
        '<text x="{x}" y="{second}" font-family="sans-serif" font-size="14" fill="currentColor"{weight}>{state}</text>'
        "</g>"
    ).format(
        state_name=standing.state,
        mark=_MARKS[standing.state](middle),
        x=_TEXT_X,
        first=middle - 4,
        second=middle + 15,
        label=escape(label),
        weight=weight,
        state=escape(state),
    )


def _ring(y: int, more: str = "") -> Markup:
    return Markup('<circle cx="{}" cy="{}" r="{}" fill="none" stroke="currentColor" stroke-width="2"{}/>').format(
        _MARK_X, y, _RADIUS, Markup(more)
    )


def _full(y: int) -> Markup:
    return Markup('<circle cx="{}" cy="{}" r="{}" fill="currentColor"/>').format(_MARK_X, y, _RADIUS)


def _half(y: int) -> Markup:
    return _ring(y) + Markup('<path d="M{x} {top}a{r} {r} 0 0 0 0 {height}z" fill="currentColor"/>').format(
        x=_MARK_X, top=y - _RADIUS, r=_RADIUS, height=2 * _RADIUS
    )


def _dashed(y: int) -> Markup:
    return _ring(y, ' stroke-dasharray="4 3"')


_MARKS: Final[Mapping[str, Callable[[int], Markup]]] = {
    "met": _full,
    "partly": _half,
    "not_met": _ring,
    "unknown": _dashed,
}
