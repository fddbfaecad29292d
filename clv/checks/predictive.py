"""Pictures of a model against the data: prior and posterior predictive checks, planes, shrinkage (tables only).

A check simulates the customers the model would expect (same ages, same numbers) and sets what was observed
beside the simulated range. Before fitting it shows what the priors allow, after fitting what was learnt.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.random import Generator

from clv.models import gamma_gamma
from clv.models.base import Floats, History, Integers, PurchaseModel, expected_purchases
from clv.models.draws import Draws, spaced
from clv.models.registry import is_generated, model_of, parameters_of
from clv.units import tails

# A picture needs no more: shares of 5,000 customers are known to half a percent.
CHECK_CUSTOMERS, CHECK_DRAWS = 5_000, 200
MOST_PURCHASES = 10
SPEND_BINS = 30


def references(
    source: str, truth: Mapping[str, float], posterior: xr.DataTree, *, published: bool = True
) -> pd.DataFrame:
    """Return the parameter values to hold a posterior against: the truth, the published estimates, or none.

    The truth is that of the model that generated the customers. Published estimates belong to the calibration part of
    CDNOW; `published=False` leaves them out.

    Columns parameter, value, name; empty for a source about which nothing is known.
    """
    name, values = "truth", truth if source == "generate" and is_generated(posterior) else {}
    if source == "cdnow" and published:
        known = {one.name: one.published for one in parameters_of(posterior)}
        name, values = "published estimate", {name: value for name, value in known.items() if np.isfinite(value)}
    rows = [(parameter, float(value), name) for parameter, value in values.items()]
    return pd.DataFrame(rows, columns=["parameter", "value", "name"])


def prior_and_posterior(prior: xr.Dataset, posterior: xr.DataTree) -> pd.DataFrame:
    """Return the draws of both as a long table: parameter, unit, source (prior or posterior), value."""
    groups = {"prior": prior, "posterior": posterior["posterior"].to_dataset()}
    return pd.concat(
        pd.DataFrame(
            {"parameter": one.name, "unit": one.unit, "source": source, "value": group[one.name].to_numpy().ravel()}
        )
        for source, group in groups.items()
        for one in parameters_of(posterior)
    )


def frequency_check(customers: pd.DataFrame, parameters: xr.Dataset, *, interval: float, seed: int) -> pd.DataFrame:
    """Return the share of customers by number of repeat purchases: observed, and what `parameters` would give.

    `parameters` are draws from the prior or the posterior of a purchase model, any dims.
    """
    customers = customers.iloc[spaced(len(customers), CHECK_CUSTOMERS)]
    generator, T = np.random.default_rng(seed), customers["T"].to_numpy()
    model, draws = model_of(parameters), few_draws(parameters, [one.name for one in parameters_of(parameters)])
    simulated = [_shares(simulate_frequency(model, T, theta, generator)) for theta in draws]
    labels = [*map(str, range(MOST_PURCHASES)), f"{MOST_PURCHASES}+"]
    found = {"frequency": pd.Series(labels, dtype="str"), "observed": _shares(customers["frequency"].to_numpy())}
    return pd.DataFrame(found | _band(simulated, interval))


def spend_check(customers: pd.DataFrame, parameters: xr.Dataset, *, interval: float, seed: int) -> pd.DataFrame:
    """Return the share of repeat buyers by mean amount: observed, and what `parameters` would give.

    Bins are equal on a log scale.

    Columns amount (left edge), width, observed, lower, median, upper (shares of repeat buyers).
    """
    buyers = gamma_gamma.usable(customers)
    buyers = buyers.iloc[spaced(len(buyers), CHECK_CUSTOMERS)]
    generator, (x, total, _) = np.random.default_rng(seed), gamma_gamma.Amounts.of(buyers)
    z_mean = total / x
    low, high = np.quantile(z_mean, [0.001, 0.999])
    edges = np.geomspace(low / 1.5, high * 1.5, SPEND_BINS + 1)
    draws = few_draws(parameters, ["p", "q", "v"])
    simulated = [np.histogram(_simulate_means(x, p, q, v, generator), edges)[0] / x.size for p, q, v in draws]
    found = {"amount": edges[:-1], "width": np.diff(edges), "observed": np.histogram(z_mean, edges)[0] / x.size}
    return pd.DataFrame(found | _band(simulated, interval))


def dependence(customers: pd.DataFrame, parameters: xr.Dataset, *, interval: float, seed: int) -> pd.DataFrame:
    """Measure how far spend depends on frequency among repeat buyers, beside what independence would show.

    The model assumes independence; even then Spearman's correlation lies above zero, because means of few skewed
    amounts have low medians. So each measure is held against bases simulated from the spend model.

    One row per measure (Pearson, Spearman): value, lower and upper (what independence would show).
    """
    from scipy.stats import pearsonr, spearmanr  # a second that only this costs

    buyers = gamma_gamma.usable(customers)
    buyers = buyers.iloc[spaced(len(buyers), CHECK_CUSTOMERS)]
    generator, (x, total, _) = np.random.default_rng(seed), gamma_gamma.Amounts.of(buyers)
    simulated = [_simulate_means(x, p, q, v, generator) for p, q, v in few_draws(parameters, ["p", "q", "v"])]
    table = []
    for name, measure in {"Pearson": pearsonr, "Spearman": spearmanr}.items():
        limits = np.quantile([_correlation(measure, x, z_mean) for z_mean in simulated], tails(interval))
        table.append((name, _correlation(measure, x, total / x), *limits))
    return pd.DataFrame(table, columns=["measure", "value", "lower", "upper"])


def _correlation(measure: Callable[[Floats, Floats], Any], x: Floats, z_mean: Floats) -> float:
    """Return the measure, 0 where one of the two does not vary: what is always the same depends on nothing."""
    varies = np.ptp(x) > 0 and np.ptp(np.log(z_mean)) > gamma_gamma.SAME_AMOUNT
    return float(measure(x, z_mean)[0]) if varies else 0.0


def _simulate_means(x: Floats, p: float, q: float, v: float, generator: Generator) -> Floats:
    nu = generator.gamma(q, 1.0, x.size) / v
    return generator.gamma(p * x, 1.0) / (nu * x)


def simulate_frequency(model: PurchaseModel, T: Floats, theta: Floats, generator: Generator) -> Integers:
    """Return repeat purchases of new customers watched for `T` under one draw of the parameters."""
    return model.futures(generator, np.zeros((T.size, len(model.history))), theta[None], T)[0][:, 0]


def alive_plane(draws: Draws, *, T: float, most_purchases: int) -> pd.DataFrame:
    """Return P(alive) of customers of age T weeks over recency and frequency: recency_weeks, frequency, value."""
    return _plane(draws, T, most_purchases, draws.model.p_alive)


def expected_plane(draws: Draws, *, T: float, most_purchases: int, horizon_weeks: float) -> pd.DataFrame:
    """Return expected purchases within the horizon of customers of age T weeks: recency_weeks, frequency, value."""
    return _plane(draws, T, most_purchases, partial(expected_purchases, draws.model, horizon_weeks))


def _plane(draws: Draws, T: float, most_purchases: int, quantity) -> pd.DataFrame:  # type: ignore[no-untyped-def]
    frequency = np.arange(1, most_purchases + 1)
    recency = np.linspace(T / 40, T, 40)
    grid = pd.MultiIndex.from_product([recency, frequency], names=["recency_weeks", "frequency"]).to_frame(index=False)
    x, t_x = grid["frequency"].to_numpy(float), grid["recency_weeks"].to_numpy()
    history = History(x, t_x, np.full(len(grid), T), x * np.log(t_x / x))  # purchases in even steps
    value = quantity(history, draws.thinned(CHECK_DRAWS).theta)
    return grid.assign(value=value.mean(axis=0))


def shrinkage(customers: pd.DataFrame, parameters: xr.Dataset) -> tuple[pd.DataFrame, float]:
    """Return own mean against expected spend of at most 1,500 repeat buyers, and the population's mean spend."""
    buyers = gamma_gamma.usable(customers)
    buyers = buyers.iloc[spaced(len(buyers), 1_500)]
    phi, amounts = few_draws(parameters, [one.name for one in gamma_gamma.PARAMETERS]), gamma_gamma.Amounts.of(buyers)
    expected = gamma_gamma.expected_spend(amounts, phi).mean(axis=0)
    found = {"frequency": amounts.n, "monetary_value": amounts.total / amounts.n, "expected_spend": expected}
    return pd.DataFrame(found), float(gamma_gamma.expected_spend(gamma_gamma.NOTHING_PAID, phi).mean())


def few_draws(parameters: Any, names: list[str]) -> Floats:
    """Return a few of the draws, (draws, parameters)."""
    drawn = np.column_stack([parameters[name].to_numpy().ravel() for name in names])
    return drawn[spaced(len(drawn), CHECK_DRAWS)]


def _shares(frequency: Integers) -> Floats:
    return np.bincount(np.minimum(frequency, MOST_PURCHASES), minlength=MOST_PURCHASES + 1) / frequency.size


def _band(simulated: list[Floats], interval: float) -> dict[str, Floats]:
    lower, upper = tails(interval)
    return dict(zip(["lower", "median", "upper"], np.quantile(simulated, [lower, 0.5, upper], axis=0), strict=True))
