"""Calibration by simulation of all models and samplers, and of mistakes it must notice: sbc.json, sbc.md and sbc.png.

    python tests/studies/sbc.py [--only laplace_stated ...] [--datasets 200] [--seed 20260101] [--folder outputs/sbc]

Every data set is drawn from the prior, fitted and forecast as a run would do it; calibrate.py says why that judges a
posterior. The mistakes are planted in the same chain: a judge that lets them pass would say nothing.
"""

import argparse
import multiprocessing
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import bench
import calibrate
import numpy as np
import pandas as pd
from forecasts import by_name, changed
from forecasts import customers as typed_customers

from clv.forecast.future import simulate
from clv.forecast.horizon import Horizon, Keep, yearly_horizon
from clv.models import draws as models_draws
from clv.models import gamma_gamma, laplace
from clv.models.base import History
from clv.models.calendar_model import on_clock
from clv.models.draws import Draws, Floats
from clv.models.operational_time import Clock, clock
from clv.models.registry import purchase_model
from clv.report.figures.style import BAND, MODEL, OBSERVED, QUIET

# Few enough customers that parameters stay uncertain, enough that few bases are refused.
CUSTOMERS = 300
# What the ranks are counted among: every 20th of a run's 4,000 draws, nearly independent by either sampler.
DRAWS = 199
CHAINS, RUN_DRAWS, TUNE = 4, 1000, 1000
YEAR = yearly_horizon(52, discount_rate_annual=0.10, gross_margin=1.0)
# Data enter the models as data, so they are built on anybody.
ANYBODY = typed_customers((1, 1.0, 3.0, 1.0), (2, 2.0, 3.0, 2.0))
STATED, ESTIMATED = 1.0, None  # the typical order value: what the prior says it is, or what each data set says


# -- mistakes ---------------------------------------------------------------------------------------------------------


def _as_it_is(thing: Any) -> Any:
    return thing


@dataclass(frozen=True)
class Mistake:
    """What goes wrong between histories and forecast: in what is fitted, drawn, scored, valued, or summed up."""

    says: str
    fitted: Callable[[pd.DataFrame], pd.DataFrame] = _as_it_is
    fitting: Callable[[], AbstractContextManager[Any]] = nullcontext
    drawn: Callable[[Draws], Draws] = _as_it_is
    scored: Callable[[pd.DataFrame], pd.DataFrame] = _as_it_is
    horizon: Horizon = YEAR
    future: Callable[..., dict[str, Floats]] = calibrate.of_future

    @property
    def needs_fit(self) -> bool:
        """Return whether it makes another posterior."""
        return self.fitted is not _as_it_is or self.fitting is not nullcontext


def _narrowed(draws: Draws) -> Draws:
    """Return the draws at 0.8 of their distance from their mean, as logarithms."""
    logs = {name: np.log(values) for name, values in by_name(draws).items()}
    return changed(draws, **{name: np.exp(log.mean() + 0.8 * (log - log.mean())) for name, log in logs.items()})


def _swapped(draws: Draws) -> Draws:
    drawn = by_name(draws)
    return changed(draws, a=drawn["b"], b=drawn["a"])


def _unweighted() -> AbstractContextManager[Any]:
    """Take what importance sampling proposes for the posterior."""
    return patch.object(laplace, "_resampled", lambda weights, generator: np.arange(weights.size))


def _repeat_only(customers: pd.DataFrame) -> pd.DataFrame:
    return customers[customers["frequency"] > 0]


def _week_later(customers: pd.DataFrame) -> pd.DataFrame:
    return customers.assign(T=customers["T"] + 1)


def _of_the_next(customers: pd.DataFrame) -> pd.DataFrame:
    """Return every repeat customer with the mean amount of the next one."""
    repeat = (customers["frequency"] > 0).to_numpy()
    amounts = customers["monetary_value"].to_numpy().copy()
    amounts[repeat] = np.roll(amounts[repeat], -1)
    return customers.assign(monetary_value=amounts)


def _firsts_like_others(draws: Draws) -> Draws:
    drawn = by_name(draws)
    return changed(draws, p_first=drawn["p"], first_ratio=np.ones(len(draws)))


