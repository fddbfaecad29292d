"""How dates and numbers are written: the formats and styles that read a column's values, all of them where in doubt."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache

from clv.transactions.currencies import split_off
from clv.transactions.months import languages_of
from clv.transactions.source import SPREADSHEET_DAYS

Style = tuple[str, str | None]  # decimal and thousands

MOST = 0.9  # a column holds dates, numbers or ids if this share of its values does
ORDERS = (
    *("%Y-%m-%d", "%d-%m-%Y", "%m-%d-%Y", "%d-%m-%y", "%m-%d-%y", "%y-%m-%d"),
    *("%d-%b-%Y", "%d-%B-%Y", "%d-%b-%y", "%b-%d-%Y", "%b-%d-%y"),
)
DAY_FORMATS = (
    *(order.replace("-", mark) for mark in "-/. " for order in ORDERS),
    *("%d. %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%d de %B de %Y"),
    *("%a, %d %b %Y", "%A, %d %B %Y", "%a %d %b %Y", "%a, %b %d, %Y", "%A, %B %d, %Y", "%a %b %d %Y"),
    *("%d%b%Y", "%d/%m-%Y", "%Y年%m月%d日", "%Y%m%d", "%Y%m%d%H%M%S"),
    *("unix_seconds", "unix_milliseconds", "unix_microseconds"),
)
STYLES: tuple[Style, ...] = tuple(
    (decimal, thousands) for thousands in (None, ",", ".", "'", " ") for decimal in ".," if decimal != thousands
)

_EPOCH, _COUNTED = date(1899, 12, 30), r"[2-5]\d{4}(\.\d+)?"  # the years 1954 to 2064
_INSTANTS = {"unix_seconds": r"1\d{9}", "unix_milliseconds": r"1\d{12}", "unix_microseconds": r"1\d{15}"}
# Abbreviations that are one offset in most logs; IST and the like are several.
_OFFSETS = (
    "EST-0500 EDT-0400 CST-0600 CDT-0500 MST-0700 MDT-0600 PST-0800 PDT-0700 GMT+0000 WET+0000 "
    "BST+0100 WEST+0100 CET+0100 CEST+0200 EET+0200 EEST+0300 MSK+0300 JST+0900 AEST+1000 AEDT+1100"
)
ZONES = {pair[:-5]: pair[-5:] for pair in _OFFSETS.split()}
NAMED_UTC = re.compile(r"(^|[^a-z])(utc|gmt)([^a-z]|$)|[a-z](UTC|GMT)$", re.IGNORECASE)
SEVERAL_ZONES = "which several zones are called: write an offset in its place, like +05:30, or leave it out."
_TIME = re.compile(
    r"(?P<gap>T|,? (?:at )?)\s*\d{1,2}(?P<mark>[:.])\d\d(?P<second>(?P=mark)\d\d)?"
    r"(?P<part>\.\d{1,9})?(?P<half>\s?[AaPp][Mm])?"
    rf"(?P<zone>\s?(?:Z|UTC|(?:GMT)?[+-]\d\d(?::?\d\d)?|{'|'.join(ZONES)}))?$"
)
_PARTS = {
    **dict.fromkeys("dmyHIMS", r"\d{1,2}"),
    **dict.fromkeys("aAbB", "[A-Za-z]+"),
    **{"Y": r"\d{4}", "f": r"\d{1,9}", "p": "[AaPp][Mm]", "z": r"[+-][\d:]{2,5}"},
}
_OTHER_MARKS = str.maketrans({"’": "'", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "−": "-"})
_TRIED_FIRST = 20  # a date format that reads none of these is not tried further
_TRIED_AT_MOST = 1000


@dataclass(frozen=True)
class Dates:
    """How the dates of a column are written."""

    days: tuple[date, ...] = ()  # as the first format reads them
    formats: tuple[str, ...] = ()  # none: typed
    unread: int = 0
    offset: bool = False  # instants, which are days only by a clock
    languages: tuple[str, ...] = ()  # in which they name their months, one for each meaning; none: English or numbers


def read_dates(values: Sequence[object], *, named: bool = True) -> Dates | None:
    """Return how dates are written; None if fewer than most of the values are dates.

    Numbers like 45292 are days as spreadsheets count them only where the column is `named` like a date.
    """
    typed = [value.date() if isinstance(value, datetime) else value for value in values if isinstance(value, date)]
    if typed and len(typed) == len(values):
        return Dates(tuple(typed), offset=any(isinstance(value, datetime) and value.tzinfo for value in values))
    texts = [str(value).strip() for value in values if isinstance(value, str) or type(value) is int]
    if len(texts) < len(values) or not texts:
        return None
    counted = [_EPOCH + timedelta(int(text[:5])) for text in texts if named and re.fullmatch(_COUNTED, text)]
    if len(counted) >= MOST * len(texts):
        return Dates(tuple(counted), (SPREADSHEET_DAYS,), len(texts) - len(counted))
    found = _read_texts(texts)
    named = not found and any(char.isalpha() for char in texts[0])
    others = {name: _read_texts(english) for name, english in (languages_of(texts, most=MOST) if named else {}).items()}
    read = {name: dates for name, dates in others.items() if dates}
    if not read:
        return found
    first = next(iter(read.values()))
    long = tuple(form for form in first.formats if "%B" in form)  # their months are put into English in full
    return replace(first, formats=long or first.formats, languages=tuple(read))


def _read_texts(texts: Sequence[str]) -> Dates | None:
    times = Counter(map(_time_format, texts))
    time = times.most_common(1)[0][0]
    time = next((long for long in times if time in shorter(long) or (time[-1:], time[:-1] + "%z") == ("Z", long)), time)
    forms = [day + time for day in _days_before(time) if any(_day(text, day + time) for text in texts[:_TRIED_FIRST])]
    days = {form: [day for text in texts if (day := _day(text, form))] for form in forms}
    unread = len(texts) - max(map(len, days.values()), default=0)
    allowed = unread and (1 - MOST) * len(texts)
    read = _plausible({form: found for form, found in days.items() if len(texts) - len(found) <= allowed})
    first = next(iter(read), "")
    offset = first.startswith("unix") or time.endswith(("%z", "Z", "UTC"))
    return Dates(tuple(read[first]), tuple(read), unread, offset) if read else None


def formats_that_read(texts: Sequence[str]) -> list[tuple[str, float]]:
    """Return every date format that reads some of the texts and the share it reads, best first.

    A text counts once and only the first 1,000 count. Of equal formats the one that sees fewer years comes first.
    """
    distinct = list(dict.fromkeys(text.strip() for text in texts))[:_TRIED_AT_MOST]
    times = [time for time, _ in Counter(map(_time_format, distinct)).most_common(3)]
    forms = [day + time for time in times for day in _days_before(time)]
    read = {form: days for form in forms if (days := [day for text in distinct if (day := _day(text, form))])}
    best = sorted(read, key=lambda form: (-len(read[form]), _years(read[form])))
    return [(form, len(read[form]) / len(distinct)) for form in best]


def unknown_zone(texts: Sequence[str]) -> str:
    """Return the abbreviation of a zone behind most of the times that is not one offset, like IST; empty if none is."""
    found = Counter(zone[1] for text in texts if (zone := re.search(r":\d\d(?:\.\d+)? ([A-Z]{2,5})$", text.strip())))
    name, times = found.most_common(1)[0] if found else ("", 0)
    return name if 2 * times > len(texts) and name not in (*ZONES, "AM", "PM", "UTC") else ""


def number_styles(values: Sequence[object]) -> tuple[Style, ...]:
    """Return the styles that read most of the numbers, one for each meaning that they give them."""
    texts = dict.fromkeys(value for value in values if isinstance(value, str))
    read = {style: tuple(read_number(text, style) for text in texts) for style in STYLES}
    fewest = min(numbers.count(None) for numbers in read.values())
    meanings = {read[style]: style for style in reversed(STYLES) if read[style].count(None) == fewest}
    return tuple(style for style in STYLES if style in meanings.values())


def shorter(form: str) -> list[str]:
    """Return the formats of moments of which programs leave out fractions, or seconds, that are zero."""
    return sorted({re.sub(r"\.%f", "", form), re.sub(r"[:.]%S(\.%f)?", "", form)} - {form})


def read_number(value: object, style: Style) -> Decimal | None:
    """Return the number that a value is or, if it is text, that it is in this style; None if it is none."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return Decimal(str(value)) if Decimal(str(value)).is_finite() else None
    if not isinstance(value, str):
        return None
    decimal, thousands = style
    text = split_off(unicodedata.normalize("NFKC", value))[1].replace("٫", decimal).replace("٬", "")
    text = text.translate(_OTHER_MARKS).strip()
    text = re.sub(rf"(?<=\d){re.escape(decimal)}[-–—]{{1,2}}$", "", text)  # 741,- is written where there are no cents
    text = re.sub(r"^\((.+)\)$|^(.*\d) ?-$", r"-\1\2", text)  # a minus, as accountants and tills write it
    plain = text.replace(thousands or " ", "").replace(decimal, ".").replace(" ", "")
    return Decimal(plain) if _pattern(style).fullmatch(text) else None


