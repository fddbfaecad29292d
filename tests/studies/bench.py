"""Measures this project beside pymc-marketing, on one machine in one run: bench.json, bench.md and bench.png.

    python tests/studies/bench.py [--only fit scoring scaling logs] [--largest 1000000] [--folder outputs/bench]

Whatever is measured runs alone, in a process of its own (this file with --measure), so its peak memory is its own.
Imports are done before the clock starts. Compilation is inside it and starts from an empty cache; where it is not
inside, it stands beside it.
"""

import argparse
import json
import multiprocessing
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import date
from functools import cache, partial
from importlib import import_module, metadata, util
from pathlib import Path
from textwrap import fill
from typing import Any

# The process that starts all others stays small: Linux counts its memory into the peak of what it starts.
from forecasts import by_name, typed_draws

from clv import progress, words
from clv.report.figures.style import MODEL, OBSERVED, QUIET, REFERENCE
from clv.run import artefacts, disk

CUT, OTHER_CUTS = date(1997, 9, 30), (date(1997, 6, 30), date(1997, 12, 31), date(1998, 3, 31))
PARAMETERS = {"purchases": ["r", "alpha", "a", "b"], "spend": ["p", "q", "v"]}
CHAINS, DRAWS, TUNE = 4, 1000, 1000
WEEKS, DISCOUNT_ANNUAL, INTERVAL, WORKERS, SEED = 52, 0.10, 0.90, 2, 20260101
OBSERVATION_END, CALIBRATION_END = date(2025, 12, 31), date(2025, 6, 30)
GROUPINGS = ["rfm_segment", "value_tier", "cohort", "value_rank"]
SIZES, BASES = (10_000, 100_000, 1_000_000), (100_000, 1_000_000)
SCORED_CUSTOMERS = 50_000  # so many copies of CDNOW's customers that a scoring takes seconds
WARM_UP = 1_000  # customers of a run before the first that counts: it leaves compiled code on the disk
# What stages of log.jsonl are called.
FIT_STAGES, SCORING_STAGES = "fitting ", ("expected values", "simulating ", "ranking ")
# The params file of `make report`; its source comes last.
SETTINGS = {
    "columns": {name: name for name in ("customer_id", "date", "amount", "order_id")},
    "observation_end": str(OBSERVATION_END),
    "calibration_end": str(CALIBRATION_END),
    "horizon_weeks": WEEKS,
    "seed": SEED,
    "campaign_cost_per_contact": 2.0,
    "campaign_effect": "rate",
    "campaign_effect_mean": 0.2,
    "campaign_effect_sd": 0.1,
    "campaign_response_share": 0.3,
    "acquisition_cost": 60.0,
    "acquisition_per_month": 1000,
    "acquisition_months": 12,
}
PACKAGES = ("pymc_marketing", "pymc", "nutpie", "numba", "numpy", "duckdb")
# What both sides import at their first fit, pytensor's compiler included.
COMPILERS = (
    *("pymc_marketing.clv", "nutpie", "numba", "pytensor.link.numba.dispatch", "arviz"),
    *(
        "arviz_stats.base",
        "scipy.optimize",
        "scipy.stats",
        "clv.models.bgnbd_pymc",
        "clv.models.gamma_gamma_pymc",
        "clv.models.sampling",
    ),
)

