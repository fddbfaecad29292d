"""From a raw log to clean customer-days: read, judge every row by named rules, account for all rows and money.

Everything happens in DuckDB, under fixed names: `source` (from `sources`), `judged` (each row typed, with the rule
that took it, or none), `changes` (what repeats and refunds do to rows), `order_days` (rows of orders that span days),
`decided` (the view of all three), and the contracts `transactions`, `rejected`, `ledger`. Rows stream through once, and
only what later steps need is kept, so a log may be larger than memory; only where lines lack what stands on another
line of their order they stream twice. Money is DECIMAL(18, 6) until the last step, so the ledger balances to the last
digit.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import pandas as pd
from duckdb import DuckDBPyConnection

from clv import tables
from clv.errors import IntegrityError
from clv.transactions import orders, parsing, refusals, selection
from clv.transactions.connection import literal, one, quoted
from clv.transactions.days import find_strays
from clv.transactions.reading import run_over
from clv.transactions.refunds import net_refunds
from clv.transactions.rules import KEPT, REPEAT_RULE, ROW_RULES, RULES, SET_ASIDE, STRAY, Rule, first_that_holds
from clv.transactions.source import KNOWN_COLUMNS, SourceSettings

_KEPT_RULE = Rule(KEPT, "", "amount", "rows kept, net of refunds", "")
_TABLES = (
    *("judged", "changes", "taken", "order_days", "repeated"),
    *("transactions", "refunds", "customer_groups", "rejected", "ledger", "rules"),
)


def clean(con: DuckDBPyConnection, settings: SourceSettings, *, today: date | None = None) -> None:
    """Create `transactions`, `rejected` and `ledger` from `source`, and check that no row and no cent is lost.

    A stated `observation_end` sets later rows aside; dates after it and after `today` (default: the clock) are faults.
    What is refused leaves the tables as far as they came, for whoever wants to say why.
    """
    _judge(con, settings, today or date.today())
    refusals.refuse_empty(con, settings)
    refusals.refuse_currencies(con, settings)
    find_strays(con, settings)
    orders.find_copies(con, settings)
    refusals.refuse_refunds(con, settings)
    net_refunds(con, settings)
    orders.find_days(con, settings)
    _tabulate(con, settings)
    check_identity(con)
    refusals.refuse_faults(con, settings)
    refusals.refuse_nothing_left(con, settings)


def same_day_merges(con: DuckDBPyConnection) -> int:
    """Return how many kept rows disappeared because a customer's rows of one day count as one purchase."""
    return one(con, "SELECT count(*) - (SELECT count(*) FROM transactions) FROM decided WHERE rule IS NULL")


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
    con.execute("CREATE TABLE changes (record BIGINT, rule VARCHAR, money DECIMAL(18, 6))")
    con.execute("CREATE TABLE taken (record BIGINT, day DATE, money DECIMAL(18, 6))")
    con.execute("CREATE TABLE order_days (record BIGINT, day DATE)")
    as_it_stands = "(SELECT *, false AS further_line FROM source)"
    _create_judged(con, kinds, settings, _parsed(con, kinds, settings, today, as_it_stands))
    if orders.can_be_filled(con):
        _create_judged(con, kinds, settings, _parsed(con, kinds, settings, today, orders.filled(kinds, settings)))
    con.execute("""
        CREATE OR REPLACE VIEW decided AS
        SELECT j.* REPLACE (coalesce(c.money, j.money) AS money,
                            CASE WHEN c.record IS NULL THEN j.rule ELSE c.rule END AS rule),
               coalesce(o.day, j.moment::DATE) AS day
        FROM judged AS j LEFT JOIN changes AS c USING (record) LEFT JOIN order_days AS o USING (record)""")


def _create_judged(con: DuckDBPyConnection, kinds: Mapping[str, str], settings: SourceSettings, parsed: str) -> None:
    optional = [name for name in (*orders.IDENTITY, "file", *settings.others) if name in kinds]
    kept = ["record", "customer", "moment", "money", "refunded", "currency", "gaps", *optional]
    run_over(
        con,
        settings,
        f"""CREATE OR REPLACE TABLE judged AS
            SELECT {", ".join(kept)}, rule, {refusals.cell_at_fault(kinds)} AS value
            FROM (SELECT *, {first_that_holds(ROW_RULES)} AS rule FROM ({parsed}))""",
    )