def _days_before(time: str) -> Sequence[str]:
    return [day for day in DAY_FORMATS if not (time and "%H" in day)]


def _time_format(text: str) -> str:
    """Return the format of what follows the day. DuckDB's %z reads +01 and +01:00 but no Z, which stays a letter."""
    time = _TIME.search(text)
    if not time:
        return ""
    zone = re.sub(
        rf"[+-].*|(?:{'|'.join(ZONES)})$", lambda part: "%Z" if part[0] in ZONES else "%z", time["zone"] or ""
    )
    half = re.sub(r"[AaPp][Mm]", "%p", time["half"] or "")
    mark = time["mark"]
    second, part = f"{mark}%S" if time["second"] else "", ".%f" if time["part"] else ""
    return f"{time['gap']}{'%I' if half else '%H'}{mark}%M{second}{part}{half}{zone}"


def _day(text: str, form: str) -> date | None:
    """Return the day that `form` sees in a text; numbers are days from 1970 to 2099 and instants from 2001 to 2033."""
    if form in _INSTANTS:
        return datetime.fromtimestamp(int(text[:10]), UTC).date() if re.fullmatch(_INSTANTS[form], text) else None
    if form.endswith("%Z") and text[-4:].strip().isalpha():
        form, text = form.removesuffix("%Z").rstrip(), re.sub(r"\s*[A-Z]+$", "", text)
    text = re.sub("Z$", "+00", text) if form.endswith("%z") else text
    if not _layout(form).fullmatch(text):  # strptime would need a hundred times as long to see it
        return next((day for short in shorter(form) if (day := _day(text, short))), None)
    micro = re.sub(r"(\.\d{6})\d+", r"\1", text)  # Python's %f, and DuckDB's, reads no nanoseconds
    whole_offset = re.sub(r"(:\d\d(?:\.\d+)? ?[+-]\d\d)$", r"\g<1>00", micro)  # nor %z +01
    try:
        return datetime.strptime(whole_offset, form).date()
    except ValueError:
        return None


