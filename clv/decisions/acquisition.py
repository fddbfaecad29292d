"""What a new customer is worth, what may be paid to win one, and what customers still to come add to the forecast.

A new customer brings a first order and then the future of the history x = 0, T = 0 (base.new_customers). First orders
differ from later ones (CDNOW: 33 on average, later 39), so they follow the observed first orders: a Bayesian bootstrap
(Rubin 1981), one reweighting per posterior draw, carries what is uncertain about them. What somebody pays first tells
what comes later: later orders are those of people whose first ones were observed, also where a few spend so much that
the population's mean is beyond all of them. In totals first and later orders are drawn apart, which leaves their means
as they are and their spread a little narrow. In limits and probabilities what the model says of the
future, not the first order, is multiplied by the misfit factor of the draw; means, and with them the week of payback,
are those without it: the factor's own mean is above 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from clv.decisions.tables import CONFIDENCE
from clv.forecast.future import simulate
from clv.forecast.groups import Forecast
from clv.forecast.horizon import Horizon, Keep
from clv.models.base import HISTORY, LOG_GAPS, Floats, new_customers
from clv.models.draws import Draws, spaced
from clv.models.gamma_gamma import SPEND_COLUMNS, Amounts, expected_per_visit
from clv.units import DAYS_PER_WEEK, WEEKS_PER_YEAR, tails

_SURE = (0.5, 0.8, 0.95)  # how sure one may want to be that a new customer earns its cost
MONTHS_PER_YEAR = 12
_SINGLE_CUSTOMERS = 500  # futures of single new customers per draw
_FIRST_ORDERS = 10_000  # that stand for all observed ones


@dataclass(frozen=True)
class Acquisition:
    """What winning a customer costs, and how many are to be won: per month, for so many months (None: not planned)."""

    cost: float
    per_month: int | None = None
    months: int | None = None


def acquisition_plan(*, cost: float | None, per_month: int | None, months: int | None) -> Acquisition | None:
    """Return the acquisition of a run's settings; None where they have none."""
    return None if cost is None else Acquisition(cost, per_month, months)


def first_orders(customers: pd.DataFrame) -> Floats:
    """Return the amounts of the first orders, rising."""
    amounts = np.sort(customers["first_amount"].to_numpy())
    return amounts[spaced(len(amounts), _FIRST_ORDERS)]


def acquisition_figures(
    result: Forecast,
    draws: Draws,
    horizon: Horizon,
    given: Acquisition | None,
    factors: dict[str, Floats],
    *,
    interval: float,
    seed: int,
    workers: int,
) -> dict[str, Any] | None:
    """Return what a new customer is worth and what the plan adds, for the key figures; None without an acquisition."""
    if given is None:
        return None
    firsts, factor = first_orders(result.customers), factors.get("value", np.ones(len(draws)))
    weights = _reweighted(firsts.size, len(draws), seed)
    first, average = horizon.gross_margin * weights @ firsts, horizon.gross_margin * firsts.mean()
    future = expected_future(firsts, draws, horizon, np.arange(1, int(horizon.weeks) + 1, dtype=float))
    brought = first + factor * future[:, -1]
    single = _single_customers(firsts, draws, horizon, seed=seed, workers=workers)
    return {
        "cost": given.cost,
        "confidence": CONFIDENCE,
        "allows_for_misfit": "value" in factors,
        "first_order": float(firsts.mean()),
        "value": _limits(brought, interval) | {"mean": _mean_value(firsts, horizon, future[:, -1])},
        "single": _limits(single, interval) | {"p_above_cost": float((single > given.cost).mean())},
        "p_above_cost": float((brought > given.cost).mean()),
        "highest_cost": float(np.quantile(brought, 1 - CONFIDENCE)),
        "payback_weeks": payback(average, average + future.mean(axis=0), given.cost),
        "plan": _planned(result, draws, horizon, given, firsts, weights, factor, interval, seed, workers),
    }


def new_customer(
    result: Forecast, draws: Draws, horizon: Horizon, factors: dict[str, Floats], *, seed: int
) -> dict[str, Any]:
    """Return what a new customer is worth on average: its mean, and a hundred quantiles of what it may be.

    Asked for or not: it needs neither a cost nor a plan.
    """
    firsts = first_orders(result.customers)
    first = horizon.gross_margin * _reweighted(firsts.size, len(draws), seed) @ firsts
    future = _until_the_end(firsts, draws, horizon)
    brought = first + factors.get("value", np.ones(len(draws))) * future
    may_cost = {f"{sure:.2f}": float(np.quantile(brought, 1 - sure)) for sure in _SURE}
    quantiles = np.quantile(brought, np.arange(0.5, 100) / 100).tolist()
    return {"mean": _mean_value(firsts, horizon, future), "may_cost": may_cost, "quantiles": quantiles}


