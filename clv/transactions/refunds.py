"""Every refund meets the purchase it belongs to, and takes its money off it.

What can be refunded is a bundle: an order, or a customer's day where no order is named. In the order of time each
refund goes to

1. the bundle of the order it names;
2. if refunds have order numbers of their own, or name none: to the customer's latest bundle up to that day that still
   holds as much, of the same product where products are known;
3. nowhere: what it refunds is not in the log.

Within a bundle rows of the refunded product give first, then the largest; what exceeds the whole bundle goes to its
smallest row, which then leaves with it.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby

import pyarrow as pa
from duckdb import DuckDBPyConnection

from clv.transactions.connection import one
from clv.transactions.rules import CANCELLED, NETTED, UNMATCHED
from clv.transactions.source import SourceSettings

ROWS_AT_A_TIME = 50_000
Bundle = tuple[str, object]  # ("order", its id) or ("day", its date)
CHANGES = pa.schema([("record", pa.int64()), ("rule", pa.string()), ("money", pa.decimal128(18, 6))])


@dataclass(slots=True)
class Row:
    """A row of one customer: a purchase, or a refund if its money is below zero."""

    record: int
    order: str | None
    product: str | None
    moment: datetime
    money: Decimal
    left: Decimal = field(init=False)

    def __post_init__(self) -> None:
        """Nothing has been refunded yet."""
        self.left = self.money

    @property
    def bundle(self) -> Bundle:
        """What the row can be refunded together with."""
        return ("order", self.order) if self.order is not None else ("day", self.moment.date())


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a row: the rule that took it, or None, and the money that stays or goes with it."""

    record: int
    rule: str | None
    money: Decimal


def net_refunds(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    """Add to `changes` what refunds do to the rows of `judged` that nothing has taken yet."""
    untaken = "rule IS NULL AND record NOT IN (SELECT record FROM changes)"
    if not one(con, f"SELECT count(*) FROM judged WHERE {untaken} AND money < 0"):
        return
    order = "order_id" if settings.has("order_id") else "NULL"
    product = "product" if settings.has("product") else "NULL"
    con.execute(f"""
        CREATE OR REPLACE TABLE concerned AS
        SELECT customer, record, {order} AS order_id, {product} AS product, moment, money FROM judged
        WHERE {untaken} AND customer IN (SELECT customer FROM judged WHERE {untaken} AND money < 0)
        ORDER BY customer, moment, order_id, product, money, record""")
    order_of = _order_of(con, settings)
    # A cursor of its own: an insert in the loop would end a result that is still being read.
    reader = con.cursor().execute("SELECT * FROM concerned")
    changes: list[Change] = []
    for _, rows in groupby(_rows(reader), key=lambda row: row[0]):
        changes += settle([Row(*row[1:]) for row in rows], order_of)
        if len(changes) >= ROWS_AT_A_TIME:
            _insert(con, changes)
            changes = []
    _insert(con, changes)
    con.execute("DROP TABLE concerned")


def settle(rows: Sequence[Row], order_of: Callable[[str | None], str | None]) -> list[Change]:
    """Return what one customer's refunds do to the customer's rows, which stand in the order of time.

    Parameters
    ----------
    order_of
        From the order id on a refund to the id of the order it refunds; None where refunds have numbers of their own.
    """
    purchases = _Purchases([row for row in rows if row.money >= 0])
    changes, touched = [], set()
    for refund in (row for row in rows if row.money < 0):
        key = purchases.met_by(refund, order_of(refund.order))
        changes.append(Change(refund.record, (NETTED if key else UNMATCHED).name, Decimal(0) if key else refund.money))
        if key:
            _take(purchases.bundles[key], refund)
            touched.add(key)
    return changes + [change for key in sorted(touched, key=str) for change in _outcome(purchases.bundles[key])]


class _Purchases:
    """A customer's purchases by what can be refunded together, and the days on which a product was bought."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.bundles: dict[Bundle, list[Row]] = {}
        for row in rows:
            self.bundles.setdefault(row.bundle, []).append(row)
        bought: dict[str | None, dict[Bundle, date]] = {None: {}}
        for row in rows:
            for product in {None, row.product}:
                bought.setdefault(product, {}).setdefault(row.bundle, row.moment.date())
        self.bought = {
            product: sorted((day, str(key), key) for key, day in days.items()) for product, days in bought.items()
        }

    def met_by(self, refund: Row, order: str | None) -> Bundle | None:
        """Return the bundle that a refund belongs to, None if there is none."""
        if order is not None:
            return ("order", order) if ("order", order) in self.bundles else None
        candidates = self.bought.get(refund.product, [])
        earlier = candidates[: bisect_right(candidates, refund.moment.date(), key=lambda candidate: candidate[0])]
        for _, same_day in groupby(reversed(earlier), key=lambda candidate: candidate[0]):
            held = [(self._left(key, refund.product), name, key) for _, name, key in same_day]
            left, _, key = max(held, key=lambda candidate: candidate[:2])
            if left >= -refund.money:
                return key
        return None

    def _left(self, key: Bundle, product: str | None) -> Decimal:
        return sum((row.left for row in self.bundles[key] if product in (None, row.product)), Decimal(0))


def _take(rows: Sequence[Row], refund: Row) -> None:
    amount = -refund.money
    # A refund that names its order may exceed the rows of its product, or name none of them.
    for row in sorted(rows, key=lambda row: (row.product != refund.product, -row.left, row.moment, row.record)):
        taken = min(max(row.left, Decimal(0)), amount)
        row.left -= taken
        amount -= taken
    min(rows, key=lambda row: (row.money, row.moment, row.record)).left -= amount


def _outcome(rows: Sequence[Row]) -> Iterator[Change]:
    all_gone = sum(row.left for row in rows) <= 0
    for row in rows:
        if all_gone or row.left < row.money:
            yield Change(row.record, CANCELLED.name if all_gone or row.left <= 0 else None, row.left)


def _order_of(con: DuckDBPyConnection, settings: SourceSettings) -> Callable[[str | None], str | None]:
    """Return how to find the order that a refund names: by its number, without the mark of a cancellation.

    Where no refund of the whole log names an order of its customer, refunds are numbered apart and name none.
    """
    mark = re.compile(settings.cancellation_pattern or "(?!)")  # without a pattern: what matches nothing
    refunds = con.cursor().execute("SELECT customer, order_id FROM concerned WHERE money < 0 AND order_id IS NOT NULL")
    named = {(customer, mark.sub("", order, count=1)) for customer, order in _rows(refunds)}
    purchases = con.cursor().execute("SELECT customer, order_id FROM concerned WHERE money >= 0")
    if not any(row in named for row in _rows(purchases)):
        return lambda order: None
    return lambda order: None if order is None else mark.sub("", order, count=1)


def _rows(reader: DuckDBPyConnection) -> Iterator[tuple]:
    while rows := reader.fetchmany(ROWS_AT_A_TIME):
        yield from rows


def _insert(con: DuckDBPyConnection, changes: Sequence[Change]) -> None:
    columns = [[getattr(change, name) for change in changes] for name in CHANGES.names]
    con.register("batch", pa.table(columns, schema=CHANGES))
    con.execute("INSERT INTO changes SELECT * FROM batch")
    con.unregister("batch")
