"""What a whole run promises: its arrays depend on data, settings and seed alone, not on workers or on being killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr

from clv.artefacts import root

pytestmark = pytest.mark.slow  # two runs of six notebooks

# A log on which importance sampling works, so that nothing is compiled for NUTS.
SETTINGS = """
source: generate
observation_end: "2025-06-30"
calibration_end: "2025-01-31"
method: laplace
draws: 250
predictive_draws: 200
generate_customers: 500
generate_acquisition_months: 18
"""


def start(outputs: Path, *, workers: int) -> subprocess.Popen:
    """Start `make report` with its results below `outputs`, in a process group of its own."""
    settings = outputs / "tiny.yaml"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text(f"{SETTINGS}workers: {workers}\n")
    return subprocess.Popen(
        ["make", "report", f"PARAMS={settings}", f"PYTHON={sys.executable}"],
        cwd=root(),
        env=os.environ | {"CLV_OUTPUTS": str(outputs)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(making: subprocess.Popen) -> None:
    _, said = making.communicate(timeout=600)
    assert making.returncode == 0, said


def events(outputs: Path) -> list[dict]:
    log = outputs / "tiny" / "log.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def kill_while(making: subprocess.Popen, outputs: Path, *, notebook: str) -> None:
    """Kill the maker and its runner at the end of a stage within `notebook`; the kernel ends with its parent."""
    while not any(event["event"] == "stage" and event["notebook"] == notebook for event in events(outputs)):
        assert making.poll() is None, making.communicate()
        time.sleep(0.02)
    os.killpg(making.pid, signal.SIGKILL)
    making.communicate()


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> tuple[Path, Path]:
    """Return the results of one worker left alone, and of three workers killed while sampling and started again."""
    alone, killed = tmp_path_factory.mktemp("alone"), tmp_path_factory.mktemp("killed")
    finish(start(alone, workers=1))
    kill_while(start(killed, workers=3), killed, notebook="03_bgnbd_bayes")
    finish(start(killed, workers=3))
    return alone / "tiny", killed / "tiny"


def test_the_killed_run_had_to_continue(runs):
    begun = [event["notebook"] for event in events(runs[1].parent) if event["event"] == "started"]
    assert begun.count("03_bgnbd_bayes") == 2
    assert begun.count("02_rfm") == 1


def test_every_table_is_the_same(runs):
    tables = sorted(file.relative_to(runs[0]) for file in runs[0].rglob("*.parquet"))
    assert len(tables) >= 15
    for table in tables:
        pd.testing.assert_frame_equal(*(pd.read_parquet(run / table) for run in runs), check_exact=True)


def test_every_posterior_is_the_same(runs):
    for name in ("bgnbd", "bgnbd_calibration", "gamma_gamma", "gamma_gamma_calibration"):
        one, other = (xr.open_datatree(run / "posterior" / f"{name}.nc", engine="h5netcdf").load() for run in runs)
        assert "k_hat" in one["sample_stats"]
        for group in ("posterior", "sample_stats"):
            assert one[group].to_dataset().identical(other[group].to_dataset())


def test_every_figure_of_the_report_is_the_same(runs):
    one, other = (json.loads((run / "key_figures.json").read_text()) for run in runs)
    assert one == other
    assert (runs[0] / "report.md").read_text() == (runs[1] / "report.md").read_text()
