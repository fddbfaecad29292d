"""Checks a log without computing anything from it: reads, cleans, and writes the data-quality page.

The page and the rows that were left out go to outputs/<run>/check/, so no result of a run is touched.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
from duckdb import DuckDBPyConnection
from numpy.random import default_rng

from clv.errors import InputError
from clv.report.page import quality
from clv.report.page.html import render
from clv.rfm import support
from clv.rfm.customers import last_day, require_holdout, summarise
from clv.run import artefacts, disk, params
from clv.run.folder import Run
from clv.run.params import Params
from clv.transactions import activity, cleaning, connection, findings, generate, reading, selection
from clv.transactions.recognise import unasked_states
from clv.transactions.source import SourceSettings
from clv.transactions.tables import LEDGER

SAMPLED_ROWS = 5000  # in which values are looked for that no setting speaks of
ROWS_PER_RULE = 1000  # of the rows left out, so many of each rule are written for the owner of the data


def check(params_file: Path) -> Path:
    """Write the data-quality page of a params file and return its place; a log that is refused raises afterwards."""
    run, settings = Run(params.run_name(params_file)), params.load(params_file)
    con = connection.connect(memory_gib=settings.memory_gib)
    refusal: InputError | None = None
    with _log(run, settings) as path:
        source = _source_settings(settings, path)
        try:
            settings.refuse_future_end(date.today())
            reading.read(con, source)
            cleaning.clean(con, source)
        except InputError as error:
            refusal = error
        found = _inspect(con, source, settings, run.name)
        with contextlib.suppress(InputError):  # what the columns nobody mapped leave open
            sample = reading.sample(connection.connect(), source, rows=SAMPLED_ROWS)
            found = replace(found, questions=unasked_states(*sample, source))
        refusal = refusal or _refused(con, settings, found)
    page = _write(run, replace(found, refusal=str(refusal) if refusal else None), con)
    if refusal:
        raise InputError(f"{refusal} See {artefacts.shown(page)}.")
    return page


@contextlib.contextmanager
def _log(run: Run, settings: Params) -> Iterator[str]:
    """Return where the log lies; one that is generated is generated anew, and vanishes."""
    if settings.source != "generate":
        yield run.source(settings.source)
        return
    rates = {name: getattr(settings, f"generate_{name}") for name in ("r", "alpha_weeks", "a", "b", "p", "q", "v")}
    generator = default_rng(settings.seed)
    log, _, _ = generate.generate(
        generate.Truth(**rates),
        n_customers=settings.generate_customers,
        start=settings.generate_start,
        acquisition_months=settings.generate_acquisition_months,
        observation_end=settings.end_if_known or date.today(),
        horizon_weeks=settings.horizon_weeks,
        generator=generator,
    )
    with tempfile.TemporaryDirectory(prefix="clv-") as folder:
        file = Path(folder) / "raw.csv"
        generate.mess(log, share=settings.generate_mess_share, generator=generator).to_csv(file, index=False)
        yield str(file)


def _source_settings(settings: Params, path: str) -> SourceSettings:
    log = settings.for_notebooks()["log"]
    return SourceSettings(path, observation_end=settings.end_if_known, exclude_ids=settings.exclude_ids, **log)


def _end(con: DuckDBPyConnection, settings: Params) -> date:
    return last_day(con, "transactions", stated=settings.end_if_known)


def _refused(con: DuckDBPyConnection, settings: Params, found: quality.Inspection) -> InputError | None:
    """Return why notebook 02 would refuse the customers of a clean log, or the calibration end."""
    if found.customers is None:
        return None
    try:
        support.require_support(found.customers, horizon_weeks=settings.horizon_weeks)
        if settings.calibration_end:
            known = summarise(con, "transactions", period_end=settings.calibration_end)
            require_holdout(known, cut=settings.calibration_end, last_day=_end(con, settings))
    except InputError as error:
        return error
    return None


def _inspect(con: DuckDBPyConnection, source: SourceSettings, settings: Params, run: str) -> quality.Inspection:
    """Return what is known of the log, as far as its cleaning came."""
    known = {row[0] for row in con.execute("SELECT table_name FROM information_schema.tables").fetchall()}
    found: dict[str, Any] = {"run": run, "source": Path(settings.source).name, "currency": source.currency}
    if "source" in known:
        found["mapping"] = _mapping(con, source)
    if "ledger" in known:
        found["ledger"] = cleaning.frame(con, LEDGER)
        found["quality"] = findings.inspect(con, source, calibration_end=settings.calibration_end)
        found["values"] = selection.by_value(con, source)
        if con.execute("SELECT 1 FROM transactions LIMIT 1").fetchone():
            customers = summarise(con, "transactions", period_end=_end(con, settings))
            found |= {
                "customers": customers,
                "supports": support.judge(customers, horizon_weeks=settings.horizon_weeks),
                "weekly": activity.weekly_activity(con, "transactions"),
                "amounts": activity.order_amounts(con, "transactions"),
            }
    return quality.Inspection(**found)


def _mapping(con: DuckDBPyConnection, source: SourceSettings) -> pd.DataFrame:
    kinds = {row[0]: row[1].lower() for row in con.execute("DESCRIBE source").fetchall()}
    rows = [(ours, name, kinds[ours]) for ours, name in source.wanted.items() if ours in kinds]
    roles = ["values" if ours in source.others else ours for ours, _, _ in rows]
    return pd.DataFrame([row[1:] for row in rows], index=roles, columns=["Column of the log", "Kind"])


def _write(run: Run, found: quality.Inspection, con: DuckDBPyConnection) -> Path:
    chosen = f"row_number() OVER (PARTITION BY rule ORDER BY record) <= {ROWS_PER_RULE}"
    query = f"SELECT * FROM rejected QUALIFY {chosen} ORDER BY record"
    run.write_csv("rows_left_out", None if found.ledger is None else con.execute(query).df(), folder="check")
    notebook, title, alert = quality.notebook(found), f"The log of {run.name}", found.refusal or ""
    footer = f"Run {run.name}, source {found.source}; rows left out: rows_left_out.csv beside this page"
    page = run.folder / "check" / "data_quality.html"
    disk.write(page, render(notebook, title=title, show_code=False, footer=footer, alert=alert))
    return page
