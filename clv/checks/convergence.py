"""Verdict on a posterior and what is said from it: PASS, WARN or FAIL, each check with figure and limit.

Fails closed: a figure that is missing or not a number fails. Thresholds: R-hat and effective sample
size (ESS) after Vehtari et al. 2021 (Bayesian Analysis 16(2)); no divergence at the first target
acceptance, at most one in a thousand after the refit with smaller steps; k-hat after Vehtari et al.
2024 (JMLR 25(72)); E-BFMI below .3 after Betancourt 2016 (arXiv:1604.00695); prior sensitivity by power scaling
after Kallioinen et al. 2024 (Statistics and Computing 34:57), whose limit .05 stands for both prior and likelihood.
Chains, R-hat, energy, tree depth and divergences are questions to NUTS, k-hat is one to importance sampling. The
limits of what a posterior must reproduce of its data are this project's own: a third off is no model of these data.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from clv.backtest.holdout import ONCE
from clv.checks import reproduction
from clv.errors import GateError
from clv.forecast.future import spaced
from clv.models import bgnbd
from clv.models.laplace import K_HAT_LIMIT
from clv.models.sampling import LAPLACE, Settings, method_of
from clv.rfm import support
from clv.words import NBSP, count, day, money, more_or_less, percent, weeks

PASS, WARN, FAIL = "PASS", "WARN", "FAIL"
TAKEN_OVER, SHAPE = "NUTS took over", "shape"
PARTS = {
    "bgnbd": "purchases, all data",
    "bgnbd_calibration": "purchases, calibration",
    "gamma_gamma": "spend, all data",
    "gamma_gamma_calibration": "spend, calibration",
}
R_HAT_WARN, R_HAT_FAIL = 1.01, 1.05
ESS_FAIL = 400
DIVERGENT_SHARE_FAIL = 0.001
E_BFMI_WARN = 0.3
DEEP_TREES_WARN = 0.01  # share of transitions that used up the tree depth
SENSITIVE = 0.05
INFINITE_MEAN_FAIL = 0.01  # probability of q <= 1, where the mean spend is infinite
# Ratios modelled / observed outside of which a posterior is not one of these data, or is warned of.
PURCHASES_FAIL, PURCHASES_WARN = (0.67, 1.5), (0.95, 1.05)
SPEND_FAIL, SPEND_WARN = (0.5, 2.0), (0.8, 1.25)
INDEPENDENCE_WARN = 0.10  # by so much one-time buyers' spend may differ from what they are valued at
ONE_TIME_BUYERS_WARN = 0.5  # share of the value from customers who bought once
FEW_RETURNED = 50  # fewer one-time buyers who came back say nothing of what such customers pay
NEEDED_OF_NUTS = ("diverging", "energy", "maxdepth_reached")
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
    missing = [name for name in NEEDED_OF_NUTS if name not in statistics]
    if missing:
        return [_unknown(part, shape, missing)]
    instead = [_taken_over(part, statistics)] if "laplace_k_hat" in statistics else []
    convergence = [_r_hat(part, scalars), _ess(part, scalars)]
    return [
        shape,
        *instead,
        *convergence,
        _divergences(part, statistics),
        _energy(part, statistics),
        _depth(part, statistics),
    ]


def judge_purchases(
    posteriors: dict[str, xr.DataTree], parts: dict[str, pd.DataFrame], settings: Settings, *, horizon_weeks: float
) -> list[Check]:
    """Return the checks of BG/NBD posteriors, by name, each with the expected purchases of its part's customers."""
    found = []
    for name, posterior in posteriors.items():
        bare = _shape(PARTS[name], posterior["posterior"].to_dataset(), settings.chains, settings.draws)
        if bare.verdict == FAIL:  # nothing can be computed from it
            found.append(bare)
            continue
        expected = {"expected purchases per customer": expected_total(posterior, parts[name], horizon_weeks)}
        checks = judge(PARTS[name], posterior, chains=settings.chains, draws=settings.draws, derived=expected)
        if verdict(checks) != FAIL:
            reproduced = reproduction.repeat_purchases(parts[name], posterior)
            checks.append(_repeat_purchases(PARTS[name], reproduced))
            checks.append(_sensitivity(PARTS[name], posterior, expected))
        found += checks
    return found


