"""A run's folder: the only reads and writes of its files, each checked against its contract."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clv.errors import IntegrityError
from clv.run import artefacts, chain
from clv.run.artefacts import AGGREGATES, ARTEFACTS, SEGMENTS_NOTEBOOK, outputs, source_files
from clv.run.disk import plain, replacing
from clv.run.params import RUN_NAME
from clv.run.spreadsheets import write_for_people, write_workbook
from clv.transactions.source import DATABASE

# Pandas, xarray and DuckDB are imported where they are used: `clv.run prepare` needs the names only, and quickly.
if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from duckdb import DuckDBPyConnection

    from clv.tables import Table

_MODEL = "model"  # the attribute that names it (models.registry), whose import takes a second
SAMPLE_ROWS = 10_000  # rows of a query's result whose every rule is checked; missing values and keys are checked in all
_SQL_TYPES = {"text": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "date": "TIMESTAMP"}
_SQL_SOURCES = {
    "text": r"VARCHAR",
    "integer": r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|BOOLEAN",
    "number": r"DOUBLE|FLOAT|DECIMAL.*",
    "date": r"DATE|TIMESTAMP.*",
}


@dataclass(frozen=True)
class Run:
    """The files of one run; its name is the stem of its params file, or lab for notebooks run by hand."""

    name: str

    def __post_init__(self) -> None:
        """Refuse a name that could lead out of the outputs folder."""
        if not RUN_NAME.fullmatch(self.name):
            raise IntegrityError(f"{self.name!r} cannot be a run's name: only letters, digits, - and _ can.")

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return outputs() / self.name

    def path(self, name: str) -> Path:
        """Return where the artefact `name` stands."""
        return self.folder / ARTEFACTS[name].file

    def source(self, source: str) -> str:
        """Return the path or glob that holds the raw log of this run; of a server its kind."""
        if source == DATABASE:
            return source
        if source == "generate":
            return str(self.path("raw"))
        if source == "cdnow":
            return str(source_files(source)[0])
        return str(artefacts.root() / Path(source).expanduser())

    def excluded_ids(self) -> list[str]:
        """Return the customers whom the settings leave out by name: read here, so that no notebook names them."""
        prepared = self.folder / "params" / "01.json"
        return json.loads(prepared.read_text(encoding="utf-8"))["exclude_ids"] if prepared.exists() else []

    def write_table(self, table: "Table", frame: "pd.DataFrame | None") -> None:
        """Write `frame`, which must fulfil `table`; its columns go in the contract's order. None: no such table."""
        from clv import tables

        if frame is None:
            return self._remove(table.name)
        tables.check(table, frame)
        with self._replacing(self.path(table.name)) as unfinished:
            frame[list(table.columns)].to_parquet(unfinished, index=False, compression="zstd")

    def read_table(self, table: "Table") -> "pd.DataFrame":
        """Return the artefact of `table`, checked again."""
        return _checked(table, self._existing(table.name))

    def read_earlier(self, table: "Table") -> "pd.DataFrame | None":
        """Return what an earlier run left of a table that grows, each row with its own run id: no link of the chain."""
        file = self.path(table.name)
        return _checked(table, file) if file.exists() else None

    def read_generated(self, first: "Table", second: "Table") -> "tuple[pd.DataFrame, pd.DataFrame] | None":
        """Return two tables of a run that generates its customers; None in any other run."""
        known = self.path(first.name).exists() or self._is_recorded(first.name)
        return (self.read_table(first), self.read_table(second)) if known else None

    def write_query(self, connection: "DuckDBPyConnection", query: str, table: "Table") -> None:
        """Write the result of `query` (SQL, or the name of a table or view), without passing it through pandas."""
        query = f"SELECT * FROM {query}" if query.isidentifier() else query
        select = _conversion(connection, query, table)
        with self._replacing(self.path(table.name)) as unfinished:
            connection.execute(f"COPY ({select}) TO {_quoted(unfinished)} (FORMAT parquet, COMPRESSION zstd)")
            _check_file(connection, unfinished, table)

    def open_view(self, connection: "DuckDBPyConnection", table: "Table") -> str:
        """Open the artefact of `table` as a view of that name (dates are DATE) and return the name."""
        file = _quoted(self._existing(table.name))
        select = ", ".join(
            f'CAST("{name}" AS DATE) AS "{name}"' if column.kind == "date" else f'"{name}"'
            for name, column in table.columns.items()
        )
        connection.execute(f"CREATE OR REPLACE VIEW {table.name} AS SELECT {select} FROM read_parquet({file})")
        return table.name

    def write_posterior(self, name: str, posterior: "xr.DataTree | None") -> None:
        """Write the draws and the sampler's statistics, without customers, times or versions. None: none."""
        if posterior is None:
            return self._remove(name)
        tree = _bare_posterior(name, posterior)
        with self._replacing(self.path(name)) as unfinished:
            tree.to_netcdf(unfinished, engine="h5netcdf")

    def read_posteriors(self, *names: str) -> "dict[str, xr.DataTree]":
        """Return the posteriors by name; the first must exist, the others only in a run with a backtest."""
        optional = [name for name in names[1:] if self.path(name).exists() or self._is_recorded(name)]
        return {name: self.read_posterior(name) for name in (names[0], *optional)}

    def read_posterior(self, name: str) -> "xr.DataTree":
        """Return the posterior `name`, loaded."""
        import xarray as xr

        with xr.open_datatree(self._existing(name), engine="h5netcdf") as tree:
            return tree.load()

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write figures as JSON; one that is not a number is refused by its name."""
        text = json.dumps(plain(content, name), indent=2, ensure_ascii=False, allow_nan=False)
        self.write_text(name, text + "\n")

    def read_json(self, name: str) -> dict[str, Any]:
        """Return the figures in the artefact `name`."""
        return json.loads(self._existing(name).read_text(encoding="utf-8"))

    def write_text(self, name: str, text: str) -> None:
        """Write the artefact `name` as text."""
        with self._replacing(self.path(name)) as unfinished:
            unfinished.write_text(text, encoding="utf-8")

    def write_csv(self, name: str, frame: "pd.DataFrame | None", *, folder: str = "exports") -> None:
        """Write <folder>/<name>.csv for people; what a spreadsheet would take for a formula gets a '. None: no file."""
        if not RUN_NAME.fullmatch(name):
            raise IntegrityError(f"{name!r} cannot name an export: only letters, digits, - and _ can.")
        file = self.folder / folder / f"{name}.csv"
        if frame is None:
            return file.unlink(missing_ok=True)
        with self._replacing(file) as unfinished:
            write_for_people(frame, unfinished)

    def write_exports(
        self, tables: "Mapping[str, pd.DataFrame | None]", *, summary: "pd.DataFrame", as_of: str
    ) -> None:
        """Write each table as exports/<name>.csv (None: no such file), and all, after `summary`, into report.xlsx."""
        for name, frame in tables.items():
            self.write_csv(name, frame)
        with self._replacing(self.path("workbook")) as unfinished:
            write_workbook({"summary": summary, **tables}, unfinished, as_of=as_of)

    def identity(self) -> str | None:
        """Return the short name of all that the running notebook was made from; None if it was started by hand."""
        mark = chain.told(Path(os.environ[chain.VARIABLE]))[0] if chain.VARIABLE in os.environ else None
        return chain.identity(mark) if mark and mark["run"] == self.name else None

    def aggregates(self) -> dict[str, str]:
        """Return the text of each of the run's AGGREGATES by its file's name; one that names customers is refused."""
        found = [name for name in AGGREGATES if (self.folder / name).exists()]  # one without rows is not written
        if AGGREGATES[-1] not in found:
            raise IntegrityError(f"outputs/{self.name}/{AGGREGATES[-1]} is missing: run {SEGMENTS_NOTEBOOK} first.")
        texts = {name: (self.folder / name).read_text(encoding="utf-8") for name in found}
        for name, text in texts.items():
            if "customer_id" in text.partition("\n")[0].replace('"', "").split(","):
                raise IntegrityError(f"{name} is about single customers: no page may carry it.")
        return {Path(name).name: text for name, text in texts.items()}

    def write_raw_log(self, frame: "pd.DataFrame | None") -> None:
        """Write the generated log as a shop would export it, mess included. None: the log is not generated."""
        if frame is None:
            return self._remove("raw")
        with self._replacing(self.path("raw")) as unfinished:
            frame.to_csv(unfinished, index=False, lineterminator="\n")

    def log(self, event: str, *, notebook: str | None = None, **fields: Any) -> None:
        """Append one line to log.jsonl, whole even if another runner does so at the same time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        time = datetime.now(UTC).isoformat(timespec="seconds")
        line = json.dumps(plain({"time": time, "notebook": notebook, "event": event, **fields}, "log"))
        with (self.folder / "log.jsonl").open("ab", buffering=0) as log:
            log.write(f"{line}\n".encode())

    @contextmanager
    def _replacing(self, path: Path) -> Iterator[Path]:
        with replacing(path) as unfinished:
            yield unfinished
            chain.wrote(path.relative_to(self.folder).as_posix())

    def _is_recorded(self, name: str) -> bool:
        known = chain.record(self.folder, ARTEFACTS[name].notebook)
        return known is not None and ARTEFACTS[name].file in known.wrote

    def _remove(self, name: str) -> None:
        self.path(name).unlink(missing_ok=True)

    def _existing(self, name: str) -> Path:
        path = self.path(name)
        if not path.exists():
            shown = f"outputs/{self.name}/{ARTEFACTS[name].file}"
            raise IntegrityError(f"{shown} is missing: run {ARTEFACTS[name].notebook} first.")
        chain.require(self.folder, ARTEFACTS[name].notebook, ARTEFACTS[name].file)
        return path


def _checked(table: "Table", file: Path) -> "pd.DataFrame":
    import pandas as pd

    from clv import tables

    return tables.check(table, pd.read_parquet(file))


def _quoted(text: Path | str) -> str:
    return "'" + str(text).replace("'", "''") + "'"


def _conversion(connection: "DuckDBPyConnection", query: str, table: "Table") -> str:
    found = {row[0]: row[1] for row in connection.execute(f"DESCRIBE {query}").fetchall()}
    missing, unknown = set(table.columns) - set(found), set(found) - set(table.columns)
    if missing or unknown:
        raise IntegrityError(
            f"{table.name}: columns missing: {sorted(missing) or 'none'}; columns unknown: {sorted(unknown) or 'none'}."
        )
    for name, column in table.columns.items():
        if not re.fullmatch(_SQL_SOURCES[column.kind], found[name]):
            raise IntegrityError(f"{table.name}: column {name} must be {column.kind}, found {found[name]}.")
    columns = (f'CAST("{name}" AS {_SQL_TYPES[column.kind]}) AS "{name}"' for name, column in table.columns.items())
    return f"SELECT {', '.join(columns)} FROM ({query})"


def _check_file(connection: "DuckDBPyConnection", file: Path, table: "Table") -> None:
    from clv import tables

    rows, key = connection.read_parquet(str(file)), ", ".join(f'"{name}"' for name in table.key)
    needed = [name for name, column in table.columns.items() if not column.nullable]
    broken = {f"{name} is missing": rows.filter(f'"{name}" IS NULL') for name in needed}
    broken[f"{key} repeats"] = rows.aggregate("count(*) AS times", key).filter("times > 1")
    for what, found in broken.items():
        if found:
            raise IntegrityError(f"{table.name}: {what} in {len(found)} rows.")
    tables.check(table, tables.with_texts(table, rows.limit(SAMPLE_ROWS).df()))


def _bare_posterior(name: str, posterior: "xr.DataTree") -> "xr.DataTree":
    import xarray as xr

    groups, known = {}, {"origin", "chain", "draw", "proposal"}
    for part in ("posterior", "sample_stats"):
        if part not in posterior.children:
            raise IntegrityError(f"posterior {name}: the group {part} is missing.")
        group = posterior[part].to_dataset()
        if "customer_id" in {*group.variables, *group.dims}:
            raise IntegrityError(f"posterior {name}: holds customer_id; a posterior is about the population only.")
        kept = [key for key in group.data_vars if known.issuperset(group[key].dims) and group[key].dtype != object]
        attributes = {key: group.attrs[key] for key in [_MODEL] if key in group.attrs}
        groups[part] = group[kept].reset_coords(drop=True).drop_attrs().assign_attrs(attributes).drop_encoding()
    return xr.DataTree.from_dict(groups)
