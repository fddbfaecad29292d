"""Does a posterior reproduce the purchases and spend of its data, and how much of the total do its priors decide?"""

import numpy as np
import pandas as pd
import xarray as xr

from clv.checks import reproduction
from clv.checks.convergence import check_shape, judge
from clv.checks.gate import FAIL, PASS, WARN, Check, verdict
from clv.models.base import Floats, History, distinct_histories, expected_purchases
from clv.models.draws import log_prior, spaced
from clv.models.registry import model_of
from clv.models.sampling import CERTAIN, Settings, method_of
from clv.words import money

PARTS = {
    "bgnbd": "purchases, all data",
    "bgnbd_calibration": "purchases, calibration",
    "gamma_gamma": "spend, all data",
    "gamma_gamma_calibration": "spend, calibration",
}

DECIDES = 0.03  # share of the total that a prior may decide
INFINITE_MEAN = 0.01, 0.5  # probabilities of q <= 1, where the mean spend is infinite: from when to warn, and to fail
# Ratios modelled / observed outside of which a posterior is warned of, or is not one of these data.
Limits = tuple[float, float]
PURCHASE_RATIOS = (0.95, 1.05), (0.67, 1.5)
SPEND_RATIOS = (0.8, 1.25), (0.5, 2.0)

# Both are means over customers, so a systematic sample of this many shows the same convergence.
_TOTAL_CUSTOMERS = 200


def judge_purchases(
    posteriors: dict[str, xr.DataTree], parts: dict[str, pd.DataFrame], settings: Settings, *, horizon_weeks: float
) -> list[Check]:
    """Return the checks of posteriors of purchases, by name, each with what its customers are expected to buy."""
    found = []
    for name, posterior in posteriors.items():
        bare = check_shape(PARTS[name], posterior["posterior"].to_dataset(), settings.chains, settings.draws)
        if bare.verdict == FAIL:  # nothing can be computed from it
            found.append(bare)
            continue
        expected = {"expected purchases per customer": expected_total(posterior, parts[name], horizon_weeks)}
        checks = judge(PARTS[name], posterior, chains=settings.chains, draws=settings.draws, derived=expected)
        if verdict(checks) != FAIL:
            checks.append(_repeat_purchases(PARTS[name], parts[name], posterior))
        found += checks
    return found


def judge_spend(posteriors: dict[str, xr.DataTree], parts: dict[str, pd.DataFrame], settings: Settings) -> list[Check]:
    """Return the checks of posteriors of spend, by name, each with the population's mean spend."""
    found = []
    for name, posterior in posteriors.items():
        infinite = infinite_mean(PARTS[name], posterior)
        unsure = infinite.figure == 0 and method_of(posterior) != CERTAIN
        mean = {} if not unsure else {"population mean spend": population_mean_spend(posterior)}
        checks = judge(PARTS[name], posterior, chains=settings.chains, draws=settings.draws, derived=mean)
        if verdict(checks) != FAIL:
            checks += [infinite, _mean_spend(PARTS[name], parts[name], posterior)]
        found += checks
    return found


def expected_total(posterior: xr.DataTree, customers: pd.DataFrame, horizon_weeks: float) -> xr.DataArray:
    """Return the expected purchases per customer within the horizon, for every draw, dims (chain, draw)."""
    sample = customers.iloc[spaced(len(customers), _TOTAL_CUSTOMERS)]
    model = model_of(posterior)
    histories = distinct_histories(sample, model.history)
    group, history = posterior["posterior"].to_dataset(), History.of(histories)
    theta = np.stack([group[one.name].transpose("chain", "draw").to_numpy() for one in model.parameters], axis=-1)
    weights = histories["customers"].to_numpy(float) / len(sample)

    # A thousand draws at a time: with all of them at once memory would grow with draws x customers.
    parts = [slice(start, start + 1000) for start in range(0, group.sizes["draw"], 1000)]
    expected = [
        np.concatenate([expected_purchases(model, horizon_weeks, history, of_chain[part]) @ weights for part in parts])
        for of_chain in theta
    ]
    return xr.DataArray(expected, coords=group[model.parameters[0].name].coords, dims=("chain", "draw"))


def population_mean_spend(posterior: xr.DataTree) -> xr.DataArray:
    """Return p v / (q - 1), the mean amount of a purchase in the population; infinite where q <= 1."""
    group = posterior["posterior"].to_dataset()
    return xr.where(group["q"] > 1, group["p"] * group["v"] / (group["q"] - 1), np.inf)


