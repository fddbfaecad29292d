"""Refusals of a whole log: what is wrong, where, by which rule, and how to mend it.

Beside a rule's general advice stands the format that would have read the rows that left.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

import duckdb
from duckdb import DuckDBPyConnection

from clv.errors import InputError
from clv.transactions import notation
from clv.transactions.connection import one
from clv.transactions.currencies import code_of, split_off, words, words_of
from clv.transactions.rules import QUARANTINE, ROW_RULES, RULES, SET_ASIDE, UNMATCHED, Rule
from clv.transactions.source import SourceSettings

TEXTS = 1000  # looked at per rule
WORTH_SAYING = 0.5  # a format that reads fewer of the rejected texts is no explanation


def places(con: DuckDBPyConnection, records: Sequence[int]) -> str:
    """Return record numbers as text, with the file's name and the number within it where there are several files."""
    if not records:
        return ""
    numbers = ", ".join(map(str, records))
    try:
        rows = con.execute(
            f"""SELECT j.file, j.record - f.before FROM judged AS j
                JOIN (SELECT file, min(record) - 1 AS before FROM judged GROUP BY file) AS f USING (file)
                WHERE j.record IN ({numbers}) ORDER BY j.record"""
        ).fetchall()
    except duckdb.BinderException:  # one file: its rows need no name beside their number
        return ", ".join(f"{record:,}" for record in records)
    return ", ".join(f"{file} {record:,}" for file, record in rows)


def cell_at_fault(kinds: Mapping[str, str]) -> str:
    """Return the cell that a rule's column names; of rows without a rule only what refunds will need."""
    cells = {"row": "ragged", "customer_id": "raw_customer_id", "date": "raw_date", "amount": "raw_amount"}
    cells["keep_rows"] = "unwanted"
    cells |= {name: f"raw_{name}" if name in kinds else "NULL" for name in ("order_id", "country")}
    cases = " ".join(f"WHEN '{rule.name}' THEN {cells[rule.column]}" for rule in ROW_RULES)
    return f"CASE WHEN rule IS NULL THEN CASE WHEN gross < 0 THEN raw_amount END ELSE CASE rule {cases} END END"


def refuse_empty(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    if not one(con, "SELECT count(*) FROM judged"):
        name = str(settings.path).rpartition("/")[-1]
        what = f"The table or query in {name}" if settings.table or settings.query else name
        raise InputError(f"{what} holds no rows: give a log with transactions.")


def refuse_currencies(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    """Refuse amounts in several currencies, or in another one than stated."""
    found = con.execute(
        "SELECT currency, count(*), min(record) FROM judged WHERE rule IS NULL AND currency IS NOT NULL"
        " GROUP BY currency ORDER BY count(*) DESC, currency"
    ).fetchall()
    where = f"column {settings.name_of('currency') if settings.has('currency') else settings.name_of('amount')}"
    if len(found) > 1:
        counts = ", ".join(f"{_short(name)} in {_rows(rows)}" for name, rows, _ in found[:3])
        raise InputError(
            f"{where} holds {len(found)} currencies ({counts}; the second first in record {found[1][2]}):"
            " convert the amounts to one currency, or give a log for each."
        )
    if not found:
        return
    name = found[0][0]
    code = code_of(name) if name in words() else name  # the sign of several currencies is no code
    if code and code != settings.currency:
        what = "correct the setting" if re.fullmatch("[A-Z]{3}", code) else "write codes of three letters there"
        raise InputError(f"{where} says {_short(name)} but currency is {settings.currency}: {what}.")


def refuse_refunds(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    if settings.refunds != "reject":
        return
    below_zero = "SELECT count(*), min(record) FROM decided WHERE rule IS NULL AND money < 0"
    count, first = con.execute(below_zero).fetchone() or (0, None)
    if count:
        raise InputError(
            f"column {settings.name_of('amount')} is below zero in {_rows(count)} (first: record {first}) and refunds"
            " is reject: remove them, or set refunds to net or drop."
        )


def refuse_faults(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    faults = [rule.name for rule in RULES if rule.severity == QUARANTINE]
    total = one(con, "SELECT count(*) FROM judged")
    counts = con.execute(
        'SELECT f.rule, f.rows, f.first, r."column", r.value FROM rejected AS r JOIN'
        " (SELECT rule, count(*) AS rows, min(record) AS first FROM rejected"
        "  WHERE list_contains(?, rule) GROUP BY rule) AS f ON r.record = f.first ORDER BY f.rows DESC, f.rule",
        [faults],
    ).fetchall()
    share = sum(row[1] for row in counts) / total
    if not counts or share <= settings.max_rejected_share:
        return
    worst, count, first, column, value = counts[0]
    rule = next(rule for rule in RULES if rule.name == worst)
    advice = hint(con, rule, settings) or rule.advice
    if rule == UNMATCHED and not one(con, "SELECT count(*) FROM judged WHERE money >= 0"):
        advice = "No row is a purchase: are the signs reversed, or does cancellation_pattern match every order?"
    place = "" if column == "row" else f" of column {column}"
    raise InputError(
        f"{share:.1%} of {total} rows cannot be used, more than max_rejected_share {settings.max_rejected_share:.1%}:"
        f" mostly {worst} ({rule.meaning}) in {_rows(count)}{place} (first: record {places(con, [first])},"
        f" {_short(value)}). {advice}"
    )


def refuse_nothing_left(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    if one(con, "SELECT count(*) FROM transactions"):
        return
    rows, first = con.execute("SELECT count(*), min(day) FROM decided WHERE rule = ?", [SET_ASIDE]).fetchone() or (0, 0)
    if rows:
        raise InputError(
            f"no usable row up to observation_end {settings.observation_end}: {_rows(rows)} later, the first on"
            f" {first}; set observation_end to a day within the data."
        )
    lines = con.execute("SELECT line || ' ' || rows FROM ledger WHERE line <> 'source' ORDER BY rows DESC").fetchall()
    worst = next((rule.advice for rule in RULES if rule.name == lines[0][0].split()[0]), "")
    raise InputError(f"no usable row is left after cleaning ({', '.join(line for (line,) in lines)}). {worst}".strip())


def _rows(count: int) -> str:
    return f"{count} row" + ("s" if count != 1 else "")


def _short(value: str | None) -> str:
    text = repr(value) if value is not None else "nothing there"
    return text if len(text) <= 40 else f"{text[:37]}..."


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
