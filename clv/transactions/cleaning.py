"""From a raw log to clean customer-days: read, judge every row by named rules, account for all rows and money.

Everything happens in DuckDB, under fixed names: `source` (from `sources`), `judged` (each row typed, with the rule
that took it, or none), `changes` (what repeats and refunds do to rows), `decided` (the view of both), and the contracts
`transactions`, `rejected`, `ledger`. Rows stream through once, and only what later steps need is kept, so a log may be
larger than memory. Money is DECIMAL(18, 6) until the last step, so the ledger balances to the last digit.
"""

from collections.abc import Mapping
from datetime import date

import pandas as pd
from duckdb import DuckDBPyConnection

from clv import tables
from clv.errors import IntegrityError
from clv.transactions import parsing
from clv.transactions.connection import literal, one, quoted
from clv.transactions.days import find_strays
from clv.transactions.parsing import MONEY, TEXT
from clv.transactions.reading import run_over
from clv.transactions.refunds import net_refunds
from clv.transactions.refusals import (
    cell_at_fault,
    refuse_currencies,
    refuse_empty,
    refuse_faults,
    refuse_nothing_left,
    refuse_refunds,
)
from clv.transactions.rules import KEPT, REPEAT_RULE, ROW_RULES, RULES, SET_ASIDE, STRAY, Rule, first_that_holds
from clv.transactions.source import KNOWN_COLUMNS, SourceSettings

IDENTITY = ("order_id", "product", "quantity")  # what tells rows of one customer, time and amount apart, where known
_KEPT_RULE = Rule(KEPT, "", "amount", "rows kept, net of refunds", "")
_TABLES = ("judged", "changes", "transactions", "rejected", "ledger", "rules")


def clean(con: DuckDBPyConnection, settings: SourceSettings, *, today: date | None = None) -> None:
    """Create `transactions`, `rejected` and `ledger` from `source`, and check that no row and no cent is lost.

    A stated `observation_end` sets later rows aside; dates after it and after `today` (default: the clock) are faults.
    What is refused leaves the tables as far as they came, for whoever wants to say why.
    """
    _judge(con, settings, today or date.today())
    refuse_empty(con, settings)
    refuse_currencies(con, settings)
    find_strays(con, settings)
    _find_repeats(con, settings)
    refuse_refunds(con, settings)
    net_refunds(con, settings)
    _tabulate(con, settings)
    check_identity(con)
    refuse_faults(con, settings)
    refuse_nothing_left(con, settings)


def same_day_merges(con: DuckDBPyConnection) -> int:
    """Return how many kept rows disappeared because a customer's rows of one day count as one purchase."""
    kept = one(con, "SELECT count(*) FROM decided WHERE rule IS NULL")
    return kept - one(con, "SELECT count(*) FROM transactions")


def tells_rows_apart(settings: SourceSettings) -> bool:
    """Return whether an exact repeat is an error: the order is known, and of its lines also the product."""
    return settings.has("order_id") and (settings.shape == "transactions" or settings.has("product"))


def repeats(con: DuckDBPyConnection, table: str, time: str, chosen: str) -> str:
    """Return the query for the rows of `table` that repeat an earlier one: their record and money.

    A repeat has the same customer, money and `time` (a column), and the same of what else tells rows apart; only rows
    of which the condition `chosen` holds are looked at.
    """
    found = {row[0] for row in con.execute(f"DESCRIBE {table}").fetchall()}
    known = ", ".join(["customer", time, "money", *(name for name in IDENTITY if name in found)])
    # Only rows whose hash is not unique are numbered: among a hundred million that is what can be done in memory.
    return f"""
        SELECT record, money FROM (
            SELECT record, money, row_number() OVER (PARTITION BY {known} ORDER BY record) AS repetition
            FROM {table} WHERE {chosen} AND hash({known}) IN (
                SELECT hash({known}) AS key FROM {table} WHERE {chosen} GROUP BY key HAVING count(*) > 1))
        WHERE repetition > 1"""


def frame(con: DuckDBPyConnection, table: tables.Table) -> pd.DataFrame:
    """Return a contract's table from the database as a checked frame."""
    rows = con.execute(f"SELECT * FROM {quoted(table.name)}").df()
    return tables.check(table, tables.with_texts(table, rows))


