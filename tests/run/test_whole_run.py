"""What a whole run promises: its arrays depend on data, settings and seed alone, its bytes on nothing else at all."""

import json
import random
import signal
from pathlib import Path

import faults
import jsonschema
import pandas as pd
import pytest
import xarray as xr
from faults import ONE, Judge, Site

from clv.run.artefacts import root

pytestmark = pytest.mark.slow  # two runs of six notebooks; `make faults` kills more of them, at random moments


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Site:
    """A run by one worker, one notebook at a time, that nobody disturbed."""
    site = Site(tmp_path_factory.mktemp("alone"))
    site.set(ONE)
    code, said = site.make()
    assert code == 0, said
    return site


@pytest.fixture(scope="module")
def killed(tmp_path_factory) -> Site:
    """A run by three workers that was killed while sampling and started again, two notebooks at a time."""
    site = Site(tmp_path_factory.mktemp("killed"))
    site.set(ONE, workers=3)
    making = site.start()
    site.wait_for(making, "stage", "03_bgnbd_bayes")
    faults.kill(making, signal.SIGKILL)
    code, said = site.make("report", "-j2")
    assert code == 0, said
    return site


@pytest.fixture(scope="module")
def runs(alone, killed) -> tuple[Path, Path]:
    """Return the folders of both."""
    return alone.run, killed.run


def test_the_killed_run_had_to_continue(killed):
    begun = [event["notebook"] for event in killed.events() if event["event"] == "started"]
    assert begun.count("03_bgnbd_bayes") == 2
    assert begun.count("02_rfm") == 1


def test_every_table_is_the_same(runs):
    tables = sorted(file.relative_to(runs[0]) for file in runs[0].rglob("*.parquet"))
    assert len(tables) >= 15
    for table in tables:
        read = (pd.read_parquet(run / table).drop(columns="run_id", errors="ignore") for run in runs)  # settings differ
        pd.testing.assert_frame_equal(*read, check_exact=True)


def test_every_posterior_is_the_same(runs):
    for name in ("bgnbd", "bgnbd_calibration", "gamma_gamma", "gamma_gamma_calibration"):
        one, other = (xr.open_datatree(run / "posterior" / f"{name}.nc", engine="h5netcdf").load() for run in runs)
        assert "k_hat" in one["sample_stats"]
        for group in ("posterior", "sample_stats"):
            assert one[group].to_dataset().identical(other[group].to_dataset())


def test_every_figure_of_the_report_is_the_same(runs):
    one, other = (json.loads((run / "key_figures.json").read_text()) for run in runs)
    assert one.pop("clv") != other.pop("clv")  # the marks: the settings differ
    ids = one.pop("run_id"), other.pop("run_id")
    assert one == other
    assert (runs[0] / "report.md").read_text() == (runs[1] / "report.md").read_text()
    for export in (runs[0] / "exports").iterdir():
        texts = ((run / "exports" / export.name).read_text() for run in runs)
        assert len({text.replace(run_id, "") for text, run_id in zip(texts, ids, strict=True)}) == 1


def test_the_key_figures_are_as_their_schema_says(runs):
    schema = json.loads((root() / "docs" / "key_figures.schema.json").read_text())
    figures = json.loads((runs[0] / "key_figures.json").read_text())
    jsonschema.validate(figures, schema)
    assert set(figures) - {"clv"} == set(schema["properties"])
    for key in schema["required"]:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({name: figures[name] for name in figures if name != key}, schema)


def test_both_verify_and_the_report_bears_the_run_id_with_what_it_rests_on(alone, killed):
    for site in (alone, killed):
        code, said = site.make("verify")
        run_id = json.loads((site.run / "manifest.json").read_text())["run_id"]
        assert (code, f"every file belongs to run id {run_id}" in said) == (0, True), said
        footer = (site.run / "report.html").read_text().partition("<footer>")[2].replace("\N{NO-BREAK SPACE}", " ")
        for words in (f"run id {run_id}", " to 30 June 2025; ", f"seed {ONE};", "checks ", "pymc-marketing "):
            assert words in footer


def test_a_writer_that_does_not_put_whole_files_in_place_would_be_noticed(tmp_path):
    row = faults.writes_in_place(faults.Faults(tmp_path, 0, random.Random(1), Judge({})))
    assert row.wrongs == []
