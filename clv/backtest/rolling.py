"""Fits and forecasts at several origins: how wrong the same model was before, at the end of each past window."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from clv import progress, tables
from clv.backtest import holdout, summary
from clv.backtest.tables import OUTCOMES, WINDOW_GROUPS, WINDOWS
from clv.checks import convergence
from clv.checks.gate import FAIL
from clv.checks.posterior import infinite_mean
from clv.forecast.horizon import Horizon, yearly_horizon
from clv.models import sampling
from clv.models.base import Built
from clv.models.calendar_model import on_clock
from clv.models.draws import pair
from clv.models.operational_time import Clock
from clv.models.registry import KEY, purchase_model
from clv.models.sampling import AUTO, LAPLACE, Compiled, Settings
from clv.rfm.scoring import scores
from clv.rfm.segments import groupings
from clv.units import DAYS_PER_WEEK

_MEAN_DRAWS = 100  # that expected values of windows are means over: right to a tenth of what parameters leave open


@dataclass(frozen=True)
class Windows:
    """Past forecasts held against what came: tables WINDOWS and WINDOW_GROUPS."""

    totals: pd.DataFrame
    groups: pd.DataFrame


@dataclass(frozen=True)
class Fits:
    """Posteriors at the origins that passed the gate, and why others did not.

    draws: the parameters, dims (origin, chain, draw). refused: the gate's sentence by origin.
    """

    draws: xr.DataTree
    refused: dict[str, str]


def fit_windows(compiled: Compiled, rolling: pd.DataFrame, settings: Settings, clock: Clock | None = None) -> Fits:
    """Fit the model to what was known at every origin of table ROLLING, on the clock of a calendar.

    Where the method is left to the project (auto) importance sampling is taken, which is ready in no time.
    """
    quick = replace(settings, method=LAPLACE) if settings.method == AUTO else settings
    known = rolling.drop_duplicates(["origin", "customer_id"])
    parts = {f"{origin:%Y-%m-%d}": rows for origin, rows in known.groupby("origin")}
    if clock:
        model = purchase_model(compiled.model.key)
        parts = {origin: on_clock(rows, clock, model) for origin, rows in parts.items()}
    posteriors = sampling.sample_parts(compiled, parts, quick)
    sentences = {origin: _refused(origin, posterior, quick) for origin, posterior in posteriors.items()}
    sound = {origin: posterior for origin, posterior in posteriors.items() if not sentences[origin]}
    refused = {origin: sentence for origin, sentence in sentences.items() if sentence}
    return Fits(_stacked(sound, compiled.model, quick), refused)


def _refused(origin: str, posterior: xr.DataTree, settings: Settings) -> str:
    """Return why the gate refuses a posterior; nothing if it does not."""
    checks = convergence.judge(origin, posterior, chains=settings.chains, draws=settings.draws, derived={})
    checks += [infinite_mean(origin, posterior)] if "q" in posterior["posterior"] else []
    return " ".join(check.sentence for check in checks if check.verdict == FAIL)


def _stacked(posteriors: dict[str, xr.DataTree], model: Built, settings: Settings) -> xr.DataTree:
    """Return the parameters and k-hat (missing where NUTS sampled) of all origins."""
    shape = (len(posteriors), settings.chains, settings.draws)
    # What an origin has no draws of (no visit without an amount) is there as missing.
    drawn_names = (name for one in posteriors.values() for name in one["posterior"].data_vars)
    names = dict.fromkeys([*model.parameters, *drawn_names])
    missing = xr.DataArray(np.full(shape[1:], np.nan))
    drawn = {
        name: np.reshape([one["posterior"].get(name, missing).to_numpy() for one in posteriors.values()], shape)
        for name in names
    }
    k_hat = [float(posterior["sample_stats"].get("k_hat", np.nan)) for posterior in posteriors.values()]
    days = np.array(list(posteriors), dtype="datetime64[ns]")
    of_draws = {name: (("origin", "chain", "draw"), values) for name, values in drawn.items()}
    groups = {
        "posterior": xr.Dataset(of_draws, {"origin": days}, {KEY: model.key}),
        "sample_stats": xr.Dataset({"k_hat": ("origin", np.array(k_hat, float))}, {"origin": days}),
    }
    return xr.DataTree.from_dict(groups)


def score_windows(
    rolling: pd.DataFrame, purchases: xr.DataTree, spend: xr.DataTree | None, *, draws: int,
    discount_rate_annual: float = 0.0, gross_margin: float = 1.0, interval: float, seed: int, workers: int,
    clock: Clock | None = None,
) -> Windows:  # fmt: skip
    """Return every window's forecast from its origin, held against what came.

    A window without a posterior at its origin is left out; without a spend model only purchases are tested. What a
    window's intervals allow for is learnt from those windows alone that were over at its origin. `purchases` and
    `spend` are `Fits.draws` of either model, fitted on the `clock` of a calendar.
    """
    known = set(_days(purchases)) & set(_days(spend or purchases))
    rows, groups = tables.empty(WINDOWS), tables.empty(WINDOW_GROUPS)
    windows = [(origin, weeks, part) for (origin, weeks), part in rolling.groupby(["origin", "horizon_weeks"])]
    with progress.stage("testing past windows", of=len(windows)) as advance:
        for origin, weeks, customers in windows:  # in the order of time: what one learns from stands before it
            advance()
            if origin not in known:
                continue
            horizon = yearly_horizon(weeks, discount_rate_annual=discount_rate_annual, gross_margin=gross_margin)
            then = clock and clock.at(origin.date())
            joint = pair(posterior_at(purchases, origin), posterior_at(spend, origin), draws, then)
            options: dict[str, Any] = {"interval": interval, "seed": seed}
            past = ended_by(groups, origin)
            known_then = {"origin": origin, "groupings": _groupings(customers), "past": past}
            how = {"workers": workers, "mean_draws": _MEAN_DRAWS, **options}
            scored = holdout.score(customers, customers, joint, horizon, **known_then, **how)
            found = _long(scored, weeks, origin, len(windows_of(past)))
            found = found[found["outcome"].isin(OUTCOMES if spend else ["purchases"])]
            groups = pd.concat([groups, found], ignore_index=True)
            rows = pd.concat([rows, _totals(found, scored.customers, horizon, **options)], ignore_index=True)
    rows = rows.sort_values(["horizon_weeks", "origin", "outcome"], ignore_index=True)
    return Windows(tables.check(WINDOWS, rows), tables.check(WINDOW_GROUPS, groups))


def windows_of(groups: pd.DataFrame) -> pd.DataFrame:
    """Return length and origin of the windows in table WINDOW_GROUPS."""
    return groups[["horizon_weeks", "origin"]].drop_duplicates()


def ended_by(groups: pd.DataFrame, day: date) -> pd.DataFrame:
    """Return the rows of table WINDOW_GROUPS about windows that were over at the end of `day`."""
    return groups[groups["origin"] + pd.to_timedelta(groups["horizon_weeks"], unit="W") <= pd.Timestamp(day)]


def evidence(groups: pd.DataFrame, tested: holdout.Scored, horizon_weeks: float) -> pd.DataFrame | None:
    """Return what past forecasts say of the next one: those of table WINDOW_GROUPS, all of which are over.

    The test at the calibration end counts too where it looked further ahead than any window; None without a backtest.
    """
    if tested.customers.empty:
        return None
    if groups["horizon_weeks"].max() >= horizon_weeks:
        return groups
    return pd.concat([groups, _long(tested, horizon_weeks, tested.customers["origin"].iloc[0], 0)], ignore_index=True)


def _long(scored: holdout.Scored, weeks: float, origin: date, earlier: int) -> pd.DataFrame:
    """Return the groups of a forecast as rows of table WINDOW_GROUPS."""
    window = {"horizon_weeks": weeks, "origin": pd.Timestamp(origin), "earlier_windows": earlier}
    return holdout.by_outcome(scored.groups).assign(**window)[list(WINDOW_GROUPS.columns)]


def _groupings(customers: pd.DataFrame) -> pd.DataFrame:
    """Return the groupings of customers as table ROLLING has them at one origin."""
    purchases = customers["frequency"] + 1
    age = pd.to_timedelta((customers["T"] * DAYS_PER_WEEK).round(), unit="D")
    first = customers["origin"] - age
    scored = customers.assign(purchases=purchases, mean_amount=customers["revenue"] / purchases, first_purchase=first)
    return groupings(scores(scored))


def _totals(found: pd.DataFrame, table: pd.DataFrame, horizon: Horizon, *, interval: float, seed: int) -> pd.DataFrame:
    """Return the rows of table WINDOWS: what `found` says of everybody, and how single customers were forecast."""
    everybody = found[found["grouping"] == "base"].set_index("outcome", drop=False)
    going_on = summary.going_on_as_before(table, horizon)
    gini = summary.ranking(table)["gini"]
    ranking = {"gini": gini["forecast"], "gini_past_spend": gini["past_spend"]}
    single = {
        outcome: summary.single(table, outcome, interval, seed)
        | {"naive_mae": (going_on[outcome] - table[f"actual_{outcome}"]).abs().mean(), **ranking}
        for outcome in everybody.index
    }
    rows = everybody.join(pd.DataFrame.from_dict(single, orient="index").drop(columns="coverage").astype(float))
    rows = rows.rename(columns={"coverage_of_interval": "coverage"})
    return rows.assign(repeat_customers=int((table["frequency"] > 0).sum()))[list(WINDOWS.columns)]


def _days(fits: xr.DataTree) -> list[pd.Timestamp]:
    return [pd.Timestamp(day) for day in fits["posterior"]["origin"].to_numpy()]


def posterior_at(fits: xr.DataTree | None, origin: pd.Timestamp) -> Any:
    """Return the posterior of one origin; None where there are none."""
    if fits is None:
        return None
    group, names = fits["posterior"].to_dataset().sel(origin=origin), fits["posterior"].attrs[KEY].split(",")
    own = {KEY: names[_days(fits).index(origin) % len(names)]}
    return xr.DataTree.from_dict({"posterior": group.assign_attrs(own)})