def expected_future(firsts: Floats, draws: Draws, horizon: Horizon, weeks: Floats) -> Floats:
    """Return the expected discounted value of a new customer after a first order: (draws, weeks since then).

    Of those who pay something first it is linear in what they pay, so their mean stands for all of them.
    """
    discounted = new_customers(draws.model, weeks, draws.theta, discount=horizon.discount_weekly)
    paid = firsts > 0
    typical = Amounts(0.0, 0.0, np.array([firsts.sum() / max(paid.sum(), 1), 0.0]))
    each = np.average(expected_per_visit(typical, draws.phi), axis=1, weights=[paid.mean(), 1 - paid.mean()])
    return horizon.gross_margin * each[:, None] * discounted


def payback(first: float, brought: Floats, cost: float) -> int | None:
    """Return the week in which what a customer brought, by the end of weeks 1, 2, ..., reaches the cost; 0: at once."""
    reached = np.concatenate([[first], brought]) >= cost
    return int(reached.argmax()) if reached.any() else None


def _until_the_end(firsts: Floats, draws: Draws, horizon: Horizon) -> Floats:
    return expected_future(firsts, draws, horizon, np.array([horizon.weeks]))[:, 0]


def _mean_value(firsts: Floats, horizon: Horizon, future: Floats) -> float:
    return float(horizon.gross_margin * firsts.mean() + future.mean())


def _single_customers(firsts: Floats, draws: Draws, horizon: Horizon, *, seed: int, workers: int) -> Floats:
    """Return realised values of single new customers, the first order included."""
    values = np.empty((_SINGLE_CUSTOMERS, len(draws)))
    first = np.random.default_rng([seed, 6]).choice(firsts, _SINGLE_CUSTOMERS)
    options: dict[str, Any] = {"seed": _seed(seed, 5), "workers": workers, "stage": "new customers"}
    simulate(_new_customers(first), draws, horizon, keep=Keep(_value, values.__setitem__), **options)
    return values + horizon.gross_margin * first[:, None]


def _value(own: None, purchases: Any, value: Floats) -> Floats:
    return value


def _planned(
    result: Forecast,
    draws: Draws,
    horizon: Horizon,
    given: Acquisition,
    firsts: Floats,
    weights: Floats,
    factor: Floats,
    interval: float,
    seed: int,
    workers: int,
) -> dict[str, Any] | None:
    """Return what the customers still to come bring within the horizon, alone and together with those known today.

    Those of a month come in its middle. Money that comes later is discounted to the end of observation, as always.
    """
    if given.per_month is None or given.months is None:
        return None
    generator, margin = np.random.default_rng([seed, 7]), horizon.gross_margin
    size = given.per_month
    newcomers = _new_customers(np.quantile(firsts, (np.arange(size) + 0.5) / size))
    drawn, mean, cost, months = np.zeros(len(draws)), 0.0, 0.0, 0
    for months, (arrival, rest, discounting) in enumerate(_arrivals(given.months, horizon), start=1):
        one, then = _seed(seed, 1000 + months), draws.later(arrival)
        future = simulate(newcomers, then, rest, seed=one, workers=workers, stage=f"customers of week {arrival:.0f}")
        orders = np.array([generator.multinomial(size, row) @ firsts for row in weights])
        drawn += discounting * (margin * orders + factor * future.value[:, 0])
        mean += discounting * size * _mean_value(firsts, rest, _until_the_end(firsts, then, rest))
        cost += discounting * size * given.cost
    together, known = drawn + factor * result.total_value, float(result.customers["clv_mean"].sum())
    return {
        "customers": size * months,
        "cost": cost,
        "value": _limits(drawn, interval) | {"mean": mean},
        "p_above_cost": float((drawn > cost).mean()),
        "with_known_customers": _limits(together, interval) | {"mean": mean + known},
    }


def _arrivals(months: int, horizon: Horizon) -> Iterator[tuple[float, Horizon, float]]:
    """Yield of each month within the horizon: its middle in weeks, the future left then, and the discount until it."""
    for month in range(months):
        arrival = round((month + 0.5) * WEEKS_PER_YEAR / MONTHS_PER_YEAR * DAYS_PER_WEEK) / DAYS_PER_WEEK
        if arrival < horizon.weeks:
            rest = Horizon(horizon.weeks - arrival, horizon.discount_weekly, horizon.gross_margin)
            yield arrival, rest, float(np.exp(-horizon.discount_weekly * arrival))


def _new_customers(firsts: Floats) -> pd.DataFrame:
    """Return one who has just come for each first order."""
    nothing_else = pd.DataFrame(0.0, index=range(firsts.size), columns=[*HISTORY, LOG_GAPS, *SPEND_COLUMNS[1:]])
    return nothing_else.assign(first_amount=firsts)


def _reweighted(size: int, draws: int, seed: int) -> Floats:
    """Return one reweighting of the first orders per draw, (draws, orders), each summing to 1."""
    weights = np.random.default_rng([seed, 8]).standard_exponential((draws, size))
    return weights / weights.sum(axis=1, keepdims=True)


def _seed(seed: int, stream: int) -> int:
    return int(np.random.SeedSequence([seed, stream]).generate_state(1)[0])


def _limits(drawn: Floats, interval: float) -> dict[str, float]:
    lower, upper = np.quantile(drawn, tails(interval))
    return {"lower": float(lower), "upper": float(upper)}
