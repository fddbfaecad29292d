"""Customers and their purchases from known parameters: BG/NBD for when, Gamma-Gamma for how much, truth kept.

BG/NBD (Fader, Hardie & Lee 2005): purchase rate lambda ~ Gamma(r, rate alpha) per week, dropout probability
~ Beta(a, b); after every repeat purchase (not after the first one) the customer leaves with that probability.
Gamma-Gamma (Fader & Hardie 2013): an amount ~ Gamma(p, rate nu), nu ~ Gamma(q, rate v) per customer.
Randomness enters as a numpy Generator; no file is read or written.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from clv import tables
from clv.transactions.tables import FUTURE, LATENT
from clv.units import DAYS_PER_WEEK, months_later

SMALLEST_AMOUNT = 0.01
TEST_CUSTOMERS = 3
REFUND_DAYS = 14


@dataclass(frozen=True)
class Truth:
    """The parameters of the population; alpha is in weeks, v in money."""

    r: float
    alpha_weeks: float
    a: float
    b: float
    p: float
    q: float
    v: float
    p_first: float | None = None  # of first orders; None: like the others
    first_ratio: float = 1.0  # a first order in later ones


def population(truth: Truth, n_customers: int, generator: Generator) -> pd.DataFrame:
    """Return every customer's latent values: purchase_rate_weekly, dropout_probability, spend_rate (nu), mean_spend."""
    spend_rate = generator.gamma(truth.q, 1 / truth.v, n_customers)
    latent = {
        "purchase_rate_weekly": generator.gamma(truth.r, 1 / truth.alpha_weeks, n_customers),
        "dropout_probability": generator.beta(truth.a, truth.b, n_customers),
        "spend_rate": spend_rate,
        "mean_spend": truth.p / spend_rate,
    }
    return pd.DataFrame(latent)


def purchases(truth: Truth, latent: pd.DataFrame, until_weeks: ArrayLike, generator: Generator) -> pd.DataFrame:
    """Return every purchase of every customer from the first one (week 0) until that customer's `until_weeks`.

    Columns: customer (row of `latent`), number (0 is the first purchase), week (exact, since the first), amount, leaves
    (1 if the customer left right after it); sorted by customer and number.
    """
    events = _events(latent, np.broadcast_to(np.asarray(until_weeks, dtype=float), len(latent)), generator)
    events = events.sort_values(["customer", "number"], ignore_index=True)
    spend_rate = latent["spend_rate"].to_numpy()[events["customer"]]
    first, p_first = events["number"].to_numpy() == 0, truth.p_first or truth.p
    size = np.where(first, truth.first_ratio * truth.p / p_first, 1.0)
    return events.assign(amount=size * generator.gamma(np.where(first, p_first, truth.p)) / spend_rate)


