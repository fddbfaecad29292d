"""Verdict on a posterior and what is said from it: PASS, WARN or FAIL, each check with figure and limit.

Fails closed: a figure that is missing or not a number fails. Thresholds: R-hat and effective sample
size (ESS) after Vehtari et al. 2021 (Bayesian Analysis 16(2)); no divergence at the first target
acceptance, at most one in a thousand after the refit with smaller steps; k-hat after Vehtari et al.
2024 (JMLR 25(72)). Chains, R-hat and divergences are questions to NUTS, k-hat is one to importance sampling.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from clv import bgnbd, support
from clv.errors import GateError
from clv.laplace import K_HAT_LIMIT
from clv.predict import spaced
from clv.sampling import LAPLACE, Settings, method_of

PASS, WARN, FAIL = "PASS", "WARN", "FAIL"
TAKEN_OVER = "NUTS took over"
PARTS = {
    "bgnbd": "purchases, all data",
    "bgnbd_calibration": "purchases, calibration",
    "gamma_gamma": "spend, all data",
    "gamma_gamma_calibration": "spend, calibration",
}
R_HAT_WARN, R_HAT_FAIL = 1.01, 1.05
ESS_FAIL = 400
DIVERGENT_SHARE_FAIL = 0.001
# Both are means over customers, so a systematic sample of this many shows the same convergence.
_TOTAL_CUSTOMERS = 200


@dataclass(frozen=True)
class Check:
    """One question asked of a posterior: what was found, the limit it was held against, the verdict."""

    part: str
    name: str
    figure: float
    limit: str
    verdict: str
    sentence: str


def judge(
    part: str, posterior: xr.DataTree, *, chains: int, draws: int, derived: dict[str, xr.DataArray]
) -> list[Check]:
    """Return the checks of one posterior.

    Parameters
    ----------
    part
        Name of the posterior as the report's reader knows it.
    derived
        Scalars per draw, dims (chain, draw), that the report speaks of (expected total, mean spend).
    """
    scalars = posterior["posterior"].to_dataset().assign(derived)
    shape = _shape(part, scalars, chains, draws)
    if shape.verdict == FAIL:
        return [shape]
    statistics = posterior["sample_stats"].to_dataset()
    if method_of(posterior) == LAPLACE:
        return [shape, _k_hat(part, statistics), _effective(part, "all", float(statistics["effective_draws"]))]
    instead = [_taken_over(part, statistics)] if "laplace_k_hat" in statistics else []
    return [shape, *instead, _r_hat(part, scalars), _ess(part, scalars), _divergences(part, statistics)]


def judge_purchases(
    posteriors: dict[str, xr.DataTree], parts: dict[str, pd.DataFrame], settings: Settings, *, horizon_weeks: float
) -> list[Check]:
    """Return the checks of BG/NBD posteriors, by name, each with the expected purchases of its part's customers."""
    expected = {name: expected_total(posterior, parts[name], horizon_weeks) for name, posterior in posteriors.items()}
    return _judge_each(posteriors, settings, "expected purchases per customer", expected)


def judge_spend(posteriors: dict[str, xr.DataTree], settings: Settings) -> list[Check]:
    """Return the checks of Gamma-Gamma posteriors, by name, each with the population's mean spend."""
    spend = {name: population_mean_spend(posterior) for name, posterior in posteriors.items()}
    return _judge_each(posteriors, settings, "population mean spend", spend)


def _judge_each(
    posteriors: dict[str, xr.DataTree], settings: Settings, scalar: str, values: dict[str, xr.DataArray]
) -> list[Check]:
    size = {"chains": settings.chains, "draws": settings.draws}
    judged = (judge(PARTS[name], tree, derived={scalar: values[name]}, **size) for name, tree in posteriors.items())
    return [check for checks in judged for check in checks]