# Ratio -> what pymc-marketing needs, what this project needs.
RATIOS = {
    "laplace_first_fit": ("fit.purchases.pymc_marketing.first_seconds", "fit.purchases.laplace.first_seconds"),
    "laplace_further_fit": ("fit.purchases.pymc_marketing.further_seconds", "fit.purchases.laplace.further_seconds"),
    "nuts_first_fit": ("fit.purchases.pymc_marketing.first_seconds", "fit.purchases.nuts.first_seconds"),
    "nuts_further_fit": ("fit.purchases.pymc_marketing.further_seconds", "fit.purchases.nuts.further_seconds"),
    "scoring_simulation": ("scoring.pymc_marketing.ns_per_customer_draw", "scoring.simulation.ns_per_customer_draw"),
    "scoring_everything": ("scoring.pymc_marketing.ns_per_customer_draw", "scoring.everything.ns_per_customer_draw"),
}
RATIO_LABELS = {
    "laplace_first_fit": "first fit, laplace",
    "laplace_further_fit": "further fit, laplace",
    "nuts_first_fit": "first fit, NUTS",
    "nuts_further_fit": "further fit, NUTS",
    "scoring_simulation": "scoring: simulated futures\nagainst their expectation",
    "scoring_everything": "scoring: all of notebook 05\nagainst their expectation",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for and write the three files; 1 if an item failed."""
    options = _parser().parse_args(arguments)
    if options.measure:
        print("\n" + json.dumps(_measure(options.measure, json.loads(options.given))))
        return 0
    figures = _figures_before(options.folder) if set(options.only) < set(ITEMS) else _nothing_yet()
    work = options.folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    try:
        for item in options.only:
            clock, busy = time.perf_counter(), _busy_seconds_of_others()
            figures[item] = _attempt(ITEMS[item], work.resolve(), options.largest)
            others = (_busy_seconds_of_others() - busy) / (time.perf_counter() - clock)
            figures["busy_cores_of_others"][item] = max(others, 0.0)
            figures["dates"][item] = date.today().isoformat()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    figures = _rounded(figures | {"ratios": ratios(figures)})
    write(figures, options.folder)
    return int(any("error" in figures[item] for item in options.only))


def _nothing_yet() -> dict[str, Any]:
    return {"machine": machine(), "date": date.today().isoformat(), "busy_cores_of_others": {}, "dates": {}}


def _figures_before(folder: Path) -> dict[str, Any]:
    """Return what stands in a folder if this machine measured it: of the other items it still holds, with its date."""
    stood = folder / "bench.json"
    found = json.loads(stood.read_text(encoding="utf-8")) if stood.exists() else {}
    return {"dates": {}} | found if found.get("machine") == _rounded(machine()) else _nothing_yet()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(ITEMS), default=list(ITEMS), help="items to measure")
    parser.add_argument("--largest", type=int, default=SIZES[-1], help="customers of the largest generated base")
    parser.add_argument("--folder", type=Path, default=artefacts.outputs() / "bench", help="where the results go")
    parser.add_argument("--measure", choices=list(MEASURES), help=argparse.SUPPRESS)
    parser.add_argument("given", nargs="?", help=argparse.SUPPRESS)
    return parser


def machine() -> dict[str, Any]:
    """Return what the figures were measured on: no name of the machine, nor of anybody."""
    import platform

    names = re.findall(r"^model name\s*:\s*(.+)$", _text("/proc/cpuinfo"), flags=re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in PACKAGES},
    }


def _busy_seconds_of_others() -> float:
    """Return the processor seconds all others have used or taken since the machine started, 0 if it does not say."""
    ticks = [int(count) for count in _text("/proc/stat").partition("\n")[0].split()[1:9]]
    if not ticks:
        return 0.0
    _, _, _, idle, waiting, *_ = ticks
    return (sum(ticks) - idle - waiting) / os.sysconf("SC_CLK_TCK") - sum(os.times()[:4])


# -- items: each is a table of what its processes measured ----------------------------------------------------------


def fit(work: Path, largest: int) -> dict[str, Any]:
    """Return seconds and effective draws of fits of CDNOW, by model and method."""
    del largest
    methods = ("pymc_marketing", "nuts", "laplace")
    return {
        model: {method: _apart(work, "fit", model=model, method=method) for method in methods} for model in PARAMETERS
    }


def scoring(work: Path, largest: int) -> dict[str, Any]:
    """Return nanoseconds per customer and draw and memory: theirs and ours on CDNOW, ours on large bases."""
    _apart(work, "posteriors", folder=str(work))
    found: dict[str, Any] = {"pymc_marketing": _apart(work, "expectation", folder=str(work))}
    for what in ("simulation", "everything"):
        found[what] = _apart(work, what, folder=str(work), numba=what)
    found["bases"] = []
    for customers in (size for size in BASES if size <= largest):
        log = _generated(work, customers)
        _apart(work, "base", log=log["file"], base=f"{work}/base.parquet", draws=f"{work}/draws.parquet")
        # Compiled code is on the disk, as it is after the first run on a machine.
        given = {"base": f"{work}/base.parquet", "draws": f"{work}/draws.parquet", "numba": "everything"}
        found["bases"].append(_apart(work, "score_base", **given))
    if found["bases"] and util.find_spec("pyspark"):
        found["bases"].append(_apart(work, "score_base", **given, spark=f"local[{WORKERS}]"))
    return found


def scaling(work: Path, largest: int) -> list[dict[str, Any]]:
    """Return what the whole pipeline with its backtest needs, from Parquet to report.html, for growing bases."""
    sizes = [*(size for size in SIZES if size < largest), largest]
    if largest > WARM_UP:
        _pipeline(work, _generated(work, WARM_UP))
    return [_pipeline(work, _generated(work, customers)) for customers in sizes]


def logs(work: Path, largest: int) -> list[dict[str, Any]]:
    """Return what cleaning and summarising a raw log needs: 100 rows of Parquet, 26 of CSV, per customer asked for."""
    found = []
    for kind, rows, memory_gib in (("parquet", 100 * largest, 4), ("csv", 26 * largest, 2)):
        file = f"{work}/raw.{kind}"
        size = _apart(work, "raw_log", file=file, rows=rows)
        found.append(size | _apart(work, "cleaned", file=file, memory_gib=memory_gib) | {"memory_gib": memory_gib})
    return found


ITEMS: dict[str, Callable[[Path, int], Any]] = {**{"fit": fit, "scoring": scoring, "scaling": scaling, "logs": logs}}


def _attempt(item: Callable[[Path, int], Any], work: Path, largest: int) -> Any:
    try:
        return item(work, largest)
    except Exception as error:
        told = without_places(f"{type(error).__name__}: {error}")
        print(f"bench: {item.__name__} failed: {told}", file=sys.stderr)
        return {"error": told}


def _apart(work: Path, name: str, *, numba: str | None = None, **given: Any) -> dict[str, Any]:
    """Measure in a fresh process; its caches of compiled code are empty, or numba's is an earlier one, by its name."""
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work) as empty:
        numba_cache = str(work / f"numba-{numba}") if numba else empty
        command = [sys.executable, __file__, "--measure", name, json.dumps(given)]
        print(f"bench: {name} {' '.join(map(str, given.values()))}".replace(f"{work}/", ""), file=sys.stderr)
        caches = {"PYTENSOR_FLAGS": f"base_compiledir={empty}", "NUMBA_CACHE_DIR": numba_cache}
        output = _output(command, env=_environment() | caches)
    return json.loads(output.splitlines()[-1])


