"""A frame in a notebook of one's own becomes forecasts, without a params file: what `import clv` offers.

    fit = clv.fit(orders, customer_id="customer", date="day", amount="paid")
    fit.checks                      # the gate: may this be used?
    fit.forecast(weeks=52)          # customers, groups and totals, with intervals
    fit.windows                     # how wrong such forecasts were before
    fit.report("report.html")       # for those who never see code

It is a run like any other, under outputs/<name>: the same notebooks, the same numbers, and nothing is computed again
that is there already. `clv.load("outputs/cdnow")` opens one that was made before.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr
import yaml

from clv.backtest.tables import WINDOWS
from clv.errors import ClvError, InputError
from clv.forecast.tables import CUSTOMERS, SEGMENTS, TOTAL_DRAWS, as_shown, limits
from clv.run import artefacts, disk
from clv.run.folder import Run
from clv.words import count, money, percent, span

_GIVEN = "given"  # folder of what a run was made from, in its own
_SHOWN = ["customers", "expected_purchases", "clv_mean", "clv_lower", "clv_upper"]


def fit(
    frame: Any,
    *,
    customer_id: str,
    date: str,
    amount: str | None = None,
    order_id: str | None = None,
    name: str = "notebook",
    **settings: Any,
) -> "Fit":
    """Clean a log, learn from it how its customers buy, leave and spend, and forecast what they will bring.

    Parameters
    ----------
    frame
        The log: a row per transaction, in anything that speaks Arrow: pandas, polars, pyarrow, a DuckDB relation.
    customer_id, date, amount, order_id
        Names of its columns; other roles (product, quantity, unit_price, ...) by `columns={role: name}`.
    name
        Of the run: everything it leaves lies in outputs/<name>.
    settings
        Any key of a params file, under its name: horizon_weeks, calibration_end, currency, seed, ...

    Raises
    ------
    InputError, GateError
        What cannot be used, or supports no statement, in one sentence.
    """
    roles = {"customer_id": customer_id, "date": date, "amount": amount, "order_id": order_id}
    named = {role: column for role, column in roles.items() if column} | dict(settings.pop("columns", {}))
    log = Run(name).folder / _GIVEN / "log.parquet"
    _write(pa.table(frame), log)
    return _made(name, {"source": str(log), "columns": named, **settings})


def load(folder: str | Path) -> "Fit":
    """Open a finished run by its folder, outputs/<run>."""
    run = Run(Path(folder).resolve().name)
    if run.folder.resolve() != Path(folder).resolve() or not (run.folder / "manifest.json").exists():
        raise InputError(f"{folder} is no finished run in {artefacts.outputs()}: `clv report PARAMS.yaml` makes one.")
    return Fit(run)


@dataclass(frozen=True)
class Outlook:
    """What customers will bring: tables CUSTOMERS and SEGMENTS, and joint draws of the totals, TOTAL_DRAWS.

    Limits of groups allow for past errors, if a backtest tells of any; beside them stands what the model alone says.
    """

    weeks: int
    figures: dict[str, Any]
    customers: pd.DataFrame
    groups: pd.DataFrame
    draws: pd.DataFrame

    def _repr_html_(self) -> str:
        """Return one sentence and the segments."""
        segments = self.groups[self.groups["grouping"] == "rfm_segment"].set_index("group")[_SHOWN]
        return f"<p>{self}</p>{segments.round(2).to_html()}"

    def __str__(self) -> str:
        """Return the total in one sentence."""
        total = self.groups.iloc[0]
        kind = "if the model is right" if pd.isna(total["clv_lower_with_misfit"]) else "past errors allowed for"
        return (
            f"{count(len(self.customers))} customers are expected to bring "
            f"{money(total['clv_mean'], self.figures['currency'])} in {self.weeks} weeks; "
            f"{percent(self.figures['interval'])} interval, {kind}: {span(limits(total, 'clv'))}."
        )


@dataclass(frozen=True)
class Fit:
    """A finished run, opened: its tables as frames, its posteriors as xarray."""

    run: Run

    def __repr__(self) -> str:
        """Return what it is and what it says, in one sentence."""
        return f"{self.forecast()} Gate: {self._figures['gate']['verdict']}. Files: {artefacts.shown(self.run.folder)}"

    def forecast(self, weeks: int | None = None) -> Outlook:
        """Return what customers will bring in so many weeks; another horizon than the run's is made beside it."""
        horizon = self._figures["horizon_weeks"]
        if weeks not in (None, horizon):
            return self._with(horizon_weeks=weeks).forecast()
        read = self.run.read_table
        groups = as_shown(read(SEGMENTS))
        return Outlook(horizon, self._figures, read(CUSTOMERS), groups, read(TOTAL_DRAWS))

    @property
    def checks(self) -> pd.DataFrame:
        """What the gate judged: name, verdict and sentence."""
        return pd.DataFrame(self._figures["gate"]["checks"])

    @property
    def windows(self) -> pd.DataFrame:
        """Past forecasts held against what came, table WINDOWS."""
        return self.run.read_table(WINDOWS)

    @property
    def purchases(self) -> xr.DataTree:
        """Posterior of the purchase model; ArviZ takes it as it is."""
        return self.run.read_posterior("bgnbd")

    @property
    def spend(self) -> xr.DataTree:
        """Posterior of the spend model."""
        return self.run.read_posterior("gamma_gamma")

    def report(self, target: str | Path) -> Path:
        """Write the report, one HTML file that needs nothing else, to `target`."""
        return Path(shutil.copyfile(self.run.folder / "report.html", target))

    @cached_property
    def _figures(self) -> dict[str, Any]:
        return self.run.read_json("key_figures")

    def _with(self, **changed: Any) -> "Fit":
        """Return the run with other settings: its own name, with what was changed behind it."""
        file = _params(self.run)
        if not file.exists():
            raise InputError(f"{self.run.name} was made by a params file: change {', '.join(changed)} there.")
        settings = yaml.safe_load(file.read_text(encoding="utf-8"))
        return _made("_".join([self.run.name, *map(str, changed.values())]), settings | changed)


def _write(log: pa.Table, file: Path) -> None:
    """Write a log unless it is there already: what did not change is not computed again."""
    content = pa.BufferOutputStream()
    pq.write_table(log, content)
    if not file.exists() or file.read_bytes() != content.getvalue().to_pybytes():
        with disk.replacing(file) as unfinished:
            unfinished.write_bytes(content.getvalue())


def _params(run: Run) -> Path:
    return run.folder / _GIVEN / f"{run.name}.yaml"


def _made(name: str, settings: dict[str, Any]) -> Fit:
    """Write a params file and make its report, in a process of its own; a refusal is raised as what it was."""
    file = _params(Run(name))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False), encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "clv.run", "report", file], stderr=subprocess.PIPE, text=True, check=False
    )
    if ran.returncode:
        kinds: list[type[ClvError]] = ClvError.__subclasses__()
        kind = next((kind for kind in kinds if kind.exit_code == ran.returncode), ClvError)
        raise kind(ran.stderr.strip().splitlines()[-1])
    return Fit(Run(name))
