"""Which model of purchases: the default, unless past forecasts of single customers say that another is better.

Every model is fitted to what was known at every past window and scored by the CRPS of single customers. Another takes
the place of the default where the mean of ln(CRPS / CRPS of the default) over W windows lies below
-sqrt(sum(se^2 + .02^2)) / W: se is that of the ratio, paired over customers, .02 what such ratios differ by between
windows of one shop. Where a model could not be fitted it counts as no better. Neither likelihood nor totals decide: the
one likes what merging by day makes of chance, the others are too few.

The windows are those of the longest length that has two, or one: they do not overlap. At the origin of each the choice
is made anew from those that were over then, so that what past windows say of errors is said of the choice itself. Of
many customers some are asked. A calendar, stated or learnt, is no candidate: what past windows say of it is a check of
the gate.
"""

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from clv import tables
from clv.backtest.rolling import Fits, ended_by, fit_windows, posterior_at
from clv.backtest.scored_draws import against
from clv.backtest.scoring_rules import coverage
from clv.backtest.tables import CHOICE, deciding
from clv.checks.gate import PASS, WARN, Check
from clv.forecast.future import simulate
from clv.forecast.horizon import Horizon, Keep
from clv.models.draws import Draws, Floats, pair
from clv.models.operational_time import Clock
from clv.models.registry import AUTO, DEFAULT, KEY, PURCHASE_MODELS, purchase_model
from clv.models.sampling import LAPLACE, Compiled, Settings
from clv.words import percent

BETWEEN_WINDOWS = 0.02
_TEXTS = ("model", "chosen", "chosen_then")
_DRAWS = 300  # futures of each customer: their CRPS is then right to less than its error over customers
_MOST_CUSTOMERS = 2_000  # by lot, the same for every model: what is asked is a mean over customers


@dataclass(frozen=True)
class Choice:
    """A model to fit and table CHOICE; past: the windows' fits, each of the model chosen then, if one was chosen."""

    compiled: Compiled
    table: pd.DataFrame
    past: Fits | None


def choose(
    key: str, customers: pd.DataFrame, rolling: pd.DataFrame, settings: Settings, *, draws: int, interval: float,
    clock: Clock | None = None,
) -> Choice:  # fmt: skip
    """Return the model `key`, or for `auto` the one that past windows choose; without any that is the default.

    `rolling` is table ROLLING, `clock` that of a stated calendar.
    """
    if key != AUTO or rolling.empty:
        named = purchase_model(DEFAULT if key == AUTO else key)
        return Choice(Compiled(named.build(customers)), tables.empty(CHOICE), None)
    quick, scored, compiled, fits = replace(settings, method=LAPLACE), [], {}, {}
    asked = _some(rolling, settings.seed)
    for name in PURCHASE_MODELS:
        start = time.perf_counter()
        compiled[name] = Compiled(purchase_model(name).build(customers))
        fits[name] = fit_windows(compiled[name], asked, quick, clock)
        found = _scored(asked, fits[name], settings, clock, draws=draws, interval=interval)
        each = (time.perf_counter() - start) / max(len(found), 1)
        scored += [row | {"model": name, "seconds": each} for row in found]
    table = _against_default(scored)
    then = {origin: preferred(ended_by(table, origin)) for origin in sorted(set(rolling["origin"]))}
    chosen = preferred(table)
    if len(asked) < len(rolling):  # what was off in past windows is asked of fits to everybody
        own = rolling["origin"].map(then)
        fits = {name: fit_windows(compiled[name], rolling[own == name], quick, clock) for name in set(then.values())}
    table = table.assign(chosen=chosen, chosen_then=table["origin"].map(then)).astype(dict.fromkeys(_TEXTS, "str"))
    return Choice(compiled[chosen], tables.check(CHOICE, table[list(CHOICE.columns)]), _as_chosen(fits, then))


def judge_calendar(
    past: Fits, compiled: Compiled, rolling: pd.DataFrame, settings: Settings, clock: Clock | None, **options: Any
) -> list[Check]:
    """Return whether totals of purchases in past windows, fitted on a calendar, are forecast as well without it.

    `options`: draws, interval. No check where there is no calendar or no window can be tested.
    """
    if clock is None or rolling.empty:
        return []
    asked = _some(rolling, settings.seed)
    tested = (past, clock), (fit_windows(compiled, rolling, settings), None)
    scored = [_scored(asked, fits, settings, on, **options) for fits, on in tested]
    on_it, flat = ({(row["horizon_weeks"], row["origin"]): abs(row["log_error"]) for row in rows} for rows in scored)
    if not (both := sorted(on_it.keys() & flat.keys())):
        return []
    stated, none = (float(np.mean([errors[window] for window in both])) for errors in (on_it, flat))
    whose, advice = "stated", "look again at its months and spans"
    if clock.history:
        whose, advice = "learnt", "`calendar: {months: {}}` leaves it out"
    sentence = (
        f"In {len(both)} past windows totals of purchases were off by {percent(np.expm1(stated))} on the {whose} "
        f"calendar and by {percent(np.expm1(none))} without it."
    )
    worse = stated > none + BETWEEN_WINDOWS
    sentence += f" This log does not bear the calendar out: {advice}." if worse else ""
    return [Check("data", "calendar", stated - none, f"<= {BETWEEN_WINDOWS}", WARN if worse else PASS, sentence)]


