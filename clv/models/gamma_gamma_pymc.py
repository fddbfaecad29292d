"""Gamma-Gamma as a PyMC model: pymc-marketing's GammaGammaModel with priors on the scale of a typical order."""

from collections.abc import Mapping
from math import fsum
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
from numpy.random import Generator
from pymc_marketing.clv import GammaGammaModel

from clv.models.base import MOST_FOR_NUTS
from clv.models.gamma_gamma import PAID_SHARE, PARAMETERS, Amounts, of_one_price, one_price, typical_order_value
from clv.models.priors import SPEND, for_pymc, log_density
from clv.models.registry import GAMMA_GAMMA

# The likelihood has a limit as p_first grows, reached here to a millionth; far beyond it only rounding errors grow.
_MOST_SHAPE = 1e6
_NODES_PER_E = 8  # of one-time buyers' first orders, while they grow by a factor e


class AmountsGammaGammaModel(GammaGammaModel):
    """GammaGammaModel whose likelihood runs on single amounts, first orders included, on distinct sums with weights.

    Data enter as data, so one compiled model can be refitted (`data_for`). All prediction methods of upstream work.
    """

    _model_type = "Gamma-Gamma Model (single amounts)"
    key, parameters = GAMMA_GAMMA, [one.name for one in PARAMETERS]
    priors, most_for_nuts = SPEND, MOST_FOR_NUTS
    typical: float | None = None

    @property
    def default_model_config(self) -> dict:
        """Priors on the scale of a typical order: they mean the same in dollars and in cents."""
        return for_pymc(self.priors)

    def build_model(self, data: pd.DataFrame) -> None:  # type: ignore[override]
        """Build the model on one row per customer of table RFM."""
        self.data = data
        with pm.Model() as self.model:
            p, q, spend, shape, ratio = (prior.create_variable(name) for name, prior in self.model_config.items())
            tables = {name: pm.Data(name, value) for name, value in self.data_for(data).items()}
            pm.Deterministic("v", spend * q / p * tables["typical_order_value"])
            p_first = pm.Deterministic("p_first", shape * p)
            pm.Potential("likelihood", _log_likelihood(tables, p, q, spend, p_first, ratio))

    def data_for(self, customers: pd.DataFrame) -> dict[str, np.ndarray]:
        typical = self.typical or typical_order_value(customers)
        n, total, first = Amounts.of(customers)
        paid = (first > 0).astype(float)
        rows = {"n": n, "paid": paid, "total": total / typical, "first": first / typical, "customers": 1.0}
        every = pd.DataFrame(rows)
        once = every["n"] == 0
        pairs = every.groupby(["n", "paid"], as_index=False)[["customers"]].sum().add_prefix("pair_")
        back = every[~once].groupby(["total", "first"], as_index=False)[["customers", "n", "paid"]].sum()
        sums = pd.concat([back, _on_nodes(every.loc[once & (first > 0), "first"])]).add_prefix("sum_")
        # Summed exactly: the order of the customers must not show.
        log_amounts, log_firsts = fsum(customers["log_amounts"]), fsum(np.log(first[first > 0]))
        return {
            "typical_order_value": np.asarray(typical, dtype=float),
            "log_amounts": np.asarray(log_amounts - n.sum() * np.log(typical)),
            "log_firsts": np.asarray(log_firsts - paid.sum() * np.log(typical)),
            **{str(name): column.to_numpy() for table in (pairs, sums) for name, column in table.items()},
        }

    def exact_draws(self, customers: pd.DataFrame, shape: tuple[int, int], generator: Generator) -> dict[str, Any]:
        """Return draws of the share of visits with an amount, given those after the first; none where all have one.

        Where all amounts are one price nothing is left to learn of amounts: all parameters are there.
        """
        visits, paid, price = customers["frequency"].sum(), customers["paid_purchases"].sum(), one_price(customers)
        share = {PAID_SHARE: generator.beta(paid + 1, visits - paid + 1, shape)} if paid < visits else {}
        return share | {name: np.full(shape, at) for name, at in (of_one_price(price) if price else {}).items()}

    def log_prior(self, draws: Mapping[str, np.ndarray], data: Mapping[str, np.ndarray]) -> np.ndarray:
        p, q, v, p_first, _ = (draws[name] for name in self.parameters)
        relative = {"relative_spend": p * v / (q * data["typical_order_value"]), "relative_shape": p_first / p}
        return log_density(self.priors, {**draws, **relative})


