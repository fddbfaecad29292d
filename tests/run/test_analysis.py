"""What `clv.fit` does before a notebook runs: any frame becomes the same file, once; what is none is refused."""

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml

import clv
from clv.errors import ClvError, InputError
from clv.run import analysis

LOG = pd.DataFrame({"id": ["ada", "bob"], "day": pd.to_datetime(["2024-01-05", "2024-02-01"]), "paid": [8.0, 12.5]})
COLUMNS = {"customer_id": "id", "date": "day", "amount": "paid"}


class Foreign:
    """A frame of which nothing is known but that it speaks Arrow, as polars' and many others do."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Hand the table out, as the Arrow PyCapsule interface has it."""
        return pa.table(LOG).__arrow_c_stream__(requested_schema)


def duckdb_relation() -> duckdb.DuckDBPyRelation:
    return duckdb.connect().from_arrow(pa.table(LOG))


@pytest.mark.parametrize("frame", [lambda: LOG, lambda: pa.table(LOG), duckdb_relation, Foreign])
def test_whatever_speaks_arrow_is_a_log(frame, tmp_path):
    analysis._write(analysis._log(frame(), COLUMNS.values()), tmp_path / "given" / "log.parquet")
    assert pd.read_parquet(tmp_path / "given" / "log.parquet").to_dict("list") == LOG.to_dict("list")


def test_categories_as_polars_hands_them_out_are_texts(tmp_path):
    texts = pa.DictionaryArray.from_arrays(pa.array([1, 0], pa.uint32()), pa.array(["bob", "ada"], pa.string_view()))
    log = analysis._log(pa.table({"id": texts, "day": LOG["day"], "paid": LOG["paid"]}), COLUMNS.values())
    analysis._write(log, tmp_path / "log.parquet")
    assert list(pd.read_parquet(tmp_path / "log.parquet")["id"]) == ["ada", "bob"]


def test_columns_that_are_numbered_or_an_index_can_be_named(outputs):
    for frame, columns in ((LOG.set_axis([0, 1, 2], axis=1), (0, 1, 2)), (LOG.set_index("id"), ("id", "day", "paid"))):
        assert analysis._log(frame, map(str, columns)).num_rows == 2
    with pytest.raises(InputError, match="The frame has no column 3; it has 0, 1, 2"):
        clv.fit(LOG.set_axis([0, 1, 2], axis=1), customer_id=0, date=1, amount=3)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (LOG.rename(columns={"paid": "Paid"}), "The frame has no column paid; it has id, day, Paid."),
        (LOG.iloc[:0], "The frame has no rows: give a log with transactions."),
        (LOG.assign(paid=[8.0, "much"]), "each column of one kind: .*Conversion failed for column paid"),
        (pd.concat([LOG, LOG], axis=1), "each column of one kind: Duplicate column names found"),
        ("orders.csv", "The log must be a frame, pandas, polars, pyarrow or a DuckDB relation"),
        (None, "The log must be a frame"),
    ],
)
def test_what_is_no_log_is_refused_in_one_sentence_before_anything_is_written(frame, said, outputs):
    with pytest.raises(InputError, match=said) as refused:
        clv.fit(frame, **COLUMNS)
    assert "\n" not in str(refused.value)
    assert not outputs.exists()


def test_a_horizon_that_is_too_long_is_refused_by_the_rule_of_the_settings(outputs):
    with pytest.raises(InputError, match=r"horizon_weeks is 521, but must be less than or equal to 520\.$"):
        clv.fit(LOG, horizon_weeks=521, **COLUMNS)


def test_days_and_numbers_may_be_those_of_pandas_and_numpy(outputs):
    with pytest.raises(ClvError):  # two customers are too few, or the horizon too long: it is the file that counts
        clv.fit(LOG, calibration_end=pd.Timestamp("2024-01-10"), horizon_weeks=np.int64(521), **COLUMNS)
    known = yaml.safe_load((outputs / "notebook" / "given" / "notebook.yaml").read_text())
    assert (known["calibration_end"], known["horizon_weeks"]) == ("2024-01-10", 521)


def test_the_same_log_is_not_written_again_and_another_is(tmp_path):
    file = tmp_path / "log.parquet"
    analysis._write(pa.table(LOG), file)
    first = file.stat().st_ino
    analysis._write(pa.table(LOG), file)
    assert file.stat().st_ino == first
    analysis._write(pa.table(LOG.assign(paid=[8.0, 12.6])), file)
    assert file.stat().st_ino != first
