"""Gamma-Gamma spend model in plain numpy: likelihood, expected spend, distribution of what comes next.

Symbols (Fader & Hardie 2013, brucehardie.com/notes/025): each purchase of a customer is
z ~ Gamma(p, rate nu), each customer's nu ~ Gamma(q, rate v). A history is `x` repeat purchases with
mean `z_mean` (monetary_value). p and q have no unit, v has the log's currency.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, gammaln

from clv.models.base import Floats, Parameter

PARAMETERS = (
    Parameter("p", "no unit", 6.2488),
    Parameter("q", "no unit", 3.7446),
    Parameter("v", "currency of the log", 15.448),
)


def log_likelihood(x: ArrayLike, z_mean: ArrayLike, p: ArrayLike, q: ArrayLike, v: ArrayLike) -> Floats:
    """Return the log-density of each customer's mean spend (note 025, eq. 1a); needs x > 0 and z_mean > 0."""
    x, z_mean, p, q, v = (np.asarray(value, dtype=float) for value in (x, z_mean, p, q, v))
    total = x * z_mean
    return (
        gammaln(p * x + q)
        - gammaln(p * x)
        - gammaln(q)
        + q * np.log(v)
        + p * x * np.log(total)
        - np.log(z_mean)
        - (p * x + q) * np.log(v + total)
    )


def expected_spend(x: ArrayLike, z_mean: ArrayLike, p: ArrayLike, q: ArrayLike, v: ArrayLike) -> Floats:
    """Return E[amount of the next purchase]; infinite where p x + q <= 1 (the prior mean does not exist).

    A weighted mean of the population's mean p v / (q - 1) and the customer's own: the more purchases
    were seen, the more the own mean counts.
    """
    x, z_mean, p, q, v = (np.asarray(value, dtype=float) for value in (x, z_mean, p, q, v))
    excess = p * x + q - 1
    return np.where(excess > 0, p * (v + x * z_mean) / np.where(excess > 0, excess, 1.0), np.inf)


def total_cdf(
    total: ArrayLike, n: ArrayLike, x: ArrayLike, z_mean: ArrayLike, p: ArrayLike, q: ArrayLike, v: ArrayLike
) -> Floats:
    """Return P(the amounts of the next n > 0 purchases sum to at most `total`), given the history.

    Their sum is Gamma(p n, rate nu) with nu ~ Gamma(p x + q, rate v + x z_mean), so total / (total + v + x z_mean) is
    Beta(p n, p x + q).
    """
    total, n, x, z_mean, p, q, v = (np.asarray(value, dtype=float) for value in (total, n, x, z_mean, p, q, v))
    return betainc(p * n, p * x + q, total / (total + v + x * z_mean))


def has_mean(phi: Floats) -> NDArray[np.bool_]:
    """Return which draws of p, q, v (draws, 3) have a finite mean spend in the population."""
    return phi[:, 1] > 1


def usable(customers: pd.DataFrame) -> pd.DataFrame:
    """Return the customers the spend model can learn from: repeat purchases with a positive mean amount."""
    return customers[(customers["frequency"] > 0) & (customers["monetary_value"] > 0)]


def typical_order_value(customers: pd.DataFrame) -> float:
    """Return the geometric mean of the repeat buyers' mean amounts: the scale on which priors are stated."""
    return float(np.exp(np.log(usable(customers)["monetary_value"]).mean()))