def _parsed(
    con: DuckDBPyConnection, kinds: Mapping[str, str], settings: SourceSettings, today: date, source: str
) -> str:
    """Return the query that types every row of the query `source`, with what the rules look at."""
    latest = max(today, settings.observation_end or today)
    order = parsing.identifier("order_id") if "order_id" in kinds else "NULL::VARCHAR"
    cancels = f"coalesce(regexp_matches({order}, {literal(settings.cancellation_pattern)}), false)"
    others = {name: parsing.identifier(name) for name in ("product",) if name in kinds}
    others |= {"quantity": parsing.money("quantity", kinds["quantity"], settings)} if "quantity" in kinds else {}
    others |= {name: selection.value(name) for name in settings.others}
    replaced = "".join(f", {expression} AS {name}" for name, expression in others.items())
    priced = "concat(quantity, ' × ', unit_price)" if "unit_price" in kinds else "NULL"
    raw = {"customer_id": "customer_id", "date": "date", "amount": "amount" if "amount" in kinds else priced}
    raw |= {name: name for name in ("order_id", "country") if name in kinds}
    cells = ", ".join(f"nullif({cell}::VARCHAR, '') AS raw_{name}" for name, cell in raw.items())
    return f"""
        SELECT * REPLACE (CASE WHEN gross < 0 THEN 0 ELSE refunded END AS refunded),
               CASE WHEN gross < 0 THEN gross ELSE gross - refunded END AS money
        FROM (SELECT *, {_is_listed("named", settings.exclude_ids)}
                  OR coalesce(regexp_matches(named, {literal(settings.exclude_pattern)}), false) AS excluded,
               {parsing.customer("named", "excluded")} AS customer,
               {selection.unwanted(settings)} AS unwanted,
               CASE WHEN cancels OR {selection.are_refunds(settings)} THEN -abs(amount) ELSE amount END AS gross
        FROM (SELECT record, ragged, further_line, {"file, " if "file" in kinds else ""}{cells}{replaced},
                     {parsing.identifier("customer_id")} AS named, {order} AS order_id,
                     {parsing.moment(con, kinds["date"], settings)} AS moment, {_amount(kinds, settings)} AS amount,
                     {_refunded(kinds, settings)} AS refunded, {orders.gaps(kinds, settings)} AS gaps,
                     {_currency(kinds, settings)} AS currency, {cancels} AS cancels,
                     {_is_header(kinds, settings)} AS is_header, {_is_empty(kinds)} AS is_empty,
                     {_other_country(kinds, settings)} AS other_country, {literal(settings.refunds)} AS refunds,
                     {literal(settings.zero_amounts)} AS zero_amounts, DATE '{latest}' AS latest_possible,
                     {literal(settings.observation_end)}::DATE AS observation_end
              FROM {source}))"""


def _amount(kinds: Mapping[str, str], settings: SourceSettings) -> str:
    if "amount" in kinds:
        return parsing.money("amount", kinds["amount"], settings)
    if "unit_price" not in kinds:  # no money: a purchase is what it counts as
        return f"{settings.typical_order_value or 1}::{parsing.MONEY}"
    quantity, price = (parsing.money(name, kinds[name], settings) for name in ("quantity", "unit_price"))
    product = f"try_cast(({quantity})::DECIMAL(38, 6) * ({price})::DECIMAL(38, 6) AS {parsing.MONEY})"
    # A quantity and a price that are both below zero say the same thing twice: it came back.
    return f"CASE WHEN ({quantity}) < 0 AND ({price}) < 0 THEN -{product} ELSE {product} END"


def _refunded(kinds: Mapping[str, str], settings: SourceSettings) -> str:
    """Return the money given back for a row, 0 where nothing stands; null, and so a fault, if it is no number."""
    if "refunded_amount" not in kinds or settings.refunds == "drop":
        return f"0::{parsing.MONEY}"
    blank = f"{parsing.identifier('refunded_amount')} IS NULL"
    number = parsing.money("refunded_amount", kinds["refunded_amount"], settings)
    return f"CASE WHEN {blank} THEN 0 ELSE abs({number}) END::{parsing.MONEY}"


def _currency(kinds: Mapping[str, str], settings: SourceSettings) -> str:
    if "currency" in kinds and settings.has_money:
        return f"upper({parsing.identifier('currency')})"
    priced = "amount" if "amount" in kinds else "unit_price"
    return parsing.sign(priced) if kinds.get(priced) in parsing.TEXT else "NULL::VARCHAR"


