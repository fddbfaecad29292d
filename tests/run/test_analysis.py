"""What `clv.fit` does before a notebook runs: any frame becomes the same file, once."""

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from clv.run import analysis

LOG = pd.DataFrame({"id": ["ada", "bob"], "day": pd.to_datetime(["2024-01-05", "2024-02-01"]), "paid": [8.0, 12.5]})


@pytest.mark.parametrize("kind", ["pandas", "pyarrow", "duckdb"])
def test_whatever_speaks_arrow_is_a_log(kind, tmp_path):
    con = duckdb.connect()
    frames = {"pandas": lambda: LOG, "pyarrow": lambda: pa.table(LOG), "duckdb": lambda: con.from_arrow(pa.table(LOG))}
    analysis._write(pa.table(frames[kind]()), tmp_path / "given" / "log.parquet")
    assert pd.read_parquet(tmp_path / "given" / "log.parquet").to_dict("list") == LOG.to_dict("list")


def test_the_same_log_is_not_written_again_and_another_is(tmp_path):
    file = tmp_path / "log.parquet"
    analysis._write(pa.table(LOG), file)
    first = file.stat().st_ino
    analysis._write(pa.table(LOG), file)
    assert file.stat().st_ino == first
    analysis._write(pa.table(LOG.assign(paid=[8.0, 12.6])), file)
    assert file.stat().st_ino != first
