"""Gamma-Gamma as a PyMC model: pymc-marketing's GammaGammaModel with priors on the scale of a typical order."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
from pymc_extras.prior import Prior
from pymc_marketing.clv import GammaGammaModel

from clv.models.gamma_gamma import typical_order_value, usable
from clv.models.priors import log_density
from clv.models.registry import GAMMA_GAMMA

PARAMETERS = ["p", "q", "v"]


class WeightedGammaGammaModel(GammaGammaModel):
    """GammaGammaModel whose likelihood runs on distinct x and distinct totals x z, each with its weight.

    Same posterior as upstream's one row per customer. Data enter as data, so one compiled model can be
    refitted (`data_for`). All prediction methods of upstream work.
    """

    _model_type = "Gamma-Gamma Model (distinct histories)"
    key, parameters = GAMMA_GAMMA, PARAMETERS
    typical: float | None = None

    @property
    def default_model_config(self) -> dict:
        """Priors on the scale of a typical order: they mean the same in dollars and in cents."""
        return {
            # Regularity of one customer's amounts: coefficient of variation 1 / sqrt(p) between 0.2 and 1.4.
            "p": Prior("LogNormal", mu=np.log(4.0), sigma=1.0),
            # Similarity of customers: spread of their mean amounts from 0.3 to beyond any variance (q < 2).
            "q": Prior("LogNormal", mu=np.log(3.5), sigma=0.75),
            # Mean amount of the customer with average nu, p v / q, in typical orders: 1/7 to 7.
            "relative_spend": Prior("LogNormal", mu=0.0, sigma=1.0),
        }

    def build_model(self, data: pd.DataFrame) -> None:  # type: ignore[override]
        """Build the model on repeat buyers (frequency > 0, monetary_value > 0), one row per customer."""
        self.data = data
        config = self.model_config
        with pm.Model() as self.model:
            p = config["p"].create_variable("p")
            q = config["q"].create_variable("q")
            relative_spend = config["relative_spend"].create_variable("relative_spend")
            relative_v = relative_spend * q / p
            tables = {name: pm.Data(name, value) for name, value in self.data_for(data).items()}
            pm.Deterministic("v", relative_v * tables["typical_order_value"])
            pm.Potential("likelihood", _log_likelihood(tables, p, q, relative_v))

    def data_for(self, customers: pd.DataFrame) -> dict[str, np.ndarray]:
        """Return the arrays that one row per customer puts into the model's data containers, by container name."""
        repeat_buyers = usable(customers)
        typical = self.typical or typical_order_value(repeat_buyers)
        x = repeat_buyers["frequency"].to_numpy(float)
        total = x * repeat_buyers["monetary_value"].to_numpy(float) / typical
        x_values, x_customers = np.unique(x, return_counts=True)
        totals, which = np.unique(total, return_inverse=True)
        return {
            "typical_order_value": np.asarray(typical, dtype=float),
            "purchases_log_total": np.asarray(x @ np.log(total)),
            "customers_log_total": np.asarray(np.log(total).sum()),
            "x": x_values,
            "x_customers": x_customers.astype(float),
            "total": totals,
            "total_customers": np.bincount(which).astype(float),
            "total_purchases": np.bincount(which, weights=x),
        }

    def log_prior(self, draws: Mapping[str, np.ndarray], data: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the prior's log-density of draws of p, q, v (`priors.log_density`) for these `data`."""
        p, q, v = (draws[name] for name in PARAMETERS)
        relative_spend = p * v / (q * data["typical_order_value"])
        return log_density(self.model_config, {"p": p, "q": q, "relative_spend": relative_spend})


def model(customers: pd.DataFrame, *, typical: float | None = None) -> WeightedGammaGammaModel:
    """Return the built model for one row per customer; `typical` defaults to the data's own typical order value."""
    built = WeightedGammaGammaModel()
    built.typical = typical
    built.build_model(usable(customers))
    return built


def _log_likelihood(tables, p, q, v):  # type: ignore[no-untyped-def]
    """Return the summed gamma_gamma.log_likelihood in typical orders, up to the constant -sum(ln z).

    With u = total / (v + total) it is ln(u^(p x) (1 - u)^q / B(p x, q)). Written as differences of gammaln, that
    is made of rounding errors where p or q is large: hills far above the mode, with slopes of exactly 0, on which NUTS
    broke down in one of 500 simulated shops. Here no large numbers cancel.
    """
    own, total = p * tables["x"], tables["total"]
    by_frequency = (
        own * pt.log1p(q / own)
        + q * pt.log1p(own / q)
        + (pt.log(own) + pt.log(q) - pt.log(own + q) - np.log(2 * np.pi)) / 2
        + _stirling_error(own + q)
        - _stirling_error(own)
        - _stirling_error(q)
    )
    small = pt.lt(v, 1.0)
    shares = pt.log1p(pt.switch(small, v / total, total / v))
    by_total = (p * tables["total_purchases"] + q * tables["total_customers"]) * shares
    x, customers = tables["x"], tables["x_customers"]
    exact = pt.switch(
        small,
        q * (pt.sum(customers) * pt.log(v) - tables["customers_log_total"]),
        p * (tables["purchases_log_total"] - pt.sum(x * customers) * pt.log(v)),
    )
    return pt.sum(customers * by_frequency) + exact - pt.sum(by_total)


def _stirling_error(z):  # type: ignore[no-untyped-def]
    """Return ln Gamma(z) less Stirling's formula, from 10 on by its series (DLMF 5.11.1), which is exact to 1e-14."""
    large, small = pt.maximum(z, 10.0), pt.minimum(z, 10.0)
    w = 1 / large**2
    series = (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w / 1188)))) / large
    exact = pt.gammaln(small) - (small - 0.5) * pt.log(small) + small - np.log(2 * np.pi) / 2
    return pt.switch(z < 10.0, exact, series)
