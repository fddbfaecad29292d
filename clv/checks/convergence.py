"""Verdict on a posterior and what is said from it: PASS, WARN or FAIL, each check with figure and limit.

Fails closed: a figure that is missing or not a number fails. Thresholds: R-hat and effective sample
size (ESS) after Vehtari et al. 2021 (Bayesian Analysis 16(2)); no divergence at the first target
acceptance, at most one in a thousand after the refit with smaller steps; k-hat after Vehtari et al.
2024 (JMLR 25(72)); E-BFMI below .3 after Betancourt 2016 (arXiv:1604.00695).
Chains, R-hat, energy, tree depth and divergences are questions to NUTS, k-hat is one to importance sampling. The
limits of what a posterior must reproduce of its data are this project's own: a third off is no model of these data.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from clv.checks.gate import FAIL, PASS, SHAPE, TAKEN_OVER, WARN, Check
from clv.models.laplace import K_HAT_LIMIT
from clv.models.sampling import CERTAIN, LAPLACE, method_of

R_HAT_WARN, R_HAT_FAIL = 1.01, 1.05
ESS_FAIL = 400
DIVERGENT_SHARE_FAIL = 0.001
E_BFMI_WARN = 0.3
DEEP_TREES_WARN = 0.01  # share of transitions that used up the tree depth
NEEDED_OF_NUTS = ("diverging", "energy", "maxdepth_reached")


def judge(
    part: str, posterior: xr.DataTree, *, chains: int, draws: int, derived: dict[str, xr.DataArray]
) -> list[Check]:
    """Return the checks of one posterior.

    `part` names the posterior as the report's reader knows it; `derived` are scalars per draw, dims (chain, draw), that
    the report speaks of (expected total, mean spend).
    """
    scalars = posterior["posterior"].to_dataset().assign(derived)
    shape = check_shape(part, scalars, chains, draws)
    if shape.verdict == FAIL or method_of(posterior) == CERTAIN:
        return [shape]
    statistics = posterior["sample_stats"].to_dataset()
    if method_of(posterior) == LAPLACE:
        return [shape, _k_hat(part, statistics), _effective(part, "all", float(statistics["effective_draws"]))]
    missing = [name for name in NEEDED_OF_NUTS if name not in statistics]
    if missing:
        sentence = f"{part}: the sampler's {', '.join(missing)} are missing: nobody can tell whether it worked."
        return [replace(shape, verdict=FAIL, sentence=sentence)]
    instead = [_taken_over(part, statistics)] if "laplace_k_hat" in statistics else []
    of_steps = [check(part, statistics) for check in (_divergences, _energy, _depth)]
    return [shape, *instead, _r_hat(part, scalars), _ess(part, scalars), *of_steps]


def summary(posterior: xr.DataTree, *, interval: float) -> pd.DataFrame:
    """Return each parameter's mean, sd, central interval, Monte-Carlo error of the mean and effective sample size.

    R-hat is there for NUTS only: draws by importance sampling have no chains that could disagree.
    """
    import arviz as az

    options: dict[str, Any] = {"ci_prob": interval, "ci_kind": "eti", "round_to": 4}
    method = method_of(posterior)
    if method not in (LAPLACE, CERTAIN):
        return az.summary(posterior, **options)
    stats = az.summary(posterior, kind="stats", **options)
    if method == CERTAIN:
        return stats
    effective = float(posterior["sample_stats"]["effective_draws"])
    return stats.assign(mcse_mean=(stats["sd"] / np.sqrt(effective)).round(4), ess=round(effective))


def check_shape(part: str, scalars: xr.Dataset, chains: int, draws: int) -> Check:
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
    return Check(part, SHAPE, finite, f"{chains} x {draws} draws, finite", grade, sentence)


def _graded(part: str, name: str, figure: float, limit: str, grade: str, said: str, advice: str = "") -> Check:
    """Return a check whose sentence ends with what to do where it did not pass."""
    return Check(part, name, figure, limit, grade, f"{part}: {said}{'' if grade == PASS else advice}")


def _r_hat(part: str, scalars: xr.Dataset) -> Check:
    import arviz as az  # two seconds that only judging costs

    name, worst = _extreme(az.rhat(scalars), largest=True)
    grade = PASS if worst <= R_HAT_WARN else WARN if worst <= R_HAT_FAIL else FAIL
    said = f"the largest R-hat is {worst:.3f} ({name}); chains agree below {R_HAT_WARN}."
    limit = f"<= {R_HAT_WARN} (fails above {R_HAT_FAIL})"
    return _graded(part, "R-hat", worst, limit, grade, said, " Sample longer: raise tune and draws.")


def _ess(part: str, scalars: xr.Dataset) -> Check:
    import arviz as az

    sizes = xr.merge(
        az.ess(scalars, method=method).rename({name: f"{name}, {method}" for name in scalars.data_vars})
        for method in ("bulk", "tail")
    )
    return _effective(part, *_extreme(sizes, largest=False))


def _effective(part: str, name: str, worst: float) -> Check:
    grade = PASS if worst >= ESS_FAIL else FAIL
    said = f"the smallest effective sample size is {worst:,.0f} ({name}); at least {ESS_FAIL} are needed."
    return _graded(part, "effective sample size", worst, f">= {ESS_FAIL}", grade, said, " Sample longer: raise draws.")


def _k_hat(part: str, statistics: xr.Dataset) -> Check:
    k_hat = float(statistics["k_hat"])
    grade = PASS if k_hat <= K_HAT_LIMIT else FAIL
    said = f"k-hat of the importance weights is {k_hat:.2f}; they can be relied on up to {K_HAT_LIMIT}."
    return _graded(part, "k-hat", k_hat, f"<= {K_HAT_LIMIT}", grade, said, " Set method to nuts.")


def _taken_over(part: str, statistics: xr.Dataset) -> Check:
    k_hat = float(statistics["laplace_k_hat"])
    said = f"importance sampling was tried first; its k-hat was {k_hat:.2f}, above {K_HAT_LIMIT}, so NUTS sampled."
    return _graded(part, TAKEN_OVER, k_hat, f"NUTS above {K_HAT_LIMIT}", PASS, said)


def _energy(part: str, statistics: xr.Dataset) -> Check:
    import arviz as az

    worst = float(np.min(az.bfmi(statistics["energy"].to_numpy())))
    grade = PASS if worst >= E_BFMI_WARN else WARN
    said = f"the smallest E-BFMI of a chain is {worst:.2f}; good ones lie above {E_BFMI_WARN}."
    advice = " The tails of the posterior may be explored too little: raise tune and draws."
    return _graded(part, "energy", worst, f">= {E_BFMI_WARN}", grade, said, advice)


def _depth(part: str, statistics: xr.Dataset) -> Check:
    share = float(statistics["maxdepth_reached"].mean())
    grade = PASS if share <= DEEP_TREES_WARN else WARN
    said = f"{share:.1%} of the transitions used up the depth of their tree."
    limit, advice = f"<= {DEEP_TREES_WARN:.0%}", " Sampling was slow, not wrong."
    return _graded(part, "tree depth", share, limit, grade, said, advice)


def _divergences(part: str, statistics: xr.Dataset) -> Check:
    diverging = statistics["diverging"]
    share = float(diverging.mean())
    grade = PASS if share == 0 else WARN if share <= DIVERGENT_SHARE_FAIL else FAIL
    advice = " The sampler cannot explore this posterior: check the data for customers unlike all others."
    said = f"{int(diverging.sum())} of {diverging.size:,} transitions diverged."
    limit = f"0 (fails above {DIVERGENT_SHARE_FAIL:.1%})"
    return _graded(part, "divergences", share, limit, grade, said, advice if grade == FAIL else "")


def _extreme(figures: xr.Dataset, *, largest: bool) -> tuple[str, float]:
    """Return the name and value of the largest or smallest figure; one that is not a number comes first."""
    values: dict[str, Any] = {str(name): float(figures[name]) for name in figures.data_vars}
    unknown = [name for name, value in values.items() if np.isnan(value)]
    name = unknown[0] if unknown else (max if largest else min)(values, key=values.__getitem__)
    return name, values[name]
