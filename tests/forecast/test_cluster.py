"""What a Spark cluster promises: the numbers of this machine to the bit, or a sentence that says what it lacks."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import fields
from functools import partial
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pandas as pd
import pytest
from forecasts import fixed_draws, lives

from clv.backtest.scored_draws import against
from clv.decisions import uplift
from clv.decisions.tables import SURVIVAL
from clv.errors import InputError
from clv.forecast import blocks, closed_forms, cluster, tiers
from clv.forecast import value as forecast_value
from clv.forecast.future import simulate
from clv.forecast.horizon import Calendar, Groups, Horizon, Keep, Totals

STORY = {"r": 0.8, "alpha": 6.0, "a": 0.8, "b": 2.5, "p": 6.0, "q": 4.0, "v": 15.0}
DRAWS = fixed_draws(60, **STORY)
YEAR = Horizon(52.0, 0.002, 0.5)
MISSING = {
    "pyspark is not installed": importlib.util.find_spec("pyspark") is None,
    "there is no Java": shutil.which("java") is None,
}
needs_spark = pytest.mark.skipif(
    any(MISSING.values()), reason=", ".join(name for name, missing in MISSING.items() if missing)
)


class Standalone:
    """A master and two workers of one core each, which talk over loopback."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url, self._folder = f"spark://127.0.0.1:{port}", folder
        self.master = self._start("master.Master", "--host", "127.0.0.1", "--port", str(port))
        self.workers = [self._worker(), self._worker()]

    def _worker(self) -> subprocess.Popen:
        own = ("--cores", "1", "--memory", "600m", "--host", "127.0.0.1", "--work-dir", str(self._folder))
        return self._start("worker.Worker", *own, self.url)

    def _start(self, what: str, *arguments: str) -> subprocess.Popen:
        home = Path(importlib.util.find_spec("pyspark").origin).parent
        command = [home / "bin" / "spark-class", f"org.apache.spark.deploy.{what}", *arguments]
        with (self._folder / f"{what}.log").open("a") as log:  # a group of its own, with what it starts
            return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def kill(self, process: subprocess.Popen) -> None:
        """End a process and all that it started, as a machine ends that loses its power."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for process in (self.master, *self.workers):
            if process.poll() is None:
                self.kill(process)


@pytest.fixture(scope="module")
def standalone(tmp_path_factory) -> Iterator[Standalone]:
    folder = tmp_path_factory.mktemp("spark")
    settings = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "512m",
        "spark.executor.memory": "512m",
        "spark.ui.enabled": "false",
        "spark.local.dir": str(folder),
    }
    (folder / "spark-defaults.conf").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_CONF_DIR", str(folder))
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("SPARK_DAEMON_MEMORY", "256m")
        patch.setenv("SPARK_NO_DAEMONIZE", "1")
        started = Standalone(folder)
        try:
            deadline = monotonic() + 60
            while monotonic() < deadline:
                with suppress(InputError):
                    cluster.require(started.url)
                    break
                sleep(0.2)
            yield started
            if cluster._session.cache_info().currsize:
                cluster._session(started.url).stop()
        finally:
            cluster._session.cache_clear()
            started.stop()


@pytest.fixture
def small(monkeypatch) -> None:
    """Chunks of 64 customers, three of them a task, so that a few hundred customers make some; none are too few."""
    for module, name in ((blocks, "CHUNK_CUSTOMERS"), (closed_forms, "BLOCK_CUSTOMERS"), (uplift, "BLOCK_CUSTOMERS")):
        monkeypatch.setattr(module, name, 64)
    monkeypatch.setattr(blocks, "RUN", 3)
    monkeypatch.setattr(blocks, "FEW_RUNS", 0)


@pytest.fixture(scope="module")
def base() -> pd.DataFrame:
    history, _ = lives(700, age=40.0, weeks=1.0, discount=0.0, seed=11, **STORY)
    frame = history.assign(customer_id=[f"C{i:04d}" for i in range(len(history))], revenue=10.0)
    frame = frame.join(closed_forms.expectations(frame, DRAWS, YEAR, interval=0.9))
    return frame.assign(value_tier=tiers.value_tier(frame["clv_mean"]))


def everything(base: pd.DataFrame, workers: int) -> dict[str, np.ndarray]:
    """Return all that passes over customers say."""
    months = Calendar(np.arange(0.0, 60.0, 4.0), np.arange(len(base)) % 7, 7, base["frequency"].to_numpy() > 1)
    forecast = forecast_value.forecast_values(
        base, DRAWS, YEAR, interval=0.9, seed=1, workers=workers, groupings=["value_tier"], calendar=months
    )
    effect = uplift.Effect(SURVIVAL, 0.2, 0.1, 0.5)
    groups = Groups(np.arange(len(base))[:, None] % 5, 5)
    sizes = effect.draws(len(DRAWS), 1)
    found = {
        "expected": closed_forms.expectations(base, DRAWS, YEAR, interval=0.9, workers=workers).to_numpy(),
        "customers": forecast.customers.select_dtypes("number").to_numpy(float),
        "gains": uplift.expected_gains(base, DRAWS, YEAR, effect, effect.points(3), workers=workers),
        "campaign": uplift.realised_gains(base, DRAWS, YEAR, effect, sizes, groups, seed=1, workers=workers),
    }
    return found | {field.name: getattr(forecast.totals, field.name) for field in fields(Totals)}


@needs_spark
@pytest.mark.slow
def test_a_cluster_says_the_same_to_the_bit_with_any_number_of_tasks_at_a_time(standalone, small, base, monkeypatch):
    here = everything(base, 2)
    monkeypatch.setenv(cluster.VARIABLE, standalone.url)
    for workers in (1, 4):
        there = everything(base, workers)
        assert cluster._session.cache_info().currsize == 1, "nothing was sent"
        assert {name for name in here if here[name].tobytes() != there[name].tobytes()} == set()


@needs_spark
@pytest.mark.slow
def test_a_worker_that_dies_amid_a_pass_changes_nothing(standalone, small, base, monkeypatch):
    scored: list[slice] = []
    actual = base[["frequency", "clv_mean"]].to_numpy(float)

    def scores(put) -> bytes:
        found = np.empty((len(base), 10))

        def both(rows: slice, kept: np.ndarray) -> None:
            found[rows] = kept
            put(rows)

        totals = simulate(base, DRAWS, YEAR, seed=1, workers=2, keep=Keep(partial(against, 0.9), both, actual))
        return found.tobytes() + totals.value.tobytes()

    def after_the_first(rows: slice) -> None:
        scored.append(rows)
        if len(scored) == 1:
            standalone.kill(standalone.workers[0])

    monkeypatch.setattr(blocks, "RUN", 1)  # tasks enough to wait when the worker dies
    here = scores(lambda rows: None)
    monkeypatch.setenv(cluster.VARIABLE, standalone.url)
    assert scores(after_the_first) == here
    assert len(scored) == len(base) // 64 + 1
    assert standalone.workers[0].poll() is not None


@needs_spark
@pytest.mark.slow
def test_a_worker_with_another_package_is_named_and_computes_nothing(standalone, small, base, monkeypatch):
    another = cluster.made_of_here() | {"clv": "another"}
    monkeypatch.setattr(cluster, "made_of_here", lambda: another)
    monkeypatch.setenv(cluster.VARIABLE, standalone.url)
    with pytest.raises(InputError, match=r"worker .*: it has clv \w{12} instead of another; docs/spark.md says what"):
        closed_forms.expectations(base, DRAWS, YEAR, interval=0.9, workers=2)


def test_a_cluster_that_cannot_be_reached_is_refused_in_a_sentence(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"engine spark with spark_url yarn needs the package pyspark: `pip install"):
        cluster.require("yarn")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(InputError, match="needs Java 17 or 21, and there is none"):
        cluster.require("local[*]")
    with socket.socket() as nobody:  # bound, but listening to nobody
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(InputError, match="nothing answers there"):
            cluster.require(f"sc://127.0.0.1:{nobody.getsockname()[1]}")