def _expected(customers: pd.DataFrame, draws: Draws, horizon: Horizon, *, seed: int) -> dict[str, Floats]:
    """Return expected values where realised ones belong."""
    del seed
    history, model = History.of(customers), draws.model
    _, purchases = model.if_alive(horizon.weeks, history, draws.theta, discount=horizon.discount_weekly)
    purchases = purchases * model.p_alive(history, draws.theta)
    amount = gamma_gamma.expected_per_visit(gamma_gamma.Amounts.of(customers), draws.phi)
    values = np.multiply(purchases, amount, where=purchases > 0, out=np.zeros_like(purchases))  # 0 times infinity
    one = int(np.argmax(customers["frequency"].to_numpy() > 0))
    return {"customer_value": values[:, one], "total_value": values.sum(axis=1)}


def _apart(customers: pd.DataFrame, draws: Draws, horizon: Horizon, *, seed: int) -> dict[str, Floats]:
    """Return the total of futures that take their parameters from another draw for every customer."""
    values, generator = np.empty((len(customers), len(draws))), np.random.default_rng(seed)
    keep = Keep(lambda own, purchases, value: generator.permuted(value, axis=1), values.__setitem__)
    simulate(customers, draws, horizon, seed=seed, keep=keep)
    return calibrate.of_future(customers, draws, horizon, seed=seed) | {"total_value": values.sum(axis=0)}


def _unstated(customers: pd.DataFrame) -> pd.DataFrame:
    """Return customers whom no day is known of that they are seen from: they are fitted as if all days were alike."""
    return customers.drop(columns="origin")


def _steady(draws: Draws) -> Draws:
    """Return draws that know no calendar."""
    theta = draws.theta[:, : len(draws.model.parameters)]
    return replace(draws, model=purchase_model(draws.model.key), theta=theta)


# A prior stated in dollars for amounts in cents is none of these: the amounts of 300 customers outweigh it (500 data
# sets, smallest p-value .1). Tests of units hold it, and the gate says what a prior decides.
NOTHING = {"nothing": Mistake("nothing")}
MISTAKES = NOTHING | {
    "narrow": Mistake("posterior sd x 0.8", drawn=_narrowed),
    "swapped": Mistake("a and b swapped", drawn=_swapped),
    "unweighted": Mistake("importance weights ignored", fitting=_unweighted),
    "repeat_only": Mistake("one-time buyers left out of the fit", fitted=_repeat_only),
    "week_too_long": Mistake("T a week too long", fitted=_week_later, scored=_week_later),
    "wrong_join": Mistake("amounts of the next customer", scored=_of_the_next),
    "first_orders": Mistake("first orders taken for later ones", drawn=_firsts_like_others),
    "expectation": Mistake("expected value for realised value", future=_expected),
    "undiscounted": Mistake("no discount", horizon=replace(YEAR, discount_weekly=0.0)),
    "apart": Mistake("total over unrelated draws", future=_apart),
}
# Twice as much in November and December, which may come otherwise by 15 %; two weeks closed and two of a promotion, in
# each of the years that histories and the forecast see.
_DAYS_OFF = [(f"{year}-08-04", f"{year}-08-17", 0.0) for year in (2023, 2024, 2025)]
_PROMOTION = [(f"{year}-04-07", f"{year}-04-20", 3.0) for year in (2024, 2025, 2026)]
CALENDAR = {
    "months": [1.0] * 10 + [2.0, 2.0],
    "spans": [dict(zip(("from", "to", "factor"), span, strict=True)) for span in (*_DAYS_OFF, *_PROMOTION)],
    "uncertainty": 0.15,
}
ON_CALENDAR = NOTHING | {
    "unstated": Mistake("the calendar left out of the fit", fitted=_unstated),
    "steady": Mistake("the calendar left out of the forecast", drawn=_steady),
}
PLANTED = MISTAKES | ON_CALENDAR