def model(customers: pd.DataFrame, *, typical: float | None = None) -> AmountsGammaGammaModel:
    """Return the built model for one row per customer; `typical` defaults to the data's own typical order value."""
    built = AmountsGammaGammaModel()
    built.typical = typical
    built.build_model(customers)
    return built


def _on_nodes(first: pd.Series) -> pd.DataFrame:
    """Return the first orders of those who bought once as rows of evenly spaced ln z_1, with weights for customers.

    All that is asked of them is the sum of ln(1 + c z_1), as smooth in ln z_1 as can be: Lagrange's interpolation
    between eight nodes gives each to 1e-10 whatever c is, and hundreds of rows stand for millions of customers.
    """
    amounts, customers = np.unique(first, return_counts=True)
    place = np.log(amounts) * _NODES_PER_E
    start = np.floor(place).astype(np.int64) - 3
    between, steps = place - start, np.arange(8)
    near = np.array(
        [np.prod([(between - other) / (step - other) for other in steps if other != step], axis=0) for step in steps]
    )
    low = start.min(initial=0)
    at = (start + steps[:, None] - low).ravel()
    weight = np.bincount(at, weights=(near * customers).ravel()) if len(amounts) else np.zeros(0)
    nodes = np.flatnonzero(weight)
    rows = {"total": 0.0, "first": np.exp((nodes + low) / _NODES_PER_E), "customers": weight[nodes], "n": 0.0}
    return pd.DataFrame(rows).assign(paid=weight[nodes])


def _log_likelihood(tables, p, q, spend, p_first, first_ratio):  # type: ignore[no-untyped-def]
    """Return the summed gamma_gamma.log_likelihood of amounts in typical orders.

    With A = p n + p_first [z_1 > 0] and B = S + c z_1, Gamma(q + A) / Gamma(q) by Stirling's formula and its error,
    everything that grows like p ln p or q ln q cancels on paper and is not written. As differences of gammaln it would
    be made of rounding errors where p or q is large: hills far above the mode, on which NUTS breaks down.
    """
    p_first = pt.minimum(p_first, _MOST_SHAPE)
    amounts = p * tables["pair_n"] + p_first * tables["pair_paid"]
    by_pair = (q + amounts - 0.5) * pt.log1p(amounts / q) + _stirling_error(q + amounts) - _stirling_error(q)
    in_v = p / (spend * q) * tables["sum_total"] + p_first / (first_ratio * spend * q) * tables["sum_first"]
    weights = q * tables["sum_customers"] + p * tables["sum_n"] + p_first * tables["sum_paid"]
    n, firsts = pt.sum(tables["sum_n"]), pt.sum(tables["sum_paid"])
    return (
        pt.sum(tables["pair_customers"] * by_pair)
        - pt.sum(weights * pt.log1p(in_v))
        + n * (pt.log(p / (2 * np.pi)) / 2 - _stirling_error(p))
        + (p - 1) * tables["log_amounts"]
        - p * n * pt.log(spend)
        + firsts * (pt.log(p_first / (2 * np.pi)) / 2 - _stirling_error(p_first))
        + (p_first - 1) * tables["log_firsts"]
        - p_first * firsts * (pt.log(first_ratio) + pt.log(spend))
    )


def _stirling_error(z):  # type: ignore[no-untyped-def]
    """Return ln Gamma(z) less Stirling's formula, from 10 on by its series (DLMF 5.11.1), which is exact to 1e-14."""
    large, small = pt.maximum(z, 10.0), pt.minimum(z, 10.0)
    w = 1 / large**2
    series = (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w / 1188)))) / large
    exact = pt.gammaln(small) - (small - 0.5) * pt.log(small) + small - np.log(2 * np.pi) / 2
    return pt.switch(z < 10.0, exact, series)