def judge_spend(posteriors: dict[str, xr.DataTree], parts: dict[str, pd.DataFrame], settings: Settings) -> list[Check]:
    """Return the checks of Gamma-Gamma posteriors, by name, each with the population's mean spend."""
    found = []
    for name, posterior in posteriors.items():
        infinite = infinite_mean(PARTS[name], posterior)
        mean = {} if infinite.figure > 0 else {"population mean spend": population_mean_spend(posterior)}
        checks = judge(PARTS[name], posterior, chains=settings.chains, draws=settings.draws, derived=mean)
        if verdict(checks) != FAIL:
            checks += [infinite, _mean_spend(PARTS[name], reproduction.mean_spend(parts[name], posterior))]
            checks += [_sensitivity(PARTS[name], posterior, mean)] if mean else []
        found += checks
    return found


def judge_independence(
    customers: pd.DataFrame, dependence: pd.DataFrame, returned: pd.DataFrame, *, currency: str
) -> Check:
    """Return whether spend depends on frequency, and what that costs where it matters: in the value of one-time buyers.

    Of them the spend model knows nothing of their own: it values them at the population's mean spend, learnt from those
    who came back. What they spent on their one purchase is known, and says how wrong that is.

    Parameters
    ----------
    customers
        With frequency, mean_amount, expected_spend and clv_mean.
    dependence
        From `checks.dependence`.
    returned
        From `backtest.spend_figures`, what those who came back after the cut paid; empty without a backtest.
    """
    once = customers[(customers["frequency"] == 0) & (customers["mean_amount"] > 0)]
    related = bool((~dependence["value"].between(dependence["lower"], dependence["upper"])).any())
    spearman = dependence.set_index("measure").loc["Spearman", "value"]
    sentence = (
        f"Customers who buy more often spend {'more' if spearman > 0 else 'less'} per purchase, which the model takes "
        "for luck."
        if related
        else "Customers who buy more often spend neither more nor less per purchase than luck explains."
    )
    limit = f"<= {INDEPENDENCE_WARN:.0%}, or within two standard errors"
    if once.empty:
        return Check("data", "independence", 0.0, limit, WARN if related else PASS, sentence)
    spent, valued, value = once["mean_amount"].mean(), once["expected_spend"].mean(), once["clv_mean"].sum()
    excess, error = valued / spent - 1, once["mean_amount"].std() / np.sqrt(len(once)) / spent
    wrong = abs(excess) > INDEPENDENCE_WARN and abs(excess) > 2 * error
    paid = (
        f"they spent {spent:,.2f}{NBSP}{currency} on their purchase, and {valued:,.2f} is expected of each of their "
        "next ones."
    )
    if wrong:
        wrongly = money(value * abs(1 - spent / valued), currency)
        sentence += (
            f" What one-time buyers are expected to bring, {money(value, currency)}, may be {wrongly} too "
            f"{'high' if excess > 0 else 'low'}: {paid}"
        )
    else:
        sentence += f" Of one-time buyers: {paid}"
    sentence += _returned(returned, currency, float(excess) if wrong else 0.0)
    return Check("data", "independence", float(excess), limit, WARN if related or wrong else PASS, sentence)


def _returned(returned: pd.DataFrame, currency: str, suspected: float) -> str:
    """Say what one-time buyers who came back really paid, and whether that bears out a suspected excess."""
    if ONCE not in returned.index or returned.loc[ONCE, "customers"] < FEW_RETURNED:
        return ""
    paid = returned.loc[ONCE]
    excess = paid["expected"] / paid["actual"] - 1
    shown = abs(excess) > INDEPENDENCE_WARN and excess * suspected > 0
    verdict = (", which bears that out" if shown else ", which does not bear that out") if suspected else ""
    return (
        f" In the backtest {count(paid['customers'])} of them came back and paid {paid['actual']:,.2f}{NBSP}{currency} "
        f"per purchase, where {paid['expected']:,.2f} were expected{verdict}."
    )


