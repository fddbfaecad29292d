"""What held-out purchases cost, against what the spend model expected of each customer's."""

from functools import partial

import numpy as np
import pandas as pd
import xarray as xr

from clv import tables
from clv.backtest.scoring_rules import coverage, pit_distance
from clv.backtest.tables import BACK, LEVELS, ONCE, SPEND_TEST
from clv.forecast.blocks import BLOCK_CUSTOMERS, blocks, in_order
from clv.forecast.closed_forms import mean_draws
from clv.models.base import Floats
from clv.models.draws import spend_draws
from clv.models.gamma_gamma import Amounts, expected_spend, total_cdf


def spend(
    calibration: pd.DataFrame, holdout: pd.DataFrame, posterior: xr.DataTree, *, workers: int = 1
) -> pd.DataFrame:
    """Return how much those who bought after the origin spent, beside what the spend model said of so many purchases.

    Needs no purchase model: the number of purchases is taken as it came. Exact, nothing is simulated.

    One row per customer who bought: history, purchases, expected and actual (per purchase), cdf (predictive probability
    of as much money or less).
    """
    came = holdout.loc[holdout["actual_paid"] > 0, ["customer_id", "actual_paid", "actual_revenue"]]
    known = calibration.merge(came, on="customer_id", validate="one_to_one")
    n, total = (known[name].to_numpy(float) for name in ("actual_paid", "actual_revenue"))
    amounts, phi = np.column_stack(Amounts.of(known)), spend_draws(posterior, mean_draws(len(known)))
    expected, cdf = np.empty((2, len(known)))
    parts = list(blocks(0, len(known), BLOCK_CUSTOMERS))  # draws x customers of all would not fit
    asked, block = np.column_stack([n, total, amounts]), partial(_spend_block, phi)
    for part, found in in_order("testing amounts", block, parts, lambda part: (asked[part],), workers):
        expected[part], cdf[part] = found
    history = pd.Series(np.where(known["frequency"] > 0, BACK, ONCE), dtype="str")
    table = {"history": history, "purchases": known["actual_paid"], "expected": expected, "actual": total / n}
    return pd.DataFrame(table | {"cdf": cdf})


def _spend_block(phi: Floats, asked: Floats) -> tuple[Floats, Floats]:
    n, total, own = *asked.T[:2], Amounts(*asked.T[2:])
    return expected_spend(own, phi).mean(axis=0), total_cdf(total, n, own, phi).mean(axis=0)


def spend_figures(table: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Return table SPEND_TEST, indexed by history: what `spend` comes to for each, and for all."""
    if table.empty:
        return tables.empty(SPEND_TEST).set_index("history")
    groups = {"all": table, **{name: table[table["history"] == name] for name in (BACK, ONCE)}}
    found = {name: _spend_row(rows, seed) for name, rows in groups.items() if len(rows)}
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("history")


def _spend_row(rows: pd.DataFrame, seed: int) -> dict[str, float]:
    return {
        "customers": len(rows),
        "purchases": rows["purchases"].sum(),
        "expected": np.average(rows["expected"], weights=rows["purchases"]),
        "actual": np.average(rows["actual"], weights=rows["purchases"]),
        **{f"{level:.2f}": coverage(rows["cdf"], rows["cdf"], level) for level in LEVELS},
        "pit_distance": pit_distance(rows["cdf"], rows["cdf"], seed=seed)[0],
    }
