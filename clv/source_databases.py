"""A log in a database, read once into the table `source`: DuckDB and SQLite files, and a PostgreSQL server.

Everything but the date is read as text, as the database writes it, so that no identifier becomes a number and no
amount loses a digit. Databases are only read; nothing the server says about a connection is repeated, since it may
name what only its owner should know.
"""

import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from duckdb import DuckDBPyConnection

from clv.database import literal, quoted
from clv.errors import InputError

ROWS_AT_A_TIME = 100_000
CONNECT_SECONDS = 10
# How a server's types of dates are read here; whatever else a date column holds is text.
_POSTGRESQL_DATES = {1082: "DATE", 1114: "TIMESTAMP", 1184: "TIMESTAMP WITH TIME ZONE"}
_REFUSED_CONNECTION = {
    "password": "the user or the password was refused",
    "authentication": "the user or the password was refused",
    "no pg_hba.conf entry": "the server does not let this user in from here",
    "does not exist": "the database or the user does not exist",
    "timeout": "the server did not answer in time",
    "could not translate host name": "the host is not known",
    "resolve": "the host is not known",
    "refused": "nothing answers at that host and port",
}


def read_duckdb(
    con: DuckDBPyConnection, wanted: Mapping[str, str], *, file: Path, table: str | None, query: str | None
) -> None:
    """Create `source` from a table or query of a DuckDB file; columns keep their types."""
    home = con.execute("SELECT current_database()").fetchone() or ("memory",)
    try:
        con.execute(f"ATTACH {literal(str(file))} AS log_file (READ_ONLY)")
    except duckdb.Error as error:
        raise InputError(
            f"{file.name} cannot be opened as a DuckDB database: close other programs that use it, or write it anew."
        ) from error
    try:
        con.execute("USE log_file")
        tables = [row[0] for row in con.execute("SELECT table_name FROM information_schema.tables").fetchall()]
        inner = _statement(table, query, tables, file.name)
        found = [row[0] for row in _asked(lambda: con.execute(f"DESCRIBE {inner}").fetchall(), file.name)]
        selected = _selected(wanted, found, file.name, "{}")
        create = (
            f"CREATE TABLE {quoted(home[0])}.main.source AS"
            f" SELECT row_number() OVER () AS record, {selected}, NULL::VARCHAR AS ragged FROM ({inner})"
        )
        _asked(lambda: con.execute(create), file.name)
    finally:
        con.execute(f"USE {quoted(home[0])}")
        con.execute("DETACH log_file")


def read_sqlite(
    con: DuckDBPyConnection, wanted: Mapping[str, str], *, file: Path, table: str | None, query: str | None
) -> None:
    """Create `source` from a table or query of a SQLite file; all columns become text."""
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as database:

        def run(statement: str) -> sqlite3.Cursor:
            return _asked(lambda: database.execute(statement), file.name)

        names = run("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name").fetchall()
        inner = _statement(table, query, [name for (name,) in names], file.name)
        found = [column[0] for column in run(f"SELECT * FROM ({inner}) LIMIT 0").description]
        selected = _selected(wanted, found, file.name, "CAST({} AS TEXT)")
        cursor = run(f"SELECT {selected} FROM ({inner})")
        _load(con, list(wanted), {}, _batches(cursor, file.name))


def read_postgresql(
    con: DuckDBPyConnection, wanted: Mapping[str, str], *, variable: str, table: str | None, query: str | None
) -> None:
    """Create `source` from a table or query of the PostgreSQL server whose address the environment variable holds.

    Rows stream through a cursor on the server, in a transaction that can only read.
    """
    import psycopg

    where = f"the database in {variable}"
    with _connected(variable) as server:
        server.read_only = True
        try:
            server.execute("SET DateStyle = 'ISO'")
            inner = _statement(table, query, [], where)
            description = server.execute(f"SELECT * FROM ({inner}) AS log LIMIT 0").description or []  # type: ignore[arg-type]
            types = {column.name: column.type_code for column in description}
            selected = _selected(wanted, list(types), where, "{}::text")
            kinds = {"date": _POSTGRESQL_DATES.get(types[wanted["date"]], "VARCHAR")}
            with server.cursor(name="clv_log") as cursor:
                cursor.execute(f"SELECT {selected} FROM ({inner}) AS log")  # type: ignore[arg-type]
                _load(con, list(wanted), kinds, _batches(cursor, where))
        except psycopg.Error as error:
            reason = (error.diag.message_primary or type(error).__name__).rstrip(".")
            raise InputError(f"{where} refuses to read the log: {reason[:200]}.") from None