def judge_data(customers: pd.DataFrame, *, horizon_weeks: float) -> list[Check]:
    """Return what the data themselves can carry, as checks beside those of the posteriors."""
    verdicts = {support.ENOUGH: PASS, support.ROUGH: WARN, support.TOO_LITTLE: FAIL}
    found = support.judge(customers, horizon_weeks=horizon_weeks)
    return [Check("data", one.name, one.figure, one.limit, verdicts[one.answer], one.sentence) for one in found]


def verdict(checks: list[Check]) -> str:
    """Return the worst verdict among the checks; FAIL if there is none."""
    found = {check.verdict for check in checks}
    return next((worst for worst in (FAIL, WARN, PASS) if worst in found), FAIL)


def require(checks: list[Check]) -> pd.DataFrame:
    """Return the checks as a table, or raise `GateError` with the sentences of those that failed."""
    if verdict(checks) == FAIL:
        failed = " ".join(check.sentence for check in checks if check.verdict == FAIL)
        raise GateError(failed or "The posterior was not checked.")
    return table(checks)


def table(checks: list[Check]) -> pd.DataFrame:
    """Return one row per check."""
    return pd.DataFrame([asdict(check) for check in checks])


def summary(posterior: xr.DataTree, *, interval: float) -> pd.DataFrame:
    """Return each parameter's mean, sd, central interval, Monte-Carlo error of the mean and effective sample size.

    R-hat is there for NUTS only: draws by importance sampling have no chains that could disagree.
    """
    import arviz as az

    options: dict[str, Any] = {"ci_prob": interval, "ci_kind": "eti", "round_to": 4}
    if method_of(posterior) != LAPLACE:
        return az.summary(posterior, **options)
    effective = float(posterior["sample_stats"]["effective_draws"])
    stats = az.summary(posterior, kind="stats", **options)
    return stats.assign(mcse_mean=(stats["sd"] / np.sqrt(effective)).round(4), ess=round(effective))


def expected_total(posterior: xr.DataTree, customers: pd.DataFrame, horizon_weeks: float) -> xr.DataArray:
    """Return the expected purchases per customer within the horizon, for every draw, dims (chain, draw)."""
    sample = customers.iloc[spaced(len(customers), _TOTAL_CUSTOMERS)]
    histories = bgnbd.distinct_histories(sample)
    group = posterior["posterior"].to_dataset()
    parameters = [group[name].transpose("chain", "draw").to_numpy()[..., None] for name in ("r", "alpha", "a", "b")]
    history = [histories[name].to_numpy(float) for name in bgnbd.HISTORY]
    weights = histories["customers"].to_numpy(float) / len(sample)

    def mean(*of_chain: NDArray[np.float64]) -> NDArray[np.float64]:
        return bgnbd.purchase_integrals(horizon_weeks, *history, *of_chain, discount=0.0)[0] @ weights

    # A thousand draws at a time: with all of them at once memory would grow with draws x customers.
    parts = [slice(start, start + 1000) for start in range(0, group.sizes["draw"], 1000)]
    expected = [
        np.concatenate([mean(*(column[chain, part] for column in parameters)) for part in parts])
        for chain in range(group.sizes["chain"])
    ]
    return xr.DataArray(expected, coords=group["r"].coords, dims=("chain", "draw"))


def population_mean_spend(posterior: xr.DataTree) -> xr.DataArray:
    """Return p v / (q - 1), the mean amount of a purchase in the population; infinite where q <= 1."""
    group = posterior["posterior"].to_dataset()
    return xr.where(group["q"] > 1, group["p"] * group["v"] / (group["q"] - 1), np.inf)