def _environment() -> dict[str, str]:
    """Return the environment without what `make bench` adds to it; Python keeps bytecode, as it does by itself."""
    added = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "PYTHONDONTWRITEBYTECODE")
    kept = {name: text for name, text in os.environ.items() if name not in added}
    return kept | {"PYTHONPATH": os.pathsep.join([str(artefacts.root()), str(Path(__file__).parents[1])])}


def _output(command: Sequence[str], **options: Any) -> str:
    """Return what a command prints; if it fails, the end of what it complained of is the error."""
    ran = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, **options)
    if ran.returncode:
        complaint = ran.stderr.strip() or f"exit code {ran.returncode}"
        raise RuntimeError(complaint[-300:])
    return ran.stdout


@cache
def _generated(work: Path, customers: int) -> dict[str, Any]:
    """Return file and size of a generated log of two years; it is made once."""
    return _apart(work, "log", file=f"{work}/log{customers}.parquet", customers=customers)


def _pipeline(work: Path, log: Mapping[str, Any]) -> dict[str, Any]:
    """Run `make report` on a log and return its seconds, and what its own log says of it."""
    name = f"customers{log['customers']}"
    settings = work / f"{name}.yaml"
    settings.write_text(json.dumps(SETTINGS | {"source": log["file"]}), encoding="utf-8")  # JSON is YAML
    print(f"bench: make report, {log['customers']} customers", file=sys.stderr)
    command = ["make", "--no-print-directory", "report", f"PARAMS={settings}", f"PYTHON={sys.executable}"]
    environment = _environment() | {"CLV_OUTPUTS": str(work / "runs")}
    seconds, _ = _clocked(lambda: _output(command, cwd=artefacts.root(), env=environment))
    said = from_log((work / "runs" / name / "log.jsonl").read_text(encoding="utf-8").splitlines())
    shutil.rmtree(work / "runs")
    return {key: log[key] for key in ("customers", "transactions")} | {"pipeline_seconds": seconds} | said


def from_log(lines: Iterable[str]) -> dict[str, Any]:
    """Return seconds of fitting and of scoring, the largest peak, and each notebook's, from lines of log.jsonl."""
    said = [json.loads(line) for line in lines]
    stages = [line for line in said if line["event"] == "stage"]
    notebooks = {
        line["notebook"]: {"seconds": line["seconds"], "peak_mib": line["peak_mib"]}
        for line in said
        if line["event"] == "done"
    }
    return {
        "fit_seconds": sum(line["seconds"] for line in stages if line["stage"].startswith(FIT_STAGES)),
        "scoring_seconds": sum(line["seconds"] for line in stages if line["stage"].startswith(SCORING_STAGES)),
        "peak_mib": max(notebook["peak_mib"] for notebook in notebooks.values()),
        "notebooks": notebooks,
    }


def ratios(figures: Mapping[str, Any]) -> dict[str, float]:
    """Return how many times as long pymc-marketing takes, for everything that was measured on both sides."""
    pairs = {name: (_at(figures, theirs), _at(figures, ours)) for name, (theirs, ours) in RATIOS.items()}
    return {name: theirs / ours for name, (theirs, ours) in pairs.items() if theirs and ours}


def _at(figures: Any, path: str) -> Any:
    for key in path.split("."):
        figures = figures.get(key) if isinstance(figures, Mapping) else None
    return figures


def without_places(text: str) -> str:
    """Return a message without addresses, and with files named by their last part only."""
    return re.sub(r"(?<!\w)[~.]{0,2}/(?:[^\s/'\"]+/)*", "", re.sub(r"\w+://\S+", "...", text))


def _rounded(value: Any) -> Any:
    """Return the figures with four significant digits: more is noise."""
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8") if Path(path).exists() else ""


# -- measures: each runs in a process of its own ----------------------------------------------------------------------


def _measure(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    return MEASURES[name](**given) | {"peak_mib": progress.peak_mib()}


def _clocked(call: Callable[[], Any], *, at_least: int = 1) -> tuple[float, Any]:
    """Return seconds and result; the best of `at_least` calls if the first takes less than a second."""
    seconds: list[float] = []
    while not seconds or (seconds[0] < 1 and len(seconds) < at_least):
        clock = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - clock)
    return min(seconds), result


def _fit(model: str, method: str) -> dict[str, Any]:
    histories = [_cdnow(cut) for cut in (CUT, *OTHER_CUTS)]
    fitter = _fitter(model, method, histories[0])
    fits = [_clocked(lambda data=data: fitter(data)) for data in histories]
    first, *further = (seconds for seconds, _ in fits)
    effective = _effective_draws(fits[0][1], PARAMETERS[model])
    again = statistics.median(further)
    return {
        "first_seconds": first,
        "further_seconds": again,
        "effective_draws": effective,
        "effective_draws_per_second_first": effective / first,
        "effective_draws_per_second_further": effective / again,
    }


def _fitter(model: str, method: str, first: Any) -> Callable[[Any], Any]:
    """Return the function from customers to posterior; ours compiles on its first call, theirs on each."""
    modules = {name: import_module(name) for name in COMPILERS}
    if method == "pymc_marketing":
        return lambda customers: _upstream(model, customers).idata
    ours = modules["clv.models.bgnbd_pymc" if model == "purchases" else "clv.models.gamma_gamma_pymc"]
    compiled = cache(lambda: modules["clv.models.sampling"].Compiled(ours.model(first)))
    return lambda customers: modules["clv.models.sampling"].sample(compiled(), customers, _sampling(method))