def infinite_mean(part: str, posterior: xr.DataTree) -> Check:
    """Return how probable a population is whose mean spend is infinite.

    Customers of whom an amount is known have a mean all the same; forecasts are made with the draws that have one.
    """
    share, (warn, fail) = float((posterior["posterior"]["q"] <= 1).mean()), INFINITE_MEAN
    grade = PASS if share < warn else WARN if share < fail else FAIL
    sentence = f"{part}: the population's mean spend is infinite (q <= 1) with probability {share:.2%}"
    sentence += (
        "." if grade == PASS else ": a few customers spend many times what others do; look for wholesale accounts."
    )
    return Check(part, "infinite mean spend", share, f"< {warn:.0%} (fails from {fail:.0%})", grade, sentence)


def _repeat_purchases(part: str, customers: pd.DataFrame, posterior: xr.DataTree) -> Check:
    found, (lower, upper) = reproduction.repeat_purchases(customers, posterior)
    sentence = (
        f"{part}: the model makes {found.modelled:,.0f} repeat purchases of the {found.observed:,.0f} there were "
        f"({reproduction.NEARLY_CERTAIN:.0%} of its bases make {lower:,.0f} to {upper:,.0f})."
    )
    # A small base may have had luck: a warning needs a total that luck does not explain.
    luck = lower <= found.observed <= upper
    return _reproduced(part, "repeat purchases", found, PURCHASE_RATIOS, sentence, excused=luck)


def _mean_spend(part: str, customers: pd.DataFrame, posterior: xr.DataTree) -> Check:
    """Return whether mean spend is the data's; where some spend many times what most do, only the typical is."""
    found, typical = reproduction.spend(customers, posterior)
    sentence = (
        f"{part}: the population's mean spend is {found.modelled:,.2f}, repeat buyers' means are {found.observed:,.2f} "
        f"on average; the medians are {typical.modelled:,.2f} and {typical.observed:,.2f}."
    )
    return _reproduced(part, "mean spend", found, SPEND_RATIOS, sentence, failing=typical)


def _reproduced(
    part: str, name: str, found: reproduction.Reproduced, bounds: tuple[Limits, Limits], sentence: str, *,
    excused: bool = False, failing: reproduction.Reproduced | None = None,
) -> Check:  # fmt: skip
    warn, fail = bounds
    inside = fail[0] <= (failing or found).ratio <= fail[1]
    near = warn[0] <= found.ratio <= warn[1] or excused
    grade = FAIL if not inside else PASS if near else WARN
    advice = " This model does not describe these data." if grade == FAIL else ""
    limit = f"{warn[0]} to {warn[1]} (fails outside {fail[0]} to {fail[1]})"
    return Check(part, name, found.ratio, limit, grade, sentence + advice)


def judge_priors(
    purchases: xr.DataTree, spend: xr.DataTree, totals: Floats, *, currency: str, horizon_weeks: int
) -> list[Check]:
    """Return how much of the total, in money, each prior decides: what the base would be worth if it did not count.

    To first order that is the total's covariance with the prior's log-density: the slope of its posterior mean in the
    weight of the prior (power scaling, Kallioinen et al. 2024). `totals` are those of the draws that `pair` gives.
    """
    return [
        _prior_decides(PARTS[name], log_prior(posterior, len(totals)), totals, currency, horizon_weeks)
        for name, posterior in {"bgnbd": purchases, "gamma_gamma": spend}.items()
        if method_of(posterior) != CERTAIN
    ]


def _prior_decides(part: str, density: Floats, totals: Floats, currency: str, horizon_weeks: int) -> Check:
    mean, moved = float(totals.mean()), -float(np.cov(density, totals)[0, 1])
    share = abs(moved) / mean if mean else 0.0
    sentence = (
        f"{part}: if the priors did not count, the total of {horizon_weeks} weeks, {money(mean, currency)}, would be "
        f"about {money(abs(moved), currency)} {'higher' if moved > 0 else 'lower'}"
    )
    sentence += "." if share < DECIDES else ": so much the data leave open, take it as an assumption."
    return Check(part, "prior sensitivity", share, f"< {DECIDES:.0%}", PASS if share < DECIDES else WARN, sentence)
