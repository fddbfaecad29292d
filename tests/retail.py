"""Raw logs of shops as they come from outside, with the truth that cleaning has to find in them.

The mess only ever adds: an order cancelled in full, a line sent back, a quantity too many come on top of what a BG/NBD
and Gamma-Gamma customer bought. So what is left after netting is that process, to the cent. Money is in whole cents.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from clv.transactions.generate import Truth, population, purchases

START, WEEKS, ARRIVAL_WEEKS = date(2023, 12, 1), 104, 70
LAST_DAY = date(2025, 11, 27)  # of the 104 weeks; somebody need not have bought on it
POPULATION = Truth(r=0.8, alpha_weeks=8.0, a=0.8, b=4.0, p=6.0, q=4.0, v=15.0)
TYPICAL_CENTS = 3000  # mean order of the population: p * v / (q - 1)
HOME, ABROAD = "United Kingdom", ("EIRE", "Channel Islands", "Germany", "France", "Netherlands", "Réunion")
FIRST_CUSTOMER = 12346
WHOLESALE = ("99001", "99002", "99003", "99004", "99005")
TEST_CUSTOMER = "TEST-01"
EXCLUDED = (TEST_CUSTOMER, *WHOLESALE)
RETURN_WEEKS = 4
POSTAGE_CENTS = 395
LARGE_CENTS, DOZENS = 20 * TYPICAL_CENTS, 48  # larger orders are bought in dozens

# Numbers of products: what is sold (a prime, see `_products`), no longer sold, given away; postage; bad debt.
SOLD, DISCONTINUED, GIFTS = 307, 20, 20
POST, BAD_DEBT = SOLD + DISCONTINUED + GIFTS, SOLD + DISCONTINUED + GIFTS + 1
THINGS = ("WHITE HEART", "RED LANTERN", "JUMBO BAG", "RETRO CLOCK", "SILVER FRAME", "PAPER STAR", "FELT BUNTING")
AWKWARD = ("CAKE TINS, SET OF 3", '12" RULER "MATHS"', "VOUCHER £10", "=cmd|' /C calc'!A0", "<script>alert(1)</script>")

# Customers whose ids are an e-mail address, a script, a formula and a name in Markdown.
NASTY = (
    "ada.lovelace@example.org",
    "<script>alert('clv')</script>",
    '=HYPERLINK("http://evil.example","x")',
    "**bob** $x$",
)

PURCHASE, GIFT, DUPLICATE, DEBT = "purchase", "gift", "duplicate", "bad_debt"
CANCELLED_ORDER, CANCELLED_LINE, CANCELLED_PART = "cancelled_order", "cancelled_line", "cancelled_part"
UNMATCHED = "unmatched_cancellation"
CANCELLATIONS = (CANCELLED_ORDER, CANCELLED_LINE, CANCELLED_PART, UNMATCHED)


@dataclass(frozen=True, eq=False)
class Retail:
    """A log of order lines and its truth.

    Attributes
    ----------
    rows
        The export, all text: InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country.
    lines
        The same rows in the same order, typed: invoice, order (the one a cancellation takes from), moment, customer,
        country, product, quantity, unit_cents, cents, kind (one of the constants above).
    orders
        Orders of the customers who count that still stand: customer_id, date, invoice, amount_cents.
    clean_days
        The same per customer and day: customer_id, date, amount_cents.
    counts, kept_counts
        Number of rows by kind and by country, in the file and among the rows of the customers who count. A duplicate
        counts as such and by whose row it is, not as what it repeats; bad debt counts under missing_customer too.
    """

    rows: pd.DataFrame
    lines: pd.DataFrame
    orders: pd.DataFrame
    clean_days: pd.DataFrame
    counts: dict[str, int]
    kept_counts: dict[str, int]


def line_items(
    customers: int = 1500,
    seed: int = 1,
    *,
    guest_share: float = 0.20,
    foreign_share: float = 0.10,
    postage_share: float = 0.10,
    cancelled_order_share: float = 0.03,
    cancelled_line_share: float = 0.01,
    cancelled_part_share: float = 0.01,
    unmatched_share: float = 0.003,
    duplicate_share: float = 0.01,
    gift_share: float = 0.005,
    bad_debts: int = 3,
    test_orders: int = 40,
) -> Retail:
    """Return two years of order lines with every kind of mess a real export has, and the truth behind them.

    Foreign is a share of the customers, postage and cancelled orders of the orders, duplicates of the invoices, every
    other share one of the lines. What a cancellation takes from is the customer's latest earlier line of that product,
    by days as by minutes.
    """
    generator = np.random.default_rng(seed)
    orders = _orders(customers, guest_share, foreign_share, cancelled_order_share, test_orders, generator)
    lines = _products(_split(orders, postage_share, generator), generator)
    lines = _unambiguous(_returns(lines, cancelled_line_share, cancelled_part_share, generator))
    added = [
        _cancellations(lines),
        _unmatched(lines, round(unmatched_share * len(lines)), generator),
        _gifts(lines, round(gift_share * len(lines)), generator),
        _bad_debts(bad_debts, generator),
    ]
    lines = pd.concat([lines, *added], ignore_index=True)
    invoices = lines.loc[lines["kind"] != DEBT, "invoice"].drop_duplicates()
    again = lines[lines["invoice"].isin(invoices.sample(frac=duplicate_share, random_state=generator))]
    return _retail(_numbered(pd.concat([lines, again.assign(kind=DUPLICATE)])), (HOME,), EXCLUDED)


def variant(
    retail: Retail, *, until: date | None = None, countries: Sequence[str] = (HOME,), excluded: Sequence[str] = EXCLUDED
) -> Retail:
    """Return the log as it was at the end of a day, or with another choice of customers who count.

    What is cancelled after `until` still stands.
    """
    lines = retail.lines
    if until is not None:
        lines = lines[lines["moment"].dt.date <= until].reset_index(drop=True)
    return _retail(lines, countries, excluded)


def write_csv(retail: Retail, path: Path, *, encoding: str = "latin-1", delimiter: str = ",") -> None:
    """Write the rows as an export would: quotes only where needed, lines that end as on Windows."""
    retail.rows.to_csv(path, index=False, encoding=encoding, sep=delimiter, lineterminator="\r\n")


def loyal(customers: int = 800, seed: int = 1) -> pd.DataFrame:
    """Return a base that nobody leaves, as text: id (leading zeros), date (ISO), amount, in the order of the days.

    Purchases are Poisson, one in four weeks on average; the likelihood is highest where dropout is 0.
    """
    generator = np.random.default_rng(seed)
    truth = Truth(r=4.0, alpha_weeks=16.0, a=1.0, b=1.0, p=6.0, q=4.0, v=15.0)
    first = generator.uniform(0, ARRIVAL_WEEKS, customers)
    latent = population(truth, customers, generator).assign(dropout_probability=0.0)
    events = purchases(truth, latent, WEEKS - first, generator)
    names = [f"{number:06d}" for number in events["customer"] + 1]
    days = _moments(first[events["customer"]] + events["week"]).strftime("%Y-%m-%d")
    log = pd.DataFrame({"id": names, "date": days, "amount": _money(_cents(events["amount"]))}, dtype="str")
    return log.sort_values(["date", "id"], ignore_index=True)


def _orders(
    customers: int, guest_share: float, foreign_share: float, cancelled_share: float, tests: int, generator: Generator
) -> pd.DataFrame:
    """Return every order: customer ("" for guests), country, moment, cents, whole (True: will be cancelled in full)."""
    first = np.sort(generator.uniform(0, ARRIVAL_WEEKS, customers))
    events = purchases(POPULATION, population(POPULATION, customers, generator), WEEKS - first, generator)
    customer = events["customer"].to_numpy()
    names = [str(number + FIRST_CUSTOMER) for number in customer]
    country = _countries(customers, foreign_share, generator)[customer]
    bought = _table(names, country, first[customer] + events["week"], _cents(events["amount"]))
    big = np.repeat(WHOLESALE, generator.integers(5, 16, len(WHOLESALE)))
    size = TYPICAL_CENTS // DOZENS * DOZENS * generator.integers(51, 200, len(big))
    wholesale = _table(big, HOME, generator.uniform(0, WEEKS, len(big)), size)
    burst = 20 + np.sort(generator.uniform(0, 0.01, tests))  # within an hour of one morning
    test = _table(TEST_CUSTOMER, HOME, burst, generator.integers(100, 1000, tests))
    whole = _whole(bought, round(cancelled_share * len(bought)), customers, generator)
    count = round(guest_share / (1 - guest_share) * (len(bought) + len(whole)))
    guests = bought.sample(count, replace=True, random_state=generator)["cents"].to_numpy()
    guests = _table("", _countries(count, foreign_share, generator), generator.uniform(0, WEEKS, count), guests)
    return pd.concat([bought, wholesale, test, guests, whole], ignore_index=True)


def _whole(bought: pd.DataFrame, count: int, customers: int, generator: Generator) -> pd.DataFrame:
    """Return orders to be cancelled in full, a tenth of them of people who never buy anything else."""
    chosen = bought.sample(count, random_state=generator)
    strangers = np.array([str(number) for number in FIRST_CUSTOMER + customers + np.arange(count)], dtype=object)
    customer = np.where(generator.random(count) < 0.1, strangers, chosen["customer"])
    week = generator.uniform(0, WEEKS - RETURN_WEEKS, count)
    return _table(customer, chosen["country"].to_numpy(), week, chosen["cents"].to_numpy()).assign(whole=True)


def _table(customer: ArrayLike, country: ArrayLike, week: ArrayLike, cents: ArrayLike) -> pd.DataFrame:
    frame = pd.DataFrame({"moment": _moments(week), "customer": customer, "country": country, "cents": cents})
    return frame.assign(whole=False)


def _moments(week: ArrayLike) -> pd.DatetimeIndex:
    """Return the minutes of weeks since the start; a day's purchases fall between 8:00 and 19:59."""
    days = np.asarray(week, dtype=float) * 7
    minutes = np.floor(days) * 1440 + 480 + np.floor(days % 1 * 720)
    return pd.DatetimeIndex(pd.Timestamp(START) + pd.to_timedelta(minutes, unit="min")).as_unit("us")


