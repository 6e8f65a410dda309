"""Read a moment as people and machines write it: for certain, or with every reading that it may have."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

__all__ = ["Moment", "read_moment"]

_LONGEST = 120  # letters
_YEARS = range(2000, 2100)
_ANYWHERE = (timedelta(hours=-12), timedelta(hours=14))  # from UTC: all zones that there are

# Hours from UTC. Where an abbreviation is used in several parts of the world, all of them.
_ZONES: dict[str, tuple[float, ...]] = {
    "utc": (0,), "gmt": (0,), "ut": (0,), "z": (0,), "wet": (0,), "west": (1,), "cet": (1,), "mez": (1,), "cest": (2,),
    "mesz": (2,), "eet": (2,), "eest": (3,), "msk": (3,), "sast": (2,), "cat": (2,), "eat": (3,), "wat": (1,),
    "trt": (3,), "pkt": (5,), "npt": (5.75,), "wib": (7,), "ict": (7,), "hkt": (8,), "sgt": (8,), "pht": (8,),
    "awst": (8,), "jst": (9,), "kst": (9,), "acst": (9.5,), "acdt": (10.5,), "aest": (10,), "aedt": (11,),
    "nzst": (12,), "nzdt": (13,), "brt": (-3,), "nst": (-3.5,), "ndt": (-2.5,), "akst": (-9,), "akdt": (-8,),
    "hst": (-10,), "pdt": (-7,), "mdt": (-6,), "cdt": (-5, -4), "edt": (-4, 11), "pst": (-8, 8),
    "mst": (-7, 8, 6.5), "cst": (-6, 8, -5, 9.5), "est": (-5, 10), "ast": (-4, 3), "adt": (-3, 4),
    "bst": (1, 6, 11, -11), "ist": (5.5, 1, 2), "gst": (4, -2), "art": (-3,), "clt": (-4,), "clst": (-3,),
}  # fmt: skip
# Languages whose names of months and days are known.
_LOCALES = [
    "en", "de", "fr", "es", "it", "pt", "nl", "pl", "cs", "sk", "sv", "da", "nb", "fi", "et", "lv", "lt", "hu", "ro",
    "bg", "hr", "sl", "sr", "uk", "ru", "el", "tr", "ca", "eu", "gl", "is", "id", "ms", "vi",
]  # fmt: skip
_WIDTHS: tuple[Literal["wide"], Literal["abbreviated"]] = ("wide", "abbreviated")
_CONTEXTS: tuple[Literal["format"], Literal["stand-alone"]] = ("format", "stand-alone")
_FILLERS = {
    "uhr", "um", "at", "on", "the", "of", "de", "del", "den", "der", "di", "le", "la", "las", "a", "as", "à", "às",
    "kl", "klo", "h", "o", "w", "dia", "el", "il", "op", "om", "und", "and", "st", "nd", "rd", "th", "er", "º", "ª",
    "\u0433", "\u0433\u043e\u0434\u0430", "\u0432",  # Russian: year, of the year, at
}  # fmt: skip

_TIME = re.compile(
    r"(?<![\d:.+\-\u2212])(?P<hour>\d{1,2})(?P<mark>[:.h])(?P<minute>\d{2})(?:[:.](?P<second>\d{2})(?:[.,](?P<part>\d{1,9}))?)?"
    r"(?![\d:])\s*(?P<half>[ap]\.?\s?m\b\.?)?",
    re.IGNORECASE,
)
_OFFSET = re.compile(
    r"(?:(?:utc|gmt)\s*)?(?P<sign>[+\-\u2212])(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?(?![\d:])", re.IGNORECASE
)
_PLACE = re.compile(r"\b[A-Z][A-Za-z_]+/[A-Z][A-Za-z_]+(?:/[A-Z][A-Za-z_]+)?\b")
_SEPARATED = re.compile(r"(?<!\d)(\d{1,4})\s?([-/.])\s?(\d{1,2})\s?\2\s?(\d{1,4})(?!\d)")
_EAST_ASIAN = re.compile(r"(\d{4})\s?[年년]\s?(\d{1,2})\s?[月월]\s?(\d{1,2})\s?[日일]")


@dataclass(frozen=True)
class Moment:
    """What a text may mean.

    Attributes
    ----------
    text : str
    readings : tuple of (datetime, datetime)
        Of each reading the earliest and the latest moment, in UTC; the same where it is exact. None: it cannot be read.
    """

    text: str
    readings: tuple[tuple[datetime, datetime], ...]

    @property
    def certain(self) -> datetime | None:
        """The moment, in UTC, where the text has one meaning."""
        if len(self.readings) == 1 and self.readings[0][0] == self.readings[0][1]:
            return self.readings[0][0]
        return None

    @property
    def bounds(self) -> list[datetime]:
        """All earliest and latest moments, in UTC."""
        return sorted({moment for reading in self.readings for moment in reading})


def read_moment(text: str, *, zone: str = "") -> Moment:
    """Read a date with a time, as exchanges, learning platforms, shells and people write them.

    Read for certain is what can be meant in one way only: years first, points between day, month and year, names of
    months, seconds since 1970; with an offset from UTC, or a name of a zone that is used in one part of the world. Of
    ``01/12/2026`` and of ``CST`` all readings are given, and without a zone all zones, but for ``2026-12-01 12:30:00``,
    which nbgrader writes and reads as UTC.

    Parameters
    ----------
    text : str
    zone : str
        In which times without a zone are meant, such as "Europe/Berlin".
    """
    own = ZoneInfo(zone) if zone else None
    short = " ".join(unicodedata.normalize("NFKC", text.replace("\x00", "")).split())
    if len(short) > _LONGEST:
        return Moment(short[:_LONGEST], ())
    try:
        found = _readings(short, own)
    except (ValueError, OverflowError):
        found = []
    ordered = sorted({(first.astimezone(UTC), last.astimezone(UTC)) for first, last in found})
    return Moment(short, tuple(ordered))


def _readings(text: str, own: tzinfo | None) -> list[tuple[datetime, datetime]]:
    if re.fullmatch(r"\d{8}|\d+(?:[.,]\d+)?", text):
        moment = _number(text, own)
        if moment:
            return moment
    if compact := re.fullmatch(r"(\d{4})(\d\d)(\d\d)T?(\d\d)(\d\d)(\d\d)?(?:\.\d+)?\s?(.*)", text):
        year, month, day, hour, minute, second, rest = compact.groups()
        text = f"{year}-{month}-{day} {hour}:{minute}:{second or '00'} {rest}".strip()
    rest = re.sub(r"\([^)]*\)\s*$", "", text).strip()  # JavaScript adds the zone's long name
    rest = re.sub(r"(?<=\d)T(?=\d)", " ", rest)
    days, rest = _separated_date(rest)
    clock, rest = _time(rest)
    offsets, rest = _zone(rest, clock is not None)
    if days is None:
        days = _worded_date(rest)
    elif not _says_nothing(rest):
        days = None
    if not days:
        return []
    iso = re.match(r"\d{4}-\d\d-\d\d[ T]\d", text) is not None
    if offsets is None and own is None and iso:
        offsets = [UTC]
    spans = [(day, day + timedelta(days=1)) for day in map(_midnight, days)]
    if clock is not None:
        spans = [(start + clock, start + clock) for start, _ in spans]
    return [reading for span in spans for reading in _in_zones(span, offsets, own)]


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - its zone comes later


def _in_zones(
    span: tuple[datetime, datetime], offsets: list[timezone | ZoneInfo] | None, own: tzinfo | None
) -> Iterator[tuple[datetime, datetime]]:
    if offsets is None and own is None:
        yield (span[0] - _ANYWHERE[1]).replace(tzinfo=UTC), (span[1] - _ANYWHERE[0]).replace(tzinfo=UTC)
        return
    known = list(offsets if offsets is not None else [own])
    if own is not None and len(known) > 1:  # EST is New York's where the course is
        here = span[0].replace(tzinfo=own).utcoffset()
        known = [one for one in known if one is not None and one.utcoffset(span[0]) == here] or known
    for where in known:
        for fold in (0, 1):  # an hour that comes twice, when clocks are put back
            first, last = (moment.replace(tzinfo=where, fold=fold) for moment in span)
            yield first.astimezone(UTC), last.astimezone(UTC)


def _number(text: str, own: tzinfo | None) -> list[tuple[datetime, datetime]]:
    """Seconds, milliseconds, microseconds or nanoseconds since 1970, or a date in eight digits."""
    whole, _, part = text.replace(",", ".").partition(".")
    if len(whole) == 8 and not part:
        return _readings(f"{whole[:4]}-{whole[4:6]}-{whole[6:]}", own)
    if len(whole) not in (10, 13, 16, 19):
        return []
    moment = datetime.fromtimestamp(int(whole) / 10 ** (len(whole) - 10), UTC)
    return [(moment, moment)] if moment.year in _YEARS else []


def _time(text: str) -> tuple[timedelta | None, str]:
    """The time of day, and the text without it. A text with two of them has none that is certain."""
    found = list(_TIME.finditer(text))
    if not found:
        hour = re.search(r"(?<![\d.:])(\d{1,2})\s*([ap])\.?m\b\.?", text, re.IGNORECASE)
        if hour is None:
            return None, text
        parts, match = (int(hour[1]), 0, 0, 0.0, hour[2].lower()), hour
    else:
        (match,) = found  # several: not readable
        parts = (
            int(match["hour"]),
            int(match["minute"]),
            int(match["second"] or 0),
            float(f"0.{match['part'] or 0}"),
            (match["half"] or "")[:1].lower(),
        )
    hours, minutes, seconds, part, half = parts
    if half:
        if not 1 <= hours <= 12:
            raise ValueError(text)
        hours = hours % 12 + (12 if half == "p" else 0)
    if hours > 24 or minutes > 59 or seconds > 60 or (hours == 24 and minutes + seconds):
        raise ValueError(text)
    clock = timedelta(hours=hours, minutes=minutes, seconds=seconds + part)
    return clock, f"{text[: match.start()]} \x00 {text[match.end() :]}"


def _zone(text: str, timed: bool) -> tuple[list[timezone | ZoneInfo] | None, str]:
    """What the text says about the zone, None where nothing; and the text without it."""
    if not timed:
        return None, text
    before, _, after = text.partition("\x00")
    after = after.strip()
    if match := _OFFSET.match(after):
        offset = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"] or 0))
        if offset > timedelta(hours=14) or int(match["minutes"] or 0) > 59:
            raise ValueError(text)
        signed = offset if match["sign"] == "+" else -offset
        rest = after[match.end() :].strip()
        name = rest.split(" ")[0].casefold()
        return [timezone(signed)], f"{before} {rest[len(name) :] if name in _ZONES else rest}"
    if match := _PLACE.search(after):
        try:
            return [ZoneInfo(match[0])], f"{before} {after[: match.start()]} {after[match.end() :]}"
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(text) from None
    for word in after.split(" "):
        name = word.strip(".,;").casefold()
        if name in _ZONES and (word.isupper() or word == "Z"):
            known: list[timezone | ZoneInfo] = [timezone(timedelta(hours=hours)) for hours in _ZONES[name]]
            return known, f"{before} {after.replace(word, ' ', 1)}"
    return None, f"{before} {after}"


def _separated_date(text: str) -> tuple[set[date] | None, str]:
    """Every date that numbers between hyphens, slashes or points can mean, and the text without it."""
    if match := _EAST_ASIAN.search(text):
        return _dates([(match[1], match[2], match[3])]), text[: match.start()] + " " + text[match.end() :]
    match = _SEPARATED.search(text)
    if match is None:
        return None, text
    first, mark, second, third = match.groups()
    rest = f"{text[: match.start()]} {text[match.end() :]}"
    if len(first) > 2:
        return _dates([(first, second, third)] if len(third) <= 2 else []), rest
    if len(third) == 4:
        orders = [(third, second, first)]
        if mark != "." or not _dates(orders):  # points: day, month, year, wherever they are used
            orders.append((third, first, second))
    elif len(third) == 2:
        orders = [(f"20{third}", second, first), (f"20{third}", first, second), (f"20{first}", second, third)]
    else:
        orders = []
    return _dates(orders), rest


def _dates(orders: list[tuple[str, str, str]]) -> set[date]:
    found = set()
    for year, month, day in orders:
        if int(year) in _YEARS:
            try:
                found.add(date(int(year), int(month), int(day)))
            except ValueError:
                continue
    return found


def _worded_date(text: str) -> set[date] | None:
    """Every date that a day, a month's name and a year can mean; None where anything else is said."""
    months: set[int] | None = None
    numbers = []
    for word in re.findall(r"\d+|[^\W\d_]+", text.replace("\x00", " ")):
        name = word.casefold()
        if word.isdigit():
            numbers.append(word)
        elif name in _FILLERS:
            continue
        elif found := _month_names().get(_plain(name)):
            if months is not None and not months & found:
                return None
            months = months & found if months else found
        elif _plain(name) not in _day_names():
            return None
    years = [number for number in numbers if len(number) == 4]
    days = [number for number in numbers if len(number) <= 2]
    if months is None or len(years) != 1 or len(days) != 1 or len(numbers) != 2:
        return None
    return _dates([(years[0], str(month), days[0]) for month in months])


def _says_nothing(text: str) -> bool:
    """Whether there is nothing left but names of days, and words such as "at"."""
    words = [_plain(word) for word in re.findall(r"\w+", text.replace("\x00", " "))]
    return all(word in _FILLERS or word in _day_names() for word in words)


def _plain(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


@cache
def _month_names() -> dict[str, set[int]]:
    """Months by their names, long and short, in many languages; a few names are of different months in two of them."""
    from babel.dates import get_month_names

    names: dict[str, set[int]] = {}
    named = [
        get_month_names(width, context, locale).items()
        for locale in _LOCALES
        for width in _WIDTHS
        for context in _CONTEXTS
    ]
    for number, name in (month for months in named for month in months):
        for word in re.findall(r"[^\W\d_]{3,}", name):
            names.setdefault(_plain(word), set()).add(number)
    return names


@cache
def _day_names() -> set[str]:
    from babel.dates import get_day_names

    named = [
        get_day_names(width, context, locale).values()
        for locale in _LOCALES
        for width in _WIDTHS
        for context in _CONTEXTS
    ]
    return {_plain(word) for names in named for name in names for word in re.findall(r"[^\W\d_]+", name)}
