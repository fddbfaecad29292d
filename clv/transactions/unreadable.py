"""What the rows that left say of themselves: the format that would have read them, beside a rule's general advice."""

import re
from collections.abc import Iterable

from duckdb import DuckDBPyConnection

from clv.transactions import notation
from clv.transactions.currencies import split_off, words_of
from clv.transactions.rules import Rule
from clv.transactions.source import SourceSettings

TEXTS = 1000  # looked at per rule
WORTH_SAYING = 0.5  # a format that reads fewer of the rejected texts is no explanation


def hint(con: DuckDBPyConnection, rule: Rule, settings: SourceSettings) -> str:
    """Return a sentence on what would read the texts in `rejected` that `rule` took, empty if nothing known would."""
    if rule.name not in ("unparsable_date", "impossible_date", "unparsable_amount"):
        return ""
    rows = con.execute(
        "SELECT DISTINCT value FROM rejected WHERE rule = ? AND value IS NOT NULL ORDER BY hash(value) LIMIT ?",
        [rule.name, TEXTS],
    ).fetchall()
    texts = [text for (text,) in rows]
    if rule.name == "impossible_date":
        buddhist = _most(re.search(r"\b25[4-9]\d\b", text) for text in texts)
        return "Their years are of the Buddhist calendar, 543 ahead: take them off." if buddhist else ""
    if rule.name == "unparsable_date":
        return _of_dates(texts)
    return _of_amounts(texts, settings)


def _of_dates(texts: list[str]) -> str:
    if _most(re.fullmatch(r"[2-6]\d{4}(\.\d+)?", text) for text in texts):
        return "They look like a spreadsheet's day numbers: state date_format: spreadsheet_days."
    if zone := notation.unknown_zone(texts):
        return f"Their times end in {zone}, {notation.SEVERAL_ZONES}"
    dates = notation.read_dates(texts)
    if dates and dates.languages:
        return f"Their months are in {' or '.join(dates.languages)}: state date_language, with {dates.formats[0]}."
    found = notation.formats_that_read(texts)
    if not found or found[0][1] < WORTH_SAYING:
        return ""
    best = [name for name, share in found if share == found[0][1]][:2]
    return f"{' or '.join(best)} would read {found[0][1]:.0%} of them."


def _of_amounts(texts: list[str], settings: SourceSettings) -> str:
    known = {"", *words_of(settings.currency)}
    if _most((beside := split_off(text)[0]) not in known and any(map(str.isalpha, beside)) for text in texts):
        return f"They name another currency than {settings.currency}."
    stated = settings.style_of("unit_price" if settings.has("unit_price") else "amount")
    styles = [
        f"decimal {style[0]!r}" + (f" with thousands {style[1]!r}" if style[1] else "")
        for style in notation.number_styles(texts)
        if style != stated and _most(notation.read_number(text, style) is not None for text in texts)
    ]
    return f"With {' or '.join(styles[:2])} most of them can be read." if styles else ""


def _most(answers: Iterable[object]) -> bool:
    held = [bool(answer) for answer in answers]
    return bool(held) and sum(held) >= WORTH_SAYING * len(held)
