"""What a posterior says of the data it was fitted on: totals it must reproduce, whatever else it gets wrong."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import gammaincinv

from clv.checks.predictive import CHECK_CUSTOMERS, few_draws, simulate_frequency
from clv.models import gamma_gamma
from clv.models.base import new_customers
from clv.models.draws import spaced
from clv.models.registry import model_of
from clv.units import tails

NEARLY_CERTAIN = 0.99  # probability inside the predictive interval that excuses a ratio


@dataclass(frozen=True)
class Reproduced:
    """A figure of the data beside the model's."""

    observed: float
    modelled: float

    @property
    def ratio(self) -> float:
        """Modelled / observed; infinite where nothing was observed."""
        return self.modelled / self.observed if self.observed > 0 else np.inf


def repeat_purchases(customers: pd.DataFrame, posterior: xr.DataTree) -> tuple[Reproduced, tuple[float, float]]:
    """Return the base's repeat purchases so far beside those of new customers of the same ages under the posterior.

    Then the limits that hold the model's total with `NEARLY_CERTAIN` probability: its mean is in closed form over all
    customers, the spread around it simulated for a sample of them and scaled.
    """
    ages, counts = np.unique(customers["T"].to_numpy(float), return_counts=True)
    generator = np.random.default_rng(0)
    sample = customers["T"].to_numpy(float)[spaced(len(customers), CHECK_CUSTOMERS)]
    means, totals = [], []
    model = model_of(posterior)
    for theta in few_draws(posterior["posterior"], [one.name for one in model.parameters]):
        expected = new_customers(model, ages, theta) @ counts
        spread = simulate_frequency(model, sample, theta, generator).std() * np.sqrt(len(customers))
        means.append(expected)
        totals.append(expected + spread * generator.standard_normal())
    lower, upper = np.quantile(totals, tails(NEARLY_CERTAIN))
    return Reproduced(float(customers["frequency"].sum()), float(np.mean(means))), (float(lower), float(upper))


def spend(customers: pd.DataFrame, posterior: xr.DataTree) -> tuple[Reproduced, Reproduced]:
    """Return mean and median of the repeat buyers' mean amounts beside those of the population.

    The population's mean, p v / (q - 1), is the posterior median: a draw with q <= 1 has an infinite one. Its median
    always exists.
    """
    n, total, _ = gamma_gamma.Amounts.of(gamma_gamma.usable(customers))
    z_mean, (p, q, v) = total / n, few_draws(posterior["posterior"], ["p", "q", "v"]).T
    means = np.divide(p * v, q - 1, where=q > 1, out=np.full_like(q, np.inf))
    medians = p * v / gammaincinv(q, 0.5)
    mean = Reproduced(float(z_mean.mean()), float(np.median(means)))
    return mean, Reproduced(float(np.median(z_mean)), float(np.median(medians)))