# -- runs: each judges one sampler on one scale -----------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """A model, a sampler, the typical order value it is told (None: it estimates it), and what goes wrong meanwhile."""

    model: str
    method: str
    typical: float | None
    data_sets: int
    mistakes: Mapping[str, Mistake] = field(default_factory=lambda: NOTHING)
    calendar: Mapping[str, Any] | None = None

    @property
    def clock(self) -> Clock | None:
        """Return the calendar, seen from the day that customers are seen from."""
        return clock(self.calendar, calibrate.SEEN_FROM)


RUNS = {
    "laplace_stated": Run("bgnbd", "laplace", STATED, 200),
    "laplace_estimated": Run("bgnbd", "laplace", ESTIMATED, 200),
    "nuts_estimated": Run("bgnbd", "nuts", ESTIMATED, 40),
    "plain": Run("bgnbd_plain", "laplace", ESTIMATED, 200),
    "mbgnbd": Run("mbgnbd", "laplace", ESTIMATED, 200),
    "rhythm": Run("rhythm", "laplace", ESTIMATED, 60),
    "mistakes": Run("bgnbd", "laplace", STATED, 500, MISTAKES),
    "calendar": Run("bgnbd", "laplace", ESTIMATED, 300, ON_CALENDAR, CALENDAR),
}


@cache
def _purchases(key: str) -> Any:
    """Return the purchase model of this key, compiled when first used and for all data sets of this process."""
    from clv.models import sampling

    return sampling.Compiled(purchase_model(key).build(ANYBODY))


@cache
def _spend(typical: float | None) -> Any:
    """Return the spend model, likewise."""
    from clv.models import gamma_gamma_pymc, sampling

    return sampling.Compiled(gamma_gamma_pymc.model(ANYBODY, typical=typical))


@cache
def _prior(name: str, data_sets: int, seed: int) -> Draws:
    """Return the parameters of all data sets of a run."""
    models = [_purchases(RUNS[name].model).model, _spend(STATED).model]
    return calibrate.prior(*models, draws=data_sets, seed=[seed, list(RUNS).index(name)])


def ranked(number: int, *, name: str, data_sets: int, seed: int) -> dict[str, Any]:
    """Return the ranks of one data set of a run by mistake and quantity, and what gave its posterior; or why none."""
    from clv.models import sampling

    run, truth = RUNS[name], calibrate.only(_prior(name, data_sets, seed), number)
    seeds = np.random.SeedSequence([seed, list(RUNS).index(name)], spawn_key=(number,))
    for_data, for_ranks, for_luck = seeds.spawn(3)
    if run.clock:
        truth = calibrate.on_calendar(truth, run.clock, seed=for_luck)
    customers = calibrate.data_set(truth, customers=CUSTOMERS, horizon=YEAR, seed=for_data)
    if calibrate.refused(customers, horizon_weeks=YEAR.weeks):
        return {"refused": True}
    one_seed = int(seeds.generate_state(1)[0])  # for both models and the futures, as in a run
    settings = sampling.Settings(CHAINS, RUN_DRAWS, TUNE, one_seed, workers=1, method=run.method)

    def fit(fitted: pd.DataFrame) -> list[Any]:
        on_it = fitted if "origin" not in fitted else on_clock(fitted, run.clock, purchase_model(run.model))
        return [
            sampling.sample(_purchases(run.model), on_it, settings),
            sampling.sample(_spend(run.typical), fitted, settings),
        ]

    try:
        posteriors = fit(customers)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # nutpie panics with what is no Exception and cannot be sent between processes
        return {"refused": False, "crashed": f"data set {number}: {type(error).__name__}"}
    true, found = calibrate.true_values(customers, truth), {}
    for mistake, made in run.mistakes.items():
        with made.fitting():
            theirs = fit(made.fitted(customers)) if made.needs_fit else posteriors
        draws = made.drawn(models_draws.pair(*theirs, DRAWS, run.clock))
        future = made.future(made.scored(customers), draws, made.horizon, seed=one_seed)
        found[mistake] = calibrate.ranks(true, calibrate.of_parameters(customers, draws) | future, seed=for_ranks)
    return {
        "refused": False,
        "ranks": found,
        "methods": [sampling.method_of(posterior) for posterior in posteriors],
        "effective_draws": min(_effective_draws(posterior) for posterior in posteriors),
    }


