"""Every refund meets the purchase it belongs to, and takes its money off it.

What can be refunded is a bundle: an order, or a customer's day where no order is named. In the order of time each
refund goes to

1. the bundle of the order it names; a line below zero inside an order, like a coupon, names that order;
2. if refunds have order numbers of their own, or name none: to one of the customer's bundles up to that day, of the
   same product where products are known and the refund's is ever sold: the latest that holds just as much, else the
   latest that holds more, else the latest that holds as much without the refund's tax;
3. nowhere: what it refunds is not in the log.

Within a bundle rows of the refunded product give first, then the largest; what exceeds the whole bundle goes to its
smallest row, which then leaves with it. A refunded amount that stands beside a purchase is taken off that row first.

Before its day a refund was not known: what each took off a purchase, and when, is kept (table REFUNDS).
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import batched, groupby

import pyarrow as pa
from duckdb import DuckDBPyConnection

from clv.transactions.connection import one
from clv.transactions.orders import untaken
from clv.transactions.rules import CANCELLED, NETTED, UNMATCHED
from clv.transactions.source import SourceSettings

ROWS_AT_A_TIME = 50_000
HIGHEST_TAX = Decimal("0.27")  # a refund may hold so much more than its purchase: Hungary's is the highest VAT there is
LOOKED_AT = 1000  # so many bundles back a refund's own amount is looked for
BY_CHANCE = 2  # so many refunds may have the digits of an order of their customer
COMMON = 0.1  # share of the refunds that a word instead of a product has; a product no longer sold has less
FEW_KINDS = 10  # of order numbers, by the letters they begin with; with more, letters tell nothing
Bundle = tuple[str, object]  # ("order", its id) or ("day", its date)
Change = tuple[int, str | None, Decimal]  # record, the rule that took it or None, the money that stays or goes with it
Taken = tuple[int, date, Decimal]  # record, the day of a refund, what it took off
_TABLES = {"changes": ("rule", pa.string()), "taken": ("day", pa.date32())}


@dataclass(slots=True)
class Row:
    """A row of one customer: a purchase, or a refund if its money is below zero."""

    record: int
    order: str | None
    product: str | None
    moment: datetime
    money: Decimal  # less what the row itself says was refunded
    refunded: Decimal = Decimal(0)
    left: Decimal = field(init=False)  # what was not refunded yet

    def __post_init__(self) -> None:
        self.left = self.money + self.refunded

    @property
    def bundle(self) -> Bundle:
        return ("order", self.order) if self.order is not None else ("day", self.moment.date())


def net_refunds(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    """Add to `changes` what refunds do to the rows of `judged` that nothing has taken yet, and to `taken` when."""
    free = untaken(con)
    some = f"{free} AND (money < 0 OR refunded > 0)"
    if not one(con, f"SELECT count(*) FROM judged WHERE {some}"):
        return
    order = "order_id" if settings.has("order_id") else "NULL"
    product = "product" if settings.has("product") else "NULL"
    con.execute(f"""
        CREATE OR REPLACE TABLE concerned AS
        SELECT customer, record, {order} AS order_id, {product} AS product, moment, money, refunded FROM judged
        WHERE {free} AND customer IN (SELECT customer FROM judged WHERE {some})
        ORDER BY customer, moment, order_id, product, money, record""")
    names = _Names(con, settings)
    # A cursor of its own: an insert in the loop would end a result that is still being read.
    reader = con.cursor().execute("SELECT * FROM concerned")
    taken: list[Taken] = []
    customers = (rows for _, rows in groupby(_rows(reader), key=lambda row: row[0]))
    settled = (change for rows in customers for change in settle([Row(*row[1:]) for row in rows], names, taken))
    for changes in batched(settled, ROWS_AT_A_TIME):
        _insert(con, "changes", changes)
    _insert(con, "taken", taken)
    con.execute("DROP TABLE concerned")


def settle(rows: Sequence[Row], names: "_Names", taken: list[Taken]) -> list[Change]:
    """Return what one customer's refunds do to the customer's rows, in the order of time; add to `taken` when."""
    purchases = _Purchases([row for row in rows if row.left >= 0])
    refunds = [row for row in rows if row.left < 0]
    changes: list[Change] = []
    touched = set()
    for row in (row for row in rows if row.refunded):
        _take(purchases.bundles[row.bundle], row.refunded, row, taken)
        touched.add(row.bundle)
    for refund in refunds:
        key = purchases.met_by(refund, names)
        changes.append((refund.record, (NETTED if key else UNMATCHED).name, Decimal(0) if key else refund.money))
        if key:
            _take(purchases.bundles[key], -refund.money, refund, taken)
            touched.add(key)
    for rows in (purchases.bundles[key] for key in sorted(touched, key=str)):
        all_gone = sum(row.left for row in rows) <= 0
        for row in rows:
            if all_gone or row.left != row.money:
                changes.append((row.record, CANCELLED.name if all_gone or row.left <= 0 else None, row.left))
    return changes


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

    def met_by(self, refund: Row, names: "_Names") -> Bundle | None:
        """Return the bundle that a refund belongs to, None if there is none."""
        own = next((key for order in names.orders(refund) if (key := ("order", order)) in self.bundles), None)
        if own or names.must_name(refund):
            return own
        product = names.product(refund)
        candidates = self.bought.get(product, [])
        earlier = candidates[: bisect_right(candidates, refund.moment.date(), key=lambda candidate: candidate[0])]
        more = nearly = None
        for number, (_, same_day) in enumerate(groupby(reversed(earlier), key=lambda candidate: candidate[0])):
            held = sorted(((self._left(key, product), name, key) for _, name, key in same_day), reverse=True)
            if same := next((key for left, _, key in held if left == -refund.money), None):
                return same
            left, _, largest = held[0]
            more = more or (largest if left > -refund.money else None)
            nearly = nearly or (largest if left > 0 and left * (1 + HIGHEST_TAX) >= -refund.money else None)
            if more and number >= LOOKED_AT:
                break
        return more or nearly

    def _left(self, key: Bundle, product: str | None) -> Decimal:
        return sum((row.left for row in self.bundles[key] if product in (None, row.product)), Decimal(0))


def _take(rows: Sequence[Row], amount: Decimal, refund: Row, taken: list[Taken]) -> None:
    # A refund that names its order may exceed the rows of its product, or name none of them.
    def place(row: Row) -> tuple:
        return row is not refund, row.product != refund.product, -row.left, row.moment, row.record

    for row in sorted(rows, key=place):
        part = min(max(row.left, Decimal(0)), amount)
        row.left -= part
        amount -= part
        if part and refund.moment.date() > row.moment.date():
            taken.append((row.record, refund.moment.date(), part))
    min(rows, key=lambda row: (row.money, row.moment, row.record)).left -= amount


class _Names:
    """What refunds say of the order and product they refund, told from all refunds of the log."""

    def __init__(self, con: DuckDBPyConnection, settings: SourceSettings) -> None:
        self.mark = re.compile(settings.cancellation_pattern or "(?!)")  # without a pattern: what matches nothing
        bought = "FROM concerned WHERE order_id <> '' AND money >= 0"
        of_refunds = (
            "SELECT DISTINCT customer, order_id, moment::DATE FROM concerned WHERE order_id <> '' AND money < 0"
        )
        refunds = [(customer, self._bare(order), day) for customer, order, day in con.execute(of_refunds).fetchall()]
        schema = pa.schema([("customer", pa.string()), ("order_id", pa.string()), ("day", pa.date32())])
        con.register(
            "named", pa.table([list(column) for column in zip(*refunds, strict=True)] or [[], [], []], schema=schema)
        )
        # What stands below zero on the day of its order may be a coupon, which tells nothing of refunds.
        on_other_days = "JOIN named AS n USING (customer, order_id) WHERE c.money >= 0 AND c.moment::DATE <> n.day"
        self.some_name = bool(one(con, f"SELECT count(*) FROM concerned AS c {on_other_days}"))
        # As _letters, for which a digit is one of any script.
        letters = f"SELECT DISTINCT regexp_extract(order_id, '^\\P{{Nd}}*') {bought}"
        self.kinds = {kind for (kind,) in con.execute(letters).fetchall()}
        con.unregister("named")
        own = {(customer, order) for customer, order, _ in refunds if _letters(order) not in self.kinds}
        orders = _rows(con.cursor().execute(f"SELECT DISTINCT customer, order_id {bought}")) if own else ()
        theirs = {(customer, _digits(order)) for customer, order in orders}
        same = sum((customer, _digits(order)) in theirs for customer, order in own)
        # R0001 refunds T0001 where most refunds agree so with an order of their customer.
        agree = len(self.kinds) <= FEW_KINDS and 2 * same > max(len(own), 2 * BY_CHANCE)
        self.other_letters = sorted(self.kinds) if agree else []
        self.words = _words(con) if settings.has("product") else set()

    def orders(self, refund: Row) -> list[str]:
        """Return the numbers an order may have that a refund names: its own, without the mark of a cancellation."""
        if refund.order is None:
            return []
        bare = self._bare(refund.order)
        return [bare, *(letters + _digits(bare) for letters in self.other_letters)]

    def must_name(self, refund: Row) -> bool:
        """Return whether a refund with this number would name its order if that were in the log, as others do."""
        if refund.order is None or not self.some_name:
            return False
        return len(self.kinds) > FEW_KINDS or _letters(self._bare(refund.order)) in self.kinds

    def product(self, refund: Row) -> str | None:
        """Return the product that was refunded; None if the refund's is no product, but a word like "refund"."""
        return None if refund.product in self.words else refund.product

    def _bare(self, order: str) -> str:
        return self.mark.sub("", order, count=1)


