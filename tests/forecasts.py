"""Typed parameters, histories, posteriors, futures and backtests for tests of the mathematics; nothing here fits."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import gammaln

from clv.forecast.future import simulate
from clv.forecast.horizon import Horizon, Keep
from clv.models import bgnbd
from clv.models.base import HISTORY, History, PurchaseModel
from clv.models.draws import Draws
from clv.models.gamma_gamma import PAID_SHARE, SPEND_COLUMNS
from clv.models.gamma_gamma import PARAMETERS as SPEND_PARAMETERS
from clv.models.registry import KEY, purchase_model
from clv.transactions import generate

# Published maximum-likelihood estimates, CDNOW sample, weeks and dollars (Fader, Hardie & Lee 2005; note 025).
CDNOW_PURCHASES = {"r": 0.2426, "alpha": 4.4136, "a": 0.7929, "b": 2.4259}
CDNOW_SPEND = {"p": 6.2488, "q": 3.7446, "v": 15.448}
CDNOW = CDNOW_PURCHASES | CDNOW_SPEND
# Ten per cent a year, per week.
DISCOUNT = float(np.log(1.10) * 7 / 365.25)
COLUMNS = [*HISTORY, *SPEND_COLUMNS[1:]]


def oracle() -> pd.DataFrame:
    """Return the committed values of the reference implementation; test_bgnbd says how they were made."""
    return with_amounts(pd.read_csv(Path(__file__).parent / "oracle_values.csv"))


def customers(*rows: tuple[float, float, float, float]) -> pd.DataFrame:
    """Return one customer per (frequency, recency, T, monetary_value), whose first order had no amount."""
    return with_amounts(pd.DataFrame(rows, columns=COLUMNS[:4]).astype({"frequency": "int64"}))


def with_amounts(histories: pd.DataFrame, *, first: float = 0.0) -> pd.DataFrame:
    """Return histories in even steps with a first order of that amount, each later one having cost the mean."""
    x, mean = histories["frequency"], histories["monetary_value"]
    logs, recency = x * np.log(mean.where(mean > 0, 1.0)), histories.get("recency", x)
    gaps = x * np.log((recency / x).where(x > 0, 1.0))
    paid = x.where(mean > 0, 0)
    return histories.assign(first_amount=first, paid_purchases=paid, log_amounts=logs, log_gaps=gaps)


def fixed_draws(n: int, *, key: str = "bgnbd_plain", **parameters: float) -> Draws:
    """Return `n` posterior draws that all say the same, of the purchase model with that key."""
    return typed_draws(**{name: np.full(n, float(value)) for name, value in parameters.items()}, key=key)


def typed_draws(
    *, p=(2.0,), q=(3.0,), v=(1.0,), p_first=None, first_ratio=(1.0,), paid_share=(1.0,), key="bgnbd_plain", **purchase
) -> Draws:
    """Return draws of BG/NBD and Gamma-Gamma from one array per parameter; first orders are like others if not said."""
    model = purchase_model(key)
    theta = [purchase[one.name] for one in model.parameters]
    size = len(theta[0])
    spend = (p, q, v, p if p_first is None else p_first, first_ratio, paid_share)
    return Draws(model, np.column_stack(theta), np.column_stack([np.resize(one, size) for one in spend]))


def by_name(draws: Draws) -> dict[str, np.ndarray]:
    """Return the draws of each parameter by its name."""
    purchases = [one.name for one in draws.model.parameters]  # on a calendar theta has its luck behind them
    names = [*purchases, *(one.name for one in SPEND_PARAMETERS), PAID_SHARE]
    return dict(zip(names, np.column_stack([draws.theta[:, : len(purchases)], draws.phi]).T, strict=True))


def changed(draws: Draws, **parameters: np.ndarray) -> Draws:
    """Return the draws with other values of some parameters."""
    return typed_draws(**(by_name(draws) | parameters), key=draws.model.key)


def purchase_integrals(horizon, x, t_x, T, r, alpha, a, b, *, discount, nodes=bgnbd.FAST_NODES):
    """Return what a customer of BG/NBD is expected to buy within the horizon, plain and discounted; all broadcast."""
    x, T, r, alpha, b = (np.asarray(value, dtype=float) for value in (x, T, r, alpha, b))
    alive = bgnbd.probability_alive(x, t_x, T, r, alpha, a, b)
    plain, discounted = bgnbd.alive_integrals(horizon, r + x, alpha + T, a, b + x, discount=discount, nodes=nodes)
    return alive * plain, alive * discounted


def expected_purchases(horizon, x, t_x, T, r, alpha, a, b, *, discount=0.0):
    """Return the second of `purchase_integrals`, exactly."""
    return purchase_integrals(horizon, x, t_x, T, r, alpha, a, b, discount=discount, nodes=bgnbd.EXACT_NODES)[1]


def probability_purchase(horizon, x, t_x, T, r, alpha, a, b):
    """Return P(at least one purchase within the horizon) under BG/NBD; all broadcast."""
    shape, rate = np.asarray(r) + x, np.asarray(alpha) + T
    silent = np.exp(-shape * np.log1p(np.asarray(horizon, dtype=float) / rate))
    return bgnbd.probability_alive(x, t_x, T, r, alpha, a, b) * (1 - silent)


def futures(histories: pd.DataFrame, draws: Draws, horizon: Horizon, *, seed: int = 1, **options):
    """Return every simulated number of purchases and value, each (customers, draws), and the totals."""
    both = np.empty((len(histories), 2, len(draws)))
    keep = Keep(every_future, both.__setitem__)
    totals = simulate(histories, draws, horizon, keep=keep, seed=seed, **options)
    return both[:, 0].astype(int), both[:, 1], totals


def every_future(own: None, purchases: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Return what a pass keeps if it keeps everything, (customers, 2, draws)."""
    return np.stack([purchases, value], axis=1)


