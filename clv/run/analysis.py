"""A frame in a notebook of one's own becomes forecasts, without a params file: what `import clv` offers.

It is a run like any other, under outputs/<name>: the same notebooks, the same numbers, and nothing is computed again
that is there already.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import xarray as xr
import yaml

from clv.backtest.tables import WINDOWS
from clv.errors import ClvError, InputError, listed
from clv.forecast.tables import CUSTOMERS, SEGMENTS, TOTAL_DRAWS, as_shown
from clv.run import artefacts, disk
from clv.run.folder import Run
from clv.run.outlook import Outlook

_GIVEN = "given"  # folder of what a run was made from, in its own


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

    Returns
    -------
    The finished run, opened. Minutes for a new log; seconds where frame and settings are those of before.

    Raises
    ------
    InputError, GateError
        What cannot be used, or supports no statement, in one sentence.

    Examples
    --------
    Settings here are a dictionary, `{"horizon_weeks": 52, "calibration_end": "2024-12-31"}` and others:

    >>> fit = clv.fit(orders, customer_id="id", date="date", amount="amount", **settings)
    >>> fit
    500 customers are expected to bring ... in 52 weeks; ... interval, past errors allowed for: ... Gate: ...
    >>> clv.fit(orders, customer_id="customer", date="date", amount="amount")
    Traceback (most recent call last):
    clv.errors.InputError: The frame has no column customer; it has id, date, amount.
    """
    roles = {"customer_id": customer_id, "date": date, "amount": amount, "order_id": order_id}
    named = {role: str(column) for role, column in roles.items() if column is not None} | settings.pop("columns", {})
    log = Run(name).folder / _GIVEN / "log.parquet"
    _write(_log(frame, named.values()), log)
    return _made(name, {"source": str(log), "columns": named, **settings})


def load(folder: str | Path) -> "Fit":
    """Open a finished run by its folder.

    Parameters
    ----------
    folder
        outputs/<run>, of a params file or of an earlier `clv.fit`.

    Returns
    -------
    The run; of one that a params file made, only that file changes the settings.

    Raises
    ------
    InputError
        No finished run stands there.

    Examples
    --------
    >>> fit = clv.load(folder)
    >>> list(fit.spend["posterior"].data_vars)
    ['p', 'q', 'v', 'p_first', 'first_ratio']
    """
    run = Run(Path(folder).resolve().name)
    if run.folder.resolve() != Path(folder).resolve() or not (run.folder / "manifest.json").exists():
        raise InputError(f"{folder} is no finished run in {artefacts.outputs()}: `clv report PARAMS.yaml` makes one.")
    return Fit(run)


@dataclass(frozen=True)
class Fit:
    """A finished run, opened: its tables as frames, its posteriors as xarray.

    Attributes
    ----------
    run : Run
        Its name and folder; `fit.run.folder` holds every file of it.
    """

    run: Run

    def __repr__(self) -> str:
        return f"{self.forecast()} {self._state()}"

    def _repr_html_(self) -> str:
        return f"{self.forecast()._repr_html_()}<p>{escape(self._state())}</p>"

    def _state(self) -> str:
        return f"Gate: {self._figures['gate']['verdict']}. Files: {artefacts.shown(self.run.folder)}"

    def forecast(self, weeks: int | None = None) -> Outlook:
        """Return what customers will bring.

        Parameters
        ----------
        weeks
            Horizon, 1 to 520; None: that of the run. Another one is made beside it, as a run of its own.

        Returns
        -------
        Customers, groups and joint draws of totals.

        Raises
        ------
        InputError
            The horizon is no such number, or the run was made by a params file, which holds its horizon.

        Examples
        --------
        >>> groups = fit.forecast().groups
        >>> groups.loc[groups["grouping"] == "value_tier", "group"].tolist()
        ['Next 20 %', 'Next 30 %', 'Remaining 40 %', 'Top 10 %']
        >>> fit.forecast(weeks=521)
        Traceback (most recent call last):
        clv.errors.InputError: ... horizon_weeks is 521, but must be less than or equal to 520.
        """
        horizon = self._figures["horizon_weeks"]
        if weeks not in (None, horizon):
            return self._with(horizon_weeks=weeks).forecast()
        read = self.run.read_table
        groups = as_shown(read(SEGMENTS))
        return Outlook(horizon, self._figures, read(CUSTOMERS), groups, read(TOTAL_DRAWS))

    def check(self) -> pd.DataFrame:
        """Return what the gate judged of data, posteriors and past forecasts.

        Returns
        -------
        A row per check: kind, name, figure and the limit it was held against, verdict (PASS, WARN), sentence.

        Examples
        --------
        >>> "FAIL" in set(fit.check()["verdict"])
        False
        """
        return pd.DataFrame(self._figures["gate"]["checks"])

    def backtest(self) -> pd.DataFrame:
        """Return past forecasts held against what came.

        Returns
        -------
        Table WINDOWS: a row per past window and outcome (purchases, value).

        Examples
        --------
        >>> {"forecast", "actual", "lower", "upper"} <= set(fit.backtest())
        True
        """
        return self.run.read_table(WINDOWS)

    @property
    def purchases(self) -> xr.DataTree:
        """Posterior of the purchase model, (chain, draw); ArviZ takes it as it is. Rates are per week."""
        return self.run.read_posterior("bgnbd")

    @property
    def spend(self) -> xr.DataTree:
        """Posterior of the spend model, (chain, draw), in the log's currency."""
        return self.run.read_posterior("gamma_gamma")

    def report(self, target: str | Path) -> Path:
        """Write the report, one HTML file that needs nothing else.

        Parameters
        ----------
        target
            Place of the file; one that stands there is replaced.

        Returns
        -------
        That place.

        Examples
        --------
        >>> fit.report("report.html")
        PosixPath('report.html')
        """
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


def _log(frame: Any, columns: Iterable[str]) -> pa.Table:
    """Return a frame as Arrow; refuse what is none, or lacks rows or one of the columns."""
    try:
        log = pa.table(frame)
    except (TypeError, ValueError) as error:  # Arrow's own errors are of these kinds
        known = "pandas, polars, pyarrow or a DuckDB relation"
        raise InputError(f"The log must be a frame, {known}, each column of one kind: {error}") from error
    if missing := [column for column in columns if column not in log.column_names]:
        raise InputError(f"The frame has no column {listed(map(str, missing))}; it has {listed(log.column_names)}.")
    if not log.num_rows:
        raise InputError("The frame has no rows: give a log with transactions.")
    return pa.table([_writable(column) for column in log.columns], names=log.column_names)


def _writable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column as Parquet can hold it: polars' categories have texts of a kind that Arrow cannot write."""
    if not pa.types.is_dictionary(column.type) or not pa.types.is_string_view(column.type.value_type):
        return column
    texts = [pa.DictionaryArray.from_arrays(part.indices, part.dictionary.cast(pa.string())) for part in column.chunks]
    return pa.chunked_array(texts)


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
    file.write_text(yaml.safe_dump(disk.plain(settings, name), allow_unicode=True, sort_keys=False), encoding="utf-8")
    command = [sys.executable, "-m", "clv.run", "report", str(file)]
    ran = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if ran.returncode:
        kinds: list[type[ClvError]] = ClvError.__subclasses__()
        kind = next((kind for kind in kinds if kind.exit_code == ran.returncode), ClvError)
        raise kind(ran.stderr.strip().splitlines()[-1])
    return Fit(Run(name))