def _connected(variable: str) -> Any:
    import psycopg

    address = os.environ.get(variable, "")
    if not address:
        raise InputError(
            f"The environment variable {variable} is not set: give it the database's address, "
            f"like export {variable}=postgresql://user@host/database."
        )
    try:
        return psycopg.connect(address, connect_timeout=CONNECT_SECONDS, application_name="clv")
    except (psycopg.Error, UnicodeError) as error:
        said = str(error).lower()
        reason = next((why for sign, why in _REFUSED_CONNECTION.items() if sign in said), "the address is wrong")
    # Outside the handler: what the server said must not hang on the refusal.
    raise InputError(f"The database in {variable} cannot be reached: {reason}.")


def _statement(table: str | None, query: str | None, tables: Sequence[str], where: str) -> str:
    """Return the SELECT to read; with neither table nor query, of the only table there is."""
    if query:
        bare = query.strip().rstrip(";").strip()
        if not re.match(r"(?is)(select|with|from|values)\b", bare) or ";" in re.sub(r"'[^']*'|\"[^\"]*\"", "", bare):
            raise InputError("query must be one SELECT: the database is only read.")
        return bare
    if not table and len(tables) != 1:
        found = f" (it has {', '.join(tables[:10])})" if tables else ""
        raise InputError(f"{where} holds {len(tables)} tables{found}: name one as table, or give a query.")
    return f"SELECT * FROM {'.'.join(map(quoted, (table or tables[0]).split('.')))}"


def _selected(wanted: Mapping[str, str], found: Sequence[str], where: str, cast: str) -> str:
    missing = sorted(set(wanted.values()) - set(found))
    if missing:
        raise InputError(
            f"{where} lacks the column {', '.join(missing)} (found: {', '.join(found)}):"
            " map customer_id, date and amount to the log's names under columns."
        )
    return ", ".join(f"{cast.format(quoted(name))} AS {quoted(column)}" for column, name in wanted.items())


def _asked(ask: Any, where: str) -> Any:
    try:
        return ask()
    except (duckdb.Error, sqlite3.Error) as error:
        reason = re.sub(r"^[A-Za-z ]*Error: ", "", str(error).splitlines()[0])
        raise InputError(f"{where} refuses to read the log: {reason[:200].rstrip('.')}.") from error


def _batches(cursor: Any, where: str) -> Iterator[list[tuple[Any, ...]]]:
    while rows := _asked(lambda: cursor.fetchmany(ROWS_AT_A_TIME), where):
        yield rows


def _load(
    con: DuckDBPyConnection,
    names: Sequence[str],
    kinds: Mapping[str, str],
    batches: Iterable[list[tuple[Any, ...]]],
) -> None:
    """Fill the table `source` with rows of texts, in their order."""
    columns = ", ".join(f"{quoted(name)} {kinds.get(name, 'VARCHAR')}" for name in names)
    con.execute(f"CREATE TABLE source (record BIGINT, {columns}, ragged VARCHAR)")
    typed = ", ".join(f"CAST({quoted(name)} AS {kinds.get(name, 'VARCHAR')})" for name in names)
    schema = pa.schema([(name, pa.string()) for name in names])
    count = 0
    for rows in batches:
        texts = pa.table([pa.array(column, pa.string()) for column in zip(*rows, strict=True)], schema=schema)
        con.register("batch", texts)
        con.execute(f"INSERT INTO source SELECT {count} + row_number() OVER (), {typed}, NULL FROM batch")
        con.unregister("batch")
        count += len(rows)
