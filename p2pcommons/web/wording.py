"""Values in words: dates, instants, lengths, languages, people, as a reader of one language says them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from markupsafe import Markup

from p2pcommons.commons import edtf
from p2pcommons.web import labels
from p2pcommons.web.texts import N_, Texts

MONTHS: Final = (
    N_("January"), N_("February"), N_("March"), N_("April"), N_("May"), N_("June"), N_("July"), N_("August"),
    N_("September"), N_("October"), N_("November"), N_("December"),
)  # fmt: skip

_LAST_MS: Final = 253_402_214_400_000  # the day before the last of our calendar, wherever this machine is
_DAY: Final = re.compile(r"(?P<year>-?\d{4})(?:-(?P<month>\d{2})(?:-(?P<day>\d{2}))?)?(?P<mark>[?~%]?)")
_MARKS: Final = {
    "~": N_("about {date}"), "?": N_("{date}, perhaps"), "%": N_("about {date}, perhaps"),
}  # fmt: skip


def date_words(texts: Texts, value: str) -> str:
    """An EDTF date as people say it ("1920~": about 1920); other texts, and rarer EDTF, as they are."""
    if not edtf.is_edtf(value):
        return value
    start, slash, end = value.partition("/")
    if not slash:
        return _date(texts, value) or value
    first, last = _date(texts, start), _date(texts, end)
    if first and last:
        return str(texts.text("{start} to {end}", start=Markup(first), end=Markup(last)))
    if first and end in ("", ".."):
        return str(texts.text("since {date}", date=Markup(first)))
    if last and start in ("", ".."):
        return str(texts.text("until {date}", date=Markup(last)))
    return value


def _date(texts: Texts, value: str) -> str | None:
    """Digits and marks only: nothing in it needs escaping."""
    if re.fullmatch(r"\d{3}X", value):
        return str(texts.text("the {decade}s", decade=value[:3] + "0"))
    found = _DAY.fullmatch(value)
    if found is None or (found["month"] and not 1 <= int(found["month"]) <= 12):
        return None
    year, day = found["year"].lstrip("0") or "0", found["day"]
    text: str = year
    if found["month"]:
        month = texts.text(MONTHS[int(found["month"]) - 1])
        if day:
            text = texts.text("{day} {month} {year}", day=day_words(texts, int(day)), month=month, year=year)
        else:
            text = texts.text("{month} {year}", month=month, year=year)
    mark = found["mark"]
    return str(texts.text(_MARKS[mark], date=text) if mark else text)


def day_words(texts: Texts, day: int) -> str:
    """The day of a month; the first is an ordinal in French."""
    return "1er" if day == 1 and texts.language == "fr" else str(day)


def moment(texts: Texts, instant: int) -> Markup:
    """Unix milliseconds as a `time` element, in this machine's own time."""
    local = _local(instant)
    words = texts.text(
        "{day} {month} {year}, {clock}",
        day=day_words(texts, local.day),
        month=texts.text(MONTHS[local.month - 1]),
        year=local.year,
        clock=f"{local:%H:%M}",
    )
    return Markup('<time datetime="{}">{}</time>').format(local.isoformat(timespec="seconds"), words)


def moment_of(texts: Texts, rfc3339: str) -> Markup:
    """The same of an RFC 3339 time, as Entry JSON has it."""
    return moment(texts, int(datetime.fromisoformat(rfc3339).timestamp() * 1000))


def clock(texts: Texts, instant: int) -> Markup:
    """Unix milliseconds as hour, minute and second."""
    local = _local(instant)
    return Markup('<time datetime="{}">{}</time>').format(local.isoformat(timespec="seconds"), f"{local:%H:%M:%S}")


def _local(instant: int) -> datetime:
    """An instant that a stranger may have written: one that no calendar has is shown as the last that ours has."""
    return datetime.fromtimestamp(min(max(instant, 0), _LAST_MS) / 1000, UTC).astimezone()


def duration(texts: Texts, seconds: int) -> str:
    """Seconds as h min s."""
    hours, rest = divmod(seconds, 3600)
    minutes, last = divmod(rest, 60)
    parts = [f"{n}\u00a0{unit}" for n, unit in ((hours, "h"), (minutes, "min"), (last, "s")) if n]
    return " ".join(parts) or "0\u00a0s"


def metres(texts: Texts, value: int) -> str:
    """A length along the ground."""
    if value >= 1000:
        return f"{texts.number(round(value / 1000, 1))}\u00a0km"
    return f"{texts.number(value)}\u00a0m"


def degrees(texts: Texts, latitude: float, longitude: float) -> Markup:
    """A point on the map."""
    north = texts.text(N_("{degrees}° N") if latitude >= 0 else N_("{degrees}° S"), degrees=_short(texts, latitude))
    east = texts.text(N_("{degrees}° E") if longitude >= 0 else N_("{degrees}° W"), degrees=_short(texts, longitude))
    return Markup("{}, {}").format(north, east)


def _short(texts: Texts, value: float) -> str:
    return texts.number(abs(round(value, 5)))


def language_name(texts: Texts, tag: str) -> str:
    """A language by its name where it has one here, else by its tag."""
    primary, _, rest = tag.lower().partition("-")
    name = labels.LANGUAGES.get(primary)
    if name is None:
        return tag
    return str(texts.text(name)) + (f" ({tag})" if rest else "")


def short_key(did: str) -> str:
    """A person's key, short enough to be compared by eye."""
    bare = did.removeprefix("did:key:")
    return bare if len(bare) < 16 else f"{bare[:8]}…{bare[-6:]}"


def web_address(value: str) -> str | None:
    """The text itself where a browser may be sent there: http and https only; None for any other scheme."""
    try:
        parts = urlsplit(value.strip())
        return value.strip() if parts.scheme.lower() in ("http", "https") and parts.hostname else None
    except ValueError:
        return None


def excerpt(text: str, characters_max: int = 220) -> str:
    """The beginning of a text, cut between words."""
    flat = " ".join(text[: 4 * characters_max].split())
    if len(flat) <= characters_max:
        return flat
    cut = flat[:characters_max]
    return (cut.rpartition(" ")[0] or cut).rstrip(",;:. ") + "…"