def generate(
    truth: Truth,
    *,
    n_customers: int,
    start: date,
    acquisition_months: int,
    observation_end: date,
    horizon_weeks: float,
    generator: Generator,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return a clean order log up to `observation_end` (included), and tables `LATENT` and `FUTURE`.

    First purchases are spread evenly over the acquisition months (as far as observed). The process runs in continuous
    time; the log has its days, and amounts in whole cents: customer_id, date, amount, order_id, in the order of time.
    """
    observed_days = (observation_end - start).days + 1
    acquisition_days = min((months_later(start, acquisition_months) - start).days, observed_days)
    first = np.sort(generator.uniform(0, acquisition_days, n_customers))
    ages = (observed_days - first) / DAYS_PER_WEEK
    latent = population(truth, n_customers, generator)
    events = purchases(truth, latent, ages + horizon_weeks, generator)
    width = max(5, len(str(n_customers)))
    names = pd.Series([f"C{number:0{width}d}" for number in range(1, n_customers + 1)], dtype="str")
    events = events.assign(
        amount=events["amount"].round(2).clip(lower=SMALLEST_AMOUNT),
        customer_id=names.iloc[events["customer"]].to_numpy(),
        weeks_ahead=events["week"] - ages[events["customer"]],
    )
    seen, ahead = events[events["weeks_ahead"] <= 0], events[events["weeks_ahead"] > 0].reset_index(drop=True)
    latent = latent.assign(
        customer_id=names,
        alive=(~latent.index.isin(seen.loc[seen["leaves"], "customer"])).astype("int64"),
        future_purchases=ahead.groupby("customer").size().reindex(latent.index, fill_value=0),
    )[list(LATENT.columns)]
    return _log(seen, first, start), tables.check(LATENT, latent), tables.check(FUTURE, ahead[list(FUTURE.columns)])


def true_future(
    known: tuple[pd.DataFrame, pd.DataFrame] | None, *, discount_weekly: float, gross_margin: float
) -> pd.DataFrame | None:
    """Return table `TRUTH` from tables `LATENT` and `FUTURE`, discounted and times gross margin. None: None."""
    if known is None:
        return None
    latent, future = known
    worth = future["amount"] * np.exp(-discount_weekly * future["weeks_ahead"])
    value = worth.groupby(future["customer_id"]).sum()
    return latent.assign(future_value=gross_margin * latent["customer_id"].map(value).fillna(0.0))


def generated_log(
    source: str, truth: Truth, *, mess_share: float, generator: Generator, **shop: Any
) -> tuple[pd.DataFrame | None, pd.DataFrame | None, pd.DataFrame | None]:
    """Return the messy log and tables `LATENT` and `FUTURE` of a run that generates its customers; else three Nones.

    `shop` is what else `generate` asks for.
    """
    if source != "generate":
        return None, None, None
    log, latent, future = generate(truth, generator=generator, **shop)
    return mess(log, share=mess_share, generator=generator), latent, future


def mess(log: pd.DataFrame, *, share: float, generator: Generator) -> pd.DataFrame:
    """Return the log as text, with about `share` of rows added that cleaning has to remove without a trace.

    Five kinds in equal parts: orders refunded in full (order and refund are both added), orders raised by what a
    later refund takes off, orders exported twice, orders without a customer, and orders of test customers
    ("TEST-01" ...). So the cleaned mess equals the clean log, to the cent.
    """
    size = min(round(share * len(log) / 6), len(log) // 5)  # a full refund adds two rows, the others one
    chosen = generator.permutation(len(log))[: 5 * size].reshape(5, size)
    first_free = log["order_id"].str[1:].astype("int64").max() + 1 if len(log) else 0
    fresh = [f"O{number:07d}" for number in range(first_free, first_free + 3 * size)]
    cents = (log["amount"] * 100).round().astype("int64")
    raised = log.assign(cents=cents)[["customer_id", "date", "cents", "order_id"]]

    returned = raised.iloc[chosen[0]].assign(order_id=fresh[:size])
    partly = raised.iloc[chosen[1]].assign(cents=generator.integers(100, 5_000, size))
    raised.loc[partly.index, "cents"] += partly["cents"]
    twice = raised.iloc[chosen[2]]
    nobody = raised.iloc[chosen[3]].assign(customer_id="", order_id=fresh[size : 2 * size])
    names = [f"TEST-{number:02d}" for number in generator.integers(1, TEST_CUSTOMERS + 1, size)]
    tests = raised.iloc[chosen[4]].assign(customer_id=names, order_id=fresh[2 * size :])
    refunds = pd.concat([returned, partly])
    days = pd.to_timedelta(generator.integers(1, REFUND_DAYS + 1, len(refunds)), unit="D")
    refunds = refunds.assign(date=(refunds["date"] + days).clip(upper=log["date"].max()), cents=-refunds["cents"])
    rows = pd.concat([raised, returned, refunds, twice, nobody, tests])
    rows = rows.sort_values(["date", "order_id", "cents"], kind="stable", ignore_index=True)
    texts = {"date": rows["date"].dt.strftime("%Y-%m-%d"), "amount": (rows["cents"] / 100).map("{:.2f}".format)}
    return rows.assign(**texts)[["customer_id", "date", "amount", "order_id"]].astype("str")


def _events(latent: pd.DataFrame, until: NDArray[np.float64], generator: Generator) -> pd.DataFrame:
    """Return the purchase times: one pass per purchase number over the customers still there."""
    rate = latent["purchase_rate_weekly"].to_numpy()
    dropout = latent["dropout_probability"].to_numpy()
    customer, week = np.arange(len(latent)), np.zeros(len(latent))
    passes = [(customer, np.zeros_like(customer), week, np.zeros(len(latent), dtype=bool))]
    number = 0
    while customer.size:
        number += 1
        with np.errstate(divide="ignore", over="ignore"):  # a rate may underflow to 0: never again
            week = week + generator.standard_exponential(customer.size) / rate[customer]
        inside = week <= until[customer]
        customer, week = customer[inside], week[inside]
        leaves = generator.random(customer.size) < dropout[customer]
        passes.append((customer, np.full_like(customer, number), week, leaves))
        customer, week = customer[~leaves], week[~leaves]
    columns = (np.concatenate(parts) for parts in zip(*passes, strict=True))
    return pd.DataFrame(dict(zip(("customer", "number", "week", "leaves"), columns, strict=True)))


def _log(events: pd.DataFrame, first: NDArray[np.float64], start: date) -> pd.DataFrame:
    """Return the observed events as orders, numbered in the order of their time."""
    moment = first[events["customer"]] + events["week"] * DAYS_PER_WEEK
    rows = events.assign(moment=moment).sort_values("moment", kind="stable", ignore_index=True)
    days = pd.to_timedelta(np.floor(rows["moment"]), unit="D")
    return rows[["customer_id", "amount"]].assign(
        date=(pd.Timestamp(start) + days).astype("datetime64[us]"),
        order_id=pd.Series([f"O{number:07d}" for number in range(1, len(rows) + 1)], dtype="str"),
    )[["customer_id", "date", "amount", "order_id"]]
