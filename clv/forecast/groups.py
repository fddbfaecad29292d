"""Totals of groups from joint draws, the concentration of value, and what simulation leaves uncertain."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clv.forecast.horizon import Groups, Totals
from clv.models.base import Floats
from clv.units import tails

CONCENTRATION_STEPS = 20


@dataclass(frozen=True)
class Forecast:
    """What a simulation leaves: tables for people, and the joint draws they were made from."""

    customers: pd.DataFrame
    groups: pd.DataFrame
    totals: Totals
    total_value: Floats
    total_purchases: Floats
    of_segments: Totals


def monte_carlo_error(draws: Floats, probability: float) -> float:
    """Return the standard error of a quantile over independent draws, from the neighbouring order statistics."""
    spread = np.sqrt(probability * (1 - probability) / draws.size)
    low, high = np.quantile(draws, np.clip([probability - spread, probability + spread], 0, 1))
    return float(high - low) / 2


def value_rank(clv_mean: pd.Series) -> pd.Series:
    """Return each customer's twentieth by expected value as text, "01" the best 5 %: the steps of `concentration`."""
    standing = clv_mean.rank(ascending=False, method="first").to_numpy() - 1
    steps = (standing * CONCENTRATION_STEPS // max(len(clv_mean), 1)).astype(int) + 1
    return pd.Series([f"{step:02d}" for step in steps], index=clv_mean.index, dtype="str")


def concentration(result: Forecast, *, interval: float) -> pd.DataFrame:
    """Return table CONCENTRATION: what share of the value the best 5 %, 10 %, ... of the customers hold.

    Customers are ranked by expected value, as one would rank them today; the limits come from the same
    ranking's share of each draw's realised total. Needs the grouping `value_rank`.
    """
    steps = result.groups[result.groups["grouping"] == "value_rank"]
    drawn = np.cumsum(result.totals.value[:, steps.index], axis=1)
    everything = np.maximum(result.total_value, np.finfo(float).tiny)[:, None]
    lower, upper = np.quantile(np.minimum(drawn / everything, 1.0), tails(interval), axis=0)
    start = pd.DataFrame({"customer_share": [0.0], "value_share": [0.0], "lower": [0.0], "upper": [0.0]})
    curve = pd.DataFrame(
        {
            "customer_share": steps["customers"].cumsum() / len(result.customers),
            "value_share": steps["share_of_value"].cumsum().clip(upper=1.0),
            "lower": lower,
            "upper": upper,
        }
    )
    return pd.concat([start, curve], ignore_index=True)


def total_draws(result: Forecast) -> pd.DataFrame:
    """Return table TOTAL_DRAWS: realised value and purchases of everybody, per joint posterior draw."""
    draw = np.arange(len(result.total_value))
    return pd.DataFrame({"draw": draw, "value": result.total_value, "purchases": result.total_purchases})


def grouped(customers: pd.DataFrame, groupings: list[str]) -> tuple[Groups, pd.DataFrame]:
    """Return the groups and their names, grouping and group: everybody, then those of each grouping, sorted."""
    codes, names = [np.zeros(len(customers), np.int16)], [("base", "all customers")]
    for grouping in groupings:
        code, found = pd.factorize(customers[grouping], sort=True)
        codes.append(code.astype(np.int16) + len(names))
        names += [(grouping, str(name)) for name in found]
    labels = pd.DataFrame(names, columns=["grouping", "group"], dtype="str")
    return Groups(np.column_stack(codes), len(names)), labels


def group_table(
    customers: pd.DataFrame, groups: Groups, labels: pd.DataFrame, totals: Totals, interval: float
) -> pd.DataFrame:
    """Return table SEGMENTS: sums of the means, limits from the joint totals."""

    total = groups.sums
    came_back = customers["frequency"] > 0
    back = total(came_back)
    size, clv_mean = total(pd.Series(1, index=customers.index)), total(customers["clv_mean"])
    purchases, value = (np.quantile(draws, tails(interval), axis=0) for draws in (totals.purchases, totals.value))
    return labels.assign(
        customers=size.astype("int64"),
        repeat_customers=back.astype("int64"),
        revenue=total(customers["revenue"]),
        mean_p_alive=total(customers["p_alive"]) / size,
        mean_p_alive_repeat=total(customers["p_alive"].where(came_back, 0.0)) / np.where(back > 0, back, np.nan),
        mean_p_purchase=total(customers["p_purchase"]) / size,
        expected_purchases=total(customers["expected_purchases"]),
        purchases_lower=purchases[0],
        purchases_upper=purchases[1],
        clv_mean=clv_mean,
        clv_lower=value[0],
        clv_upper=value[1],
        clv_per_customer=clv_mean / size,
        share_of_value=clv_mean / clv_mean[0] if clv_mean[0] else 0.0,
    )


def realised_limits(values: NDArray[Any], interval: float) -> list[Floats]:
    """Return each row's lower limit, median and upper limit over its draws: order statistics, no interpolation."""
    ranked = np.sort(values, axis=1)
    lower, upper = tails(interval)
    positions = [max(int(np.ceil(share * ranked.shape[1])) - 1, 0) for share in (lower, 0.5, upper)]
    return [ranked[:, position].astype(float) for position in positions]