def judge_backtest(tested: dict[str, Any] | None, *, currency: str, interval: float) -> list[Check]:
    """Return whether the totals of the backtest at the calibration end lay inside their own intervals; none without.

    Parameters
    ----------
    tested
        From `backtest.figures`.
    """
    if tested is None:
        return []
    units = {"purchases": "purchases", "value": f"{currency} of value (discounted)"}
    missed = {name: tested[name] for name in units if not tested[name]["inside"]}
    outcomes = " and ".join(_came(found, units[name]) for name, found in missed.items())
    after = f"in the {weeks(tested['horizon_weeks'])} after {day(tested['origin'])}"
    level = percent(interval)
    sentence = (
        f"The backtest missed: {after}, {outcomes}, outside the model's own {level} interval. {_wide_enough(missed)}."
        if missed
        else f"I{after[1:]} purchases and value came inside their {level} intervals."
    )
    worst = max((abs(found["error"]) for found in missed.values() if found["error"] is not None), default=0.0)
    return [Check("backtest", "backtest", worst, f"inside {level} interval", WARN if missed else PASS, sentence)]


def _wide_enough(missed: dict[str, Any]) -> str:
    """Say whether an interval that allows for misfit, as those of this report do, would have held."""
    held = all(
        found["with_misfit"]["lower"] <= found["actual"] <= found["with_misfit"]["upper"] for found in missed.values()
    )
    would = "would have contained them" if held else "would not have contained them either"
    return f"Intervals that allow for past errors, as this report's totals do, {would}"


def _came(found: dict[str, Any], unit: str) -> str:
    forecast, actual = found["forecast"]["mean"], found["actual"]
    off = f" ({more_or_less(actual, forecast)})" if forecast > 0 else ""
    return f"{count(actual)} {unit} came where {count(forecast)} were forecast{off}"


def judge_one_time_buyers(customers: pd.DataFrame) -> Check:
    """Return whether most of the value is that of customers of whom the model knows next to nothing."""
    once = customers["frequency"] == 0
    share = float(customers.loc[once, "clv_mean"].sum() / customers["clv_mean"].sum())
    grade = WARN if share > ONE_TIME_BUYERS_WARN else PASS
    sentence = f"{percent(share)} of the value comes from customers who bought once: of them the model knows little."
    return Check("data", "one-time buyers", share, f"<= {ONE_TIME_BUYERS_WARN:.0%}", grade, sentence)


def acknowledge(checks: list[Check], names: Sequence[str]) -> list[Check]:
    """Return the checks with those that the run accepts by name (params.ACKNOWLEDGEABLE) as warnings that say so."""
    return [
        replace(check, verdict=WARN, sentence=f"Accepted by this run: {check.sentence}")
        if check.name in names and check.verdict != PASS
        else check
        for check in checks
    ]


def judge_data(customers: pd.DataFrame, *, horizon_weeks: float) -> list[Check]:
    """Return what the data themselves can carry, as checks beside those of the posteriors."""
    verdicts = {support.ENOUGH: PASS, support.ROUGH: WARN, support.TOO_LITTLE: FAIL}
    found = support.judge(customers, horizon_weeks=horizon_weeks)
    return [Check("data", one.name, one.figure, one.limit, verdicts[one.answer], one.sentence) for one in found]


def verdict(checks: list[Check]) -> str:
    """Return the worst verdict among the checks; FAIL if there is none."""
    found = {check.verdict for check in checks}
    return next((worst for worst in (FAIL, WARN, PASS) if worst in found), FAIL)


def require(checks: list[Check]) -> None:
    """Raise `GateError` with the sentences of the checks that failed."""
    if verdict(checks) == FAIL:
        failed = " ".join(check.sentence for check in checks if check.verdict == FAIL)
        raise GateError(failed or "The posterior was not checked.")


def require_draws(checks: list[Check]) -> None:
    """Raise `GateError` where draws are missing or no numbers: not even a diagnostic figure can be made of them."""
    require([check for check in checks if check.name == SHAPE])


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
    return Check(part, SHAPE, finite, f"{chains} x {draws} draws, finite", grade, sentence)


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


def _unknown(part: str, shape: Check, missing: list[str]) -> Check:
    sentence = f"{part}: the sampler's {', '.join(missing)} are missing: nobody can tell whether it worked."
    return replace(shape, verdict=FAIL, sentence=sentence)