@cache
def _layout(form: str) -> re.Pattern[str]:
    compact = form.replace("%Y%m%d", r"(?:19[7-9]|20\d)\d{5}").replace("%H%M%S", r"\d{6}")
    return re.compile(re.sub("%(.)", lambda part: _PARTS[part[1]], compact.replace(".", r"\.").replace(" ", r" +")))


def _plausible(read: dict[str, list[date]]) -> dict[str, list[date]]:
    """Leave out formats that take days for years: they see decades where another format sees a few years."""
    spans = {form: _years(days) for form, days in read.items()}
    limit = 20 if min(spans.values(), default=0) <= 10 else max(spans.values())
    return {form: days for form, days in read.items() if spans[form] <= limit}


@cache
def _pattern(style: Style) -> re.Pattern[str]:
    decimal, thousands = map(re.escape, (style[0], style[1] or ""))
    whole = rf"(?:\d+|[1-9]\d{{0,2}}(?:{thousands}\d{{3}})+)" if thousands else r"\d+"
    if style[1] == ",":  # as India groups: 1,23,456
        whole = rf"(?:{whole}|[1-9]\d?(?:,\d\d)+,\d{{3}})"
    return re.compile(rf"[+-]? *(?:{whole}(?:{decimal}\d*)?|{decimal}\d+)(?:[eE][+-]?\d{{1,2}})?")


def _years(days: Sequence[date]) -> int:
    return max(days).year - min(days).year
