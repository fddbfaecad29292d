"""The database the data rooms work in: one connection, and names and texts as SQL writes them."""

import tempfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
from duckdb import DuckDBPyConnection

SHARE_OF_MEMORY = 0.4  # the rest is for what is read from the database


def connect(*, memory_gib: float = 4.0) -> DuckDBPyConnection:
    """Return an in-memory database that keeps row order, stays offline and spills to the system's temporary folder.

    It takes `SHARE_OF_MEMORY` of `memory_gib`, what the whole process may use.
    """
    settings: dict[str, str | bool | int | float | list[str]] = {
        "preserve_insertion_order": True,
        "memory_limit": f"{round(SHARE_OF_MEMORY * memory_gib * 1024)}MiB",
        "autoinstall_known_extensions": False,
        "temp_directory": new_folder(),
        "TimeZone": "UTC",
    }
    con = duckdb.connect(config=settings)
    con.execute("SET enable_progress_bar = false")  # JupyterLab would show it as an output
    return con


def new_folder() -> str:
    """Return where a database may put what finds no room in memory: a folder that does not exist yet."""
    return str(Path(tempfile.gettempdir()) / f"clv-duckdb-{uuid4().hex}")


def one(con: DuckDBPyConnection, query: str) -> Any:
    """Return the single value of a query, None if there is no row."""
    row = con.execute(query).fetchone()
    return row[0] if row else None


def quoted(name: str) -> str:
    """Return a table or column name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """Return a text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"