def _energy(part: str, statistics: xr.Dataset) -> Check:
    import arviz as az

    worst = float(np.min(az.bfmi(statistics["energy"].to_numpy())))
    grade = PASS if worst >= E_BFMI_WARN else WARN
    advice = "" if grade == PASS else " The tails of the posterior may be explored too little: raise tune and draws."
    sentence = f"{part}: the smallest E-BFMI of a chain is {worst:.2f}; good ones lie above {E_BFMI_WARN}.{advice}"
    return Check(part, "energy", worst, f">= {E_BFMI_WARN}", grade, sentence)


def _depth(part: str, statistics: xr.Dataset) -> Check:
    share = float(statistics["maxdepth_reached"].mean())
    grade = PASS if share <= DEEP_TREES_WARN else WARN
    advice = "" if grade == PASS else " Sampling was slow, not wrong."
    sentence = f"{part}: {share:.1%} of the transitions used up the depth of their tree.{advice}"
    return Check(part, "tree depth", share, f"<= {DEEP_TREES_WARN:.0%}", grade, sentence)


def infinite_mean(part: str, posterior: xr.DataTree) -> Check:
    """Return how probable a population is whose mean spend is infinite."""
    share = float((posterior["posterior"]["q"] <= 1).mean())
    grade = PASS if share < INFINITE_MEAN_FAIL else FAIL
    sentence = f"{part}: the population's mean spend is infinite (q <= 1) with probability {share:.2%}"
    sentence += "." if grade == PASS else ": a few customers spend without limit; look for wholesale accounts."
    return Check(part, "infinite mean spend", share, f"< {INFINITE_MEAN_FAIL:.0%}", grade, sentence)


def _repeat_purchases(part: str, found: reproduction.Reproduced) -> Check:
    sentence = (
        f"{part}: the model makes {found.modelled:,.0f} repeat purchases of the {found.observed:,.0f} there were "
        f"({reproduction.NEARLY_CERTAIN:.0%} of its bases make {found.lower:,.0f} to {found.upper:,.0f})."
    )
    # A small base may have had luck: a warning needs a total that luck does not explain.
    return _reproduced(part, "repeat purchases", found, PURCHASES_FAIL, PURCHASES_WARN, sentence, excused=found.within)


def _mean_spend(part: str, found: reproduction.Reproduced) -> Check:
    sentence = (
        f"{part}: the population's mean spend is {found.modelled:,.2f}, repeat buyers' means are {found.observed:,.2f} "
        "on average."
    )
    return _reproduced(part, "mean spend", found, SPEND_FAIL, SPEND_WARN, sentence, excused=False)


def _reproduced(
    part: str,
    name: str,
    found: reproduction.Reproduced,
    fail: tuple[float, float],
    warn: tuple[float, float],
    sentence: str,
    *,
    excused: bool,
) -> Check:
    inside = fail[0] <= found.ratio <= fail[1]
    near = warn[0] <= found.ratio <= warn[1] or excused
    grade = FAIL if not inside else PASS if near else WARN
    advice = " This model does not describe these data." if grade == FAIL else ""
    limit = f"{warn[0]} to {warn[1]} (fails outside {fail[0]} to {fail[1]})"
    return Check(part, name, found.ratio, limit, grade, sentence + advice)


def _sensitivity(part: str, posterior: xr.DataTree, scalars: dict[str, xr.DataArray]) -> Check:
    """Say whether the prior decides: it does where scaling it moves a figure and the data are weak or disagree."""
    import arviz as az

    statistics = posterior["sample_stats"].to_dataset()
    ((name, values),) = scalars.items()
    bare = {"posterior": {name: values}, "log_prior": {"prior": statistics["log_prior"]}}
    bare["log_likelihood"] = {"likelihood": statistics["logp"] - statistics["log_prior"]}
    tree = xr.DataTree.from_dict(
        {group: xr.Dataset(content).reset_coords(drop=True) for group, content in bare.items()}
    )
    prior, likelihood = (float(az.psense(tree, group=group)[name]) for group in ("prior", "likelihood"))
    grade = PASS if prior < SENSITIVE else WARN
    if grade == PASS:
        why = "the data decide"
    elif likelihood < SENSITIVE:
        why = "the data say little about it, the prior decides: take it as an assumption"
    else:
        why = "prior and data disagree: look for what makes this base unlike others"
    sentence = f"{part}: {name} moves by {prior:.3f} with the prior and {likelihood:.3f} with the data; {why}."
    return Check(part, "prior sensitivity", prior, f"< {SENSITIVE}", grade, sentence)


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