def preferred(over: pd.DataFrame) -> str:
    """Return the key of the model that windows with scores as in table CHOICE choose."""
    rows, best, least = deciding(over), DEFAULT, 0.0
    windows = rows["origin"].nunique()
    for name, own in rows[rows["model"] != DEFAULT].groupby("model"):
        limit = -np.sqrt((own["log_ratio_error"] ** 2).sum() + windows * BETWEEN_WINDOWS**2) / windows
        gain = own["log_ratio"].sum() / windows  # none where it could not be fitted
        if gain < min(limit, least):
            best, least = str(name), gain
    return best


def _some(rolling: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the rows of some customers by lot, if there are more than are needed."""
    customers = pd.Series(rolling["customer_id"].unique())
    if len(customers) <= _MOST_CUSTOMERS:
        return rolling
    return rolling[rolling["customer_id"].isin(customers.sample(_MOST_CUSTOMERS, random_state=seed))]


def _scored(
    rolling: pd.DataFrame, fits: Fits, settings: Settings, clock: Clock | None, *, draws: int, interval: float
) -> list[dict[str, Any]]:
    """Return of every window that was fitted how these customers were forecast, singly and in total."""
    found, known = [], set(pd.to_datetime(fits.draws["posterior"]["origin"].to_numpy()))
    for (weeks, origin), part in rolling.groupby(["horizon_weeks", "origin"]):
        if origin in known:
            on = clock and clock.at(origin.date())
            joint = pair(posterior_at(fits.draws, origin), None, min(draws, _DRAWS), on)
            window = {"horizon_weeks": weeks, "origin": origin}
            found.append(window | _window(part, joint, float(weeks), settings, interval))
    return found


def _window(customers: pd.DataFrame, joint: Draws, weeks: float, settings: Settings, interval: float) -> dict[str, Any]:
    """Return the scores of customers of one window, who have what came as `actual_purchases`."""
    actual, found = customers["actual_purchases"].to_numpy(float), np.empty((len(customers), 5))
    keep = Keep(partial(against, interval), found.__setitem__, actual[:, None])
    options: dict[str, Any] = {"seed": settings.seed, "workers": settings.workers, "stage": "past windows"}
    totals = simulate(customers, joint, Horizon(weeks), keep=keep, **options)
    _, _, below, at_most, crps = found.T
    return {
        "crps_each": crps,
        "crps": float(crps.mean()),
        "log_error": float(np.log((actual.sum() + 0.5) / (totals.purchases.mean() + 0.5))),
        "coverage": coverage(pd.Series(below), pd.Series(at_most), interval),
    }


def _against_default(scored: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the scores of windows that the default could forecast, with the logarithm of the ratio and its error."""
    usual = {(row["horizon_weeks"], row["origin"]): row["crps_each"] for row in scored if row["model"] == DEFAULT}
    rows = []
    for row in scored:
        if (row["horizon_weeks"], row["origin"]) in usual:
            ratio, error = _log_ratio(row.pop("crps_each"), usual[row["horizon_weeks"], row["origin"]])
            rows.append(row | {"log_ratio": ratio, "log_ratio_error": error})
    return pd.DataFrame(rows, columns=[*CHOICE.columns]).drop(columns=["chosen", "chosen_then"])


def _log_ratio(one: Floats, other: Floats) -> tuple[float, float]:
    """Return the logarithm of the ratio of two means over the same customers and its standard error."""
    apart = one / one.mean() - other / other.mean()
    return float(np.log(one.mean() / other.mean())), float(apart.std() / np.sqrt(apart.size))


def _as_chosen(fits: dict[str, Fits], then: dict[Any, str]) -> Fits:
    """Return the fits of each origin's own model; the posterior names the models one after the other."""
    parts, refused = [], {}
    for origin, name in then.items():
        day = f"{origin:%Y-%m-%d}"
        if day in fits[name].refused:
            refused[day] = fits[name].refused[day]
        else:
            parts.append((name, fits[name].draws, origin))
    if not parts:
        return next(iter(fits.values()))
    joined = {
        group: xr.concat([tree[group].to_dataset().drop_attrs().sel(origin=[at]) for _, tree, at in parts], "origin")
        for group in ("posterior", "sample_stats")
    }
    joined["posterior"].attrs[KEY] = ",".join(name for name, _, _ in parts)
    return Fits(xr.DataTree.from_dict(joined), refused)
