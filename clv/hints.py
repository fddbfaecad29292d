"""What the rows that left say of themselves: the format that would have read them, beside a rule's general advice."""

from duckdb import DuckDBPyConnection

from clv.notation import formats_that_read, number_styles, read_number
from clv.rules import Rule

TEXTS = 1000  # looked at per rule
WORTH_SAYING = 0.5  # a format that reads fewer of the rejected texts is no explanation


def hint(con: DuckDBPyConnection, rule: Rule) -> str:
    """Return a sentence on what would read the texts in `rejected` that `rule` took, empty if nothing known would."""
    if rule.name not in ("unparsable_date", "unparsable_amount"):
        return ""
    rows = con.execute(
        "SELECT DISTINCT value FROM rejected WHERE rule = ? AND value IS NOT NULL ORDER BY value LIMIT ?",
        [rule.name, TEXTS],
    ).fetchall()
    texts = [text for (text,) in rows]
    if not texts:
        return ""
    return _of_dates(texts) if rule.name == "unparsable_date" else _of_amounts(texts)


def _of_dates(texts: list[str]) -> str:
    found = formats_that_read(texts)
    if not found or found[0][1] < WORTH_SAYING:
        return ""
    best = [name for name, share in found if share == found[0][1]][:2]
    return f"{' or '.join(best)} would read {found[0][1]:.0%} of them."


def _of_amounts(texts: list[str]) -> str:
    styles = [
        f"decimal {decimal!r}" + (f" with thousands {thousands!r}" if thousands else "")
        for decimal, thousands in number_styles(texts)
        if sum(read_number(text, (decimal, thousands)) is not None for text in texts) >= WORTH_SAYING * len(texts)
    ]
    return f"{' or '.join(styles[:2])} would read most of them." if styles else ""