def check_identity(con: DuckDBPyConnection) -> None:
    """Refuse a cleaning in which source = kept + left out + set aside fails, in rows or in money."""
    source = con.execute("SELECT count(*), max(record) * (max(record) + 1) // 2, sum(money) FROM judged").fetchone()
    parts = con.execute(
        "SELECT count(*), sum(record)::HUGEINT, sum(money) FROM"
        " (SELECT record, money FROM decided WHERE rule IS NULL OR rule = ?"
        "  UNION ALL SELECT r.record, d.money FROM rejected AS r LEFT JOIN decided AS d USING (record, rule))",
        [SET_ASIDE],
    ).fetchone()
    rows, _, amount = source or (0, 0, 0)
    lines = one(con, "SELECT sum(rows)::BIGINT FROM ledger WHERE line <> 'source'")
    if source != parts or lines != rows:
        raise IntegrityError(
            f"ledger: the source has {rows} rows and {amount} of money, but kept, left out and set aside together have"
            f" {parts and parts[0]} rows and {parts and parts[-1]}, and the ledger {lines} rows: cleaning lost or"
            " invented something."
        )


def _judge(con: DuckDBPyConnection, settings: SourceSettings, today: date) -> None:
    """Create `judged` from `source`: the first row rule that holds, and the cell at fault as it stood there."""
    kinds = {row[0]: row[1] for row in con.execute("DESCRIBE source").fetchall()}
    parsing.refuse_inexact_identifiers(kinds, settings)
    parsing.refuse_meaningless_patterns(con, settings)
    for name in _TABLES:
        con.execute(f"DROP TABLE IF EXISTS {name} CASCADE")
    identity = [column for column in IDENTITY if column in kinds]
    kept = ["record", "customer", *identity, "moment", "money", "currency"] + (["file"] if "file" in kinds else [])
    run_over(
        con,
        settings,
        f"""CREATE TABLE judged AS
            SELECT {", ".join(kept)}, rule, {cell_at_fault(kinds)} AS value
            FROM (SELECT *, {first_that_holds(ROW_RULES)} AS rule FROM ({_parsed(con, kinds, settings, today)}))""",
    )
    con.execute("CREATE TABLE changes (record BIGINT, rule VARCHAR, money DECIMAL(18, 6))")
    con.execute("""
        CREATE OR REPLACE VIEW decided AS
        SELECT j.* REPLACE (coalesce(c.money, j.money) AS money,
                            CASE WHEN c.record IS NULL THEN j.rule ELSE c.rule END AS rule), j.moment::DATE AS day
        FROM judged AS j LEFT JOIN changes AS c USING (record)""")


def _parsed(con: DuckDBPyConnection, kinds: Mapping[str, str], settings: SourceSettings, today: date) -> str:
    """Return the query that types every row of `source`, with what the rules look at."""
    latest = max(today, settings.observation_end or today)
    order = parsing.identifier("order_id") if "order_id" in kinds else "NULL::VARCHAR"
    pattern = settings.cancellation_pattern
    cancels = f"coalesce(regexp_matches({order}, {literal(pattern)}), false)" if pattern else "false"
    others = {name: parsing.identifier(name) for name in ("product",) if name in kinds}
    others |= {"quantity": parsing.money("quantity", kinds["quantity"], settings)} if "quantity" in kinds else {}
    replaced = "".join(f", {expression} AS {name}" for name, expression in others.items())
    raw = {"customer_id": "customer_id", "date": "date", "amount": _raw_amount(kinds)}
    raw |= {name: name for name in ("order_id", "country") if name in kinds}
    cells = ", ".join(f"nullif({cell}::VARCHAR, '') AS raw_{name}" for name, cell in raw.items())
    return f"""
        SELECT *, {_is_listed("customer", settings.exclude_ids)}
                  OR coalesce(regexp_matches(customer, {_text(settings.exclude_pattern)}), false) AS excluded,
               CASE WHEN cancels THEN -abs(amount) ELSE amount END AS money
        FROM (SELECT record, ragged, {"file, " if "file" in kinds else ""}{cells}{replaced},
                     {parsing.customer(settings)} AS customer, {order} AS order_id,
                     {parsing.moment(con, kinds["date"], settings)} AS moment, {_amount(kinds, settings)} AS amount,
                     {_currency(kinds)} AS currency, {cancels} AS cancels, {_is_header(kinds, settings)} AS is_header,
                     {_is_empty(kinds)} AS is_empty,
                     {_other_country(kinds, settings)} AS other_country, {literal(settings.refunds)} AS refunds,
                     {literal(settings.zero_amounts)} AS zero_amounts, DATE '{latest}' AS latest_possible,
                     {_text(settings.observation_end)}::DATE AS observation_end
              FROM source)"""


def _amount(kinds: Mapping[str, str], settings: SourceSettings) -> str:
    if "amount" in kinds:
        return parsing.money("amount", kinds["amount"], settings)
    quantity, price = (parsing.money(name, kinds[name], settings) for name in ("quantity", "unit_price"))
    return f"try_cast(({quantity})::DECIMAL(38, 6) * ({price})::DECIMAL(38, 6) AS {MONEY})"


def _raw_amount(kinds: Mapping[str, str]) -> str:
    return "amount" if "amount" in kinds else "concat(quantity, ' × ', unit_price)"