def _effective_draws(posterior: Any) -> float:
    """Return what a posterior's draws are worth: the smallest bulk ESS, or Kish's for weighted ones."""
    import arviz

    if "effective_draws" in posterior["sample_stats"]:
        return float(posterior["sample_stats"]["effective_draws"])
    return min(map(float, arviz.ess(posterior["posterior"].to_dataset(), method="bulk").data_vars.values()))


Ranks = dict[str, pd.DataFrame]  # by mistake: one row per data set, one column per quantity


def judged(
    name: str, *, data_sets: int, seed: int, each: Callable[..., Iterable[Any]] = map
) -> tuple[dict[str, Any], Ranks]:
    """Return a run's figures and its ranks; `each` maps a function over the numbers of the data sets."""
    clock, found = time.perf_counter(), []
    for result in each(partial(ranked, name=name, data_sets=data_sets, seed=seed), range(data_sets)):
        found.append(result)
        if len(found) % 100 == 0:
            print(f"sbc: {name}, {len(found)} of {data_sets} data sets", file=sys.stderr)
    accepted = [result for result in found if not result["refused"]]
    fitted = [result for result in accepted if "crashed" not in result]
    ranks = {mistake: pd.DataFrame([result["ranks"][mistake] for result in fitted]) for mistake in RUNS[name].mistakes}
    methods = pd.DataFrame([result["methods"] for result in fitted], columns=["purchases", "spend"])
    verdicts = {mistake: _verdict(table) for mistake, table in ranks.items()}
    figures = {
        "model": purchase_model(RUNS[name].model).name,
        "method": RUNS[name].method,
        "typical_order_value": RUNS[name].typical or "estimated",
        "on_a_calendar": RUNS[name].calendar is not None,
        "data_sets": len(fitted),
        "refused": data_sets - len(accepted),
        "refused_share": 1 - len(accepted) / data_sets,
        "crashed": [result["crashed"] for result in accepted if "crashed" in result],
        "fell_back_to_nuts": (methods != RUNS[name].method).sum().to_dict(),
        "smallest_effective_draws": min(result["effective_draws"] for result in fitted),
        "seconds": time.perf_counter() - clock,
    }
    others = {mistake: verdict for mistake, verdict in verdicts.items() if mistake not in NOTHING}
    return _rounded(figures) | verdicts["nothing"] | ({"mistakes": others} if others else {}), ranks


def _verdict(ranks: pd.DataFrame) -> dict[str, Any]:
    found = calibrate.verdicts(ranks, draws=DRAWS)
    return {
        "calibrated": bool(found["inside"].all()),
        "outside": list(found.index[~found["inside"]]),
        "quantities": {quantity: _rounded(row) for quantity, row in found.to_dict("index").items()},
    }