def _cents(amount: pd.Series) -> NDArray[np.int64]:
    return np.maximum((amount * 100).round().to_numpy(dtype="int64"), 100)


def _countries(count: int, foreign_share: float, generator: Generator) -> NDArray[np.object_]:
    abroad = np.array(ABROAD, dtype=object)[generator.integers(0, len(ABROAD), count)]
    return np.where(generator.random(count) < foreign_share, abroad, HOME)


def _split(orders: pd.DataFrame, postage_share: float, generator: Generator) -> pd.DataFrame:
    """Return one to eight lines per order, quantity times unit_cents, that sum exactly to its cents."""
    postage = (generator.random(len(orders)) < postage_share) & orders["cents"].between(1000, LARGE_CENTS)
    lines = _goods((orders["cents"] - POSTAGE_CENTS * postage).to_numpy(), generator)
    split = (lines["place"] == 0) & (lines["quantity"] >= 3) & (generator.random(len(lines)) < 0.1)
    again = lines[split].assign(quantity=lines["quantity"] - lines["quantity"] // 3)  # the same product a second time
    lines.loc[split, "quantity"] //= 3
    post = pd.DataFrame({"order": np.flatnonzero(postage), "place": -1, "quantity": 1, "unit_cents": POSTAGE_CENTS})
    lines = pd.concat([lines, again, post], ignore_index=True)
    return lines.merge(orders.drop(columns="cents"), left_on="order", right_index=True).assign(kind=PURCHASE)


def _goods(cents: NDArray[np.int64], generator: Generator) -> pd.DataFrame:
    """Break amounts into one to six lines each; the last line takes what the others leave."""
    number = np.minimum(generator.integers(1, 7, len(cents)), np.maximum(cents // 100, 1))
    order = np.repeat(np.arange(len(cents)), number)
    place = np.arange(len(order)) - np.repeat(np.cumsum(number) - number, number)
    weight = 0.2 + generator.random(len(order))  # no line is so small that its unit price could be 0
    part = weight / np.bincount(order, weight)[order] * cents[order]
    bulk = np.where((cents > LARGE_CENTS) & (cents % DOZENS == 0), DOZENS, 1)[order]
    quantity = generator.integers(1, 13, len(order)) * bulk
    unit = (part // quantity).astype("int64")
    last = place == number[order] - 1
    rest = cents - np.bincount(order, np.where(last, 0, unit * quantity)).astype("int64")
    few = generator.integers(1, 5, len(cents)) * bulk[last]
    quantity[last] = np.where(rest % few == 0, few, bulk[last])
    unit[last] = rest // quantity[last]
    return pd.DataFrame({"order": order, "place": place, "quantity": quantity, "unit_cents": unit})


def _products(lines: pd.DataFrame, generator: Generator) -> pd.DataFrame:
    """Add the products; steps of less than a prime number of products never meet, so an order has each only once."""
    start, step = generator.integers(1, SOLD, (2, lines["order"].max() + 1))
    product = (start[lines["order"]] + lines["place"] * step[lines["order"]]) % SOLD
    return lines.assign(product=product.where(lines["place"] >= 0, POST), invoice=lines["order"])


def _returns(lines: pd.DataFrame, line_share: float, part_share: float, generator: Generator) -> pd.DataFrame:
    """Add what will be sent back on top of what is kept: the columns returned (quantity), returned_as, event, days."""
    lines = lines.assign(returned=lines["quantity"].where(lines["whole"], 0), returned_as=CANCELLED_ORDER)
    early = lines["moment"] < pd.Timestamp(START) + pd.Timedelta(weeks=WEEKS - RETURN_WEEKS)
    free = lines[_known(lines) & early & ~lines["whole"]]
    extra = _extra(free.drop_duplicates("order"), round(line_share * len(lines)), generator)
    part = free.sample(round(part_share * len(lines)), random_state=generator).index
    lines.loc[part, "returned"] = generator.integers(1, 7, len(part))
    lines.loc[part, "quantity"] += lines.loc[part, "returned"]
    lines.loc[part, "returned_as"] = CANCELLED_PART
    lines = pd.concat([lines, extra], ignore_index=True)
    own = lines.index + lines["order"].max() + 1  # an invoice each, while an order sent back has one
    event = lines["order"].where(lines["returned_as"] == CANCELLED_ORDER, own)
    days = generator.integers(1, 7 * RETURN_WEEKS + 1, event.max() + 1)
    return lines.assign(event=event, days=pd.to_timedelta(days[event], unit="D"))


def _extra(orders: pd.DataFrame, count: int, generator: Generator) -> pd.DataFrame:
    """Return lines that come on top of some orders, and go back."""
    quantity, unit = generator.integers(1, 7, count), generator.integers(50, 1500, count)
    chosen = orders.sample(count, random_state=generator).assign(quantity=quantity, unit_cents=unit, returned=quantity)
    return chosen.assign(product=generator.integers(0, SOLD, count), returned_as=CANCELLED_LINE)


def _known(lines: pd.DataFrame) -> pd.Series:
    """Return which lines are goods of an ordinary customer."""
    return ~lines["customer"].isin(["", *EXCLUDED]) & (lines["product"] != POST)


def _unambiguous(lines: pd.DataFrame) -> pd.DataFrame:
    """Take back every return that could belong to another line of the same customer and product, or comes second."""
    numbered = lines.assign(line=lines.index, day=lines["moment"].dt.floor("D"))
    back = numbered[numbered["returned"] > 0]
    pairs = back.merge(numbered[["customer", "product", "line", "day"]], on=["customer", "product"], suffixes=("", "2"))
    other = (pairs["line"] != pairs["line2"]) & pairs["day2"].between(pairs["day"], pairs["day"] + pairs["days"])
    second = back.duplicated(["customer", "product"], keep=False)
    doubtful = (lines["returned"] > 0) & lines["event"].isin({*pairs.loc[other, "event"], *back.loc[second, "event"]})
    quantity = lines["quantity"] - lines["returned"].where(doubtful, 0)
    kept = lines.assign(quantity=quantity, returned=lines["returned"].mask(doubtful, 0))
    return kept[kept["quantity"] > 0].reset_index(drop=True)


def _cancellations(lines: pd.DataFrame) -> pd.DataFrame:
    """Return what is sent back as lines of invoices of their own."""
    back = lines[lines["returned"] > 0]
    invoice = back["event"] + lines["order"].max() + 1
    moment = back["moment"] + back["days"]
    return back.assign(quantity=-back["returned"], moment=moment, kind=back["returned_as"], invoice=invoice)


def _unmatched(lines: pd.DataFrame, count: int, generator: Generator) -> pd.DataFrame:
    """Return cancellations of what was bought before the log begins: no longer sold, or bought again only later."""
    first = lines[_known(lines)].sort_values("moment", kind="stable").drop_duplicates(["customer", "product"])
    days = (first["moment"] - pd.Timestamp(START)).dt.days
    chosen = first[days >= 2].sample(count, random_state=generator)
    moment = chosen["moment"] - pd.to_timedelta(generator.integers(1, days[chosen.index]), unit="D")
    old = generator.integers(SOLD, SOLD + DISCONTINUED, count)
    product = chosen["product"].where(generator.random(count) < 0.5, old)
    invoice = -1 - np.arange(count)
    back = chosen.assign(moment=moment, product=product, quantity=-chosen["quantity"], order=-1, invoice=invoice)
    return back.assign(kind=UNMATCHED)


def _gifts(lines: pd.DataFrame, count: int, generator: Generator) -> pd.DataFrame:
    """Return lines of price zero, in orders that stand."""
    chosen = lines[~lines["whole"]].drop_duplicates("order").sample(count, random_state=generator)
    product = generator.integers(SOLD + DISCONTINUED, POST, count)
    return chosen.assign(product=product, quantity=generator.integers(1, 4, count), unit_cents=0, kind=GIFT)


def _bad_debts(count: int, generator: Generator) -> pd.DataFrame:
    """Return corrections of the books: money below zero, nobody's."""
    frame = _table("", HOME, generator.uniform(0, WEEKS, count), 0)
    unit = -generator.integers(100_000, 1_500_000, count)
    invoice = -1_000_000 - np.arange(count)
    return frame.assign(order=-1, invoice=invoice, product=BAD_DEBT, quantity=1, unit_cents=unit, kind=DEBT)


def _numbered(lines: pd.DataFrame) -> pd.DataFrame:
    """Return the lines in the order of the file, with invoice numbers in the order of their time."""
    lines = lines.sort_values(["moment", "invoice"], kind="stable", ignore_index=True)
    letter = np.select([lines["kind"].isin(CANCELLATIONS), lines["kind"] == DEBT], ["C", "A"], "")
    lines["letter"] = pd.Series(letter, dtype="str").groupby(lines["invoice"]).transform("max")  # a duplicate has its
    number = pd.Series(pd.factorize(lines["invoice"])[0] + 536_365).astype("str")
    columns = ["order", "moment", "customer", "country", "product", "quantity", "unit_cents", "kind"]
    texts = {"customer": "str", "country": "str", "kind": "str"}
    cents = lines["quantity"] * lines["unit_cents"]
    return lines[columns].astype(texts).assign(invoice=lines["letter"] + number, cents=cents)


def _retail(lines: pd.DataFrame, countries: Sequence[str], excluded: Sequence[str]) -> Retail:
    ours = lines[(lines["customer"] != "") & lines["country"].isin(countries) & ~lines["customer"].isin(excluded)]
    real = ours[~ours["kind"].isin([DUPLICATE, UNMATCHED])].assign(date=ours["moment"].dt.floor("D"))
    real = real.rename(columns={"customer": "customer_id", "cents": "amount_cents"})
    how = {"customer_id": "first", "date": "first", "invoice": "first", "amount_cents": "sum"}
    orders = real.groupby("order").agg(how)  # a purchase stands before what cancels it
    orders = orders[orders["amount_cents"] > 0].sort_values("invoice", ignore_index=True)
    days = orders.groupby(["customer_id", "date"], as_index=False)["amount_cents"].sum()
    return Retail(_text(lines), lines, orders, days, _counts(lines), _counts(ours))


def _counts(lines: pd.DataFrame) -> dict[str, int]:
    kind, customer = lines["kind"], lines["customer"]
    found = {
        "missing_customer": customer == "",
        "cancellation_lines": kind.isin(CANCELLATIONS),
        "unmatched_cancellations": kind == UNMATCHED,
        "exact_duplicates": kind == DUPLICATE,
        "zero_price": kind == GIFT,
        "postage": (kind == PURCHASE) & (lines["product"] == POST),
        "bad_debt": kind == DEBT,
        "wholesale": customer.isin(WHOLESALE),
        "test_customer": customer == TEST_CUSTOMER,
    } | {country: lines["country"] == country for country in (HOME, *ABROAD)}
    return {"rows": len(lines)} | {name: int(rows.sum()) for name, rows in found.items()}


def _text(lines: pd.DataFrame) -> pd.DataFrame:
    """Return the lines as an export writes them."""
    codes = np.array([*(f"{20_000 + 7 * i}{('', 'A', 'B')[i % 3]}" for i in range(POST)), "POST", "B"])
    plain = [f"{THINGS[i % len(THINGS)]} NO {i}" for i in range(len(AWKWARD), SOLD + DISCONTINUED)]
    names = np.array([*AWKWARD, *plain, *[""] * GIFTS, "POSTAGE", "Adjust bad debt"])
    texts = {
        "InvoiceNo": lines["invoice"],
        "StockCode": codes[lines["product"]],
        "Description": names[lines["product"]],
        "Quantity": lines["quantity"].astype("str"),
        "InvoiceDate": [f"{at.day}/{at.month}/{at.year} {at.hour}:{at.minute:02d}" for at in lines["moment"]],
        "UnitPrice": _money(lines["unit_cents"]),
        "CustomerID": lines["customer"],
        "Country": lines["country"],
    }
    return pd.DataFrame(texts, dtype="str")


def _money(cents: ArrayLike) -> list[str]:
    return [f"{amount / 100:.2f}" for amount in np.asarray(cents)]


class Handlers(HTMLParser):
    """Collects attributes that are event handlers or hold a script's address."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [name for name, value in attrs if name.startswith("on") or "javascript:" in (value or "")]


def handlers(page: str) -> list[str]:
    """Return what would run in a page without being a script element of its own."""
    parser = Handlers()
    parser.feed(page)
    return parser.found