def _upstream(model: str, customers: Any) -> Any:
    """Return pymc-marketing's model fitted as its documentation does it, by nutpie as ours is."""
    from pymc_marketing.clv import BetaGeoModel, GammaGammaModel

    from clv.models.gamma_gamma import usable

    fitted, data = (BetaGeoModel(), customers) if model == "purchases" else (GammaGammaModel(), usable(customers))
    size = {"chains": CHAINS, "draws": DRAWS, "tune": TUNE}
    fitted.fit(data, nuts_sampler="nutpie", random_seed=SEED, progressbar=False, **size)
    return fitted


def _sampling(method: str) -> Any:
    from clv.models.sampling import Settings

    return Settings(chains=CHAINS, draws=DRAWS, tune=TUNE, seed=SEED, workers=WORKERS, method=method)


def _effective_draws(posterior: Any, names: list[str]) -> float:
    """Return what the draws are worth: the smallest bulk ESS, or Kish's for weighted ones."""
    import arviz

    if "effective_draws" in posterior["sample_stats"]:
        return float(posterior["sample_stats"]["effective_draws"])
    found = arviz.ess(posterior["posterior"].to_dataset()[names], method="bulk")
    return min(float(found[name]) for name in names)


def _ours(model: str, customers: Any, method: str) -> Any:
    from clv.models import bgnbd_pymc, gamma_gamma_pymc, sampling

    built = (bgnbd_pymc if model == "purchases" else gamma_gamma_pymc).model(customers)
    return sampling.sample(sampling.Compiled(built), customers, _sampling(method))


def _posteriors(folder: str) -> dict[str, Any]:
    """Fit pymc-marketing's models and keep them: both sides score with these draws."""
    for model in PARAMETERS:
        _upstream(model, _cdnow(CUT)).save(f"{folder}/{model}.nc")
    return {}


def _expectation(folder: str) -> dict[str, Any]:
    """Score CDNOW's customers as pymc-marketing does it: expected value of each customer for each draw."""
    from pymc_marketing.clv import BetaGeoModel, GammaGammaModel

    customers = _cdnow(CUT)
    purchases, spend = BetaGeoModel.load(f"{folder}/purchases.nc"), GammaGammaModel.load(f"{folder}/spend.nc")
    options = {"future_t": 12, "discount_rate": (1 + DISCOUNT_ANNUAL) ** (1 / 12) - 1, "time_unit": "W"}
    seconds, value = _clocked(
        lambda: spend.expected_customer_lifetime_value(transaction_model=purchases, data=customers, **options),
        at_least=3,
    )
    return _per_customer_draw(seconds, len(customers), CHAINS * DRAWS) | {"mean_value_usd": float(value.mean())}


def _simulation(folder: str) -> dict[str, Any]:
    """Score copies of CDNOW's customers: every future simulated, everybody's limits and the joint total."""
    import numpy as np

    from clv.forecast import future, horizon

    def score(customers: Any) -> None:
        limits = np.empty((len(customers), 6))
        keep = horizon.Keep(_limits, limits.__setitem__)
        future.simulate(customers, draws, _year(), keep=keep, seed=SEED, workers=WORKERS)

    draws = _same_draws(folder)
    return _scored(score, _copies(), len(draws))


def _limits(own: None, purchases: Any, worth: Any) -> Any:
    import numpy as np

    from clv.forecast import groups

    return np.column_stack(
        [column for drawn in (purchases, worth) for column in groups.realised_limits(drawn, INTERVAL)]
    )


def _everything(folder: str) -> dict[str, Any]:
    """Score copies of CDNOW's customers: all that notebook 05 says of customers and groups."""
    draws = _same_draws(folder)
    result: list[Any] = []

    def score(customers: Any) -> None:
        result[:] = [_as_in_05(customers, draws, CUT)]

    found = _scored(score, _copies(), len(draws))
    return found | {"mean_value_usd": float(result[0].customers["clv_mean"].mean())}


def _scored(score: Callable[[Any], Any], customers: Any, draws: int) -> dict[str, Any]:
    compiling, _ = _clocked(lambda: score(customers.head(2 * WORKERS)))
    seconds, _ = _clocked(lambda: score(customers), at_least=3)
    return _per_customer_draw(seconds, len(customers), draws) | {"compile_seconds": compiling}


def _score_base(base: str, draws: str, spark: str = "") -> dict[str, Any]:
    """Score a large base that was summarised before, in this process or on the Spark cluster of that address."""
    import pandas as pd

    from clv.forecast import cluster, cohorts, value
    from clv.rfm import segments

    del cohorts, segments, value  # imported before the clock starts
    customers = pd.read_parquet(base)
    joint = typed_draws(**dict(pd.read_parquet(draws).items()), key="bgnbd")
    before = {"engine": spark and f"Spark, {spark}", "resident_before_mib": _resident_mib()}
    if spark:
        os.environ[cluster.VARIABLE] = spark
    seconds, _ = _clocked(lambda: _as_in_05(customers, joint, OBSERVATION_END))
    return _per_customer_draw(seconds, len(customers), len(joint)) | before


def _as_in_05(customers: Any, draws: Any, last_day: date) -> Any:
    from clv.forecast import closed_forms, cohorts, groups, tiers, value
    from clv.rfm import segments

    options = {"interval": INTERVAL, "workers": WORKERS}
    expected = customers.join(closed_forms.expectations(customers, draws, _year(), **options))
    named = expected.assign(
        rfm_segment=segments.rfm_segment(expected),
        value_tier=tiers.value_tier(expected["clv_mean"]),
        cohort=segments.cohort(expected["first_purchase"]),
        value_rank=groups.value_rank(expected["clv_mean"]),
    )
    calendar = cohorts.calendar(named, last_day, _year())
    return value.forecast_values(named, draws, _year(), seed=SEED, groupings=GROUPINGS, calendar=calendar, **options)


