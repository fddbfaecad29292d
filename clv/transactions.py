"""From a raw log to clean customer-days: read, judge every row by named rules, account for all rows and money.

Everything happens in DuckDB, in tables with fixed names: `source` (from `sources`), `decided`
(each row with the rule that took it out, or none), and the three contracts `transactions`, `rejected`, `ledger`.
Money is DECIMAL(18, 6) until the last step, so the ledger balances to the last digit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb
import pandas as pd
from duckdb import DuckDBPyConnection

from clv import tables
from clv.database import connect, literal, one, quoted
from clv.errors import InputError, IntegrityError
from clv.refunds import net_refunds
from clv.sources import CDNOW, CDNOW_COLUMNS, ISO_DATE, SourceSettings, read

__all__ = [
    "CDNOW", "CDNOW_COLUMNS", "ISO_DATE", "RULES", "Rule", "SourceSettings", "check_identity", "clean", "connect",
    "exact_repeats", "frame", "read", "same_day_merges",
]  # fmt: skip

SET_ASIDE, KEPT = "set_aside", "kept"


@dataclass(frozen=True)
class Rule:
    """Why a row leaves: the column at fault, the reason in words, and the SQL condition.

    Only a fault counts towards `max_rejected_share`; a policy or the netting of refunds does not.
    """

    name: str
    column: str
    meaning: str
    condition: str
    fault: bool = False


# The first rule that holds takes the row. These look at one row of `parsed` ...
ROW_RULES = (
    Rule("missing_customer_id", "customer_id", "no customer identifier", "customer IS NULL", fault=True),
    Rule("excluded_customer", "customer_id", "customer matches exclude_pattern", "excluded"),
    Rule("unparsable_date", "date", "date is missing or not written as date_format says", "moment IS NULL", fault=True),
    Rule(
        "impossible_date",
        "date",
        "date lies before 1990 or in the future",
        "moment < DATE '1990-01-01' OR moment::DATE > latest_possible",
        fault=True,
    ),
    Rule("unparsable_amount", "amount", "amount is missing or not a finite number", "money IS NULL", fault=True),
    Rule(SET_ASIDE, "date", "rows after the end of observation, not used", "moment::DATE > observation_end"),
)
# ... this one at the rows before it, among those no rule has taken yet ...
REPEAT_RULE = Rule(
    "duplicate",
    "order_id",
    "exact repeat of customer, date, amount and order",
    "order_id IS NOT NULL AND repetition > 1",
)
# ... and these at a row of `netted`, where every refund has met its purchase.
REFUND_RULES = (
    Rule("refund_dropped", "amount", "refunds, dropped by policy", "money < 0 AND policy = 'drop'"),
    Rule("refund_netted", "amount", "refunds taken off their purchase", "money < 0 AND bundle IS NOT NULL"),
    Rule("refund_unmatched", "amount", "refunds without a purchase they belong to", "money < 0", fault=True),
    Rule("cancelled_purchase", "amount", "purchases refunded in full", "cancelled"),
    Rule("zero_amount", "amount", "purchases of amount zero, dropped by policy", "net = 0 AND zero_amounts = 'drop'"),
)
RULES = (*ROW_RULES, REPEAT_RULE, *REFUND_RULES)


def clean(con: DuckDBPyConnection, settings: SourceSettings, *, today: date | None = None) -> None:
    """Create `transactions`, `rejected` and `ledger` from `source`, and check that no row and no cent is lost.

    A stated `observation_end` sets later rows aside; without one, dates after `today` (default: the clock) are faults.
    """
    _parse(con, settings, today or date.today())
    _judge(con)
    net_refunds(con, settings)
    _refuse_refunds(con, settings)
    _decide(con, settings)
    _tabulate(con, settings)
    check_identity(con)
    _refuse_faults(con, settings)
    _refuse_nothing_left(con, settings)


def same_day_merges(con: DuckDBPyConnection) -> int:
    """Return how many kept rows disappeared because a customer's rows of one day count as one purchase."""
    kept = one(con, "SELECT count(*) FROM decided WHERE rule IS NULL")
    return kept - one(con, "SELECT count(*) FROM transactions")


def exact_repeats(con: DuckDBPyConnection) -> int:
    """Return how many kept rows repeat an earlier one in customer, day and amount: without order ids they stay."""
    return one(
        con,
        "SELECT coalesce(sum(n - 1), 0)::BIGINT FROM"
        " (SELECT count(*) AS n FROM decided WHERE rule IS NULL GROUP BY customer, day, money, order_id)",
    )


def frame(con: DuckDBPyConnection, table: tables.Table) -> pd.DataFrame:
    """Return a contract's table from the database as a checked frame."""
    rows = con.execute(f"SELECT * FROM {quoted(table.name)}").df()
    texts = {name: "str" for name, column in table.columns.items() if column.kind == tables.TEXT}
    return tables.check(table, rows.astype(texts))


