"""A log in a database, read once into the table `source`: DuckDB and SQLite files, and a PostgreSQL server.

Everything but the date is read as text, as the database writes it, so that no identifier becomes a number and no
amount loses a digit. Databases are only read, and reach nothing but their own tables; nothing the server says about a
connection is repeated, since it may name what only its owner should know, and of what it says about rows no value.
"""

import os
import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from duckdb import DuckDBPyConnection

from clv.errors import InputError, listed
from clv.transactions.connection import DAMAGE, NO_TEXT, REFUSES, asked, harmless, names_in, new_folder, quoted

ROWS_AT_A_TIME = 100_000
COLUMN = " column "
CONNECT_SECONDS = 10
STATEMENT_LIMIT = "30min"  # of a server, for the first rows and for each batch that follows
_IDENTIFIERS = ("customer_id", "order_id", "product")  # in a floating-point number they have lost digits
# How a server's types of dates are read here; whatever else a date column holds is text.
_POSTGRESQL_DATES = {1082: "DATE", 1114: "TIMESTAMP", 1184: "TIMESTAMP WITH TIME ZONE"}
_POSTGRESQL_FLOATS = (700, 701)
# The transaction only; rows of a large table would else begin wherever another reader of it happens to be.
_POSTGRESQL_SETTINGS = "SET LOCAL DateStyle = 'ISO'", "SET LOCAL synchronize_seqscans = off"
# A limit that the address or the server sets holds: it is longer or shorter for a reason.
_TIMEOUT = "SELECT set_config('statement_timeout', %s, true) WHERE current_setting('statement_timeout') = '0'"
_POSTGRESQL_OPTIONS = {
    **{"connect_timeout": CONNECT_SECONDS, "application_name": "clv", "client_encoding": "utf8"},
    **{"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3},  # one that vanished: after a minute
}
_REFUSED_CONNECTION = {
    **dict.fromkeys(("password", "authentication"), "the user or the password was refused"),
    "pg_hba.conf": "the server does not let this user in from here",
    "does not exist": "the database or the user does not exist",
    "timeout": "the server did not answer in time",
    **dict.fromkeys(("host name", "resolve"), "the host is not known"),
    **dict.fromkeys(("refused", "no such file"), "nothing answers at that host and port"),
}
_UNOPENED = {
    "lock on file": "close other programs that use it",
    "different configuration": "close other programs that use it",
    "disabled by configuration": "rename it or its folder, without a question mark",
    "storage version": "another version of DuckDB wrote it, export the log as Parquet",
}
# What is no code in SQL: texts, quoted names, comments.
_NO_CODE = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$.*?\$\1\$|--[^\n]*|/\*.*?\*/""", re.DOTALL)
_NO_SELECT = "query must be one SELECT: the database is only read."
Wanted = Mapping[str, str] | None  # columns as they are called here and there; None: all there are


def read_duckdb(
    con: DuckDBPyConnection, wanted: Wanted, *, file: Path, table: str | None, query: str | None, most: int | None
) -> None:
    """Create `source` from a table or query of a DuckDB file, at most so many rows; columns keep their types."""
    with closing(_locked(con, file)) as log:
        every = "FROM information_schema.tables WHERE table_catalog = current_database() ORDER BY ALL"
        names = log.execute(f"SELECT table_schema, table_name {every}").fetchall()
        tables = {".".join(name[name[0] == "main" :]): ".".join(map(quoted, name)) for name in names}
        inner = _statement(table, query, tables, file.name)
        ask = partial(asked, where=file.name, known=names_in(wanted, table, inner))
        if [each.type for each in ask(lambda: log.extract_statements(inner))] != [duckdb.StatementType.SELECT]:
            raise InputError(_NO_SELECT)
        found = [row[0] for row in ask(lambda: log.execute(f"DESCRIBE {inner}").fetchall())]
        selected = _selected(wanted or everything(found), found, file.name, "{}")
        chosen = f"SELECT {selected} FROM ({inner}\n){_limit(most)}"
        rows = ask(lambda: log.sql(chosen).to_arrow_reader(ROWS_AT_A_TIME))
        con.register("batch", rows)
        create = "CREATE TABLE source AS SELECT row_number() OVER () AS record, *, NULL::VARCHAR AS ragged FROM batch"
        try:
            ask(lambda: con.execute(create))
        finally:
            con.unregister("batch")


def _locked(con: DuckDBPyConnection, file: Path) -> DuckDBPyConnection:
    """Open a DuckDB file of somebody else's: in an instance of its own, since its views may ask for any file.

    Out of it lead the rows that are asked for, and nothing else; it may use as much memory as `con`.
    """
    memory = con.execute("SELECT current_setting('memory_limit')").fetchall()[0][0]
    settings: dict[str, str | bool | int | float | list[str]] = {
        "enable_external_access": False,
        "allow_persistent_secrets": False,
        "autoinstall_known_extensions": False,
        "python_enable_replacements": False,  # a table is never a variable of this program
        "lock_configuration": True,
        "memory_limit": memory,
        "temp_directory": new_folder(),
        "TimeZone": "UTC",
        "arrow_lossless_conversion": True,
        "arrow_large_buffer_size": True,
    }
    try:
        return duckdb.connect(str(file), read_only=True, config=settings)
    except duckdb.Error as error:
        advice = next((what for sign, what in _UNOPENED.items() if sign in str(error)), "copy it anew and completely")
    raise InputError(f"{file.name} cannot be opened as a DuckDB database: {advice}.")


def read_sqlite(
    con: DuckDBPyConnection, wanted: Wanted, *, file: Path, table: str | None, query: str | None, most: int | None
) -> None:
    """Create `source` from a table or query of a SQLite file, at most so many rows; all columns become text."""
    address = f"{file.resolve().as_uri()}?mode=ro"
    ask = partial(asked, where=file.name, known=names_in(wanted, table, query or ""))
    with closing(ask(lambda: sqlite3.connect(address, uri=True, timeout=CONNECT_SECONDS))) as database:

        def run(statement: str) -> sqlite3.Cursor:
            return ask(lambda: database.execute(statement))

        if file.stat().st_size % run("PRAGMA page_size").fetchone()[0]:
            raise InputError(f"{file.name} {DAMAGE}.")
        names = run("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name").fetchall()
        tables = {name: quoted(name) for (name,) in names if not name.startswith("sqlite_")}
        inner = _statement(table, query, tables, file.name)
        run(f"EXPLAIN {inner}")  # it is one statement by itself, and not only between brackets
        found = [column[0] for column in run(f"SELECT * FROM ({inner}\n) LIMIT 0").description]
        found += [name.removesuffix(":1") for name in found if name.endswith(":1")]  # how a repeated name comes back
        columns = wanted or everything(found)
        selected = _selected(columns, found, file.name, "CAST({} AS TEXT)")
        chosen = f"FROM ({inner}\n){_limit(most)}"
        kinds = {}
        for name in (name for name in _IDENTIFIERS if name in columns and most is None):
            if run(f"SELECT max(typeof({quoted(columns[name])}) = 'real') {chosen}").fetchone()[0]:
                kinds[name] = "DOUBLE"
        rows = run(f"SELECT {selected} {chosen}")
        ask(lambda: _load(con, list(columns), kinds, rows))


def read_postgresql(
    con: DuckDBPyConnection, wanted: Wanted, *, variable: str, table: str | None, query: str | None, most: int | None
) -> None:
    """Create `source` from a table or query of the PostgreSQL server whose address the environment variable holds.

    Rows stream through a cursor on the server, in a transaction that can only read.
    """
    where = f"The database in {variable}"
    # Raised here, where neither a connection nor what the server said hangs on it.
    known = names_in(wanted, table, inner := _statement(table, query, {}, where))
    if refusal := _copied(con, wanted, variable, where, inner, known, most):
        raise InputError(refusal)


def _copied(
    con: DuckDBPyConnection, wanted: Wanted, variable: str, where: str, inner: str, known: set[str], most: int | None
) -> str:
    """Create `source` from a query of a server; return why that was refused, if it was."""
    import psycopg

    # Closed without a commit: old servers let a transaction that only reads create large objects.
    with closing(_connected(variable, where)) as server:
        of_connection = {server.info.user, server.info.password, server.info.host} - {"", *re.findall(r"\w+", inner)}
        try:
            server.read_only = True
            for setting in _POSTGRESQL_SETTINGS:
                server.execute(setting)
            server.execute(_TIMEOUT, [STATEMENT_LIMIT])
            with server.cursor(name="clv_log") as cursor:
                cursor.execute(inner)  # declared only: the server says what it is, and that it is one statement
                types = [(column.name, column.type_code) for column in cursor.description or ()]
                columns = wanted or everything([name for name, _ in types])
                selected = _selected(columns, [name for name, _ in types], where, "{}::text")
                cursor.execute(f"SELECT {selected} FROM ({inner}\n) AS log{_limit(most)}")
                kinds = _postgresql_kinds(columns, dict(types))
                asked(lambda: _load(con, list(columns), kinds, cursor), where)
            return ""
        except InputError as error:
            return str(error)
        except psycopg.errors.QueryCanceled:
            said = "it took too long; read a table or view that holds what the query finds"
        except psycopg.errors.CharacterNotInRepertoire:
            said = f"a text {NO_TEXT}"
        except psycopg.Error as error:
            said = harmless(error.diag.message_primary or "the connection was lost", known)
        for secret in of_connection:
            said = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "…", said)
        return f"{where} {REFUSES}: {said}."


def _postgresql_kinds(wanted: Mapping[str, str], types: Mapping[str, int]) -> dict[str, str]:
    """Return the types of columns that are not loaded as text."""
    inexact = [name for name in _IDENTIFIERS if types.get(wanted.get(name, "")) in _POSTGRESQL_FLOATS]
    date = {"date": _POSTGRESQL_DATES.get(types[wanted["date"]], "VARCHAR")} if "date" in wanted else {}
    return date | dict.fromkeys(inexact, "DOUBLE")


def _connected(variable: str, where: str) -> Any:
    if not os.environ.get(variable, "").strip():
        raise InputError(
            f"The environment variable {variable} is not set: give it the database's address, "
            f"like export {variable}=postgresql://user@host/database."
        )
    server, refusal = _attempt(variable)
    if refusal:
        raise InputError(f"{where} cannot be reached: {refusal}.")
    return server


def _attempt(variable: str) -> tuple[Any, str]:
    """Return a connection, or why there is none: here alone, since the address and what the server said stay here."""
    import psycopg

    try:
        return psycopg.connect(os.environ[variable].strip(), **_POSTGRESQL_OPTIONS), ""  # type: ignore[arg-type]
    except (psycopg.ProgrammingError, UnicodeError):
        return None, "what the variable holds is no address like postgresql://user@host/database"
    except psycopg.Error as error:
        said = re.sub(r"""".*?"|'.*?'""", "", str(error)).lower()
        return None, next((why for sign, why in _REFUSED_CONNECTION.items() if sign in said), "the address is wrong")


def _statement(table: str | None, query: str | None, tables: Mapping[str, str], where: str) -> str:
    """Return the SELECT to read; with neither table nor query, of the only table there is.

    `tables` holds the names that are known, as they are said and as SQL writes them.
    """
    if query:
        return _one_select(query)
    if not table and len(tables) != 1:
        found = f" (it has {listed(tables)})" if tables else ""
        raise InputError(f"{where} holds {len(tables)} tables{found}: name one as table, or give a query.")
    name = table or next(iter(tables))
    return f"SELECT * FROM {tables.get(name) or '.'.join(map(quoted, name.split('.')))}"


def _one_select(query: str) -> str:
    """Return a query without the semicolon it may end in; refuse what is not one SELECT."""
    code = _NO_CODE.sub(lambda found: (" " if found[0][:1] in "-/" else "x") * len(found[0]), query).rstrip()
    while code.endswith(";"):
        code = code[:-1].rstrip()
    if ";" in code or not re.match(r"[\s(]*(select|with|from|values)\b", code, re.IGNORECASE):
        raise InputError(_NO_SELECT)
    return query[: len(code)]


def everything(found: Sequence[str]) -> dict[str, str]:
    """Return names for all columns that have one of their own: a number before the file's, which may be one of ours."""
    return {f"{number}{COLUMN}{name}": name for number, name in enumerate(found) if found.count(name) == 1}


def _limit(most: int | None) -> str:
    return "" if most is None else f" LIMIT {most}"


def _selected(wanted: Mapping[str, str], found: Sequence[str], where: str, cast: str) -> str:
    if missing := sorted(set(wanted.values()) - set(found)):
        raise InputError(
            f"{where} lacks the column {', '.join(missing)} (found: {listed(found)}):"
            " map customer_id, date and amount to the log's names under columns."
        )
    if repeated := sorted(name for name in wanted.values() if found.count(name) > 1):
        raise InputError(f"{where} has several columns named {', '.join(repeated)}: rename all but one in the query.")
    return ", ".join(f"{cast.format(quoted(name))} AS {quoted(column)}" for column, name in wanted.items())


def _load(con: DuckDBPyConnection, names: Sequence[str], kinds: Mapping[str, str], rows: Any) -> None:
    """Fill the table `source` from a cursor with rows of texts; a text that is not of its column's kind is null."""
    columns = ", ".join(f"{quoted(name)} {kinds.get(name, 'VARCHAR')}" for name in names)
    con.execute(f"CREATE TABLE source (record BIGINT, {columns}, ragged VARCHAR)")
    typed = ", ".join(f"TRY_CAST({quoted(name)} AS {kinds.get(name, 'VARCHAR')})" for name in names)
    schema = pa.schema([(name, pa.string()) for name in names])
    count = 0
    while batch := rows.fetchmany(ROWS_AT_A_TIME):
        texts = pa.table([pa.array(column, pa.string()) for column in zip(*batch, strict=True)], schema=schema)
        con.register("batch", texts)
        con.execute(f"INSERT INTO source SELECT {count} + row_number() OVER (), {typed}, NULL FROM batch")
        con.unregister("batch")
        count += len(batch)
