"""Runs of chunks on a Spark cluster: each is one task, and what comes back is the same to the bit as if computed here.

The only module that knows Spark, which it imports where the setting `engine` asks for it: the runner names the cluster
to the kernel in the environment variable CLV_SPARK, since no result depends on it. A worker needs this package and the
libraries its numbers come from in the same versions; a task says no where it finds others.
"""

import hashlib
import importlib.util
import os
import pickle
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from clv.errors import InputError

VARIABLE = "CLV_SPARK"
CONNECT = "sc://"  # the address of a Spark Connect server, which needs no Java here
_DECIDING = ("numpy", "numba", "pandas", "scipy")  # libraries that the numbers of a task come from
_PACKAGE = Path(__file__).parents[1]


def require(url: str) -> None:
    """Refuse a cluster that cannot be reached from here, before anything is computed."""
    asked = f"engine spark with spark_url {url}"
    if importlib.util.find_spec("pyspark") is None:
        raise InputError(f"{asked} needs the package pyspark: `pip install '.[spark]'` brings it (docs/spark.md).")
    java = Path(os.environ.get("JAVA_HOME", "-"), "bin", "java").exists() or shutil.which("java")
    if not java and not url.startswith(CONNECT):
        raise InputError(f"{asked} needs Java 17 or 21, and there is none on the PATH or in JAVA_HOME.")
    if place := re.fullmatch(r"(?:spark|sc)://([^:/,]+):(\d+)(?:/.*)?", url):
        try:
            socket.create_connection((place[1], int(place[2])), timeout=5).close()
        except OSError as error:
            raise InputError(f"{asked}: nothing answers there; is the cluster up, and the port right?") from error


def remote(url: str, work: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return `work` as a worker of the cluster at `url` does it: one job of one task for each call, from any thread."""
    import pyarrow

    session, made_of = _session(url), made_of_here()

    # Defined in here, so that Spark sends its text: a worker without this package must be able to say so.
    def run(batches: Iterator[Any]) -> Iterator[Any]:
        for (given,) in (batch.columns for batch in batches):
            found, refusal = None, None
            try:
                from clv.forecast.cluster import answer

                found = answer(given[0].as_py(), made_of)
            except Exception as error:
                refusal = f"worker {socket.gethostname()}: {type(error).__name__}: {error}"
            columns = [pyarrow.array([found], pyarrow.binary()), pyarrow.array([refusal], pyarrow.string())]
            yield pyarrow.RecordBatch.from_arrays(columns, ["found", "refusal"])

    def compute(given: Any) -> Any:
        packed = pickle.dumps((work, given), pickle.HIGHEST_PROTOCOL)
        try:
            one_row = pyarrow.table({"given": pyarrow.array([packed], pyarrow.binary())})
            answered = session.createDataFrame(one_row).mapInArrow(run, "found binary, refusal string").toArrow()
        except Exception as error:  # Spark has several kinds, and those of its Java side
            raise _gave_up(url, str(error)) from error
        if refusal := answered["refusal"][0].as_py():
            raise _gave_up(url, refusal)
        return pickle.loads(answered["found"][0].as_buffer())

    return compute


def answer(packed: bytes, made_of: dict[str, str]) -> bytes:
    """Return, on a worker, what the work that was packed comes to."""
    others = set(made_of_here().items()) - set(made_of.items())
    if others:
        raise InputError(f"it has {', '.join(f'{name} {found} instead of {made_of[name]}' for name, found in others)}")
    work, given = pickle.loads(packed)
    return pickle.dumps(work(given), pickle.HIGHEST_PROTOCOL)


@cache
def made_of_here() -> dict[str, str]:
    """Return what the numbers of a task depend on beside what it is told: versions, and the text of this package."""
    text = b"".join(file.read_bytes() for file in sorted(_PACKAGE.rglob("*.py"), key=str))
    versions = {name: version(name) for name in _DECIDING}
    return versions | {"clv": hashlib.sha256(text).hexdigest()[:12]}


@cache
def _session(url: str) -> Any:
    """Return the session of this process, made once; Spark's log goes where its own settings say, never into a page."""
    require(url)
    from pyspark import SparkConf, SparkContext
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        if url.startswith(CONNECT):
            return SparkSession.builder.remote(url).getOrCreate()
        conf = SparkConf().setMaster(url).setAppName("clv").set("spark.log.level", "OFF")
        gateway = launch_gateway(conf, {"stderr": subprocess.DEVNULL})
        return SparkSession(SparkContext(conf=conf, gateway=gateway))
    except Exception as error:
        raise _gave_up(url, str(error)) from error


def _gave_up(url: str, said: str) -> InputError:
    named = re.search(r"^(?:: )?[\w.]+(?:Exception|Error): (.+)$", said, re.MULTILINE)  # behind it stand Java's places
    sentence = (named[1] if named else said.strip().splitlines()[0])[:300].rstrip(".")
    return InputError(f"engine spark, {url}: {sentence}; docs/spark.md says what a cluster needs.")