def _rounded(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures with four significant digits: more is noise."""
    return {key: float(f"{item:.4g}") if isinstance(item, float) else item for key, item in row.items()}


def passed(runs: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether every run is calibrated and fitted all its data, and every mistake was noticed."""
    sound = (run["calibrated"] and not run["crashed"] for run in runs.values())
    noticed = (not one["calibrated"] for run in runs.values() for one in run.get("mistakes", {}).values())
    return all(sound) and all(noticed)


# -- what is written --------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge what the command line asks for and write the three files; 1 if a run failed or a mistake passed."""
    options, clock = _parser().parse_args(arguments), time.perf_counter()
    runs: dict[str, Any] = {}
    ranks: dict[str, Ranks] = {}
    with ProcessPoolExecutor(options.workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for name in options.only:
            size = {"data_sets": options.datasets or RUNS[name].data_sets, "seed": options.seed}
            runs[name], ranks[name] = judged(name, **size, each=partial(pool.map, chunksize=4))
    settings = {"customers": CUSTOMERS, "draws": DRAWS, "false_alarms": calibrate.FALSE_ALARMS}
    figures = bench.about(options.seed, clock) | settings | {"passed": passed(runs), "runs": runs}
    bench.leave(options.folder / "sbc", figures, page(figures), partial(draw, runs, ranks))
    return int(not figures["passed"])


def _parser() -> argparse.ArgumentParser:
    several = "data sets of each run, refused ones included"
    return bench.judging(__doc__ or "", datasets=several, default=None, name="sbc", parts=RUNS)


def page(figures: Mapping[str, Any]) -> str:
    """Return the figures as Markdown for people."""
    runs = figures["runs"]
    parts = [
        *bench.opening("sbc", "How well calibrated", figures),
        bench.filled(
            f"""Each data set is {figures["customers"]} customers who come over two years, on whole days, and live as
            the model simulates somebody new, with parameters that are drawn from the prior at a typical order value of
            1. Models of purchases and of spend are fitted as a run fits them ({CHAINS} chains of {RUN_DRAWS:,} draws,
            {TUNE:,} to tune), a year is forecast, and the truth is ranked among {figures["draws"]} of the draws, every
            20th. Over many data sets the ranks are uniform if posterior and forecast are as sure as they should be: a
            run passes if the curves of all quantities stay inside a band that a calibrated run leaves with a
            probability of {figures["false_alarms"]:.0%} (Säilynoja, Bürkner & Vehtari 2022). Data sets are refused as a
            run refuses them, for what was observed: fewer than 30 repeat customers."""
        ),
        "![Curves of ranks and their bands: every run, and what planted mistakes do to them](sbc.png)",
        "## Models, samplers and scales",
        bench.filled(
            f"""*Stated*: the prior is told the typical order value; *estimated*: it takes it from each data set, as a
            run does. Where importance sampling fell back to NUTS, NUTS's posterior is the one judged. The gate's limits
            are not applied. *On a calendar* November and December hold twice as much, two weeks are closed and two hold
            three times as much each year; months and spans to come differ by 15% from what is stated. A p-value is that
            of the whole curve; a quantity fails below {figures["false_alarms"]:.0%} shared out over those of a run."""
        ),
        bench.table(map(_run_row, runs.values()), RUN_COLUMNS),
        bench.table(_quantity_rows(runs), {"quantity": "p-value", **{name: _title(run) for name, run in runs.items()}}),
    ]
    crashes = [f"{_title(run)}, {crash}" for run in runs.values() for crash in run["crashed"]]
    if crashes:
        parts.append(bench.filled(f"**Not fitted:** {'; '.join(crashes)}."))
    mistakes = {key: found for run in runs.values() for key, found in run.get("mistakes", {}).items()}
    if mistakes:
        parts += [
            "## Planted mistakes",
            "The same chain with one thing wrong. What notices it, the clearest first:",
            bench.table(map(_mistake_row, mistakes, mistakes.values()), MISTAKE_COLUMNS),
        ]
    return "\n\n".join(parts) + "\n"


RUN_COLUMNS = {
    **{"run": "run", "data_sets": "data sets", "refused": "refused", "crashed": "crashed", "fell_back": "fell back"},
    **{"effective": "fewest effective draws of 4,000", "largest": "largest difference", "smallest": "smallest p-value"},
    **{"verdict": "verdict", "seconds": "seconds"},
}
MISTAKE_COLUMNS = {"mistake": "mistake", "noticed": "noticed by", "largest": "largest difference"}


def _title(run: Mapping[str, Any]) -> str:
    scale = run["typical_order_value"] if isinstance(run["typical_order_value"], str) else "stated"
    aim = ", on a calendar" if run["on_a_calendar"] else ", for mistakes" if "mistakes" in run else ""
    return f"{run['model']}, {run['method']}, {scale}{aim}"


def _run_row(run: Mapping[str, Any]) -> dict[str, Any]:
    quantities = run["quantities"].values()
    return {
        "run": _title(run),
        "data_sets": run["data_sets"],
        "refused": f"{run['refused_share']:.1%}",
        "crashed": len(run["crashed"]),
        "fell_back": sum(run["fell_back_to_nuts"].values()) if run["method"] == "laplace" else None,
        "effective": int(run["smallest_effective_draws"]),
        "largest": max(row["largest_difference"] for row in quantities),
        "smallest": min(row["p_value"] for row in quantities),
        "verdict": "calibrated" if run["calibrated"] else "**not calibrated**",
        "seconds": int(run["seconds"]),
    }


def _quantity_rows(runs: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    def shown(row: Mapping[str, Any] | None) -> Any:
        return row and (row["p_value"] if row["inside"] else f"**{_p_value(row['p_value'])}**")

    every = dict.fromkeys(quantity for run in runs.values() for quantity in run["quantities"])
    ordered = sorted(every, key=lambda name: name in calibrate.QUANTITIES)
    return [
        {"quantity": _label(quantity), **{name: shown(run["quantities"].get(quantity)) for name, run in runs.items()}}
        for quantity in ordered
    ]


def _label(quantity: str) -> str:
    return calibrate.QUANTITIES.get(quantity, quantity)


def _mistake_row(mistake: str, found: Mapping[str, Any]) -> dict[str, Any]:
    rows = found["quantities"]
    order = sorted(found["outside"], key=lambda name: (rows[name]["p_value"], -rows[name]["largest_difference"]))
    noticed = ", ".join(f"{_label(name)} ({_p_value(rows[name]['p_value'])})" for name in order)
    closest = min(row["p_value"] for row in rows.values())
    return {
        "mistake": PLANTED[mistake].says,
        "noticed": noticed or f"**nothing** (smallest p-value {_p_value(closest)})",
        "largest": max(row["largest_difference"] for row in rows.values()),
    }


def _p_value(number: float) -> str:
    return f"{number:.1g}" if number >= 1e-9 else "< 1e-9"


def draw(runs: Mapping[str, Mapping[str, Any]], ranks: Mapping[str, Ranks], file: Path) -> None:
    """Draw every curve less its expectation, with its band: runs in the first row, planted mistakes below."""
    calibrated = {
        name: (_title(run), ranks[name]["nothing"])
        for name, run in runs.items()
        if run["on_a_calendar"] or "mistakes" not in run
    }
    wrong = {
        mistake: (PLANTED[mistake].says, ranks[name][mistake])
        for name, run in runs.items()
        for mistake in run.get("mistakes", {})
    }
    rows = [
        list(panels.values())[start : start + COLUMNS]
        for panels in (calibrated, wrong)
        for start in range(0, len(panels), COLUMNS)
    ]
    sharing = {"size": (13, 2.5 * len(rows)), "sharex": True, "sharey": "row"}
    with bench.picture(file, rows=len(rows), columns=COLUMNS, **sharing) as axes:
        for row, panels in zip(axes, rows, strict=True):
            for place, (title, table) in zip(row, panels, strict=False):
                _draw_curves(place, title, table)
            row[0].set_ylabel("share of ranks below,\nless uniform")
            for place in row[len(panels) :]:
                place.set_axis_off()
        axes[-1][0].set_xlabel("rank of the truth among the draws")


COLUMNS = 5


def _draw_curves(axes: Any, title: str, ranks: pd.DataFrame) -> None:
    """Draw the curves of one run; those that leave the band somewhere stand out."""
    size, expected = len(ranks), calibrate.uniform(DRAWS)
    allowed = calibrate.band(size, DRAWS, outside=calibrate.FALSE_ALARMS / ranks.shape[1])
    lower, upper = allowed.lower / size - expected, allowed.upper / size - expected
    axes.fill_between(expected, lower, upper, step="mid", color=BAND, alpha=0.3, linewidth=0)
    for _, column in ranks.items():
        curve = calibrate.below(column, DRAWS) / size - expected
        outside = ((curve < lower) | (curve > upper)).any()
        axes.plot(expected, curve, color=OBSERVED if outside else MODEL, linewidth=1.2 if outside else 0.7)
    axes.set_title(textwrap.fill(f"{title} ({size:,})", 30), fontsize=9)
    axes.axhline(0, color=QUIET, linewidth=0.5)


if __name__ == "__main__":
    sys.exit(main())