def _per_customer_draw(seconds: float, customers: int, draws: int) -> dict[str, Any]:
    found = {"customers": customers, "draws": draws, "seconds": seconds}
    return found | {"ns_per_customer_draw": 1e9 * seconds / (customers * draws)}


def _year() -> Any:
    from clv.forecast.horizon import yearly_horizon

    return yearly_horizon(WEEKS, discount_rate_annual=DISCOUNT_ANNUAL, gross_margin=1.0)


def _same_draws(folder: str) -> Any:
    import xarray as xr

    from clv.models import draws as models_draws
    from clv.models.registry import KEY

    purchases, spend = (xr.open_datatree(f"{folder}/{model}.nc", engine="h5netcdf").load() for model in PARAMETERS)
    purchases["posterior"].attrs[KEY] = "bgnbd"  # pymc-marketing's file does not say so
    known = spend["posterior"].to_dataset()  # and it knows nothing of first orders: they are like later ones
    spend["posterior"] = known.assign(p_first=known["p"], first_ratio=xr.ones_like(known["p"]))
    return models_draws.pair(purchases, spend, CHAINS * DRAWS)


def _copies() -> Any:
    import numpy as np

    customers = _cdnow(CUT)
    return customers.iloc[np.resize(np.arange(len(customers)), SCORED_CUSTOMERS)].reset_index(drop=True)


def _cdnow(cut: date) -> Any:
    """Return the histories of the CDNOW sample at a cut, with their scores."""
    from helpers import cdnow

    from clv.rfm import customers as rfm_customers
    from clv.rfm import scoring as rfm_scoring

    return rfm_scoring.scores(rfm_customers.summarise(cdnow(), "transactions", period_end=cut))


def _resident_mib() -> int:
    """Return the memory this process holds now; where the system does not say, the most it ever held."""
    pages = _text("/proc/self/statm").split()[1:2]
    return int(pages[0]) * os.sysconf("SC_PAGE_SIZE") // 2**20 if pages else progress.peak_mib()


def _log(file: str, customers: int) -> dict[str, Any]:
    """Generate the shop of params/default.yaml with so many customers, without its mess."""
    from numpy.random import default_rng

    from clv.run import params
    from clv.transactions import generate

    shop = params.load(artefacts.root() / "params" / "default.yaml")
    names = ("r", "alpha_weeks", "a", "b", "p", "q", "v")
    log, _, _ = generate.generate(
        generate.Truth(**{name: getattr(shop, f"generate_{name}") for name in names}),
        n_customers=customers,
        start=shop.generate_start,
        acquisition_months=shop.generate_acquisition_months,
        observation_end=OBSERVATION_END,
        horizon_weeks=1,
        generator=default_rng(SEED),
    )
    log.to_parquet(file, index=False)
    return {"file": file, "customers": int(log["customer_id"].nunique()), "transactions": len(log)}


def _raw_log(file: str, rows: int) -> dict[str, Any]:
    """Write a log of a thousand days in no order, each order of its own, with rows that cleaning must leave out."""
    import duckdb

    # One row in a thousand has no customer, one in a thousand is refunded later under its own order number.
    written = f"""
        SELECT CASE WHEN i % 1000 > 0 THEN 'C' || hash(7 * i + 1) % {max(rows // 50, 1)} END AS customer_id,
               DATE '2022-01-01' + (hash(3 * i + 2) % 1000)::INT + CASE WHEN refund THEN 30 ELSE 0 END AS date,
               (CASE WHEN refund THEN -1 ELSE 1 END * (1 + hash(i) % 20000) / 100.0)::DECIMAL(10, 2) AS amount,
               'O' || i AS order_id, repeat('words, words; ', 2) AS note
        FROM (SELECT i, false AS refund FROM range({rows}) AS t(i)
              UNION ALL SELECT i, true FROM range(1, {rows}, 1000) AS t(i))"""
    options = "FORMAT csv, HEADER" if file.endswith("csv") else "FORMAT parquet"
    duckdb.connect().execute(f"COPY ({written}) TO '{file}' ({options})")
    return {"kind": Path(file).suffix[1:], "gib": os.path.getsize(file) / 2**30}


def _cleaned(file: str, memory_gib: float) -> dict[str, Any]:
    """Clean a raw log, judge it by all rules, and summarise its customers, as check-data does."""
    from clv.rfm import customers as rfm_customers
    from clv.transactions import cleaning, connection, findings, reading, source

    columns = {name: name for name in ("customer_id", "date", "amount", "order_id")}
    settings = source.SourceSettings(file, columns=columns, date_format=source.ISO_DATE)
    con = connection.connect(memory_gib=memory_gib)
    clock = [time.perf_counter()]
    reading.read(con, settings)
    cleaning.clean(con, settings)
    clock.append(time.perf_counter())
    cleaning_mib = progress.peak_mib()
    findings.inspect(con, settings)
    clock.append(time.perf_counter())
    customers = rfm_customers.summarise(
        con, "transactions", period_end=rfm_customers.last_day(con, "transactions", stated=None)
    )
    clock.append(time.perf_counter())
    rows = con.execute("SELECT rows FROM ledger WHERE line = 'source'").fetchone() or (0,)
    names = ("clean_seconds", "inspect_seconds", "summarise_seconds")
    return {
        "rows": int(rows[0]),
        "customers": len(customers),
        **{name: end - start for name, start, end in zip(names, clock, clock[1:], strict=False)},
        "seconds": clock[-1] - clock[0],
        "cleaning_mib": cleaning_mib,
    }


