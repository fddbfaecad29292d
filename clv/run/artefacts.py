"""Name and place of every file of a run, which notebook writes it, and in which runs it exists."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from clv.transactions.files import find
from clv.transactions.source import DATABASE

ALWAYS, GENERATED, BACKTESTED = "always", "generated", "backtested"
NOTEBOOKS = ("01_generate", "02_rfm", "03_bgnbd_bayes", "04_gamma_gamma", "05_segments", "06_report")
_GENERATE, _RFM, _BGNBD, _GAMMA_GAMMA, SEGMENTS_NOTEBOOK, _REPORT = NOTEBOOKS


@dataclass(frozen=True)
class Artefact:
    """Where a file stands in the run's folder, which notebook writes it, and in which runs it exists."""

    file: str
    notebook: str
    when: str = ALWAYS


def _tables(notebook: str, names: str, when: str = ALWAYS) -> dict[str, Artefact]:
    return {name: Artefact(f"data/{name}.parquet", notebook, when) for name in names.split()}


def _posteriors(notebook: str, model: str) -> dict[str, Artefact]:
    when = {model: ALWAYS, f"{model}_calibration": BACKTESTED, f"{model}_origins": ALWAYS}
    return {name: Artefact(f"posterior/{name}.nc", notebook, exists) for name, exists in when.items()}


ARTEFACTS: dict[str, Artefact] = {
    "raw": Artefact("data/raw.csv", _GENERATE, GENERATED),
    **_tables(_GENERATE, "latent future", GENERATED),
    **_tables(_GENERATE, "transactions refunds customer_groups rejected ledger quality"),
    **_tables(_RFM, "rfm calibration holdout weekly_purchases monthly_purchases rolling"),
    **_tables(_BGNBD, "choice checks_purchases"),
    **_posteriors(_BGNBD, "bgnbd"),
    **_tables(_GAMMA_GAMMA, "checks_spend dependence"),
    **_posteriors(_GAMMA_GAMMA, "gamma_gamma"),
    **_tables(_GAMMA_GAMMA, "spend_test"),
    **_tables(SEGMENTS_NOTEBOOK, "truth", GENERATED),
    **_tables(SEGMENTS_NOTEBOOK, "customers segments forecast monthly_draws monthly_errors migration cohorts"),
    **_tables(SEGMENTS_NOTEBOOK, "backtest backtest_groups tracking window_groups windows total_draws ranks"),
    **_tables(SEGMENTS_NOTEBOOK, "concentration decisions contacts watch_list acquisition"),
    "forecasts": Artefact("forecasts.parquet", SEGMENTS_NOTEBOOK),
    "key_figures": Artefact("key_figures.json", SEGMENTS_NOTEBOOK),
    "workbook": Artefact("report.xlsx", SEGMENTS_NOTEBOOK),
    "report": Artefact("report.md", _REPORT),
}

# What the report carries within itself: tables of groups and figures, never of customers.
_CARRIED = "segments forecast migration cohorts ranks windows data_dictionary"
AGGREGATES = (*(f"exports/{name}.csv" for name in _CARRIED.split()), "key_figures.json")

PACKAGE = Path(__file__).resolve().parents[1]
ROOT = "CLV_ROOT"  # names the project's folder to kernels, which work elsewhere


def root() -> Path:
    """Return the project's folder, found from the package; of an installed package the folder one works in."""
    return PACKAGE.parent if _is_checkout() else Path(os.environ.get(ROOT) or Path.cwd())


def notebooks_folder() -> Path:
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
