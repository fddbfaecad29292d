"""Fits and forecasts at several origins: how wrong the same model was before, at the end of each past window."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from clv import progress, tables
from clv.backtest import holdout, summary
from clv.backtest.holdout import OUTCOMES
from clv.backtest.tables import WINDOWS
from clv.checks import convergence
from clv.checks.gate import FAIL
from clv.checks.posterior import infinite_mean
from clv.forecast.future import yearly_horizon
from clv.models import sampling
from clv.models.base import Built
from clv.models.draws import pair
from clv.models.registry import KEY
from clv.models.sampling import AUTO, LAPLACE, Compiled, Settings


@dataclass(frozen=True)
class Fits:
    """Posteriors at the origins that passed the gate, and why others did not.

    draws: the parameters, dims (origin, chain, draw). refused: the gate's sentence by origin.
    """

    draws: xr.DataTree
    refused: dict[str, str]


def fit_windows(compiled: Compiled, rolling: pd.DataFrame, settings: Settings) -> Fits:
    """Fit the model to what was known at every origin of table ROLLING.

    Where the method is left to the project (auto) importance sampling is taken, which is ready in no time.
    """
    quick = replace(settings, method=LAPLACE) if settings.method == AUTO else settings
    known = rolling.drop_duplicates(["origin", "customer_id"])
    parts = {f"{origin:%Y-%m-%d}": rows for origin, rows in known.groupby("origin")}
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
    drawn = {
        name: np.reshape([posterior["posterior"][name].to_numpy() for posterior in posteriors.values()], shape)
        for name in model.parameters
    }
    k_hat = [float(posterior["sample_stats"].get("k_hat", np.nan)) for posterior in posteriors.values()]
    days = np.array(list(posteriors), dtype="datetime64[ns]")
    dims = ("origin", "chain", "draw")
    return xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(
                {name: (dims, values) for name, values in drawn.items()}, {"origin": days}, {KEY: model.key}
            ),
            "sample_stats": xr.Dataset({"k_hat": ("origin", np.array(k_hat, float))}, {"origin": days}),
        }
    )


def score_windows(
    rolling: pd.DataFrame,
    purchases: xr.DataTree,
    spend: xr.DataTree | None,
    *,
    draws: int,
    discount_rate_annual: float = 0.0,
    gross_margin: float = 1.0,
    interval: float,
    seed: int,
    workers: int,
) -> pd.DataFrame:
    """Return table WINDOWS: every window's forecast from its origin, held against what came.

    A window without a posterior at its origin is left out; without a spend model only purchases are tested.

    Parameters
    ----------
    rolling
        Table ROLLING.
    purchases, spend
        `Fits.draws` of either model.
    draws
        Joint posterior draws used.
    """
    known = set(_days(purchases)) & set(_days(spend or purchases))
    rows: list[dict[str, Any]] = []
    windows = [(weeks, origin, part) for (weeks, origin), part in rolling.groupby(["horizon_weeks", "origin"])]
    with progress.stage("testing past windows", of=len(windows)) as advance:
        for weeks, origin, customers in windows:
            advance()
            if origin not in known:
                continue
            horizon = yearly_horizon(weeks, discount_rate_annual=discount_rate_annual, gross_margin=gross_margin)
            joint = pair(_at(purchases, origin), _at(spend, origin), draws)
            options: dict[str, Any] = {"interval": interval, "seed": seed}
            scored = holdout.score(customers, customers, joint, horizon, origin=origin, workers=workers, **options)
            figures = summary.figures(scored, horizon=horizon, **options) or {}
            rows += [_row(weeks, origin, outcome, figures) for outcome in OUTCOMES if spend or outcome != "value"]
    found = pd.DataFrame(rows, columns=list(WINDOWS.columns)) if rows else tables.empty(WINDOWS)
    return tables.check(WINDOWS, found.astype({"gini": float, "gini_past_spend": float, "outcome": "str"}))


def _row(weeks: int, origin: date, outcome: str, figures: dict[str, Any]) -> dict[str, Any]:
    found = figures[outcome]
    return {
        "horizon_weeks": weeks,
        "origin": origin,
        "outcome": outcome,
        "customers": figures["n_customers"],
        "repeat_customers": figures["n_repeat_customers"],
        "actual": found["actual"],
        "forecast": found["forecast"]["mean"],
        "lower": found["forecast"]["lower"],
        "upper": found["forecast"]["upper"],
        "log_sd": found["log_sd"],
        "coverage": found["coverage_of_interval"],
        "pit_distance": found["pit_distance"],
        "crps": found["crps"],
        "mae": found["mae"],
        "naive_mae": figures["naive"]["past_rate_mae" if outcome == "purchases" else "past_rate_value_mae"],
        "gini": figures["ranking"]["gini"]["forecast"],
        "gini_past_spend": figures["ranking"]["gini"]["past_spend"],
    }


def _days(fits: xr.DataTree) -> list[pd.Timestamp]:
    return [pd.Timestamp(day) for day in fits["posterior"]["origin"].to_numpy()]


def _at(fits: xr.DataTree | None, origin: pd.Timestamp) -> Any:
    return (
        None
        if fits is None
        else xr.DataTree.from_dict({"posterior": fits["posterior"].to_dataset().sel(origin=origin)})
    )
