"""What the rows of one order have in common: what stands on its first line only, its day, and whether it stands twice.

An order is what has one order_id and one customer. A row that names neither order nor customer nor date, but a product,
goes on with the order above it.
"""

from collections.abc import Mapping

from duckdb import DuckDBPyConnection

from clv.transactions.connection import one
from clv.transactions.rules import REPEAT_RULE
from clv.transactions.source import SourceSettings

IDENTITY = ("order_id", "product", "quantity")  # what tells rows of one customer, time and amount apart, where known
LONGEST_PAUSE = 100  # days between two rows of an order; after a longer silence its number was given anew
_SHARED = ("customer_id", "date", "country", "currency")  # what a first line says for the whole order
_KEY = "hash(customer, order_id)"
_ALL = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"


def gaps(kinds: Mapping[str, str], settings: SourceSettings) -> str:
    """Return the SQL of a number in which each bit says that a row lacks something its order may say elsewhere."""
    if "order_id" not in kinds:
        return "0"
    shared = (*_SHARED, *settings.others, "amount")
    lacks = [f"{_filled(name, kinds)} IS NULL" for name in shared if name in kinds]
    bits = [f"{1 << place} * ({lack})::INT" for place, lack in enumerate([_goes_on(kinds), *lacks])]
    return f"({' + '.join(bits)})::INT"


def can_be_filled(con: DuckDBPyConnection) -> bool:
    """Return whether a row of `judged` lacks what another line of its order says."""
    if not one(con, "SELECT bit_or(gaps) FROM judged"):
        return False
    if one(con, "SELECT bit_or(gaps) & 1 FROM judged"):
        return True
    lacking = "SEMI JOIN (SELECT order_id FROM judged WHERE gaps <> 0 AND order_id IS NOT NULL) USING (order_id)"
    differ = f"SELECT 1 FROM judged {lacking} GROUP BY order_id HAVING bit_or(gaps) <> bit_and(gaps)"
    return bool(one(con, f"{differ} LIMIT 1"))


def filled(kinds: Mapping[str, str], settings: SourceSettings) -> str:
    """Return the query for `source` with what a line of an order lacks taken from the line nearest above, or below.

    A line that says its date takes its customer from the lines of that date.
    """
    order, customer, date = (_filled(name, kinds) for name in ("order_id", "customer_id", "date"))
    within = "PARTITION BY file" if "file" in kinds else ""
    above = f"last_value({order} IGNORE NULLS) OVER ({within} ORDER BY record)"
    named = f"SELECT * REPLACE (CASE WHEN {_goes_on(kinds)} THEN {above} ELSE {order} END AS order_id) FROM source"
    of_the_day = f"OVER (PARTITION BY order_id, {date})"
    # A date that stands there settles whose line it is, or that nobody can say: numbers may have been given anew.
    least, most = (f"{which}({customer}) {of_the_day}" for which in ("min", "max"))
    known = f"""
        SELECT * REPLACE (CASE WHEN order_id IS NULL OR {customer} IS NOT NULL THEN {customer}
                               WHEN {date} IS NOT NULL THEN CASE WHEN {least} = {most} THEN {most} END
                               ELSE {_nearest(customer)} END AS customer_id)
        FROM ({named}) {_windows("order_id")}"""
    shared = {name: _filled(name, kinds) for name in (*_SHARED[1:], *settings.others) if name in kinds}
    cells = ", ".join(
        f"CASE WHEN order_id IS NULL THEN {cell} ELSE {_nearest(cell)} END AS {name}" for name, cell in shared.items()
    )
    total = "false"
    if "amount" in kinds:
        amount, order_of = _filled("amount", kinds), "PARTITION BY order_id, customer_id"
        total = (
            f"order_id IS NOT NULL AND {amount} IS NULL AND count({amount}) OVER ({order_of}) = 1"
            f" AND first_value({amount}) OVER ({order_of} ORDER BY record {_ALL}) IS NOT NULL"
        )
    return f"(SELECT * REPLACE ({cells}), {total} AS further_line FROM ({known}) {_windows('order_id, customer_id')})"


def tells_rows_apart(settings: SourceSettings) -> bool:
    """Return whether a repeat can be an error: the order is known, and of its lines also the product."""
    return settings.has("order_id") and (settings.shape == "transactions" or settings.has("product"))


def repeats(con: DuckDBPyConnection, table: str, time: str, chosen: str) -> str:
    """Return the query for the rows of `table` that repeat an earlier one: their record and money.

    A repeat has the same customer, money and `time` (a column), and the same of what else tells rows apart; only rows
    of which the condition `chosen` holds are looked at.
    """
    known = ", ".join(["customer", time, "money", *_identity(con, table)])
    # Only rows whose hash is not unique are numbered: among a hundred million that is what can be done in memory.
    return f"""
        SELECT record, money FROM (
            SELECT record, money, row_number() OVER (PARTITION BY {known} ORDER BY record) AS repetition
            FROM {table} WHERE {chosen} AND hash({known}) IN (
                SELECT hash({known}) AS key FROM {table} WHERE {chosen} GROUP BY key HAVING count(*) > 1))
        WHERE repetition > 1"""


def untaken(con: DuckDBPyConnection) -> str:
    """Return the condition that nothing has taken a row of `judged` yet."""
    # Where nothing was changed, asking every row for it would cost as much as another pass.
    changed = one(con, "SELECT count(*) FROM changes")
    return "rule IS NULL" + (" AND record NOT IN (SELECT record FROM changes)" if changed else "")


