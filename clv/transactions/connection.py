"""The database the data rooms work in: a connection, names and texts as SQL writes them, complaints that quote nobody.

What a database complains of becomes one sentence: it knows rows, and tells of them unasked.
"""

import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
from duckdb import DuckDBPyConnection

from clv.errors import InputError

SHARE_OF_MEMORY = 0.4  # the rest is for what is read from the database
FULL = "The log needs more memory or disk than there is: raise memory_gib or free disk space."
REFUSES, NO_TEXT = "refuses to read the log", "holds bytes that are not UTF-8 text"
DAMAGE = "is damaged or ends before its end: copy it anew and completely"
_DAMAGED = ("read enough bytes", "Corrupt database", "image is malformed", "not a database")
_QUOTES = "\"'`«»„“”‘’‚「」"  # of any language


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


def literal(value: object) -> str:
    """Return a text, or what stands for one, as SQL writes it; None is NULL."""
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


def names_in(wanted: Mapping[str, str] | None, table: str | None, statement: str) -> set[str]:
    """Return what a complaint may quote: what the settings name, and the words of the statement."""
    return {table or "", *(wanted or {}).values(), *re.findall(r"[\w.]+", statement)} - {""}


def asked(ask: Callable[[], Any], where: str, known: Iterable[str] = ()) -> Any:
    """Return what `ask` does; what a database in a file complains of is refused in one sentence."""
    try:
        return ask()
    except (duckdb.OutOfMemoryException, MemoryError):
        said = FULL
    except (duckdb.Error, sqlite3.Error) as error:
        if any(sign in str(error) for sign in _DAMAGED):
            said = f"{where} {DAMAGE}."
        elif isinstance(error, duckdb.PermissionException) or "configuration has been locked" in str(error):
            said = f"{where} {REFUSES}: the table or query reaches outside of this file, where nothing is read."
        elif no_text := re.match("Could not decode to UTF-8 column '(.*?)'", str(error)):
            said = f"{where} {REFUSES}: {no_text[1]} {NO_TEXT}."
        else:
            said = f"{where} {REFUSES}: {harmless(reason(error), known)}."
    raise InputError(said)  # here, where what the database said does not hang on it


def harmless(said: str, known: Iterable[str]) -> str:
    """Return a complaint without what it quotes of rows: texts that are no `known` names, and long numbers."""
    names = "|".join(map(re.escape, known))
    pieces = re.split(f"([{_QUOTES}](?:{names})[{_QUOTES}])", " ".join(said.split()))
    # An apostrophe within a word begins no quotation, and ends none: all up to the last quotation mark is struck.
    quotation = rf"(?<!\w)[{_QUOTES}](?:.*[{_QUOTES}](?!\w)|.*)"
    pieces[::2] = [re.sub(r"(?<!\w)\d[\d.,]{3,}", "…", re.sub(quotation, '"…"', piece)) for piece in pieces[::2]]
    return "".join(pieces)[:200].rstrip(".! ")


def reason(error: Exception) -> str:
    """Return the first line of what a database complains of, without the name of the complaint."""
    return re.sub(r"^[A-Za-z ]*Error: ", "", str(error).partition("\n")[0])