def _shape(part: str, scalars: xr.Dataset, chains: int, draws: int) -> Check:
    found = tuple(scalars.sizes[dim] for dim in ("chain", "draw"))
    unusable = {str(name): int((~np.isfinite(scalars[name])).sum()) for name in scalars.data_vars}
    name, lost = max(unusable.items(), key=lambda item: item[1])
    size = found[0] * found[1]
    finite = 1 - lost / size
    sentence = f"{part}: {found[0]} x {found[1]} draws, all finite."
    if lost:
        sentence = f"{part}: {name} is not a finite number in {lost:,} of {size:,} draws: these data support none."
    if found != (chains, draws):
        sentence = f"{part}: {found[0]} x {found[1]} draws where {chains} x {draws} were asked for: run it again."
    grade = PASS if found == (chains, draws) and not lost else FAIL
    return Check(part, "shape", finite, f"{chains} x {draws} draws, finite", grade, sentence)


def _r_hat(part: str, scalars: xr.Dataset) -> Check:
    import arviz as az  # two seconds that only judging costs

    name, worst = _extreme(az.rhat(scalars), largest=True)
    grade = PASS if worst <= R_HAT_WARN else WARN if worst <= R_HAT_FAIL else FAIL
    advice = "" if grade == PASS else " Sample longer: raise tune and draws."
    sentence = f"{part}: the largest R-hat is {worst:.3f} ({name}); chains agree below {R_HAT_WARN}.{advice}"
    return Check(part, "R-hat", worst, f"<= {R_HAT_WARN} (fails above {R_HAT_FAIL})", grade, sentence)


def _ess(part: str, scalars: xr.Dataset) -> Check:
    import arviz as az

    sizes = xr.merge(
        az.ess(scalars, method=method).rename({name: f"{name}, {method}" for name in scalars.data_vars})
        for method in ("bulk", "tail")
    )
    return _effective(part, *_extreme(sizes, largest=False))


def _effective(part: str, name: str, worst: float) -> Check:
    grade = PASS if worst >= ESS_FAIL else FAIL
    advice = "" if grade == PASS else " Sample longer: raise draws."
    sentence = (
        f"{part}: the smallest effective sample size is {worst:,.0f} ({name}); at least {ESS_FAIL} are needed.{advice}"
    )
    return Check(part, "effective sample size", worst, f">= {ESS_FAIL}", grade, sentence)


def _k_hat(part: str, statistics: xr.Dataset) -> Check:
    k_hat = float(statistics["k_hat"])
    grade = PASS if k_hat <= K_HAT_LIMIT else FAIL
    advice = "" if grade == PASS else " Set method to nuts."
    sentence = (
        f"{part}: k-hat of the importance weights is {k_hat:.2f}; they can be relied on up to {K_HAT_LIMIT}.{advice}"
    )
    return Check(part, "k-hat", k_hat, f"<= {K_HAT_LIMIT}", grade, sentence)


def _taken_over(part: str, statistics: xr.Dataset) -> Check:
    k_hat = float(statistics["laplace_k_hat"])
    sentence = (
        f"{part}: importance sampling was tried first; its k-hat was {k_hat:.2f}, above {K_HAT_LIMIT}, so NUTS sampled."
    )
    return Check(part, TAKEN_OVER, k_hat, f"NUTS above {K_HAT_LIMIT}", PASS, sentence)


def _divergences(part: str, statistics: xr.Dataset) -> Check:
    diverging = statistics["diverging"]
    share = float(diverging.mean())
    grade = PASS if share == 0 else WARN if share <= DIVERGENT_SHARE_FAIL else FAIL
    sentence = f"{part}: {int(diverging.sum())} of {diverging.size:,} transitions diverged."
    if grade == FAIL:
        sentence += " The sampler cannot explore this posterior: check the data for customers unlike all others."
    return Check(part, "divergences", share, f"0 (fails above {DIVERGENT_SHARE_FAIL:.1%})", grade, sentence)


def _extreme(figures: xr.Dataset, *, largest: bool) -> tuple[str, float]:
    """Return the name and value of the largest or smallest figure; one that is not a number comes first."""
    values: dict[str, Any] = {str(name): float(figures[name]) for name in figures.data_vars}
    unknown = [name for name, value in values.items() if np.isnan(value)]
    name = unknown[0] if unknown else (max if largest else min)(values, key=values.__getitem__)
    return name, values[name]