def find_copies(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    """Create `repeated`, the rows that repeat one of their order, and add to `changes` those of orders copied whole.

    A till that writes each piece as a line repeats some lines of an order, an export that overlaps another repeats
    them all. Where the log has more orders of the first kind, none counts as a copy.
    """
    known = "rule IS NULL AND order_id IS NOT NULL"
    if settings.has("order_id"):  # one pass for all that is asked of orders of several rows, of which others only count
        con.execute(f"""
            CREATE OR REPLACE TEMP TABLE several AS SELECT {_KEY} AS key, min(moment) < max(moment) AS spans,
                   min(money) < max(money) AS differ
            FROM judged WHERE {known} AND {_KEY} IN (
                SELECT {_KEY} AS key FROM judged WHERE {known} GROUP BY key HAVING count(*) > 1) GROUP BY key""")
    if settings.shape == "order_totals":
        con.execute(f"""
            INSERT INTO changes SELECT record, 'further_line', money FROM judged WHERE {known}
            QUALIFY row_number() OVER (PARTITION BY customer, order_id, money ORDER BY record) > 1""")
    apart = tells_rows_apart(settings) and one(con, "SELECT count(*) FROM several")
    chosen = f"{untaken(con)} AND order_id IS NOT NULL AND {_KEY} IN (SELECT key FROM several)" if apart else "false"
    con.execute(f"CREATE OR REPLACE TABLE repeated AS {repeats(con, 'judged', 'moment', chosen)}")
    if not one(con, "SELECT count(*) FROM repeated"):
        return
    line = ", ".join(["customer", "moment", "money", *_identity(con, "judged")])
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE lines AS
        SELECT record, money, customer, order_id, moment::DATE AS day, count(*) OVER line AS times,
               row_number() OVER (line ORDER BY record) AS repetition
        FROM judged WHERE {chosen} AND (customer, order_id, moment::DATE) IN (
            SELECT (customer, order_id, moment::DATE) FROM judged SEMI JOIN repeated USING (record))
        WINDOW line AS (PARTITION BY {line})""")
    con.execute("""
        CREATE OR REPLACE TEMP TABLE copied AS
        SELECT customer, order_id, day, min(times) AS copies, min(times) > 1 AND bool_and(times % fewest = 0) AS whole,
               count(*) FILTER (repetition = 1) AS lines
        FROM (SELECT *, min(times) OVER (PARTITION BY customer, order_id, day) AS fewest FROM lines) GROUP BY ALL""")
    pieces = "SELECT count_if(NOT whole) > count_if(whole AND lines > 1) FROM copied"
    if settings.shape == "line_items" and one(con, pieces):
        return
    con.execute(f"""
        INSERT INTO changes SELECT record, '{REPEAT_RULE.name}', money
        FROM lines JOIN copied USING (customer, order_id, day) WHERE whole AND repetition > times // copies""")


def find_days(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    """Fill `order_days` with the kept rows of orders that span days, and the first day of each.

    Numbers are given anew: what somebody else bought under one in between, or a long silence, begins another order.
    """
    if not settings.has("order_id") or not one(con, "SELECT count_if(spans) FROM several"):
        return
    kept = "rule IS NULL AND order_id IS NOT NULL"
    con.execute(f"""
        CREATE OR REPLACE TEMP TABLE spread AS
        SELECT record, customer, order_id, moment FROM decided WHERE {kept} AND order_id IN (
            SELECT order_id FROM decided WHERE {kept} AND {_KEY} IN (SELECT key FROM several WHERE spans))""")
    con.execute(f"""
        INSERT INTO order_days
        SELECT record, min(moment::DATE) OVER (PARTITION BY order_id, part) FROM (
            SELECT *, sum(begins::INT) OVER (PARTITION BY order_id ORDER BY moment, customer, record) AS part FROM (
                SELECT *, customer IS DISTINCT FROM lag(customer) OVER numbered
                          OR moment - lag(moment) OVER numbered > INTERVAL {LONGEST_PAUSE} DAY AS begins
                FROM spread WINDOW numbered AS (PARTITION BY order_id ORDER BY moment, customer, record)))""")


def _identity(con: DuckDBPyConnection, table: str) -> list[str]:
    found = {row[0] for row in con.execute(f"DESCRIBE {table}").fetchall()}
    return [name for name in IDENTITY if name in found]


def _filled(name: str, kinds: Mapping[str, str]) -> str:
    """Return the SQL of a cell, null if it is blank."""
    if kinds[name] != "VARCHAR":
        return name
    return f"CASE WHEN {name} >= '!' OR trim({name}) <> '' THEN {name} END"  # what begins with no space is not blank


def _goes_on(kinds: Mapping[str, str]) -> str:
    if "product" not in kinds:
        return "false"
    blank = " AND ".join(f"{_filled(name, kinds)} IS NULL" for name in ("order_id", "customer_id", "date"))
    return f"({blank} AND {_filled('product', kinds)} IS NOT NULL)"


def _nearest(cell: str) -> str:
    """Return the SQL of the last cell above, or else the first below, that is not null."""
    return f"coalesce(last_value({cell} IGNORE NULLS) OVER above, first_value({cell} IGNORE NULLS) OVER below)"


def _windows(order: str) -> str:
    rows = f"PARTITION BY {order} ORDER BY record ROWS BETWEEN"
    return (
        f"WINDOW above AS ({rows} UNBOUNDED PRECEDING AND CURRENT ROW),"
        f" below AS ({rows} CURRENT ROW AND UNBOUNDED FOLLOWING)"
    )