def standard_errors(sample: np.ndarray, expected: np.ndarray | float) -> float:
    """Return how many standard errors the mean of `sample` lies away from `expected` (per entry or one number)."""
    gap = np.asarray(sample, dtype=float) - expected
    return float(abs(gap.mean()) / (gap.std() / np.sqrt(gap.size)))


def share_errors(found: float, expected: float, size: int) -> float:
    """Return how many standard errors a share found among `size` lies away from the expected one."""
    return float(abs(found - expected) / np.sqrt(max(expected * (1 - expected), 1 / size) / size))


def lives(
    n: int, *, age: float, weeks: float, discount: float, seed: int, **truth: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tell `n` lives event by event, as the two papers tell the story, with none of their formulas.

    Returns the history seen at `age` (first orders had no amount) and what truly followed: alive, purchases, value
    (discounted) in the next `weeks`.
    """
    rng = np.random.default_rng(seed)
    rate = rng.gamma(truth["r"], 1 / truth["alpha"], n)
    leave = rng.beta(truth["a"], truth["b"], n)
    nu = rng.gamma(truth["q"], 1 / truth["v"], n)
    seen, spent, last, logs, gaps = np.zeros(n, int), *np.zeros((4, n))
    alive, later, value = np.ones(n, bool), np.zeros(n, int), np.zeros(n)
    here, clock = np.arange(n), np.zeros(n)
    while here.size:
        clock[here] += rng.exponential(size=here.size) / rate[here]
        here = here[clock[here] <= age + weeks]
        amount = rng.gamma(truth["p"], size=here.size) / nu[here]
        past = clock[here] <= age
        now, then = here[past], here[~past]
        seen[now] += 1
        spent[now] += amount[past]
        logs[now] += np.log(amount[past])
        gaps[now] += np.log(clock[now] - last[now])
        last[now] = clock[now]
        later[then] += 1
        value[then] += amount[~past] * np.exp(-discount * (clock[then] - age))
        left = rng.random(here.size) < leave[here]
        alive[here[left & past]] = False
        here = here[~left]
    history = pd.DataFrame(
        {"frequency": seen, "recency": last, "T": float(age), "monetary_value": spent / np.maximum(seen, 1)}
    )
    history = with_amounts(history).assign(log_amounts=logs, log_gaps=gaps)
    return history, pd.DataFrame({"alive": alive, "purchases": later, "value": value})


def histories(
    truth: generate.Truth, n: int, observation_weeks, horizon_weeks: float, discount: float, generator
) -> pd.DataFrame:
    """Return unrounded histories of generated customers, each of its age, with what they truly are and then do."""
    ages = np.broadcast_to(np.asarray(observation_weeks, dtype=float), n)
    latent = generate.population(truth, n, generator)
    events = generate.purchases(truth, latent, ages + horizon_weeks, generator)
    left = events.loc[events["leaves"] & (events["week"] <= ages[events["customer"]]), "customer"]
    alive = (~pd.RangeIndex(n).isin(left)).astype("int64")
    return as_seen(events, ages, discount).assign(mean_spend=latent["mean_spend"], alive=alive)


def as_seen(events: pd.DataFrame, ages: np.ndarray, discount: float) -> pd.DataFrame:
    """Return one row per customer from all purchases (customer, week since the first, amount) in their order.

    What was seen up to each one's age as in table RFM, and then future_purchases and future_value from there.
    """
    age, every = ages[events["customer"]], pd.RangeIndex(len(ages))
    events = events.assign(log=np.log(events["amount"]), log_gap=np.log(events.groupby("customer")["week"].diff()))
    events["worth"] = events["amount"] * np.exp(-discount * (events["week"] - age))
    seen = events[(events["week"] > 0) & (events["week"] <= age)].groupby("customer")
    later = events[events["week"] > age].groupby("customer")
    columns = {
        "frequency": seen.size(),
        "recency": seen["week"].max(),
        "T": pd.Series(ages),
        "monetary_value": seen["amount"].mean(),
        "first_amount": events.groupby("customer")["amount"].first(),
        "paid_purchases": seen.size(),
        "log_amounts": seen["log"].sum(),
        "log_gaps": seen["log_gap"].sum(),
        "future_purchases": later.size(),
        "future_value": later["worth"].sum(),
    }
    told = pd.DataFrame({name: column.reindex(every, fill_value=0) for name, column in columns.items()})
    told.insert(0, "customer_id", (every + 1).map("C{:05d}".format).astype("str"))
    return told


def formulas_tell(
    alike: pd.DataFrame, model: PurchaseModel, theta: np.ndarray, *, weeks: float, discount: float
) -> None:
    """Hold what became of `lives` with alike histories against the model's closed forms."""
    history = History.of(alike)
    alive = model.p_alive(history, theta)
    plain, discounted = (alive * one for one in model.if_alive(weeks, history, theta, discount=discount))
    assert standard_errors(alike["alive"], alive) < 4
    assert standard_errors(alike["later"], plain) < 4
    assert standard_errors(alike["worth"], discounted) < 4
    assert standard_errors(alike["later"] > 0, alive * (1 - model.p_silent(weeks, history, theta))) < 4


def parameters_in(values: dict) -> xr.Dataset:
    """Return draws of parameters that say to which of the two models they belong; first orders as of `typed_draws`."""
    if "v" in values:
        dims, q = values["q"]
        values = {"p_first": values["p"], "first_ratio": (dims, np.ones_like(q))} | values
    return xr.Dataset(values, attrs={KEY: "gamma_gamma" if "v" in values else "bgnbd"})


def posterior(diverging: int = 0, **values: np.ndarray) -> xr.DataTree:
    """Return a posterior of arrays (chain, draw), with as many divergent transitions as asked for."""
    shape = next(iter(values.values())).shape
    flags = np.zeros(shape, bool)
    flags.ravel()[:diverging] = True
    statistics = {
        "diverging": flags,
        "energy": np.random.default_rng(0).normal(size=shape),
        "maxdepth_reached": np.zeros(shape, bool),
    }
    groups = {
        "posterior": parameters_in({name: (("chain", "draw"), value) for name, value in values.items()}),
        "sample_stats": xr.Dataset({name: (("chain", "draw"), value) for name, value in statistics.items()}),
    }
    return xr.DataTree.from_dict(groups)


def outcome_of(actual: float, mean: float, lower: float, upper: float, **more) -> dict:
    """Return what `backtest.figures` says of one outcome: what came, what was forecast, and typed scores."""
    return {
        "actual": actual,
        "forecast": {"mean": mean, "lower": lower, "upper": upper},
        "with_misfit": None,
        "inside": lower <= actual <= upper,
        "error": mean / actual - 1,
        "n_customers": 2357,
        "coverage": {"0.50": 0.79, "0.80": 0.89, "0.90": 0.93, "0.94": 0.95},
        "coverage_of_interval": 0.93,
        "mae": 0.785,
        "crps": 0.51,
        "slope": 0.84,
        "slope_error": 0.09,
        **more,
    }


# What `backtest.figures` and `misfit.misfit_figures` say of CDNOW's 39 weeks, rounded, where something had to be typed.
_HISTORY = {
    "bought once": {"coverage_of_interval": 0.99, "n_customers": 1411},
    "came back": {"coverage_of_interval": 0.87, "n_customers": 946},
}
_VALUE = {"expectation_interval_coverage": 0.016, "by_history": _HISTORY}
TESTED = {
    "origin": "1997-09-30",
    "horizon_weeks": 39.0,
    "n_customers": 2357,
    "purchases": outcome_of(1882, 1653.0, 1500.0, 1830.0),
    "value": outcome_of(70_976.4, 60_116.0, 52_535.0, 67_667.0, **_VALUE),
    "ranking": {
        "gini": {"forecast": 0.56, "past_spend": 0.51, "hindsight": 1.0},
        "best_tenth": {"forecast": 0.41, "past_spend": 0.38, "hindsight": 0.77},
    },
    "worst_tenth": {"decile": 8, "predicted": 16.8, "actual": 28.4},
    "naive": {"past_rate_mae": 1.02, "past_rate_total": 2401.0, "nobody_mae": 0.80},
    "better_without_a_model": [],
}
MISFIT = {
    "horizon_weeks": 26.0,
    "shortest_weeks": 26.0,
    "n_windows": 2,
    "growth": 1.0,
    "tau": {"purchases": 0.12, "value": 0.15},
}


def published_likelihood(x, z_mean, p, q, v) -> np.ndarray:
    """Return the log-density of a customer's mean repeat amount alone (note 025, eq. 1a)."""
    total, own = x * z_mean, p * x
    constant = gammaln(own + q) - gammaln(own) - gammaln(q) + q * np.log(v)
    return constant + own * np.log(total) - np.log(z_mean) - (own + q) * np.log(v + total)
