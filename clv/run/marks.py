"""The mark that a file of a run carries, as Parquet, netCDF, JSON and executed notebooks hold it."""

import json
from pathlib import Path
from typing import Any

KEY = "clv"


def text(mark: dict[str, Any]) -> str:
    """Return a mark as files hold it: the same mark gives the same bytes."""
    return json.dumps(mark, sort_keys=True)


def can_be_in(file: Path) -> bool:
    """Tell whether files of this kind carry a mark: pages and CSV do not."""
    return file.suffix in _READERS


def of(file: Path) -> dict[str, Any] | None:
    """Return the mark that a file carries; None if it carries none or cannot be read."""
    try:
        mark = _READERS[file.suffix](file) if can_be_in(file) else None
    except Exception:  # what is no file of its kind fails in every library's own way; the caller refuses it anyway
        return None
    return mark if isinstance(mark, dict) and {"run", "notebook"} <= set(mark) else None


def _of_parquet(file: Path) -> Any:
    import pyarrow.parquet as pq

    return json.loads(pq.read_metadata(file).metadata[KEY.encode()])


def _of_netcdf(file: Path) -> Any:
    import h5netcdf

    with h5netcdf.File(file) as content:
        return json.loads(content.attrs[KEY])


def _of_json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8")).get(KEY)


def _of_notebook(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))["metadata"].get(KEY)


_READERS = {".parquet": _of_parquet, ".nc": _of_netcdf, ".json": _of_json, ".ipynb": _of_notebook}