def _other_country(kinds: Mapping[str, str], settings: SourceSettings) -> str:
    if "country" not in kinds or not (settings.countries or settings.exclude_countries):
        return "false"
    country = parsing.identifier("country")
    only = _is_listed(country, settings.countries) if settings.countries else "true"
    return f"(NOT {only} OR {_is_listed(country, settings.exclude_countries)})"


def _is_header(kinds: Mapping[str, str], settings: SourceSettings) -> str:
    texts = [name for name in ("customer_id", "date", "amount", "unit_price") if kinds.get(name) in parsing.TEXT]
    same = " AND ".join(f"coalesce(trim({name}) = {literal(settings.name_of(name))}, false)" for name in texts)
    # A condition in AND is looked at for every row, one in CASE where it is reached.
    first = f"contains({texts[0]}, {literal(settings.name_of(texts[0]))})" if texts else ""
    return f"CASE WHEN {first} THEN {same} ELSE false END" if len(texts) > 2 else "false"


def _is_empty(kinds: Mapping[str, str]) -> str:
    blank = (f"{parsing.identifier(name)} IS NULL" for name in KNOWN_COLUMNS if name in kinds)
    return f"CASE WHEN {next(blank)} THEN {' AND '.join(blank)} ELSE false END"


def _is_listed(value: str, listed: Sequence[str]) -> str:
    return f"coalesce({value} IN ({', '.join(map(literal, listed))}), false)" if listed else "false"


def _tabulate(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    total = "sum" if settings.has_money else "max"  # without money a day is one purchase, of so many rows
    con.execute(f"""
        CREATE TABLE transactions AS
        SELECT customer AS customer_id, day AS date, {total}(money)::DOUBLE AS amount
        FROM decided WHERE rule IS NULL GROUP BY customer, day ORDER BY customer, day""")
    con.execute("""
        CREATE TABLE refunds AS
        SELECT d.customer AS customer_id, d.day AS date, t.day AS refunded_on, sum(t.money)::DOUBLE AS amount
        FROM taken AS t JOIN decided AS d USING (record) WHERE t.day > d.day GROUP BY ALL ORDER BY ALL""")
    selection.create_groups(con, settings)
    con.execute("CREATE TABLE rules (place INTEGER, line VARCHAR, source_column VARCHAR, meaning VARCHAR)")
    # The lines of the ledger in order; what was set aside and kept comes last.
    ordered = sorted((*RULES, _KEPT_RULE), key=lambda rule: {SET_ASIDE: 1, KEPT: 2}.get(rule.name, 0))
    lines = [(place, rule.name, settings.name_of(rule.column), rule.meaning) for place, rule in enumerate(ordered)]
    con.executemany("INSERT INTO rules VALUES (?, ?, ?, ?)", lines)
    order = "d.order_id" if settings.has("order_id") else "NULL"
    con.execute(f"""
        CREATE TABLE rejected AS
        SELECT d.record, r.source_column AS "column", d.rule,
               CASE WHEN d.rule = '{REPEAT_RULE.name}' THEN {order}
                    WHEN d.rule IN ('{STRAY.name}', 'impossible_date') AND written.record IS NOT NULL
                    THEN d.day::VARCHAR ELSE coalesce(d.value, written.money) END AS value,
               d.money::DOUBLE AS amount
        FROM decided AS d JOIN rules AS r ON r.line = d.rule
        LEFT JOIN (SELECT record, rtrim(rtrim(money::VARCHAR, '0'), '.') AS money FROM judged
                   WHERE record IN (SELECT record FROM changes)) AS written ON written.record = d.record
        WHERE d.rule <> '{SET_ASIDE}' ORDER BY d.record""")
    con.execute(f"""
        CREATE TABLE ledger AS
        SELECT line, meaning, rows, amount FROM (
            SELECT -1 AS place, 'source' AS line, 'rows in the source' AS meaning,
                   count(*) AS rows, coalesce(sum(money), 0)::DOUBLE AS amount FROM judged
            UNION ALL
            SELECT r.place, r.line, r.meaning, d.rows, coalesce(d.amount, 0)::DOUBLE
            FROM (SELECT coalesce(rule, '{KEPT}') AS line, count(*) AS rows, sum(money) AS amount FROM decided
                  GROUP BY ALL) AS d JOIN rules AS r USING (line))
        ORDER BY place""")
