"""What a posterior says of the data it was fitted on: totals it must reproduce, whatever else it gets wrong."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.special import gammaincinv

from clv.checks.predictive import CHECK_CUSTOMERS, few_draws, simulate_frequency
from clv.models import gamma_gamma
from clv.models.base import Floats, new_customers
from clv.models.draws import spaced
from clv.models.registry import model_of
from clv.units import tails

NEARLY_CERTAIN = 0.99  # probability inside the predictive interval that excuses a ratio


@dataclass(frozen=True)
class Reproduced:
    """A total of the data beside the model's: `lower` and `upper` hold it with `NEARLY_CERTAIN` probability."""

    observed: float
    modelled: float
    lower: float
    upper: float

    @property
    def ratio(self) -> float:
        """Modelled / observed; infinite where nothing was observed."""
        return self.modelled / self.observed if self.observed > 0 else np.inf

    @property
    def within(self) -> bool:
        """Whether the observed total lies inside the predictive interval."""
        return bool(self.lower <= self.observed <= self.upper)


def repeat_purchases(customers: pd.DataFrame, posterior: xr.DataTree, *, seed: int = 0) -> Reproduced:
    """Return the base's repeat purchases so far beside those of new customers of the same ages under the posterior.

    The mean is in closed form over all customers; the spread around it is simulated for a sample of them and scaled.
    """
    ages, counts = np.unique(customers["T"].to_numpy(float), return_counts=True)
    generator = np.random.default_rng(seed)
    sample = customers["T"].to_numpy(float)[spaced(len(customers), CHECK_CUSTOMERS)]
    means, totals = [], []
    model = model_of(posterior)
    for theta in few_draws(posterior["posterior"], [one.name for one in model.parameters]):
        expected = new_customers(model, ages, theta) @ counts
        spread = simulate_frequency(model, sample, theta, generator).std() * np.sqrt(len(customers))
        means.append(expected)
        totals.append(expected + spread * generator.standard_normal())
    return Reproduced(float(customers["frequency"].sum()), float(np.mean(means)), *_limits(totals))


def mean_spend(customers: pd.DataFrame, posterior: xr.DataTree, *, seed: int = 0) -> Reproduced:
    """Return the mean of the repeat buyers' mean amounts beside the population's mean spend p v / (q - 1).

    The modelled one is the posterior median: a draw with q <= 1 has an infinite mean.
    """
    z_mean, (p, q, v) = _spent(customers), _spend_draws(posterior)
    generator, error = np.random.default_rng(seed), z_mean.std() / np.sqrt(max(len(z_mean), 1))
    means = np.divide(p * v, q - 1, where=q > 1, out=np.full_like(q, np.inf))
    totals = means + error * generator.standard_normal(len(means))
    return Reproduced(float(z_mean.mean()), float(np.median(means)), *_limits(totals))


def typical_spend(customers: pd.DataFrame, posterior: xr.DataTree) -> Reproduced:
    """Return the median of the repeat buyers' mean amounts beside that of the population, which always exists."""
    p, q, v = _spend_draws(posterior)
    medians = p * v / gammaincinv(q, 0.5)
    return Reproduced(float(np.median(_spent(customers))), float(np.median(medians)), *_limits(medians))


def _spent(customers: pd.DataFrame) -> Floats:
    """Return the mean amounts of those who came back and paid."""
    n, total, _ = gamma_gamma.Amounts.of(gamma_gamma.usable(customers))
    return np.asarray(total / n)


def _spend_draws(posterior: xr.DataTree) -> Floats:
    return few_draws(posterior["posterior"], ["p", "q", "v"]).T


def _limits(totals: list[float] | NDArray[np.float64]) -> tuple[float, float]:
    finite = np.where(np.isfinite(totals), totals, np.finfo(float).max)
    lower, upper = np.quantile(finite, tails(NEARLY_CERTAIN))
    return float(lower), float(upper)