def _words(con: DuckDBPyConnection) -> set[str]:
    """Return what stands as the product of many refunds and is never sold, like "refund": coupons apart."""
    rows = con.execute(f"""
        WITH notes AS (SELECT * FROM concerned AS c WHERE money < 0 AND NOT EXISTS (
            SELECT 1 FROM concerned AS p WHERE p.money >= 0 AND p.customer = c.customer AND p.order_id = c.order_id))
        SELECT product FROM notes GROUP BY product HAVING count(*) >= {COMMON} * (SELECT count(*) FROM notes)
        EXCEPT SELECT product FROM judged WHERE rule IS NULL AND money >= 0""").fetchall()
    return {product for (product,) in rows}


def _letters(order: str) -> str:
    return order.removesuffix(_digits(order))


def _digits(order: str) -> str:
    return order[re.match(r"\D*", order).end() :]  # type: ignore[union-attr]


def _rows(reader: DuckDBPyConnection) -> Iterator[tuple]:
    while rows := reader.fetchmany(ROWS_AT_A_TIME):
        yield from rows


def _insert(con: DuckDBPyConnection, table: str, rows: Sequence[Change | Taken]) -> None:
    schema = pa.schema([("record", pa.int64()), _TABLES[table], ("money", pa.decimal128(18, 6))])
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[], [], []]
    con.register("batch", pa.table(columns, schema=schema))
    con.execute(f"INSERT INTO {table} SELECT * FROM batch")
    con.unregister("batch")