def _currency(kinds: Mapping[str, str]) -> str:
    if "currency" in kinds:
        return f"upper({parsing.identifier('currency')})"
    priced = "amount" if "amount" in kinds else "unit_price"
    return parsing.sign(priced) if kinds[priced] in TEXT else "NULL::VARCHAR"


def _other_country(kinds: Mapping[str, str], settings: SourceSettings) -> str:
    if "country" not in kinds or not (settings.countries or settings.exclude_countries):
        return "false"
    country = parsing.identifier("country")
    only = f"NOT {_is_listed(country, settings.countries)}" if settings.countries else "false"
    return f"({only} OR {_is_listed(country, settings.exclude_countries)})"


def _is_header(kinds: Mapping[str, str], settings: SourceSettings) -> str:
    texts = [name for name in ("customer_id", "date", "amount", "unit_price") if kinds.get(name) in TEXT]
    same = (f"coalesce(trim({name}) = {literal(settings.name_of(name))}, false)" for name in texts)
    return " AND ".join(same) if len(texts) > 2 else "false"


def _is_empty(kinds: Mapping[str, str]) -> str:
    mapped = [name for name in KNOWN_COLUMNS if name in kinds]
    return " AND ".join(f"{parsing.identifier(name)} IS NULL" for name in mapped)


def _is_listed(value: str, listed: object) -> str:
    names = ", ".join(literal(str(name)) for name in listed)  # type: ignore[attr-defined]
    return f"coalesce({value} IN ({names}), false)" if names else "false"


def _text(value: object) -> str:
    return "NULL" if value is None else literal(str(value))


def _find_repeats(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    """Add to `changes` the exact repeats of rows that name their order."""
    if not tells_rows_apart(settings):
        return
    rows = repeats(
        con, "judged", "moment", "rule IS NULL AND order_id IS NOT NULL AND record NOT IN (SELECT record FROM changes)"
    )
    con.execute(f"INSERT INTO changes SELECT record, '{REPEAT_RULE.name}', money FROM ({rows})")


def _tabulate(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    """Create the three contract tables from `decided`."""
    con.execute("""
        CREATE TABLE transactions AS
        SELECT customer AS customer_id, day AS date, sum(money)::DOUBLE AS amount
        FROM decided WHERE rule IS NULL GROUP BY customer, day ORDER BY customer, day""")
    _create_rules(con, settings)
    order = "d.order_id" if settings.has("order_id") else "NULL"
    con.execute(
        f"""
        CREATE TABLE rejected AS
        SELECT d.record, r.source_column AS "column", d.rule,
               CASE WHEN d.rule = '{REPEAT_RULE.name}' THEN {order}
                    WHEN d.rule IN ('{STRAY.name}', 'impossible_date') AND written.record IS NOT NULL
                    THEN d.day::VARCHAR ELSE coalesce(d.value, written.money) END AS value,
               d.money::DOUBLE AS amount
        FROM decided AS d JOIN rules AS r ON r.line = d.rule
        LEFT JOIN (SELECT record, rtrim(rtrim(money::VARCHAR, '0'), '.') AS money FROM judged
                   WHERE record IN (SELECT record FROM changes)) AS written ON written.record = d.record
        WHERE d.rule <> ? ORDER BY d.record""",
        [SET_ASIDE],
    )
    con.execute(
        """
        CREATE TABLE ledger AS
        SELECT line, meaning, rows, amount FROM (
            SELECT -1 AS place, 'source' AS line, 'rows in the source' AS meaning,
                   count(*) AS rows, coalesce(sum(money), 0)::DOUBLE AS amount FROM judged
            UNION ALL
            SELECT r.place, r.line, r.meaning, d.rows, coalesce(d.amount, 0)::DOUBLE
            FROM (SELECT coalesce(rule, ?) AS line, count(*) AS rows, sum(money) AS amount FROM decided GROUP BY ALL)
                 AS d JOIN rules AS r USING (line))
        ORDER BY place""",
        [KEPT],
    )


def _create_rules(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    """Create `rules`: the lines of the ledger in order; what was set aside and kept comes last."""
    con.execute("CREATE TABLE rules (place INTEGER, line VARCHAR, source_column VARCHAR, meaning VARCHAR)")
    last = {SET_ASIDE: 1, KEPT: 2}
    ordered = sorted((*RULES, _KEPT_RULE), key=lambda rule: last.get(rule.name, 0))
    lines = [[rule.name, settings.name_of(rule.column), rule.meaning] for rule in ordered]
    con.execute(
        "INSERT INTO rules SELECT row_number() OVER () - 1, line[1], line[2], line[3] FROM (SELECT unnest(?) AS line)",
        [lines],
    )
