"""What a data owner should know of a cleaned log: every rule with what it found, and what stays but may surprise.

Works on the tables that `transactions.clean` leaves, also where it refused the log halfway.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from math import expm1, sqrt
from typing import Any

import pandas as pd
from duckdb import DuckDBPyConnection

from clv import tables
from clv.errors import listed
from clv.transactions.connection import literal, one
from clv.transactions.days import of_days
from clv.transactions.orders import LONGEST_PAUSE, repeats, tells_rows_apart
from clv.transactions.refusals import hint, places
from clv.transactions.rules import RULES, WARN, Rule
from clv.transactions.selection import unmet
from clv.transactions.source import SourceSettings
from clv.transactions.synonyms import FEW
from clv.transactions.tables import QUALITY

SAMPLES = 5  # record numbers shown per rule
_ALIKE = r"[\s\p{Cc}\p{Cf},]|^0+|\.0+$"  # what two ways to write one identifier may differ in, beside case
DRIFT_YEARLY, DRIFT_IN_ALL, DRIFT_ERRORS = 0.05, 0.10, 4
BUSY_DAYS, BUSY_TIMES, BUSY_FEW = 30, 3, 3  # so many days, so many times the next one's, of so few customers
Found = tuple[Rule, int, Any, Sequence[int]]  # rule, rows, money, first records

# fmt: off
# These look at a customer of `profile`; a warning takes no row.
CUSTOMER_RULES = (
    Rule("dominant_customer", WARN, "customer_id", "one customer brings over a tenth of the revenue", "share > 0.10",
        "Is it a wholesale or a collective account? exclude_ids leaves it out; compare both reports."),
    Rule("concentrated_revenue", WARN, "customer_id", "a hundredth of the customers brings over half of the revenue",
        "place <= ceil(customers / 100.0) AND best_share > 0.50",
        "Retail and wholesale may be mixed: two logs, or exclude_ids, would describe each better."),
    Rule("inhuman_frequency", WARN, "customer_id", "customers who buy more often than a person does",
        "rows_per_day > 24 OR (days >= 60 AND days > 0.8 * span)",
        "Is it a test, internal, reseller or guest account? exclude_ids or exclude_pattern leaves it out."),
    Rule("far_more_often", WARN, "customer_id", "customers who buy on far more days than anybody else",
        "days >= far_days",
        "Is it a name for many, like walk-in customers, a till or a reseller? exclude_ids leaves it out."),
    Rule("looks_like_test", WARN, "customer_id", "identifiers that begin like those of test or internal accounts",
        r"regexp_matches(customer, '(?i)^(test|dummy|demo|internal|intern|admin|staff|employee|guest|unknown|none|null)"
        r"([^a-z]|$)')", "exclude_pattern or exclude_ids leaves them out."),
    Rule("spreadsheet_id", WARN, "customer_id", "identifiers that a spreadsheet has turned into rounded numbers",
        r"regexp_full_match(customer, '\d([.,]\d+)?E\+?\d+')",
        "Several customers may have become one: export the identifiers as text."),
    Rule("similar_id", WARN, "customer_id",
        "identifiers that differ only in case, spaces, commas, leading zeros or a final .0", "alike > 1",
        "They count as different customers: write each customer one way."),
)
ZERO_AMOUNT = Rule("zero_amount_kept", WARN, "amount", "rows of amount zero, kept as visits",
    "rule IS NULL AND money = 0", "If they are gifts or samples, set zero_amounts to drop.")
FRACTIONS = Rule("fraction_of_cent", WARN, "amount", "amounts with fractions of a hundredth",
    "rule IS NULL AND money <> round(money, 2)",  # and no amount is finer than that
    "Is the sign that was read as the decimal one a sign between thousands? State decimal and thousands.")
THOUSANDS = Rule("whole_thousands", WARN, "quantity", "all quantities are whole thousands",
    f"of at least {FEW} rows kept each has a quantity that 1,000 divides",
    "Is 1.000 (or 1,000) one piece? State decimal and thousands by column, like {quantity: '.', unit_price: ','}.")
EXCESS = Rule("refund_in_excess", WARN, "amount", "purchases refunded with more than they cost",
    "rule = 'cancelled_purchase' AND money < 0",
    "The rest of the refund belongs to no purchase: does it name the right order?")
DRIFT = Rule("drifting_amounts", WARN, "amount", "amounts of the same customers rise or fall over the log",
    f"by {DRIFT_YEARLY:.0%} a year and {DRIFT_IN_ALL:.0%} over the log, beyond {DRIFT_ERRORS} standard errors",
    "A forecast takes amounts to stay as they were on average: where prices change, value will miss that way.")
UNUSED_FILTER = Rule("unused_filter", WARN, "customer_id", "customers who were to be left out, and are not in the log",
    "exclude_ids that no row has, or an exclude_pattern that matches none",
    "Identifiers must be written as in the log, leading zeros included.")
UNUSED_VALUE = Rule("unused_value", WARN, "keep_rows",
    "values that keep_rows, drop_rows or refund_rows name, and no row has", "no row has the value in the column",
    "Values must be written as in the log, capitals included.")
REPEATS = Rule("repeat_kept", WARN, "row", "exact repeats of a row, kept because nothing says that they are copies",
    "rule IS NULL AND an earlier row has the same customer, day and amount",
    "Pieces of one purchase may stay so. If an order_id (of lines: a product) can be mapped, orders that stand there "
    "twice are recognised and removed.")
LONG_ORDERS = Rule("order_over_days", WARN, "order_id",
    "rows of orders that began on an earlier day: one purchase, of its first day",
    f"an earlier day has the same customer and order_id, at most {LONGEST_PAUSE} days before",
    "Instalments and partial deliveries may stay so. If each is a purchase, as in a subscription, leave order_id out.")
SAME_TOTAL = Rule("total_on_every_row", WARN, "amount", "orders of several rows that all have one amount, added up",
    f"a further row, where {FEW // 2} orders have several and 90 % of these one amount",
    "If it is the order's total, it counts once for each row: state shape: order_totals, or keep one row of each.")
SEVERAL = Rule("several_rows", WARN, "order_id", "further rows of an order with other amounts, added up",
    "shape: transactions, and an earlier row has the same customer, order_id and day",
    "Lines or payments may stay so. If a later row replaces an earlier one, as in an edited order, keep the last.")
# fmt: on


def inspect(con: DuckDBPyConnection, settings: SourceSettings, *, calibration_end: date | None = None) -> pd.DataFrame:
    """Return table `QUALITY`: one row per rule, also of those that found nothing."""
    lines = _decided(con)
    if one(con, "SELECT count(*) FROM transactions"):
        _profile(con, settings)
        lines += _rows(con, {rule: rule.condition for rule in CUSTOMER_RULES}, "profile", count="sum(rows)")
        lines += [*_amounts(con, settings), _drift(con), _repeats(con, settings), *_several(con, settings)]
        lines += [_first(con, rule, rows) for rule, rows in of_days(con, settings, calibration_end)]
        con.execute("DROP TABLE profile")
    lines += [_unused_filters(con, settings), _unused_values(con, settings)]
    total = one(con, "SELECT count(*) FROM judged")
    frame = pd.DataFrame(
        {
            "rule": rule.name,
            "severity": rule.severity,
            "column": settings.name_of(rule.column),
            "meaning": rule.meaning,
            "rows": int(rows),
            "share": rows / total,
            "amount": float(amount or 0),
            "records": places(con, records),
            "condition": rule.condition,
            "advice": " ".join(f"{rule.advice} {hint(con, rule, settings)} {_unread(con, rule)}".split()),
        }
        for rule, rows, amount, records in lines
    )
    return tables.check(QUALITY, tables.with_texts(QUALITY, frame))


def _unread(con: DuckDBPyConnection, rule: Rule) -> str:
    """Return what stands where no amount could be read, and the money there would be at the mean of the kept rows."""
    if rule.name != "unparsable_amount":
        return ""
    rejected = f"FROM rejected WHERE rule = '{rule.name}'"
    common = f"SELECT value {rejected} AND value IS NOT NULL GROUP BY value ORDER BY count(*) DESC, value LIMIT 3"
    texts = con.execute(common).fetchall()
    mean = one(con, "SELECT avg(money)::DOUBLE FROM decided WHERE rule IS NULL")
    if not texts or mean is None:
        return ""
    rows = one(con, f"SELECT count(*) {rejected}")
    written = ", ".join(repr(text[:40]) for (text,) in texts)
    return f"There stands {written}; at the mean of the rows kept that would be about {rows * mean:,.2f}."


def _decided(con: DuckDBPyConnection) -> list[Found]:
    """Return what each rule of cleaning took, in one pass."""
    query = (
        f"SELECT rule, count(*), sum(money), min(record, {SAMPLES}) FROM decided WHERE rule IS NOT NULL GROUP BY rule"
    )
    found = {name: taken for name, *taken in con.execute(query).fetchall()}
    return [(rule, *found.get(rule.name, (0, 0, []))) for rule in RULES]


def _rows(con: DuckDBPyConnection, rules: Mapping[Rule, str], table: str, *, count: str = "count(*)") -> list[Found]:
    """Return what rules find in a table, each by its SQL, in one pass."""
    cells = ", ".join(
        f"{count} FILTER ({sql}), sum(money) FILTER ({sql}), min(record, {SAMPLES}) FILTER ({sql})"
        for sql in rules.values()
    )
    row = con.execute(f"SELECT {cells} FROM {table}").fetchone() or ()
    return [(rule, row[3 * n] or 0, row[3 * n + 1], row[3 * n + 2] or []) for n, rule in enumerate(rules)]


def _amounts(con: DuckDBPyConnection, settings: SourceSettings) -> list[Found]:
    """Return what is strange in single amounts, and in all of them together."""
    thousands = "bool_and(quantity % 1000 = 0) AND max(quantity) > 0" if settings.has("quantity") else "false"
    # No sign between thousands has four digits behind it: where an amount is finer, fractions are meant.
    together = (
        "SELECT coalesce(bool_or(money <> round(money, 3)), false) AS finer,"
        f" count(*) >= {FEW} AND {thousands} AS large FROM decided WHERE rule IS NULL"
    )
    rules = {
        ZERO_AMOUNT: ZERO_AMOUNT.condition,
        FRACTIONS: f"{FRACTIONS.condition} AND NOT finer",
        THOUSANDS: "rule IS NULL AND large",
        EXCESS: EXCESS.condition,
        LONG_ORDERS: "rule IS NULL AND day < moment::DATE",
    }
    return _rows(con, rules, f"decided, ({together})")


def _drift(con: DuckDBPyConnection) -> Found:
    """Return by how much later orders of the same customers rise a year: who comes and goes changes nothing."""
    rows, xx, xy, yy, freedom, span = con.execute("""
        WITH paid AS (SELECT customer_id, ln(amount) AS y, date_diff('day', DATE '2000-01-01', date) / 365.25 AS t
                      FROM transactions WHERE amount > 0
                      QUALIFY date > min(date) OVER (PARTITION BY customer_id)),
             each AS (SELECT count(*) AS n, regr_sxx(y, t) AS xx, regr_sxy(y, t) AS xy, regr_syy(y, t) AS yy,
                             min(t) AS t1, max(t) AS t2 FROM paid GROUP BY customer_id HAVING n > 1)
        SELECT coalesce(sum(n), 0)::BIGINT, sum(xx), sum(xy), sum(yy), sum(n - 1) - 1, max(t2) - min(t1) FROM each
    """).fetchone() or (0, 0, 0, 0, 0, 0)
    if not xx or freedom < 1:
        return DRIFT, 0, 0, []
    slope = xy / xx
    error = sqrt(max(yy - slope * xy, 0) / freedom / xx)
    yearly, in_all = expm1(slope), expm1(abs(slope) * span)
    if abs(yearly) < DRIFT_YEARLY or in_all < DRIFT_IN_ALL or abs(slope) <= DRIFT_ERRORS * error:
        return DRIFT, 0, 0, []
    said = f"They {'rise' if yearly > 0 else 'fall'} by {abs(yearly):.0%} a year. {DRIFT.advice}"
    return replace(DRIFT, advice=said), rows, one(con, "SELECT sum(amount) FROM transactions"), []


def _first(con: DuckDBPyConnection, rule: Rule, rows: str) -> Found:
    return _rows(con, {rule: "true"}, f"({rows})")[0]


def _profile(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    """Create `profile`: one row per customer with what `CUSTOMER_RULES` look at."""
    # The lines of an order are bought at once, so only transactions are counted against the hours of a day.
    a_day = "rows / days" if settings.shape == "transactions" else "0"
    con.execute(f"""
        CREATE OR REPLACE TABLE profile AS
        WITH bought AS (SELECT customer_id AS customer, count(*) AS days, max(date) - min(date) + 1 AS span
                        FROM transactions GROUP BY customer_id),
             rows AS (SELECT customer, count(*) AS rows, sum(money) AS money, min(record) AS record
                      FROM decided WHERE rule IS NULL GROUP BY customer),
             ranked AS (SELECT *, {a_day} AS rows_per_day, money / nullif(sum(money) OVER (), 0) AS share,
                               count(*) OVER () AS customers,
                               row_number() OVER (ORDER BY money DESC, customer) AS place,
                               lead(days) OVER busiest AS days_of_next, row_number() OVER busiest AS busy_place,
                               count(*) OVER (PARTITION BY regexp_replace(lower(customer), {literal(_ALIKE)}, '', 'g'))
                                   AS alike
                        FROM rows JOIN bought USING (customer) WINDOW busiest AS (ORDER BY days DESC, customer))
        SELECT *, min(days) FILTER (days >= {BUSY_DAYS} AND days >= {BUSY_TIMES} * days_of_next
                                    AND busy_place <= {BUSY_FEW}) OVER () AS far_days,
               sum(share) FILTER (place <= ceil(customers / 100.0)) OVER () AS best_share FROM ranked""")


def _repeats(con: DuckDBPyConnection, settings: SourceSettings) -> Found:
    """Return the kept rows that repeat another: where orders tell rows apart, the pieces of one order, or no order."""
    if not tells_rows_apart(settings):
        return _first(con, REPEATS, repeats(con, "decided", "moment::DATE", "rule IS NULL"))
    pieces = "SELECT record, money FROM decided SEMI JOIN repeated USING (record) WHERE rule IS NULL"
    nameless = repeats(con, "decided", "moment::DATE", "rule IS NULL AND order_id IS NULL")
    return _first(con, REPEATS, f"{pieces} UNION ALL {nameless}")


def _several(con: DuckDBPyConnection, settings: SourceSettings) -> list[Found]:
    """Return the kept rows that follow another of their order on its day: of one amount, and of others."""
    if not settings.has("order_id") or not settings.has("amount") or settings.shape == "order_totals":
        return [(rule, 0, 0, []) for rule in (SAME_TOTAL, SEVERAL)]
    prices = "(SELECT min(money) < max(money) FROM decided WHERE rule IS NULL)"  # else each row has the only one
    alike = one(con, f"SELECT count(*) >= {FEW // 2} AND avg(differ::INT) <= 0.1 AND {prices} FROM several")
    rows = """
        SELECT record, money FROM decided WHERE rule IS NULL AND money > 0
               AND hash(customer, order_id) IN (SELECT key FROM several WHERE {})
        QUALIFY row_number() OVER (PARTITION BY customer, order_id, moment::DATE ORDER BY record) > 1"""
    added = "differ" if settings.shape == "transactions" else "false"
    return [_first(con, SAME_TOTAL, rows.format(f"NOT differ AND {alike}")), _first(con, SEVERAL, rows.format(added))]


def _unused_values(con: DuckDBPyConnection, settings: SourceSettings) -> Found:
    missing = unmet(con, settings)
    named = replace(UNUSED_VALUE, advice=f"No row has {listed(missing)}. {UNUSED_VALUE.advice}")
    return (named if missing else UNUSED_VALUE), len(missing), 0, []


def _unused_filters(con: DuckDBPyConnection, settings: SourceSettings) -> Found:
    """Return how many filters on customers met nobody."""
    names = [str(name) for name in settings.exclude_ids]
    left_out = "FROM judged WHERE rule IS NOT NULL"  # another rule may have taken their rows first
    met = con.execute(f"SELECT DISTINCT customer {left_out} AND list_contains(?, customer)", [names]).fetchall()
    pattern = settings.exclude_pattern
    idle = pattern and not one(con, f"SELECT count(*) {left_out} AND regexp_matches(customer, {literal(pattern)})")
    return UNUSED_FILTER, len(set(names) - {name for (name,) in met}) + bool(idle), 0, []