def _base(log: str, base: str, draws: str) -> dict[str, Any]:
    """Summarise a log as notebook 02 does, and keep joint draws of its posterior."""
    import pandas as pd

    from clv.models import draws as models_draws
    from clv.rfm import customers as rfm_customers
    from clv.rfm import scoring as rfm_scoring
    from clv.transactions import connection

    con = connection.connect()
    days = "SELECT customer_id, date, sum(amount) AS amount FROM read_parquet(?) GROUP BY customer_id, date"
    con.execute(f"CREATE TABLE days AS {days}", [log])
    customers = rfm_scoring.scores(rfm_customers.summarise(con, "days", period_end=OBSERVATION_END))
    customers.to_parquet(base, index=False)
    posteriors = [_ours(model, customers, "laplace") for model in PARAMETERS]
    pd.DataFrame(by_name(models_draws.pair(*posteriors, DRAWS))).to_parquet(draws)
    return {}


MEASURES: dict[str, Callable[..., dict[str, Any]]] = {
    **{"fit": _fit, "posteriors": _posteriors, "expectation": _expectation},
    **{"simulation": _simulation, "everything": _everything, "log": _log, "base": _base, "score_base": _score_base},
    **{"raw_log": _raw_log, "cleaned": _cleaned},
}


# -- what is written --------------------------------------------------------------------------------------------------


def write(figures: Mapping[str, Any], folder: Path) -> None:
    """Write bench.json, bench.md and bench.png."""
    leave(folder / "bench", figures, page(figures), partial(draw, figures))


def leave(stem: Path, figures: Mapping[str, Any], page: str, draw: Callable[[Path], None]) -> None:
    """Write what was measured as <stem>.json, .md and .png, each whole; `draw` makes the picture at a path."""
    with disk.replacing(stem.with_suffix(".json")) as file:
        file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    with disk.replacing(stem.with_suffix(".md")) as file:
        file.write_text(page, encoding="utf-8")
    with disk.replacing(stem.with_suffix(".png")) as file:
        draw(file)


@contextmanager
def picture(file: Path, *, rows: int = 1, columns: int, size: tuple[float, float], **sharing: Any) -> Iterator[Any]:
    """Yield the axes (rows, columns) of a picture that is left at `file`."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with pyplot.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        options: dict[str, Any] = {"figsize": size, "layout": "constrained"} | sharing
        figure, axes = pyplot.subplots(rows, columns, squeeze=False, **options)
        yield axes
        figure.savefig(file, dpi=110, format="png")
        pyplot.close(figure)


def about(seed: int, clock: float) -> dict[str, Any]:
    """Return what every study says of itself; `clock` is when it began."""
    return {
        "machine": machine(),
        "date": date.today().isoformat(),
        "seed": seed,
        "seconds": round(time.perf_counter() - clock),
    }


def opening(command: str, title: str, figures: Mapping[str, Any]) -> list[str]:
    """Return title and first paragraph of a study that judges: whether everything passed, how and where it ran."""
    host, outcome = figures["machine"], "Everything passed." if figures["passed"] else "**Not everything passed.**"
    told = f"""{outcome} By `make {command}`, seed {figures["seed"]}, in {figures["seconds"] / 60:.0f} minutes on
        {host["processor"]}, {host["cores"]} cores; Python {host["python"]}, pymc {host["pymc"]}, nutpie
        {host["nutpie"]}."""
    return [f"# {title}, measured {figures['date']}", filled(told)]


def judging(
    description: str, *, datasets: str, default: int | None, name: str, parts: Iterable[str] = ()
) -> argparse.ArgumentParser:
    """Return the command line of a script that judges simulated data sets and leaves outputs/<name>/."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    if names := list(parts):
        parser.add_argument("--only", nargs="+", choices=names, default=names, help="parts to judge")
    parser.add_argument("--datasets", type=int, default=default, help=datasets)
    parser.add_argument("--seed", type=int, default=SEED, help="of everything drawn")
    parser.add_argument("--workers", type=int, default=WORKERS, help="processes")
    parser.add_argument("--folder", type=Path, default=artefacts.outputs() / name, help="where the results go")
    return parser