def check_identity(con: DuckDBPyConnection) -> None:
    """Refuse a cleaning in which source = kept + left out + set aside fails, in rows or in money."""
    source = con.execute("SELECT count(*), count(*), coalesce(sum(money), 0) FROM parsed").fetchone() or ()
    parts = con.execute(
        "SELECT count(*), count(DISTINCT record), coalesce(sum(money), 0) FROM"
        " (SELECT record, money FROM decided WHERE rule IS NULL OR rule = ?"
        "  UNION ALL SELECT r.record, d.money FROM rejected AS r LEFT JOIN decided AS d USING (record, rule))",
        [SET_ASIDE],
    ).fetchone()
    lines = one(con, "SELECT sum(rows)::BIGINT FROM ledger WHERE line <> 'source'")
    if source != parts or lines != source[0]:
        raise IntegrityError(
            f"ledger: the source has {source[0]} rows and {source[-1]} of money, but kept, left out and set aside"
            f" together have {parts} and the ledger {lines} rows: cleaning lost or invented something."
        )


_TYPES = {
    "text": {"VARCHAR"},
    "date": {"DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"},
    "inexact": {"FLOAT", "DOUBLE"},
    "whole": {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"},
}
_EDGES = r"[\s\pZ\p{Cc}\p{Cf}]+"  # spaces of every kind, control and invisible characters
_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"  # DuckDB alone would also take 1_000


def _parse(con: DuckDBPyConnection, settings: SourceSettings, today: date) -> None:
    """Create `parsed`: customer, moment, money and order as typed values, null where the text does not say one."""
    kinds = {row[0]: row[1] for row in con.execute("DESCRIBE source").fetchall()}
    latest_possible = date.max if settings.observation_end else today
    query = f"""
        CREATE OR REPLACE TABLE parsed AS
        SELECT record, customer, order_id, moment, money,
               coalesce(regexp_matches(customer, ?::VARCHAR), false) AS excluded,
               ?::DATE AS latest_possible, ?::DATE AS observation_end
        FROM (SELECT record, {_identifier("customer_id")} AS customer, {_identifier("order_id")} AS order_id,
                     {_moment(kinds["date"], settings)} AS moment, {_money(kinds["amount"], settings)} AS money
              FROM source)"""
    _refuse_inexact_identifiers(kinds, settings)
    try:
        con.execute(query, [settings.exclude_pattern, latest_possible, settings.observation_end])
    except duckdb.InvalidInputException as error:
        raise InputError(
            f"date_format {settings.date_format!r} or exclude_pattern {settings.exclude_pattern!r} is not understood"
            f" ({str(error).removeprefix('Invalid Input Error: ').splitlines()[0]})."
        ) from error


def _identifier(column: str) -> str:
    return f"nullif(regexp_replace({column}::VARCHAR, '^{_EDGES}|{_EDGES}$', '', 'g'), '')"


def _moment(kind: str, settings: SourceSettings) -> str:
    if kind in _TYPES["date"]:
        return "date::TIMESTAMP"
    name = settings.name_of("date")
    if kind not in _TYPES["text"]:
        raise InputError(f"column {name} holds {kind}: write it as a date, or as text and state date_format.")
    if settings.date_format is None:
        raise InputError(
            f'column {name} is text: state how its dates are written, for example date_format: "%Y-%m-%d".'
        )
    return f"try_strptime(date, {literal(settings.date_format)})::TIMESTAMP"


def _money(kind: str, settings: SourceSettings) -> str:
    exact = "try_cast(amount AS DECIMAL(18, 6))"
    if kind in _TYPES["text"]:
        return f"CASE WHEN regexp_full_match(trim(amount), '{_NUMBER}') THEN {exact} END"
    if kind in _TYPES["inexact"] | _TYPES["whole"] or kind.startswith("DECIMAL"):
        return exact
    raise InputError(f"column {settings.name_of('amount')} holds {kind}: write amounts as numbers.")


def _refuse_inexact_identifiers(kinds: Mapping[str, str], settings: SourceSettings) -> None:
    for column in ("customer_id", "order_id"):
        if kinds[column] in _TYPES["inexact"]:
            name = settings.name_of(column)
            raise InputError(f"column {name} holds {kinds[column]}, which merges long identifiers: write it as text.")


def _judge(con: DuckDBPyConnection) -> None:
    """Create `judged`: `parsed` with the first rule that holds, the row rules before the duplicates."""
    con.execute(f"""
        CREATE OR REPLACE TABLE judged AS
        SELECT record, customer, order_id, moment::DATE AS day, money,
               CASE WHEN rule IS NULL AND ({REPEAT_RULE.condition}) THEN '{REPEAT_RULE.name}' ELSE rule END AS rule
        FROM (SELECT *, row_number() OVER (PARTITION BY rule, customer, moment, money, order_id ORDER BY record)
                        AS repetition
              FROM (SELECT *, {_first_rule(ROW_RULES)} AS rule FROM parsed))""")


def _first_rule(rules: Sequence[Rule]) -> str:
    cases = " ".join(f"WHEN {rule.condition} THEN '{rule.name}'" for rule in rules)
    return f"CASE {cases} END"


def _refuse_refunds(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    count, first = con.execute("SELECT count(*), min(record) FROM refunds").fetchone() or (0, None)
    if settings.refunds == "reject" and count:
        raise InputError(
            f"column {settings.name_of('amount')} is below zero in {count} rows (first: record {first}) and refunds is"
            " reject: remove them, or set refunds to net or drop."
        )


def _decide(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    """Create `decided`: for every record the rule that took it, or none, and the money that goes with it."""
    con.execute(f"""
        CREATE OR REPLACE TABLE decided AS
        SELECT record, customer, order_id, day, money, rule FROM judged WHERE rule IS NOT NULL
        UNION ALL
        SELECT record, customer, order_id, day, net AS money, {_first_rule(REFUND_RULES)} AS rule FROM netted""")
    for name in ("judged", "purchases", "bundles", "refunds", "reduced", "netted"):
        con.execute(f"DROP TABLE {name}")


def _tabulate(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    """Create the three contract tables from `decided`."""
    con.execute("""
        CREATE OR REPLACE TABLE transactions AS
        SELECT customer AS customer_id, day AS date, sum(money)::DOUBLE AS amount
        FROM decided WHERE rule IS NULL GROUP BY customer, day ORDER BY customer, day""")
    _create_rules(con, settings)
    con.execute(
        """
        CREATE OR REPLACE TABLE rejected AS
        SELECT s.record, r.source_column AS "column", d.rule,
               CASE r.own_column WHEN 'customer_id' THEN s.customer_id::VARCHAR WHEN 'date' THEN s.date::VARCHAR
                    WHEN 'amount' THEN s.amount::VARCHAR ELSE s.order_id::VARCHAR END AS value,
               d.money::DOUBLE AS amount
        FROM decided AS d JOIN source AS s USING (record) JOIN rules AS r ON r.line = d.rule
        WHERE d.rule <> ? ORDER BY s.record""",
        [SET_ASIDE],
    )
    con.execute(
        """
        CREATE OR REPLACE TABLE ledger AS
        SELECT line, meaning, rows, amount FROM (
            SELECT -1 AS place, 'source' AS line, 'rows in the source' AS meaning,
                   count(*) AS rows, coalesce(sum(money), 0)::DOUBLE AS amount FROM parsed
            UNION ALL
            SELECT r.place, r.line, r.meaning, count(*), coalesce(sum(d.money), 0)::DOUBLE
            FROM decided AS d JOIN rules AS r ON r.line = coalesce(d.rule, ?) GROUP BY r.place, r.line, r.meaning)
        ORDER BY place""",
        [KEPT],
    )


def _create_rules(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    """Create `rules`: the lines of the ledger in order; what was set aside and kept comes last."""
    con.execute(
        "CREATE OR REPLACE TABLE rules"
        " (place INTEGER, line VARCHAR, own_column VARCHAR, source_column VARCHAR, meaning VARCHAR)"
    )
    last = {SET_ASIDE: 1, KEPT: 2}
    kept = Rule(KEPT, "amount", "rows kept, net of refunds", "")
    for rule in sorted((*RULES, kept), key=lambda rule: last.get(rule.name, 0)):
        con.execute(
            "INSERT INTO rules SELECT count(*), ?, ?, ?, ? FROM rules",
            [rule.name, rule.column, settings.name_of(rule.column), rule.meaning],
        )


def _refuse_faults(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    faults = [rule.name for rule in RULES if rule.fault]
    total = one(con, "SELECT count(*) FROM source")
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
    meaning = next(rule.meaning for rule in RULES if rule.name == worst)
    raise InputError(
        f"{share:.1%} of {total} rows cannot be used, more than max_rejected_share {settings.max_rejected_share:.1%}:"
        f" mostly {worst} ({meaning}) in {count} rows of column {column} (first: record {first}, {_short(value)})."
    )


def _refuse_nothing_left(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    if one(con, "SELECT count(*) FROM transactions"):
        return
    rows, first = con.execute("SELECT count(*), min(day) FROM decided WHERE rule = ?", [SET_ASIDE]).fetchone() or (0, 0)
    if rows:
        raise InputError(
            f"no usable row up to observation_end {settings.observation_end}: {rows} rows are later, the first on"
            f" {first}; set observation_end to a day within the data."
        )
    lines = con.execute("SELECT line || ' ' || rows FROM ledger WHERE line <> 'source' ORDER BY rows DESC").fetchall()
    raise InputError(f"no usable row is left after cleaning ({', '.join(line for (line,) in lines)}).")


def _short(value: str | None) -> str:
    text = repr(value) if value is not None else "nothing there"
    return text if len(text) <= 40 else f"{text[:37]}..."
