"""Name and place of every file of a run, which notebook writes it, and in which runs it exists."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from clv.transactions.files import find
from clv.transactions.source import DATABASE

ALWAYS, GENERATED, BACKTESTED = "always", "generated", "backtested"
NOTEBOOKS = ("01_generate", "02_rfm", "03_bgnbd_bayes", "04_gamma_gamma", "05_segments", "06_report")


@dataclass(frozen=True)
class Artefact:
    """Where a file stands in the run's folder, which notebook writes it, and in which runs it exists."""

    file: str
    notebook: str
    when: str = ALWAYS


_GENERATE, _RFM, _BGNBD, _GAMMA_GAMMA, SEGMENTS_NOTEBOOK, _REPORT = NOTEBOOKS
ARTEFACTS: dict[str, Artefact] = {
    "raw": Artefact("data/raw.csv", _GENERATE, GENERATED),
    "latent": Artefact("data/latent.parquet", _GENERATE, GENERATED),
    "future": Artefact("data/future.parquet", _GENERATE, GENERATED),
    "transactions": Artefact("data/transactions.parquet", _GENERATE),
    "refunds": Artefact("data/refunds.parquet", _GENERATE),
    "customer_groups": Artefact("data/customer_groups.parquet", _GENERATE),
    "rejected": Artefact("data/rejected.parquet", _GENERATE),
    "ledger": Artefact("data/ledger.parquet", _GENERATE),
    "quality": Artefact("data/quality.parquet", _GENERATE),
    "rfm": Artefact("data/rfm.parquet", _RFM),
    "calibration": Artefact("data/calibration.parquet", _RFM),
    "holdout": Artefact("data/holdout.parquet", _RFM),
    "weekly_purchases": Artefact("data/weekly_purchases.parquet", _RFM),
    "rolling": Artefact("data/rolling.parquet", _RFM),
    "choice": Artefact("data/choice.parquet", _BGNBD),
    "tracking": Artefact("data/tracking.parquet", _BGNBD),
    "checks_purchases": Artefact("data/checks_purchases.parquet", _BGNBD),
    "bgnbd": Artefact("posterior/bgnbd.nc", _BGNBD),
    "bgnbd_calibration": Artefact("posterior/bgnbd_calibration.nc", _BGNBD, BACKTESTED),
    "bgnbd_origins": Artefact("posterior/bgnbd_origins.nc", _BGNBD),
    "checks_spend": Artefact("data/checks_spend.parquet", _GAMMA_GAMMA),
    "dependence": Artefact("data/dependence.parquet", _GAMMA_GAMMA),
    "gamma_gamma": Artefact("posterior/gamma_gamma.nc", _GAMMA_GAMMA),
    "gamma_gamma_calibration": Artefact("posterior/gamma_gamma_calibration.nc", _GAMMA_GAMMA, BACKTESTED),
    "gamma_gamma_origins": Artefact("posterior/gamma_gamma_origins.nc", _GAMMA_GAMMA),
    "spend_test": Artefact("data/spend_test.parquet", _GAMMA_GAMMA),
    "truth": Artefact("data/truth.parquet", SEGMENTS_NOTEBOOK, GENERATED),
    "customers": Artefact("data/customers.parquet", SEGMENTS_NOTEBOOK),
    "segments": Artefact("data/segments.parquet", SEGMENTS_NOTEBOOK),
    "forecast": Artefact("data/forecast.parquet", SEGMENTS_NOTEBOOK),
    "monthly_draws": Artefact("data/monthly_draws.parquet", SEGMENTS_NOTEBOOK),
    "monthly_errors": Artefact("data/monthly_errors.parquet", SEGMENTS_NOTEBOOK),
    "migration": Artefact("data/migration.parquet", SEGMENTS_NOTEBOOK),
    "cohorts": Artefact("data/cohorts.parquet", SEGMENTS_NOTEBOOK),
    "backtest": Artefact("data/backtest.parquet", SEGMENTS_NOTEBOOK),
    "backtest_groups": Artefact("data/backtest_groups.parquet", SEGMENTS_NOTEBOOK),
    "window_groups": Artefact("data/window_groups.parquet", SEGMENTS_NOTEBOOK),
    "windows": Artefact("data/windows.parquet", SEGMENTS_NOTEBOOK),
    "total_draws": Artefact("data/total_draws.parquet", SEGMENTS_NOTEBOOK),
    "concentration": Artefact("data/concentration.parquet", SEGMENTS_NOTEBOOK),
    "ranks": Artefact("data/ranks.parquet", SEGMENTS_NOTEBOOK),
    "decisions": Artefact("data/decisions.parquet", SEGMENTS_NOTEBOOK),
    "effects": Artefact("data/effects.parquet", SEGMENTS_NOTEBOOK),
    "contacts": Artefact("data/contacts.parquet", SEGMENTS_NOTEBOOK),
    "watch_list": Artefact("data/watch_list.parquet", SEGMENTS_NOTEBOOK),
    "acquisition": Artefact("data/acquisition.parquet", SEGMENTS_NOTEBOOK),
    "forecasts": Artefact("forecasts.parquet", SEGMENTS_NOTEBOOK),
    "key_figures": Artefact("key_figures.json", SEGMENTS_NOTEBOOK),
    "workbook": Artefact("report.xlsx", SEGMENTS_NOTEBOOK),
    "report": Artefact("report.md", _REPORT),
}

# What the report carries within itself: tables of groups and figures, never of customers.
AGGREGATES = (
    *(
        f"exports/{name}.csv"
        for name in ("segments", "forecast", "migration", "cohorts", "ranks", "windows", "data_dictionary")
    ),
    "key_figures.json",
)


PACKAGE = Path(__file__).resolve().parents[1]
ROOT = "CLV_ROOT"  # names the project's folder to kernels, which work elsewhere


def root() -> Path:
    """Return the project's folder, found from the package; of an installed package the folder one works in."""
    return PACKAGE.parent if _is_checkout() else Path(os.environ.get(ROOT) or Path.cwd())


def notebooks_folder() -> Path:
    """Return the folder of the six notebooks."""
    return (root() if _is_checkout() else Path(sys.prefix) / "share" / "clv") / "notebooks"


def _is_checkout() -> bool:
    return (PACKAGE.parent / "notebooks").is_dir()


def outputs() -> Path:
    """Return the folder of all runs; the environment variable CLV_OUTPUTS redirects it."""
    redirected = os.environ.get("CLV_OUTPUTS")
    return Path(redirected).resolve() if redirected else root() / "outputs"


def home() -> dict[str, str]:
    """Return a home beside the runs where the user's cannot be written: numba and others keep compiled code there."""
    if os.access(os.path.expanduser("~"), os.W_OK):
        return {}
    place = outputs() / ".home"
    place.mkdir(parents=True, exist_ok=True)
    return {"HOME": str(place)}


def source_files(source: str) -> list[Path]:
    """Return the files a `source` setting names: none if it is generated, on a server, or matches nothing."""
    if source in ("generate", DATABASE):
        return []
    if source == "cdnow":
        return [PACKAGE / "transactions" / "data" / "cdnow.csv"]
    return find(root() / Path(source).expanduser())


def shown(file: Path) -> str:
    """Return a file's path from the project folder, or in full if it lies elsewhere."""
    inside = file.is_relative_to(root())
    return file.relative_to(root()).as_posix() if inside else str(file)
