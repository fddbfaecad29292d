"""Calibration by simulation: are posteriors and forecasts as sure as they should be, over data drawn from the prior?

Draw parameters from the prior, customers with a history and a future from the parameters, and a posterior from the
histories. The rank of the truth among posterior draws is then uniform, for whatever depends on parameters, histories
and future (Talts et al. 2018, arXiv 1804.06788). That holds given the histories too, so what was observed may refuse a
data set or choose a customer; what the parameters are may not. Log-likelihoods are among the quantities because
parameters alone do not notice a posterior that has lost part of the data (Modrák et al. 2023, Bayesian Analysis).

Ranks go from 0 to the number of draws. They count as uniform while the share of them below 1, 2, ... stays inside a
band that holds the whole curve at once (Säilynoja, Bürkner & Vehtari 2022, Statistics and Computing 32:32).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from forecasts import as_seen, by_name
from numpy.random import Generator
from numpy.typing import ArrayLike

from clv.forecast.future import simulate as simulate_futures
from clv.forecast.horizon import Horizon, Keep
from clv.models import sampling
from clv.models.base import History
from clv.models.calendar_model import OnClock
from clv.models.draws import Draws, Floats, Integers
from clv.models.gamma_gamma import PAID_SHARE, PARAMETERS, Amounts, has_mean, log_likelihood
from clv.models.operational_time import Clock
from clv.models.registry import model_of
from clv.rfm import support
from clv.rfm.support import TOO_LITTLE
from clv.units import DAYS_PER_WEEK

SPEND = tuple(one.name for one in PARAMETERS)
# What is ranked beside the parameters, and how a page calls it.
QUANTITIES = {
    "purchase_log_likelihood": "log-likelihood of the purchases",
    "spend_log_likelihood": "log-likelihood of the amounts",
    "p_alive": "P(alive) of one customer",
    "customer_value": "realised value of one customer",
    "total_value": "total realised value",
}
# How often a run may fail that is calibrated; the quantities of a run share it (Bonferroni).
FALSE_ALARMS = 0.01
# First purchases are spread evenly over two years, so histories are of every length up to that.
ACQUISITION_WEEKS = 104.0
SEEN_FROM = date(2025, 6, 30)
_HALVINGS = 40


@dataclass(frozen=True)
class Band:
    """How many ranks may lie below 1, 2, ... `draws`, both limits included: (draws,) each."""

    lower: Integers
    upper: Integers


def prior(purchase_model: Any, spend_model: Any, *, draws: int, seed: Any) -> Draws:
    """Return draws of all parameters from the priors of two built models; v in their typical order's unit.

    Of spend those with a mean: a run forecasts with no others, so no others can be the truth.
    """
    seeds = np.random.SeedSequence(seed).generate_state(2)  # one seed for both would pair like with like
    purchases, spend = (
        sampling.prior_draws(model, draws=2 * draws, seed=int(seed))
        for model, seed in zip((purchase_model, spend_model), seeds, strict=True)
    )
    model = model_of(purchases)
    theta = np.column_stack([purchases[one.name].to_numpy() for one in model.parameters])
    phi = np.column_stack([*(spend[name].to_numpy() for name in SPEND), np.ones(2 * draws)])
    return Draws(model, theta[:draws], phi[has_mean(phi)][:draws])


def only(draws: Draws, number: int) -> Draws:
    """Return the one draw with this number."""
    return replace(draws, theta=draws.theta[[number]], phi=draws.phi[[number]])


def on_calendar(truth: Draws, clock: Clock, *, seed: Any) -> Draws:
    """Return the truth on a calendar, with months and spans to come that are as uncertain as it says."""
    size = clock.luck(2).shape[1]
    luck = np.random.default_rng(seed).standard_normal((len(truth.theta), size))
    return replace(truth, model=OnClock(truth.model, clock), theta=np.hstack([truth.theta, luck]))


def data_set(truth: Draws, *, customers: int, horizon: Horizon, seed: Any) -> pd.DataFrame:
    """Return customers drawn from the first draw of `truth`: history, and the future that comes.

    A life is a future of somebody new, by the model's own simulation: what is judged is that histories, in the fit and
    in forecasts, mean what they mean there. Ages are whole days. All are seen from the end of `SEEN_FROM`.
    """
    generator = np.random.default_rng(seed)
    ages = np.ceil(generator.uniform(0, ACQUISITION_WEEKS, customers) * DAYS_PER_WEEK) / DAYS_PER_WEEK
    counts, weeks = _lives(truth, ages, horizon.weeks, generator)
    events = pd.DataFrame(
        {
            "customer": np.concatenate([np.arange(customers), np.repeat(np.arange(customers), counts[:, 0])]),
            "week": np.concatenate([np.zeros(customers), weeks]),
        }
    ).sort_values(["customer", "week"], ignore_index=True)
    p, q, v, p_first, first_ratio, _ = truth.phi[0]
    nu, first = generator.gamma(q, 1 / v, customers)[events["customer"]], (events["week"] == 0).to_numpy()
    amount = generator.gamma(np.where(first, p_first, p)) * np.where(first, first_ratio * p / p_first, 1.0) / nu
    return as_seen(events.assign(amount=amount), ages, horizon.discount_weekly).assign(origin=pd.Timestamp(SEEN_FROM))


def _lives(truth: Draws, ages: Floats, ahead: float, generator: Generator) -> tuple[Integers, Floats]:
    """Return how often each customer buys until `ahead` weeks from now, and when since the first purchase.

    On a calendar each life has days of its own: those that were, as stated, and those to come, as the truth has them.
    """
    model, nobody = truth.model, np.zeros((len(ages), len(truth.model.history)))
    if not isinstance(model, OnClock):
        return model.futures(generator, nobody, truth.theta[:1], ages + ahead)
    theta, luck = np.split(truth.theta[:1], [len(model.parameters)], axis=1)
    to_come, found = np.diff(model.clock.ends_of_days(ahead, luck)[0]), []
    for age in ages:
        past = model.clock.factors(-np.arange(round(age * DAYS_PER_WEEK))[::-1]) / DAYS_PER_WEEK
        days = np.concatenate([[0.0], past, to_come]).cumsum()[None]
        found.append(model.plain.futures(generator, nobody[:1], theta, np.array([age + ahead]), clock=days))
    counts, weeks = zip(*found, strict=True)
    return np.concatenate(counts), np.concatenate(weeks)


def refused(customers: pd.DataFrame, *, horizon_weeks: float) -> bool:
    """Return whether a run would refuse this base for what was observed, such as fewer than 30 repeat customers."""
    return any(found.answer == TOO_LITTLE for found in support.judge(customers, horizon_weeks=horizon_weeks))


def of_parameters(customers: pd.DataFrame, draws: Draws) -> dict[str, Floats]:
    """Return, for every draw, the quantities that parameters and histories determine."""
    history, model, watched = History.of(customers), draws.model, customers.iloc[[_watched(customers)]]
    amounts = log_likelihood(Amounts.of(customers), customers["log_amounts"], draws.phi)
    return {
        **_parameters(draws),
        "purchase_log_likelihood": model.log_likelihood(history, draws.theta).sum(axis=1),
        "spend_log_likelihood": amounts.sum(axis=1),
        "p_alive": model.p_alive(History.of(watched), draws.theta)[:, 0],
    }


def of_future(customers: pd.DataFrame, draws: Draws, horizon: Horizon, *, seed: int) -> dict[str, Floats]:
    """Return, for every draw, the realised value of one customer and of all together, as the report forecasts them."""
    found: list[Floats] = []
    watched = np.arange(len(customers)) == _watched(customers)
    keep = Keep(lambda own, purchases, value: value[own], lambda rows, kept: found.extend(kept), watched)
    totals = simulate_futures(customers, draws, horizon, seed=seed, keep=keep)
    return {"customer_value": found[0], "total_value": totals.value[:, 0]}


def true_values(customers: pd.DataFrame, truth: Draws) -> dict[str, float]:
    """Return every quantity as it truly was, the future as it truly came."""
    determined = {name: float(values[0]) for name, values in of_parameters(customers, truth).items()}
    future = customers["future_value"].to_numpy(float)
    return determined | {"customer_value": float(future[_watched(customers)]), "total_value": float(future.sum())}


def ranks(true: Mapping[str, float], drawn: Mapping[str, Floats], *, seed: Any) -> dict[str, int]:
    """Return for each quantity how many of its draws lie below the truth; chance decides among those that equal it."""
    generator = np.random.default_rng(seed)
    return {name: _rank(value, drawn[name], generator) for name, value in true.items()}


def band(data_sets: int, draws: int, *, outside: float) -> Band:
    """Return the narrowest band that uniform ranks leave anywhere with a probability of at most `outside`.

    Its limits have the same tail probability at every rank, found by halving; the probability of staying inside is
    exact.
    """
    low, high = np.log(outside) - 30.0, np.log(outside)  # one rank alone leaves it less often than all together
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        left = 1 - _probability_inside(_pointwise(data_sets, draws, np.exp(middle)), data_sets)
        low, high = (middle, high) if left <= outside else (low, middle)
    return _pointwise(data_sets, draws, np.exp(low))


def below(ranks: ArrayLike, draws: int) -> Integers:
    """Return how many ranks lie below 1, 2, ... `draws`."""
    return np.bincount(np.asarray(ranks, dtype=np.int64), minlength=draws + 1).cumsum()[:-1]


def uniform(draws: int) -> Floats:
    """Return the share of uniform ranks below 1, 2, ... `draws`."""
    return np.arange(1, draws + 1) / (draws + 1)


def verdicts(ranks: pd.DataFrame, *, draws: int) -> pd.DataFrame:
    """Return one row per quantity of a run: how far its ranks are from uniform.

    Parameters
    ----------
    ranks
        One row per data set, one column per quantity, each 0 to `draws`.

    Returns
    -------
    Index: quantity. largest_difference: between the share of ranks below some number and that of uniform ones.
    beyond_band: how far that share leaves the band, 0 if it does not. p_value: how often the most extreme count of
    uniform ranks is as unlikely as the one found. inside: whether the whole curve is inside the band.
    """
    size = len(ranks)
    allowed = band(size, draws, outside=FALSE_ALARMS / ranks.shape[1])
    rows = {}
    for name, column in ranks.items():
        counts = below(column, draws)
        beyond = max(int((counts - allowed.upper).max()), int((allowed.lower - counts).max()), 0)
        rows[name] = {
            "largest_difference": float(np.abs(counts / size - uniform(draws)).max()),
            "beyond_band": beyond / size,
            "p_value": _p_value(counts, size),
            "inside": beyond == 0,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def _parameters(draws: Draws) -> dict[str, Floats]:
    """Return what is fitted; every purchase here has an amount."""
    return {name: drawn for name, drawn in by_name(draws).items() if name != PAID_SHARE}


def _watched(customers: pd.DataFrame) -> int:
    """Return the position of the first customer who came back: P(alive) of the others may be 1 whatever is true."""
    return int(np.argmax(customers["frequency"].to_numpy() > 0))


def _rank(true: float, drawn: Floats, generator: Generator) -> int:
    if np.isnan(true) or np.isnan(drawn).any():
        raise ValueError("what is not a number has no rank")
    return int((drawn < true).sum() + generator.integers((drawn == true).sum() + 1))


def _pointwise(data_sets: int, draws: int, tails: float) -> Band:
    """Return the limits that each count alone exceeds with a probability of at most half of `tails` on either side."""
    at_most, more = _tables(data_sets, draws)
    return Band((at_most < tails / 2).sum(axis=0), (more > tails / 2).sum(axis=0))


@cache
def _tables(data_sets: int, draws: int) -> tuple[Floats, Floats]:
    """Return P(count <= c) and P(count > c), c = 0, 1, ... down and numbers across, of uniform ranks below a number.

    In full, because scipy's quantiles give up far out.
    """
    from scipy.stats import binom

    counts = np.arange(data_sets + 1)[:, None]
    return binom.cdf(counts, data_sets, uniform(draws)), binom.sf(counts, data_sets, uniform(draws))


def _probability_inside(limits: Band, data_sets: int) -> float:
    """Return the probability that the counts of uniform ranks are all inside the limits.

    How many data sets have each rank is multinomial: independent Poisson numbers, given their sum. So the counts below
    1, 2, ... are a walk whose steps are all alike; it is followed rank by rank, and what leaves the limits is dropped.
    """
    from scipy.stats import poisson

    step = poisson.pmf(np.arange(data_sets + 1), data_sets / (limits.lower.size + 1))
    reached, first = np.ones(1), 0  # probabilities of the counts first, first + 1, ...
    for low, high in zip([*limits.lower, data_sets], [*limits.upper, data_sets], strict=True):
        reached = np.convolve(reached, step[: high - first + 1])[low - first : high - first + 1]
        first = low
    return float(reached[0] / poisson.pmf(data_sets, data_sets))


def _p_value(counts: Integers, data_sets: int) -> float:
    """Return how often the most extreme count of uniform ranks has a tail probability as small as the one found."""
    at_most, more = _tables(data_sets, counts.size)
    at, at_least = np.arange(counts.size), np.vstack([np.ones(counts.size), more])
    tails = 2 * min(at_most[counts, at].min(), at_least[counts, at].min())
    narrower = _pointwise(data_sets, counts.size, min(tails * (1 + 1e-9), 1.0))
    return max(1 - _probability_inside(narrower, data_sets), 0.0)
