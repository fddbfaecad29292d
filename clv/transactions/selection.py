"""Rows told apart by the values of any column: which are no purchases, which are refunds, and what each value holds.

Values are compared without surrounding blanks; a blank cell is the value "".
"""

from collections.abc import Sequence

import pandas as pd
from duckdb import DuckDBPyConnection

from clv.transactions.connection import literal
from clv.transactions.parsing import identifier
from clv.transactions.source import SourceSettings

MOST_GROUPS = 12  # of a column in group_by
MOST_VALUES = 20  # of a column, the most frequent ones


def value(column: str) -> str:
    return f"coalesce({identifier(column)}, '')"


def unwanted(settings: SourceSettings) -> str:
    """Return the SQL that says which value of a row keep_rows or drop_rows leaves out; null if they leave it in."""
    asked = [("NOT ", settings.keep_rows), ("", settings.drop_rows)]
    cases = [
        f"WHEN {sign}{_among(settings, name, values)} THEN concat({literal(name)}, ': ', {_alias(settings, name)})"
        for sign, rows in asked
        for name, values in rows.items()
    ]
    return f"CASE {' '.join(cases)} END" if cases else "NULL::VARCHAR"


def are_refunds(settings: SourceSettings) -> str:
    """Return the SQL condition for rows that refund_rows names."""
    return " OR ".join(_among(settings, name, values) for name, values in settings.refund_rows.items()) or "false"


def by_value(con: DuckDBPyConnection, settings: SourceSettings) -> pd.DataFrame:
    """Return what the most frequent values of each column in keep_rows, drop_rows and refund_rows hold.

    Columns: column, value, rows, amount (with the sign it counts by), left_out (rows that went for this or another
    column's value).
    """
    queries = [
        f'(SELECT {literal(name)} AS "column", {alias} AS of_the_row, count(*) AS rows,'
        f" coalesce(sum(money), 0)::DOUBLE AS amount, count(*) FILTER (rule = 'unwanted_value') AS left_out"
        f" FROM judged GROUP BY of_the_row ORDER BY rows DESC, of_the_row LIMIT {MOST_VALUES})"
        for alias, name in settings.others.items()
    ]
    rows = con.execute(" UNION ALL ".join(queries)).fetchall() if queries else []
    return pd.DataFrame(rows, columns=["column", "value", "rows", "amount", "left_out"])


def create_groups(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    """Create table CUSTOMER_GROUPS from `decided`: of every customer the values of group_by at the first purchase."""
    con.execute('CREATE TABLE customer_groups (grouping VARCHAR, customer_id VARCHAR, "group" VARCHAR)')
    for column in settings.group_by:
        con.execute(f"""
            INSERT INTO customer_groups
            WITH cells AS (
                SELECT customer, day, record, {_alias(settings, column)} AS cell FROM decided WHERE rule IS NULL),
            firsts AS (SELECT customer, coalesce(nullif(first(cell ORDER BY day, record), ''), '(blank)') AS found
                       FROM cells GROUP BY customer),
            places AS (SELECT found, row_number() OVER (ORDER BY count(*) DESC, found) AS place
                       FROM firsts GROUP BY found)
            SELECT {literal("by " + column)}, customer, CASE WHEN place <= {MOST_GROUPS} THEN found ELSE '(other)' END
            FROM firsts JOIN places USING (found) ORDER BY customer""")


def unmet(con: DuckDBPyConnection, settings: SourceSettings) -> list[str]:
    """Return the values that the settings name and no row has, each with its column."""
    found = {
        name: {text for (text,) in con.execute(f"SELECT DISTINCT {alias} FROM judged").fetchall()}
        for alias, name in settings.others.items()
    }
    asked = [*settings.keep_rows.items(), *settings.drop_rows.items(), *settings.refund_rows.items()]
    return [f"{name}: {text}" for name, texts in asked for text in texts if text.strip() not in found[name]]


def _alias(settings: SourceSettings, name: str) -> str:
    return next(alias for alias, other in settings.others.items() if other == name)


def _among(settings: SourceSettings, name: str, values: Sequence[str]) -> str:
    texts = ", ".join(literal(text.strip()) for text in values)
    return f"({_alias(settings, name)} IN ({texts}))"