def in_worlds(
    options: argparse.Namespace, forecast: Callable[..., Mapping[str, Any]], *, name: str
) -> Iterator[tuple[str, Any]]:
    """Yield each world that is asked for, and a frame of what `forecast` found of its data sets."""
    import pandas as pd

    with ProcessPoolExecutor(options.workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for world in options.only:
            each = partial(forecast, world=world, seed=options.seed)
            found = pd.DataFrame(list(pool.map(each, range(options.datasets))))
            print(f"{name}: {world}, {options.datasets} data sets", file=sys.stderr)
            yield world, found


def page(figures: Mapping[str, Any]) -> str:
    """Return the figures as Markdown for people: above each table what was measured and how."""
    parts = {"fit": _fit_page, "scoring": _scoring_page, "scaling": _scaling_page, "logs": _logs_page}
    sections = [_opening(figures)]
    for item, title in TITLES.items():
        if item in figures:
            failed = "error" in figures[item]
            text = f"Not measured: {figures[item]['error']}" if failed else parts[item](figures[item])
            on = figures.get("dates", {}).get(item, figures["date"])
            again = f"\n\nMeasured again on {on}, alone." if on != figures["date"] else ""
            sections.append(f"## {title}\n\n{text}{again}")
    return "\n\n".join(sections) + "\n"


TITLES = {
    **{"fit": "Fit", "scoring": "Scoring", "scaling": "Growing customer bases"},
    **{"logs": "Raw logs"},
}


def _opening(figures: Mapping[str, Any]) -> str:
    host = figures["machine"]
    versions = ", ".join(f"{name.replace('_', '-')} {host[name]}" for name in PACKAGES)
    rows = [
        {"what": RATIO_LABELS[name].replace("\n", " "), "ratio": ratio} for name, ratio in figures["ratios"].items()
    ]
    return _paragraphs(
        f"# How fast, measured {figures['date']}",
        f"""By `make bench` on one machine, each part in one run: {host["processor"]}, {host["cores"]} cores,
        {host["memory_gib"]:.0f} GiB; Python {host["python"]}, {versions}. Everything measured ran alone in a fresh
        process; imports are not counted. Meanwhile other processes kept busy, in cores: {_others(figures)}.""",
        "![Ratios to pymc-marketing, and growth with customers](bench.png)",
        """How many times as long pymc-marketing takes. In scoring it is asked for expected values, this project for
        simulated futures and all that follows from them, which is more.""",
        table(rows, {"what": "what", "ratio": "times as long"}),
    )


def _others(figures: Mapping[str, Any]) -> str:
    return ", ".join(f"{cores:.1f} ({TITLES[item].lower()})" for item, cores in figures["busy_cores_of_others"].items())


def _fit_page(found: Mapping[str, Any]) -> str:
    rows = [
        {"model": model, "method": method.replace("_", "-"), **item}
        for model in PARAMETERS
        for method, item in found[model].items()
    ]
    return _paragraphs(
        f"""The CDNOW sample: 2,357 customers known on 30 September 1997 (purchases: BG/NBD), and those of them who came
        back (spend: Gamma-Gamma). NUTS draws {CHAINS} chains of {DRAWS:,} after {TUNE:,} to tune, on both sides by
        nutpie, each side with its own default priors and target acceptance (0.8 theirs, 0.95 ours). The first fit
        includes building and compiling the model, with empty caches of pytensor and numba on both sides. Further fits
        are of the same log at three other days in the same process, and their median is shown: ours reuses the
        compiled model, pymc-marketing has to build one anew. Effective draws are the smallest bulk effective sample
        size of any parameter, for laplace that of the weights (Kish).""",
        table(rows, FIT_COLUMNS),
    )


FIT_COLUMNS = {
    **{"model": "model", "method": "method", "first_seconds": "first fit, s", "further_seconds": "further fit, s"},
    **{"effective_draws": "effective draws", "effective_draws_per_second_first": "per second, first"},
    **{"effective_draws_per_second_further": "per second, further", "peak_mib": "peak MiB"},
}


def _scoring_page(found: Mapping[str, Any]) -> str:
    kinds = {
        "pymc_marketing": "pymc-marketing: expected value, 12 monthly steps",
        "simulation": "ours: simulated futures, limits, joint total",
        "everything": "ours: all that notebook 05 says",
    }
    parts = [
        f"""A year ahead, discounted at 10 % a year, with the same {CHAINS * DRAWS:,} draws: those of pymc-marketing's
        fits of CDNOW. Theirs is `expected_customer_lifetime_value`, on its one thread: the mean of each customer's
        value for each draw. Ours, on {WORKERS} threads, simulates a future for each customer and draw; all that
        notebook 05 says adds closed-form expectations and their limits, totals of segments, tiers, cohorts and months,
        and a pass over at most 50,000 of them for the chance of each tier. Ours is timed on copies of the same
        customers, for one set of them is done within the noise of a clock; copies share closed forms, the large bases
        below do not. Numba compiles once per machine and keeps the code: that time stands apart.""",
        table([{"what": label, **found[kind]} for kind, label in kinds.items()], SCORING_COLUMNS),
    ]
    if found["bases"]:
        rows = [row | {"engine": row.get("engine") or "local"} for row in found["bases"]]
        spark = ", and sent to Spark, which starts within the time and whose workers' memory is not counted"
        parts += [
            f"""All that notebook 05 says of generated customers, with {DRAWS:,} draws: histories from Parquet, in a
            fresh process that finds the code compiled{spark * any(row.get("engine") for row in found["bases"])}.""",
            table(rows, BASE_COLUMNS),
        ]
    return _paragraphs(*parts)


SCORING_COLUMNS = {
    **{"what": "what", "customers": "customers", "seconds": "seconds"},
    **{"ns_per_customer_draw": "ns per customer and draw", "compile_seconds": "compiling, s", "peak_mib": "peak MiB"},
}
BASE_COLUMNS = {
    **{"customers": "customers", "engine": "engine"},
    **{"seconds": "seconds", "ns_per_customer_draw": "ns per customer and draw"},
    **{"resident_before_mib": "MiB before", "peak_mib": "peak MiB"},
}


def _scaling_page(found: Sequence[Mapping[str, Any]]) -> str:
    return _paragraphs(
        """`make report` with its backtest, from a Parquet file of generated customers (two years of acquisition) to
        `report.html`, all six notebooks, after a small run that left compiled code on the disk. Fit: both models, for
        all data and for the calibration part, by NUTS up to 20,000 distinct histories and by laplace beyond, compiling
        included. Scoring: expected values and simulated futures, of the forecast and of the backtests. The peak is that
        of the largest process. Of more than 200,000 customers 500 joint draws are taken instead of 1,000, as a run does
        that states no other number.""",
        table(found, SCALING_COLUMNS),
    )


SCALING_COLUMNS = {
    **{"customers": "customers", "transactions": "transactions", "fit_seconds": "fit, s"},
    **{"scoring_seconds": "scoring, s", "pipeline_seconds": "whole pipeline, s", "peak_mib": "largest peak MiB"},
}


def _logs_page(found: Sequence[Mapping[str, Any]]) -> str:
    return _paragraphs(
        """A raw log in no order, with refunds and rows without a customer: read, cleaned, accounted for, judged by all
        rules, and turned into one row per customer, as `make check-data` does. The first peak is that of cleaning, the
        second includes the customers in memory; `memory_gib` is what was allowed.""",
        table(found, LOGS_COLUMNS),
    )


LOGS_COLUMNS = {
    **{"kind": "kind", "gib": "GiB", "rows": "rows", "customers": "customers", "clean_seconds": "cleaned, s"},
    **{"inspect_seconds": "judged, s", "summarise_seconds": "summarised, s", "seconds": "together, s"},
    **{"memory_gib": "memory_gib", "cleaning_mib": "peak MiB, cleaning", "peak_mib": "peak MiB"},
}


def _paragraphs(*parts: str) -> str:
    """Return parts with an empty line between them; prose is filled anew, tables are left as they are."""
    return "\n\n".join(part if part.startswith("|") else filled(part) for part in parts)


def filled(text: str) -> str:
    """Return prose in lines of at most 120 characters, however it was indented."""
    return fill(" ".join(text.split()), 120, break_on_hyphens=False)


def table(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str]) -> str:
    """Return rows as a Markdown table; numbers stand right, what a row lacks is a dash."""
    rows = list(rows)
    is_text = [any(isinstance(row.get(key), str) for row in rows) for key in columns]
    rule = ("---" if text else "--:" for text in is_text)
    lines = [columns.values(), rule, *([_shown(row.get(key)) for key in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _shown(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or "–"
    return f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 100 else f"{value:.3g}"


def draw(figures: Mapping[str, Any], file: Path) -> None:
    """Draw ratios on the left, seconds and memory of growing bases on the right."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with pyplot.rc_context({"font.size": 11, "axes.spines.top": False, "axes.spines.right": False}):
        figure = pyplot.figure(figsize=(12, 5.6), layout="constrained")
        left, right = figure.subfigures(1, 2, width_ratios=[1.25, 1])
        if figures["ratios"]:
            _draw_ratios(left.subplots(), figures["ratios"])
        if "error" not in figures.get("scaling", ["error"]):
            _draw_growth(*right.subplots(2, 1, sharex=True), figures["scaling"])
        figure.savefig(file, dpi=110, format="png")
        pyplot.close(figure)


def _draw_ratios(axes: Any, found: Mapping[str, float]) -> None:
    labels, lengths = [RATIO_LABELS[name] for name in found], [ratio - 1 for ratio in found.values()]
    bars = axes.barh(labels, lengths, left=1, color=MODEL, height=0.62)
    axes.bar_label(bars, [f"{_shown(ratio)} ×" for ratio in found.values()], padding=4, fontweight="bold")
    axes.axvline(1, color=QUIET, linewidth=1)
    axes.set(xscale="log", title="How many times as long pymc-marketing takes")
    axes.set_xlim(min([0.7, *found.values()]), 4 * max([1, *found.values()]))
    axes.xaxis.set_major_formatter(lambda number, _: f"{number:,.10g}")
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()


def _draw_growth(seconds: Any, memory: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    customers = [row["customers"] for row in rows]
    lines = {
        "pipeline_seconds": ("whole pipeline", OBSERVED, 5),
        "scoring_seconds": ("scoring", MODEL, -7),
        "fit_seconds": ("fit", REFERENCE, 0),
    }
    for key, (label, colour, lift) in lines.items():
        _draw_line(seconds, customers, [row[key] for row in rows], label, colour, lift)
    _draw_line(memory, customers, [row["peak_mib"] / 1024 for row in rows], "largest process", MODEL)
    seconds.set(xscale="log", yscale="log", ylabel="seconds", title="From Parquet to report.html")
    seconds.yaxis.get_major_locator().set_params(subs=(1, 3))
    memory.set(ylabel="peak memory, GiB", xlabel="customers")
    memory.set_ylim(0, 1.25 * max(row["peak_mib"] for row in rows) / 1024)
    for axes in (seconds, memory):
        axes.grid(axis="y", color=QUIET, alpha=0.25)
        axes.set_xticks(customers, [words.short_number(number) for number in customers])
        axes.minorticks_off()
        axes.set_xlim(0.7 * customers[0], 6 * customers[-1])  # room for the lines' names
        axes.yaxis.set_major_formatter(lambda number, _: f"{number:,.10g}")


def _draw_line(
    axes: Any, customers: Sequence[float], values: Sequence[float], label: str, colour: str, lift: int = 0
) -> None:
    axes.plot(customers, values, marker="o", color=colour)
    beside = {"xytext": (8, lift), "textcoords": "offset points", "va": "center"}
    axes.annotate(label, (customers[-1], values[-1]), color=colour, **beside)


if __name__ == "__main__":
    sys.exit(main())
