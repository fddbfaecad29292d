"""What source_databases promises: every cell as its database holds it; nothing written, no connection told of."""

import os
import pwd
import re
import shutil
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from helpers import COLUMNS, cleaned, kept, rules

from clv.errors import InputError
from clv.transactions import connection, databases, reading
from clv.transactions.source import SourceSettings

pytestmark = pytest.mark.slow  # three databases, a server among them

VARIABLE = "CLV_TEST_DATABASE"
SERVER_NAME = f"The database in {VARIABLE}"
OWNER, READER, STRANGER, BARRED, TRUSTED = "betty_owner", "rita_reader", "ed_nobody", "barry_barred", "tom_trusted"
PASSWORD = "open-sesame-4711"
NUMBERS = count()
ORDERS = (
    "CREATE TABLE orders (id TEXT, date DATE, amount NUMERIC(12, 2))",
    "INSERT INTO orders VALUES ('007', '2024-01-01', 1.5), ('7', '2024-01-02', 29.33)",
)
BOTH = [("007", "01-01", 1.5), ("7", "01-02", 29.33)]
NO_SELECT = "query must be one SELECT: the database is only read."
FINE_QUERIES = (
    "SELECT * FROM orders",
    "select * from orders;",
    "SELECT * FROM orders ; ;\n",
    "SELECT *\n  FROM orders  -- all; of them\n WHERE id <> ';' -- it's so",
    "/* those; we */ SELECT * FROM orders /* know; */;\n-- the end;",
    "-- first\n-- second\nWITH known AS (SELECT * FROM orders)\nSELECT * FROM known",
    "SELECT id, date, amount, 'a;b -- c' AS \"d;e /* f\" FROM orders",
    "SELECT * FROM orders WHERE id NOT LIKE '%x' AND id <> '%s'",
)
OTHER_STATEMENTS = (
    "INSERT INTO orders VALUES ('9', '2024-01-09', 9)",
    "DELETE FROM orders",
    "UPDATE orders SET amount = 0",
    "DROP TABLE orders",
    "CREATE TABLE copy AS SELECT * FROM orders",
    "COPY orders TO 'copy.csv'",
    "ATTACH 'other.db' AS other",
    "PRAGMA user_version = 9",
    "SET search_path = 'sales'",
    "EXPLAIN ANALYZE DELETE FROM orders",
    "SELECT * FROM orders; DELETE FROM orders",
    "SELECT * FROM orders; SELECT * FROM orders",
    "SELECT * FROM orders) AS log; DELETE FROM orders; SELECT * FROM (SELECT * FROM orders",
    "/* SELECT */ DELETE FROM orders",
    "-- SELECT",
    "  ;",
    "selection",
)


@dataclass(frozen=True)
class Database:
    """A database of one test: how refusals call it, what runs statements in it as its owner, and where it is."""

    kind: str
    name: str
    run: Callable[..., list[Any]]
    path: Path | str

    def source(self, **options: Any) -> SourceSettings:
        """Return the settings that read the log in it."""
        given = {"columns": COLUMNS, "date_format": "%Y-%m-%d", "max_rejected_share": 1.0}
        return SourceSettings(self.path, **(given | {"database_url_env": VARIABLE} | options))


# --- the databases ---


def duckdb_in(folder: Path) -> Database:
    """Return an empty DuckDB file."""
    file = folder / "log.duckdb"

    def run(*statements: str) -> list[Any]:
        with duckdb.connect(str(file)) as con:
            return [con.execute(statement).fetchall() for statement in statements][-1]

    return Database("DuckDB", file.name, run, file)


def sqlite_in(folder: Path) -> Database:
    """Return a SQLite file that does not exist yet."""
    file = folder / "log.sqlite"

    def run(*statements: str) -> list[Any]:
        with closing(sqlite3.connect(file)) as con, con:
            return [con.execute(statement).fetchall() for statement in statements][-1]

    return Database("SQLite", file.name, run, file)


@dataclass(frozen=True)
class Server:
    """A PostgreSQL server on a socket in a folder of its own."""

    folder: Path

    def address(
        self, database: str = "postgres", *, user: str = OWNER, password: str = PASSWORD, schema: str = "public"
    ) -> str:
        """Return the address that goes into the environment variable."""
        return f"postgresql://{user}:{password}@/{database}?options=-csearch_path%3D{schema}&host={self.folder}"

    def run(self, database: str, *statements: str, schema: str = "public") -> list[Any]:
        """Run statements as the owner; return the rows of the last one."""
        with psycopg.connect(self.address(database, schema=schema), autocommit=True, client_encoding="utf8") as con:
            cursors = [con.execute(statement) for statement in statements]
            return cursors[-1].fetchall() if cursors[-1].description else []

    def new(self, encoding: str) -> str:
        """Create an empty database whose texts are in an encoding, and return its name."""
        name = f"shop_in_{encoding.lower()}"
        self.run("postgres", f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
        return name


def server_programs() -> Path | None:
    """Return the folder of a PostgreSQL server's programs, the newest one if there are several."""
    on_path = shutil.which("initdb")
    # Links to single programs are followed: beside them stands what they need.
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name.zfill(4))[::-1]
    return next((folder for folder in folders if (folder / "pg_ctl").exists() and (folder / "initdb").exists()), None)


def server_account() -> dict[str, Any]:
    """Return as whom the server runs: it refuses to be root's."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    pytest.skip("root may not run PostgreSQL, and there is neither a user postgres nor nobody to run it as")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server of these tests alone; it is stopped and its folder removed afterwards."""
    programs, account = server_programs(), server_account()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed: initdb and pg_ctl were not found")
    # Not in pytest's folder: nobody else may enter that, and its name may be too long for a socket's.
    with tempfile.TemporaryDirectory(prefix="clv-pg-") as name:
        folder = Path(name)
        (folder / "password").write_text(PASSWORD)
        if account:
            for path in (folder, folder / "password"):
                os.chown(path, account["user"], account["group"])

        def call(program: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
            command = [programs / program, "-D", folder / "data", *arguments]
            surroundings = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
            nothing = subprocess.DEVNULL
            return subprocess.run(command, stdout=nothing, stderr=nothing, cwd=folder, env=surroundings, **account)

        made = call("initdb", "-U", OWNER, f"--pwfile={folder}/password", "-A", "scram-sha-256", "-E", "UTF8", "-N")
        if made.returncode:
            pytest.skip("initdb cannot make a PostgreSQL server here")
        with (folder / "data" / "postgresql.conf").open("a") as settings:
            settings.write(f"\nlisten_addresses = ''\nunix_socket_directories = '{folder}'\nfsync = off\n")
            settings.write("shared_buffers = 1MB\n")  # a table of a few MB is large to it
        hba = folder / "data" / "pg_hba.conf"
        hba.write_text(f"local all {BARRED} reject\nlocal all {TRUSTED} trust\n" + hba.read_text())
        try:
            if call("pg_ctl", "-w", "-t", "60", "-l", str(folder / "log"), "start").returncode:
                pytest.skip("PostgreSQL does not start here")
            ours = Server(folder)
            for user in (READER, STRANGER, BARRED, TRUSTED):
                ours.run("postgres", f"CREATE USER {user} PASSWORD '{PASSWORD}'")
            yield ours
        finally:
            call("pg_ctl", "-m", "immediate", "-w", "stop")


@pytest.fixture
def no_settings_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs these tests may have addresses and passwords in their environment."""
    for name in [name for name in os.environ if name.startswith("PG") or name == VARIABLE]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PGPASSFILE", os.devnull)


@pytest.fixture
def postgresql(server: Server, monkeypatch: pytest.MonkeyPatch, no_settings_of_ours: None) -> Iterator[Database]:
    """An empty schema of the server; the environment variable holds an address by which names are found in it."""
    schema = f"shop_{next(NUMBERS)}"
    server.run("postgres", f"CREATE SCHEMA {schema}")
    monkeypatch.setenv(VARIABLE, server.address(schema=schema))
    yield Database(
        "PostgreSQL", SERVER_NAME, lambda *statements: server.run("postgres", *statements, schema=schema), "postgresql"
    )
    server.run("postgres", f"DROP SCHEMA IF EXISTS {schema}, sales CASCADE")


@pytest.fixture(params=["DuckDB", "SQLite", "PostgreSQL"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """An empty database of each kind."""
    files = {"DuckDB": duckdb_in, "SQLite": sqlite_in}
    return files[request.param](tmp_path) if request.param in files else request.getfixturevalue("postgresql")


@pytest.fixture(params=["DuckDB", "SQLite"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """An empty database of each kind that is a file."""
    return {"DuckDB": duckdb_in, "SQLite": sqlite_in}[request.param](tmp_path)


def read(settings: SourceSettings) -> list[tuple[Any, ...]]:
    """Return `source` as texts, in its order."""
    con = connection.connect()
    reading.read(con, settings)
    cells = ", ".join(f"{name}::VARCHAR" for name in settings.wanted)
    return con.execute(f"SELECT record, {cells} FROM source ORDER BY record").fetchall()


def customers(settings: SourceSettings) -> list[str]:
    """Return the customer of every record."""
    return [row[1] for row in read(settings)]


def refused(settings: SourceSettings) -> str:
    """Return the sentence that a log is refused with."""
    with pytest.raises(InputError) as refusal:
        cleaned(settings)
    return str(refusal.value)


# --- what holds of every database ---


def test_a_table_is_read_by_its_name(database):
    database.run(*ORDERS, "CREATE TABLE other (x INTEGER)")
    assert kept(cleaned(database.source(table="orders"))) == BOTH


def test_a_view_is_read_like_a_table(database):
    database.run(*ORDERS, "CREATE VIEW recent AS SELECT * FROM orders WHERE amount > 2")
    assert kept(cleaned(database.source(table="recent"))) == [("7", "01-02", 29.33)]


def test_a_table_of_a_schema_is_read_by_both_names(database):
    schema = "main" if database.kind == "SQLite" else "sales"
    made = () if schema == "main" else ("CREATE SCHEMA sales",)
    database.run(*made, *(statement.replace("orders", f"{schema}.orders", 1) for statement in ORDERS))
    assert kept(cleaned(database.source(table=f"{schema}.orders"))) == BOTH


@pytest.mark.slow
def test_a_query_may_have_lines_comments_and_a_semicolon_at_its_end(database):
    database.run(*ORDERS)
    found = {query: customers(database.source(query=query)) for query in FINE_QUERIES}
    assert found == {query: ["007", "7"] for query in FINE_QUERIES}


@pytest.mark.parametrize(
    "query",
    [
        "FROM orders",
        "(SELECT * FROM orders)",
        "SELECT * FROM (VALUES ('007', '2024-01-01', 1)) AS o (id, date, amount)",
    ],
)
def test_a_query_of_a_duckdb_file_may_begin_as_duckdb_lets_it(tmp_path, query):
    file = duckdb_in(tmp_path)
    file.run(*ORDERS)
    assert customers(file.source(query=query))[0] == "007"


def test_rows_are_numbered_in_the_order_of_the_query(database):
    database.run(*ORDERS)
    assert customers(database.source(query="SELECT * FROM orders ORDER BY amount DESC")) == ["7", "007"]


@pytest.mark.slow
def test_a_query_that_is_not_one_select_is_refused_and_changes_nothing(database):
    database.run(*ORDERS)
    before = read(database.source(table="orders"))
    found = {query: refused(database.source(query=query)) for query in OTHER_STATEMENTS}
    assert found == dict.fromkeys(OTHER_STATEMENTS, NO_SELECT)
    assert read(database.source(table="orders")) == before


def test_what_stands_in_a_text_with_escapes_is_no_comment_and_no_end(database):
    database.run(*ORDERS)
    text = "1 AS [it's]" if database.kind == "SQLite" else r"E'it\'s' AS x"
    assert customers(database.source(query=f"SELECT id, date, amount, {text} FROM orders -- it's")) == ["007", "7"]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM orders) AS o WHERE (1 = 1",
        "SELECT * FROM orders) AS o UNION ALL SELECT * FROM (SELECT * FROM orders",
        # To who does not know escapes the semicolons stand in a text.
        "SELECT E'\\' AS id, ' AS id, date, amount FROM orders; DELETE FROM orders; --'",
        "SELECT *, 1 AS [it's] FROM orders; DELETE FROM orders; --'",
        "WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone",
    ],
)
def test_a_query_that_hides_what_it_is_is_refused_and_changes_nothing(database, query):
    database.run("CREATE TABLE orders (id TEXT, date TEXT, amount TEXT)", ORDERS[1])
    sentence = refused(database.source(query=query))
    assert sentence == NO_SELECT or sentence.startswith(f"{database.name} refuses to read the log: ")
    assert customers(database.source(table="orders")) == ["007", "7"]


def test_a_query_that_hides_a_second_one_does_not_reach_the_own_tables(tmp_path):
    file, con = duckdb_in(tmp_path), connection.connect()
    file.run(*ORDERS)
    hidden = "SELECT E'\\' AS id, ' AS id, date, amount FROM orders; CREATE TABLE memory.main.made (x INTEGER); --'"
    with pytest.raises(InputError, match=NO_SELECT):
        reading.read(con, file.source(query=hidden))
    assert con.execute("SHOW TABLES").fetchall() == []


def test_a_missing_column_is_refused_naming_those_there_are(database):
    database.run(*ORDERS)
    assert refused(database.source(table="orders", columns=COLUMNS | {"amount": "total"})) == (
        f"{database.name} lacks the column total (found: id, date, amount):"
        " map customer_id, date and amount to the log's names under columns."
    )


def test_a_missing_column_is_known_before_any_row_is_read(database):
    database.run(*ORDERS, "CREATE VIEW recent AS SELECT id, date, amount FROM orders")
    con = connection.connect()
    reading.require_columns(con, database.source(table="recent"))
    assert con.execute("SELECT count(*) FROM source").fetchall() == [(0,)]
    with pytest.raises(InputError, match=r"lacks the column total \(found: id, date, amount\)"):
        reading.require_columns(con, database.source(table="recent", columns=COLUMNS | {"amount": "total"}))


def test_a_sample_holds_all_columns_and_not_more_rows_than_asked(database):
    database.run(*ORDERS, "CREATE VIEW marked AS SELECT *, 'Paid' AS \"Status\" FROM orders")
    names, rows = reading.sample(connection.connect(), database.source(table="marked"), rows=1)
    assert (names, len(rows)) == (["id", "date", "amount", "Status"], 1)
    assert [str(cell) for cell in (rows[0][0], rows[0][1], rows[0][3])] == ["007", "2024-01-01", "Paid"]


def test_of_many_columns_the_first_ten_are_named(database):
    columns = ", ".join(f"c{number} INTEGER" for number in range(12))
    database.run(f"CREATE TABLE orders ({columns})")
    found = "c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 2 more"
    assert f"(found: {found})" in refused(database.source(table="orders"))


def test_two_columns_of_one_name_are_refused(database):
    database.run(*ORDERS)
    query = "SELECT a.*, b.amount FROM orders AS a JOIN orders AS b ON a.id = b.id"
    assert refused(database.source(query=query)) == (
        f"{database.name} has several columns named amount: rename all but one in the query."
    )


def test_a_missing_table_is_refused(database):
    database.run(*ORDERS)
    reason = {
        "DuckDB": "Table with name order does not exist",
        "SQLite": "no such table: order",
        "PostgreSQL": 'relation "order" does not exist',
    }[database.kind]
    assert refused(database.source(table="order")) == f"{database.name} refuses to read the log: {reason}."


@pytest.mark.parametrize(
    "name", ['we"ird; DROP TABLE orders; --', "it's", "Bestellungen é€😀", "a b", "100 %s", "order"]
)
def test_a_name_is_a_name_whatever_stands_in_it(database, name):
    written = '"' + name.replace('"', '""') + '"'
    statements = [statement.replace("orders", written).replace("(id", f"({written}") for statement in ORDERS]
    database.run(*statements)
    assert customers(database.source(table=name, columns=COLUMNS | {"customer_id": name})) == ["007", "7"]


def test_identifiers_keep_zeros_and_every_digit(database):
    texts, numbers = ["007", "7", "1E5", "NA"], [2**53, 2**53 + 1, 2**63 - 1]
    values = ", ".join(f"('{text}', {number}, 1)" for text, number in zip(texts, [*numbers, 7], strict=True))
    database.run("CREATE TABLE orders (text_id TEXT, id BIGINT, amount INTEGER)", f"INSERT INTO orders VALUES {values}")
    query = "SELECT '2024-01-01' AS date, * FROM orders"
    log = database.source(query=query, columns=COLUMNS | {"customer_id": "text_id"})
    assert customers(log) == texts
    assert customers(database.source(query=query)) == [*map(str, numbers), "7"]


@pytest.mark.parametrize("kind", ["REAL", "DOUBLE PRECISION"])
@pytest.mark.parametrize("column", ["customer_id", "order_id", "product"])
def test_identifiers_that_are_floating_point_numbers_are_refused(database, column, kind):
    database.run(
        f"CREATE TABLE orders (id TEXT, date TEXT, amount INTEGER, number {kind})",
        "INSERT INTO orders VALUES ('ada', '2024-01-01', 1, 17850)",
    )
    found = "FLOAT" if (database.kind, kind) == ("DuckDB", "REAL") else "DOUBLE"
    assert refused(database.source(table="orders", columns=COLUMNS | {column: "number"})) == (
        f"column number holds {found}, which merges long identifiers: write it as text."
    )


def test_amounts_are_exact_to_the_cent(database):
    kind = "TEXT" if database.kind == "SQLite" else "NUMERIC(12, 2)"
    database.run(
        f"CREATE TABLE orders (id TEXT, date DATE, amount {kind})",
        "INSERT INTO orders VALUES ('ada', '2024-01-01', '9999999999.99'), ('bob', '2024-01-01', '0.1'),"
        " ('carl', '2024-01-01', '-0.07')",
    )
    con = cleaned(database.source(table="orders"))
    amounts = con.execute("SELECT money::DECIMAL(18, 2)::VARCHAR FROM judged ORDER BY record").fetchall()
    assert amounts == [("9999999999.99",), ("0.10",), ("-0.07",)]


@pytest.mark.parametrize("kind", ["REAL", "DOUBLE PRECISION"])
def test_amounts_that_are_floating_point_numbers_are_read_to_the_cent(database, kind):
    database.run(
        f"CREATE TABLE orders (id TEXT, date DATE, amount {kind})",
        "INSERT INTO orders VALUES ('ada', '2024-01-01', 29.33), ('bob', '2024-01-01', 0.1), ('c', '2024-01-01', 1e7)",
    )
    assert kept(cleaned(database.source(table="orders"))) == [
        ("ada", "01-01", 29.33),
        ("bob", "01-01", 0.1),
        ("c", "01-01", 1e7),
    ]


def test_nulls_become_the_rules_of_missing_cells(database):
    database.run(
        "CREATE TABLE orders (id TEXT, date DATE, amount NUMERIC(12, 2))",
        "INSERT INTO orders VALUES (NULL, '2024-01-01', 1), ('ada', NULL, 1), ('ada', '2024-01-01', NULL),"
        " ('ada', '2024-01-02', 2)",
    )
    con = cleaned(database.source(table="orders"))
    assert rules(con) == [[1, "missing_customer_id"], [2, "unparsable_date"], [3, "unparsable_amount"]]
    assert kept(con) == [("ada", "01-02", 2)]


@pytest.mark.parametrize("text", ["two\nlines", "a\r\nb", "é€😀", "\t' \" \\ ;", "x" * 1_000_000, "\x01\x02"])
def test_a_text_is_the_text_that_the_database_holds(database, text):
    database.run("CREATE TABLE orders (id TEXT, date DATE, amount INTEGER)")
    database.run(f"INSERT INTO orders VALUES ('{text.replace("'", "''")}', '2024-01-01', 1)")
    assert customers(database.source(table="orders")) == [text]


def test_an_empty_table_is_a_log_without_rows(database):
    database.run(ORDERS[0])
    assert read(database.source(table="orders")) == []
    assert "holds no rows" in refused(database.source(table="orders"))


def test_what_fails_while_rows_are_read_is_told_in_one_sentence(database):
    failing = {
        "DuckDB": ("error('no such rate')", "no such rate"),
        "SQLite": ("json_extract('{', '$.x')", "malformed JSON"),
        "PostgreSQL": ("1 / (length(id) - 1)", "division by zero"),
    }
    expression, reason = failing[database.kind]
    database.run(*ORDERS, f"CREATE VIEW broken AS SELECT id, date, {expression} AS amount FROM orders")
    assert refused(database.source(table="broken")) == f"{database.name} refuses to read the log: {reason}."


@pytest.mark.parametrize("text", ["ada@example.org", "O'Brien ada@example.org", 'ada "the" example', "two\nlines ada"])
def test_a_complaint_about_a_row_quotes_nothing_of_it(database, text):
    expression = {"DuckDB": "id::INTEGER", "SQLite": "json_extract('{}', id)", "PostgreSQL": "id::int"}[database.kind]
    database.run("CREATE TABLE orders (id TEXT, date TEXT)")
    database.run(f"INSERT INTO orders VALUES ('{text.replace("'", "''")}', '2024-01-01')")
    database.run(f"CREATE VIEW broken AS SELECT id, date, {expression} AS amount FROM orders")
    with pytest.raises(InputError) as refusal:
        cleaned(database.source(table="broken"))
    sentence = str(refusal.value)
    assert sentence.startswith(f"{database.name} refuses to read the log: ")
    assert "…" in sentence
    assert not {"ada", "Brien", "example", "two", "lines"} & set(re.findall(r"\w+", sentence))
    assert list(links(refusal.value)) == [refusal.value]  # nor does a page that shows where it stopped


def test_a_complaint_names_no_long_number(tmp_path):
    file = duckdb_in(tmp_path)
    file.run("CREATE TABLE orders AS SELECT 4915112345678 AS id, DATE '2024-01-01' AS date, 1 AS amount")
    sentence = refused(file.source(query="SELECT id::INTEGER AS id, date, amount FROM orders"))
    assert "49151" not in sentence
    assert "INT32" in sentence  # what helps stays


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("invalid input syntax for type integer: »ada«", 'invalid input syntax for type integer: "…"'),
        ("ungültige Eingabesyntax für Typ integer: „ada“", 'ungültige Eingabesyntax für Typ integer: "…"'),
        ("syntaxe en entrée invalide pour le type integer : « ada »", "syntaxe en entrée invalide"),
        ("relation »orders« existiert nicht", "relation »orders« existiert nicht"),
        ("can't cast 'ada' to INT32", 'can\'t cast "…" to INT32'),
        ("could not convert 'ada", 'could not convert "…"'),
    ],
)
def test_a_complaint_in_any_language_keeps_the_names_of_the_settings_alone(said, left):
    kept = connection.harmless(said, {"orders"})
    assert kept.startswith(left)
    assert "ada" not in kept


@pytest.mark.slow
def test_a_log_in_a_database_that_finds_no_room_is_refused_in_one_sentence(database):
    database.run("CREATE TABLE orders (id TEXT, date TEXT, amount INTEGER)")
    long = "x" * 20_000_000
    database.run(f"INSERT INTO orders VALUES ('{long}', '2024-01-01', 1)")
    con = connection.connect(memory_gib=0.02)  # of which the connection takes 8 MiB
    with pytest.raises(InputError) as refusal:
        reading.read(con, database.source(table="orders"))
    assert str(refusal.value) == (
        "The log needs more memory or disk than there is: raise memory_gib or free disk space."
    )


def test_a_view_of_a_table_that_is_gone_is_refused(file):
    file.run(*ORDERS, "CREATE VIEW recent AS SELECT * FROM orders", "DROP TABLE orders")
    assert refused(file.source()).startswith(f"{file.name} refuses to read the log: ")


# --- what holds of files ---


def test_the_only_table_is_found_by_itself(file):
    file.run(*ORDERS)
    assert kept(cleaned(file.source())) == BOTH


def test_the_only_table_is_found_beside_what_is_in_the_connection_already(file):
    file.run(*ORDERS)
    con = connection.connect()
    con.execute("CREATE TABLE other (x INTEGER)")
    con.execute("CREATE SCHEMA work; CREATE VIEW work.orders AS SELECT 1 AS id")
    reading.read(con, file.source())
    assert con.execute("SELECT customer_id FROM source ORDER BY record").fetchall() == [("007",), ("7",)]


def test_the_only_table_is_found_whatever_its_name(file):
    file.run(*(statement.replace("orders", '"shop.orders"') for statement in ORDERS))
    assert kept(cleaned(file.source())) == BOTH
    assert kept(cleaned(file.source(table="shop.orders"))) == BOTH


def test_of_several_tables_one_must_be_named(file):
    file.run(*ORDERS, "CREATE TABLE items (x INTEGER)", "CREATE VIEW recent AS SELECT * FROM orders")
    assert refused(file.source()) == (
        f"{file.name} holds 3 tables (it has items, orders, recent): name one as table, or give a query."
    )


def test_of_many_tables_the_first_ten_are_named(file):
    file.run(*(f"CREATE TABLE t{number:02} (x INTEGER)" for number in range(12)))
    named = ", ".join(f"t{number:02}" for number in range(10))
    assert refused(file.source()) == (
        f"{file.name} holds 12 tables (it has {named} and 2 more): name one as table, or give a query."
    )


def test_a_file_without_tables_is_refused(file):
    file.run("CREATE TABLE gone (x INTEGER)", "DROP TABLE gone")
    assert refused(file.source()) == f"{file.name} holds 0 tables: name one as table, or give a query."


def test_reading_changes_neither_the_file_nor_its_folder(file):
    file.run(*ORDERS)
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in file.path.parent.iterdir()}
    cleaned(file.source())
    refused(file.source(query="SELECT * FROM nowhere"))
    assert before == {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in file.path.parent.iterdir()}


def test_a_file_is_found_under_any_name(file):
    file.run(*ORDERS)
    odd = file.path.rename(file.path.with_name("it's 100% [odd] #1;.csv"))
    assert kept(cleaned(SourceSettings(odd, columns=COLUMNS, date_format="%Y-%m-%d"))) == BOTH


def many_orders(file: Database) -> None:
    """Fill a table with 32,768 rows."""
    double = "INSERT INTO orders SELECT * FROM orders"
    file.run(*ORDERS, *[double] * 14)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.7, 0.999])
def test_a_file_that_was_cut_off_is_refused(file, share):
    many_orders(file)
    whole = file.path.read_bytes()
    file.path.write_bytes(whole[: int(len(whole) * share)])
    assert "copy it anew and completely" in refused(file.source())


def test_a_file_whose_end_is_overwritten_is_refused(file):
    many_orders(file)
    whole = file.path.read_bytes()
    file.path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    assert "copy it anew and completely" in refused(file.source())


def test_a_file_that_only_begins_like_a_database_is_refused(file):
    file.run(*ORDERS)
    file.path.write_bytes(file.path.read_bytes()[:16] + b"id,date,amount\n" * 300)
    assert "copy it anew and completely" in refused(file.source())


@pytest.mark.parametrize("name", ["log.duckdb", "log.sqlite", "log.db"])
def test_a_file_of_no_bytes_is_refused(tmp_path, name):
    (tmp_path / name).touch()
    sentence = refused(SourceSettings(tmp_path / name, columns=COLUMNS))
    assert sentence == f"{name} is empty or begins with an empty line: give a file with a header on top."


# --- DuckDB ---


def test_a_duckdb_file_with_a_question_mark_in_its_name_is_refused_with_what_helps(tmp_path):
    file = duckdb_in(tmp_path)
    file.run(*ORDERS)
    odd = file.path.rename(tmp_path / "what?.duckdb")
    assert refused(SourceSettings(odd, columns=COLUMNS)) == (
        "what?.duckdb cannot be opened as a DuckDB database: rename it or its folder, without a question mark."
    )


OUTSIDE = "log.duckdb refuses to read the log: the table or query reaches outside of this file, where nothing is read."
COUNTS = "(SELECT count(*) FROM read_csv('{}', header = false, columns = {{'x': 'VARCHAR'}}))"
LOGS = "(FROM enable_logging(storage = 'file', storage_config = {{'path': '{}'}}))"


@pytest.mark.parametrize(
    "way",
    [
        "SELECT content AS id, '2024-01-01' AS date, 1 AS amount FROM read_text('{}')",
        f"SELECT o.* FROM orders AS o, {COUNTS}",
        "SELECT file AS id, '2024-01-01' AS date, 1 AS amount FROM glob('{}*')",
        f"SELECT o.* FROM orders AS o LEFT JOIN {LOGS} ON true"
        " WHERE write_log('gone', level := 'ERROR', log_type := 'x') IS NULL",
    ],
)
def test_neither_a_view_nor_a_query_of_a_duckdb_file_reads_or_writes_another_file(tmp_path, way):
    other = tmp_path / "other.csv"
    other.write_text("a secret of somebody else\n")
    file = duckdb_in(tmp_path)
    file.run(*ORDERS, f"CREATE VIEW harmless AS {way.format(other)}")
    assert refused(file.source(table="harmless")) == OUTSIDE
    assert refused(file.source(query=way.format(other))) == OUTSIDE
    assert other.read_text() == "a secret of somebody else\n"


def test_a_table_of_a_duckdb_file_that_is_called_like_a_file_does_not_open_it(tmp_path):
    (tmp_path / "other.csv").write_text("id,date,amount\nada,2024-01-01,1\n")
    file = duckdb_in(tmp_path)
    file.run(*ORDERS)
    assert refused(file.source(table=str(tmp_path / "other.csv"))) == OUTSIDE


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("HUGEINT", "170141183460469231731687303715884105727"),
        ("UBIGINT", "18446744073709551615"),
        ("UUID", "00000000-0000-0000-0000-00000000000a"),
        ("DECIMAL(38, 0)", "99999999999999999999999999999999999999"),
        ("ENUM('007', '7')", "007"),
    ],
)
def test_an_identifier_of_any_type_in_a_duckdb_file_keeps_all_its_digits(tmp_path, kind, value):
    file = duckdb_in(tmp_path)
    file.run(f"CREATE TABLE orders AS SELECT '{value}'::{kind} AS id, DATE '2024-01-01' AS date, 1.5 AS amount")
    assert customers(file.source()) == [value]


def test_many_rows_of_a_duckdb_file_come_in_their_order(tmp_path):
    file = duckdb_in(tmp_path)
    file.run(
        "CREATE TABLE orders AS SELECT 'c' || n AS id, DATE '2024-01-01' + (n % 300)::INTEGER AS date, 1 AS amount"
        " FROM range(1, 500001) AS r (n)"
    )
    con = connection.connect()
    reading.read(con, file.source())
    found = con.execute(
        "SELECT count(*), min(record), max(record), count(*) FILTER (customer_id <> 'c' || record) FROM source"
    ).fetchone()
    assert found == (500_000, 1, 500_000, 0)


def test_the_only_table_of_a_duckdb_file_may_be_in_a_schema(tmp_path):
    file = duckdb_in(tmp_path)
    file.run("CREATE SCHEMA sales", *(statement.replace("orders", "sales.orders") for statement in ORDERS))
    assert kept(cleaned(file.source())) == BOTH
    file.run(ORDERS[0])
    assert refused(file.source()) == (
        "log.duckdb holds 2 tables (it has orders, sales.orders): name one as table, or give a query."
    )


@pytest.mark.parametrize(
    ("kind", "moment", "zone", "day"),
    [
        ("DATE", "2024-01-01", None, "01-01"),
        ("TIMESTAMP", "2024-01-01 23:59:59.999999", None, "01-01"),
        ("TIMESTAMP_S", "2024-01-01 23:59:59", None, "01-01"),
        ("TIMESTAMP_MS", "2024-01-01 23:59:59.999", None, "01-01"),
        ("TIMESTAMP_NS", "2024-01-01 23:59:59.999999", None, "01-01"),
        ("TIMESTAMPTZ", "2024-01-01 23:30:00-05", "America/New_York", "01-01"),
        ("TIMESTAMPTZ", "2024-01-01 23:30:00-05", "Europe/Berlin", "01-02"),
        ("VARCHAR", "2024-01-01", None, "01-01"),
    ],
)
def test_dates_in_a_duckdb_file_keep_their_type(tmp_path, kind, moment, zone, day):
    file = duckdb_in(tmp_path)
    file.run(f"CREATE TABLE orders AS SELECT 'ada' AS id, '{moment}'::{kind} AS date, 1.5 AS amount")
    assert kept(cleaned(file.source(timezone=zone))) == [("ada", day, 1.5)]


def test_moments_without_a_time_zone_whose_days_count_are_refused(tmp_path):
    file = duckdb_in(tmp_path)
    file.run("CREATE TABLE orders AS SELECT 'ada' AS id, '2024-01-01 23:30:00-05'::TIMESTAMPTZ AS date, 1.5 AS amount")
    assert refused(file.source()) == (
        "column date holds moments with an offset: state whose days count as timezone, like Europe/Berlin."
    )


def test_a_duckdb_file_that_another_program_writes_to_is_refused(tmp_path):
    file = duckdb_in(tmp_path)
    file.run(*ORDERS)
    code = f"import duckdb, sys; con = duckdb.connect({str(file.path)!r}); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        assert writer.stdout and writer.stdout.readline()
        sentence = refused(file.source())
        writer.communicate()
    assert sentence == "log.duckdb cannot be opened as a DuckDB database: close other programs that use it."
    assert kept(cleaned(file.source())) == BOTH


def test_a_duckdb_file_that_this_program_writes_to_is_refused(tmp_path):
    file = duckdb_in(tmp_path)
    file.run(*ORDERS)
    with duckdb.connect(str(file.path)):
        assert refused(file.source()).endswith("close other programs that use it.")


def test_a_duckdb_file_of_a_newer_version_is_refused(tmp_path):
    file = duckdb_in(tmp_path)
    file.run(*ORDERS)
    whole = bytearray(file.path.read_bytes())
    whole[12:20] = (9999).to_bytes(8, "little")  # the version, in a block that begins with its own checksum
    checksum = 5381
    for (word,) in struct.iter_unpack("<Q", whole[8:4096]):
        checksum ^= word * 0xBF58476D1CE4E5B9 & (2**64 - 1)
    whole[:8] = checksum.to_bytes(8, "little")
    file.path.write_bytes(whole)
    assert refused(file.source()) == (
        "log.duckdb cannot be opened as a DuckDB database:"
        " another version of DuckDB wrote it, export the log as Parquet."
    )


def test_what_a_duckdb_file_has_still_in_its_journal_is_read(tmp_path):
    file = duckdb_in(tmp_path)
    statements = "; ".join(ORDERS)
    code = f"import duckdb, os; con = duckdb.connect({str(file.path)!r}); con.execute({statements!r}); os._exit(0)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / "log.duckdb.wal").exists()
    assert kept(cleaned(file.source())) == BOTH


@pytest.mark.parametrize("name", ["con", "wanted", "file"])
def test_a_table_is_never_a_variable_of_the_program(tmp_path, name):
    file = duckdb_in(tmp_path)
    file.run(*ORDERS)
    sentence = f"log.duckdb refuses to read the log: Table with name {name} does not exist."
    assert refused(file.source(table=name)) == sentence
    assert refused(file.source(query=f"SELECT * FROM {name}")) == sentence


@pytest.mark.parametrize("options", [{}, {"table": "nowhere"}, {"query": "DELETE FROM orders"}])
def test_a_connection_is_as_it_was_after_reading_a_duckdb_file(tmp_path, options):
    file = duckdb_in(tmp_path)
    file.run(*ORDERS)
    con = connection.connect()
    state = "SELECT current_database(), current_setting('python_enable_replacements'), count(*) FROM duckdb_databases()"
    before = con.execute(state).fetchall()
    if options:
        with pytest.raises(InputError):
            reading.read(con, file.source(**options))
    else:
        reading.read(con, file.source())
    assert con.execute(state).fetchall() == before


# --- SQLite ---


@pytest.mark.parametrize("statement", ["ANALYZE", "CREATE TABLE gone (n INTEGER PRIMARY KEY AUTOINCREMENT)"])
def test_tables_that_sqlite_keeps_for_itself_are_not_counted(tmp_path, statement):
    file = sqlite_in(tmp_path)
    file.run(*ORDERS, statement)
    file.run("DROP TABLE IF EXISTS gone")
    assert len(file.run("SELECT * FROM sqlite_master WHERE name LIKE 'sqlite_%'")) > 0
    assert kept(cleaned(file.source())) == BOTH


def test_dates_in_a_sqlite_file_are_texts_with_a_format(tmp_path):
    file = sqlite_in(tmp_path)
    file.run(ORDERS[0], "INSERT INTO orders VALUES ('ada', '31.01.2024', 1), ('bob', '01.31.2024', 1)")
    con = cleaned(file.source(date_format="%d.%m.%Y"))
    assert kept(con) == [("ada", "01-31", 1)]
    assert rules(con) == [[2, "unparsable_date"]]
    assert refused(file.source(date_format=None)).startswith("column date is text: state how its dates are written")


@pytest.mark.parametrize(("zone", "day"), [("America/New_York", "01-01"), ("Europe/Berlin", "01-02")])
@pytest.mark.parametrize("kind", ["INTEGER", "REAL", "TEXT"])
def test_seconds_in_a_sqlite_file_land_on_the_days_of_the_time_zone(tmp_path, kind, zone, day):
    file = sqlite_in(tmp_path)
    # 1704169800 is 2024-01-02 04:30 UTC.
    file.run(
        f"CREATE TABLE orders (id TEXT, date {kind}, amount REAL)", "INSERT INTO orders VALUES ('ada', 1704169800, 1)"
    )
    assert kept(cleaned(file.source(date_format="unix_seconds", timezone=zone))) == [("ada", day, 1)]


@pytest.mark.parametrize(
    ("amount", "found"), [("9e999", "Inf"), ("-9e999", "-Inf"), ("'12,50'", "12,50"), ("x'31'", "1")]
)
def test_what_is_no_amount_in_a_sqlite_file_is_a_fault(tmp_path, amount, found):
    file = sqlite_in(tmp_path)
    file.run("CREATE TABLE orders (id, date, amount)", f"INSERT INTO orders VALUES ('ada', '2024-01-01', {amount})")
    file.run("INSERT INTO orders VALUES ('bob', '2024-01-01', 1)")
    assert read(file.source())[0][3] == found
    assert rules(cleaned(file.source())) == ([[1, "unparsable_amount"]] if found != "1" else [])


def test_bytes_in_a_sqlite_file_are_text_if_they_say_one(tmp_path):
    file = sqlite_in(tmp_path)
    file.run("CREATE TABLE orders (id, date, amount)", "INSERT INTO orders VALUES (x'616461', '2024-01-01', 1)")
    assert kept(cleaned(file.source())) == [("ada", "01-01", 1)]


@pytest.mark.parametrize("value", ["x'e9ff'", "CAST(x'e9ff' AS TEXT)"])
def test_bytes_in_a_sqlite_file_that_are_no_text_are_refused_without_showing_them(tmp_path, value):
    file = sqlite_in(tmp_path)
    file.run("CREATE TABLE orders (id, date, amount)", f"INSERT INTO orders VALUES ({value}, '2024-01-01', 1)")
    assert refused(file.source()) == (
        "log.sqlite refuses to read the log: customer_id holds bytes that are not UTF-8 text."
    )


def test_a_text_in_a_sqlite_file_does_not_end_at_a_zero_byte(tmp_path):
    file = sqlite_in(tmp_path)
    file.run("CREATE TABLE orders (id, date, amount)")
    file.run("INSERT INTO orders VALUES ('a' || char(0) || 'b', '2024-01-01', 1)")
    assert customers(file.source()) == ["a\0b"]


def test_a_sqlite_file_in_utf16_is_read(tmp_path):
    file = sqlite_in(tmp_path)
    file.run("PRAGMA encoding = 'UTF-16'", ORDERS[0], "INSERT INTO orders VALUES ('é€😀', '2024-01-01', 1)")
    assert kept(cleaned(file.source())) == [("é€😀", "01-01", 1)]


def test_what_a_sqlite_file_has_still_in_its_journal_is_read(tmp_path):
    file = sqlite_in(tmp_path)
    with closing(sqlite3.connect(file.path)) as writer:
        writer.execute("PRAGMA journal_mode = wal")
        for statement in ORDERS:
            writer.execute(statement)
        writer.commit()
        assert (tmp_path / "log.sqlite-wal").stat().st_size > 0
        assert kept(cleaned(file.source())) == BOTH


def test_a_sqlite_file_that_another_program_has_locked_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(databases, "CONNECT_SECONDS", 0)
    file = sqlite_in(tmp_path)
    file.run(*ORDERS)
    with closing(sqlite3.connect(file.path)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        assert refused(file.source()) == "log.sqlite refuses to read the log: database is locked."
    assert kept(cleaned(file.source())) == BOTH


def test_a_sqlite_file_is_read_in_batches_in_its_order(tmp_path, monkeypatch):
    monkeypatch.setattr(databases, "ROWS_AT_A_TIME", 7)
    file = sqlite_in(tmp_path)
    values = ", ".join(f"('c{number}', '2024-01-01', {number})" for number in range(1, 51))
    file.run(ORDERS[0], f"INSERT INTO orders VALUES {values}")
    assert read(file.source()) == [(number, f"c{number}", "2024-01-01", str(number)) for number in range(1, 51)]


# --- PostgreSQL ---


@pytest.mark.parametrize(
    ("kind", "moment", "zone", "day"),
    [
        ("date", "2024-01-01", None, "01-01"),
        ("timestamp", "2024-01-01 23:59:59.999999", None, "01-01"),
        ("timestamp(0)", "2024-01-01 23:59:59", None, "01-01"),
        ("timestamptz", "2024-01-01 23:30:00-05:00", "America/New_York", "01-01"),
        ("timestamptz", "2024-01-01 23:30:00-05:00", "Europe/Berlin", "01-02"),
        ("timestamptz", "2024-01-01 23:30:00-05:00", "Asia/Kolkata", "01-02"),
        ("text", "2024-01-01", None, "01-01"),
    ],
)
def test_dates_on_a_server_keep_their_type_however_it_would_write_them(
    postgresql, monkeypatch, kind, moment, zone, day
):
    postgresql.run(
        f"CREATE TABLE orders (id text, date {kind}, amount int)", f"INSERT INTO orders VALUES ('ada', '{moment}', 1)"
    )
    odd = "-cDateStyle%3DGerman%20-cTimeZone%3DAsia/Kathmandu%20-csearch_path"
    monkeypatch.setenv(VARIABLE, os.environ[VARIABLE].replace("-csearch_path", odd))
    assert kept(cleaned(postgresql.source(table="orders", timezone=zone))) == [("ada", day, 1)]


@pytest.mark.parametrize("kind", ["date", "timestamp", "timestamptz"])
def test_dates_that_only_a_server_knows_are_faults_of_their_rows(postgresql, kind):
    latest = "200000-01-01" if kind == "date" else "294276-12-31 23:59:59"
    moments = ["infinity", "-infinity", latest, "0044-03-15 BC", "1850-01-01", "2024-01-01"]
    values = ", ".join(f"('ada', '{moment}', 1)" for moment in moments)
    postgresql.run(f"CREATE TABLE orders (id text, date {kind}, amount int)", f"INSERT INTO orders VALUES {values}")
    con = cleaned(postgresql.source(table="orders", timezone="UTC"))
    assert [record for record, _ in rules(con)] == [1, 2, 3, 4, 5]
    assert {rule for _, rule in rules(con)} <= {"impossible_date", "unparsable_date"}
    assert kept(con) == [("ada", "01-01", 1)]


def test_amounts_that_are_no_finite_numbers_are_faults_of_their_rows(postgresql):
    postgresql.run(
        "CREATE TABLE orders (id text, date date, amount float8)",
        "INSERT INTO orders VALUES ('a', '2024-01-01', 'NaN'), ('a', '2024-01-01', 'Infinity'), ('a', '2024-01-01', 1)",
    )
    assert rules(cleaned(postgresql.source(table="orders"))) == [[1, "unparsable_amount"], [2, "unparsable_amount"]]


def test_identifiers_of_other_types_are_the_text_that_the_server_writes(postgresql):
    postgresql.run(
        "CREATE TABLE orders (id uuid, date date, amount int, o char(5))",
        "INSERT INTO orders VALUES ('00000000-0000-0000-0000-00000000000a', '2024-01-01', 1, 'A1')",
    )
    log = postgresql.source(table="orders", columns=COLUMNS | {"order_id": "o"})
    assert read(log) == [(1, "00000000-0000-0000-0000-00000000000a", "2024-01-01", "1", "A1")]


def test_a_quarter_of_a_million_rows_come_in_their_order(postgresql):
    postgresql.run(
        "CREATE TABLE orders AS SELECT 'c' || n AS id, DATE '2024-01-01' + n % 300 AS date,"
        " (n / 100.0)::numeric(12, 2) AS amount FROM generate_series(1, 250000) AS n"
    )
    con = connection.connect()
    reading.read(con, postgresql.source(table="orders"))
    wrong = "customer_id <> 'c' || record OR date <> DATE '2024-01-01' + (record % 300)::INTEGER"
    wrong += " OR amount::DECIMAL(12, 2) <> record / 100::DECIMAL(12, 2)"
    found = con.execute(f"SELECT count(*), min(record), max(record), count(*) FILTER ({wrong}) FROM source").fetchone()
    assert found == (250_000, 1, 250_000, 0)


def test_rows_begin_at_the_first_also_while_others_read_the_table(postgresql, server):
    postgresql.run(
        "CREATE TABLE orders AS SELECT n::text AS id, DATE '2024-01-01' AS date, 1 AS amount"
        " FROM generate_series(1, 100000) AS n"
    )
    with psycopg.connect(os.environ[VARIABLE]) as other, other.cursor(name="other") as reader:
        reader.execute("SELECT * FROM orders")
        reader.fetchmany(50_000)
        found = customers(postgresql.source(table="orders"))
    assert found == [str(number) for number in range(1, 100_001)]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT writes() AS id, date, amount FROM orders", "cannot execute INSERT in a read-only transaction"),
        (
            "SELECT nextval('n')::text AS id, date, amount FROM orders",
            "cannot execute nextval() in a read-only transaction",
        ),
        ("SELECT * FROM orders FOR UPDATE", "cannot execute SELECT FOR UPDATE in a read-only transaction"),
        ("SELECT * INTO copy FROM orders", "SELECT ... INTO is not allowed here"),
        (
            "WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone",
            "DECLARE CURSOR must not contain data-modifying statements in WITH",
        ),
        (
            "SELECT set_config('transaction_read_only', 'off', true) AS id, date, amount FROM orders",
            "transaction read-write mode must be set before any query",
        ),
    ],
)
def test_a_query_that_writes_is_refused_and_writes_nothing(postgresql, query, reason):
    postgresql.run(
        *ORDERS,
        "CREATE SEQUENCE n",
        "CREATE FUNCTION writes() RETURNS text LANGUAGE sql VOLATILE AS"
        " $$ INSERT INTO orders VALUES ('new', '2024-01-01', 1) RETURNING id $$",
    )
    assert refused(postgresql.source(query=query)) == f"{SERVER_NAME} refuses to read the log: {reason}."
    assert postgresql.run("SELECT count(*) FROM orders") == [(2,)]
    assert postgresql.run("SELECT is_called FROM n") == [(False,)]


def test_what_a_server_lets_a_reading_transaction_write_is_taken_back(postgresql):
    postgresql.run(*ORDERS)
    query = "SELECT lo_create(0)::text AS id, date, amount FROM orders"
    try:
        read(postgresql.source(query=query))
    except InputError as error:  # a newer server refuses it
        assert "read-only transaction" in str(error)
    assert postgresql.run("SELECT count(*) FROM pg_largeobject_metadata") == [(0,)]


def test_a_text_is_read_whatever_the_encoding_of_its_database(server, monkeypatch, no_settings_of_ours):
    name = server.new("LATIN1")
    server.run(name, "CREATE TABLE orders AS SELECT 'é' AS id, DATE '2024-01-01' AS date, 1 AS amount")
    monkeypatch.setenv(VARIABLE, server.address(name))
    monkeypatch.setenv("PGCLIENTENCODING", "SQL_ASCII")
    assert kept(cleaned(server_log())) == [("é", "01-01", 1)]


@pytest.mark.parametrize(("ours", "stated"), [("300ms", ""), ("1h", "%20-cstatement_timeout%3D300ms")])
def test_a_server_that_takes_too_long_is_given_up_by_our_limit_or_a_stated_one(postgresql, monkeypatch, ours, stated):
    monkeypatch.setattr(databases, "STATEMENT_LIMIT", ours)
    monkeypatch.setenv(VARIABLE, os.environ[VARIABLE].replace("&host=", f"{stated}&host="))
    postgresql.run(*ORDERS)
    start = time.monotonic()
    sentence = refused(postgresql.source(query="SELECT id || pg_sleep(60) AS id, date, amount FROM orders"))
    assert sentence.endswith("it took too long; read a table or view that holds what the query finds.")
    assert time.monotonic() - start < 30


def test_bytes_on_a_server_that_are_no_text_are_refused(server, monkeypatch, no_settings_of_ours):
    name = server.new("SQL_ASCII")
    server.run(name, "CREATE TABLE orders AS SELECT E'\\xe9' AS id, DATE '2024-01-01' AS date, 1 AS amount")
    monkeypatch.setenv(VARIABLE, server.address(name))
    assert (
        refused(server_log()) == f"{SERVER_NAME} refuses to read the log: a text holds bytes that are not UTF-8 text."
    )


# --- what nobody may learn ---


def links(error: BaseException) -> Iterator[BaseException]:
    """Return an error and all that hangs on it."""
    yield error
    for other in (error.__cause__, error.__context__):
        if other is not None:
            yield from links(other)


def assert_tells_nothing(error: InputError, secrets: Sequence[str]) -> None:
    """Nothing that may be shown of a refusal names a secret: not its sentence, its chain, nor its frames' variables."""
    assert list(links(error)) == [error]
    assert not [secret for secret in secrets if secret in str(error)]
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    ours = [frame for frame in frames if frame.f_globals["__name__"].startswith("clv.")]
    assert ours
    assert not [frame.f_code.co_name for frame in ours if PASSWORD in repr(frame.f_locals)]


@contextmanager
def tells_nothing(*secrets: str) -> Iterator[list[str]]:
    """The block is refused; its sentence is in the list that it gets, and nothing secret is told by the refusal."""
    said: list[str] = []
    with pytest.raises(InputError) as refusal:
        yield said
    said.append(str(refusal.value))
    assert_tells_nothing(refusal.value, [PASSWORD, OWNER, *secrets])


def server_log() -> SourceSettings:
    """Return the settings of a log on the server whose address the variable holds."""
    return SourceSettings("postgresql", columns=COLUMNS, table="orders", database_url_env=VARIABLE)


def read_anew(settings: SourceSettings) -> None:
    """Read a log in a connection of its own."""
    reading.read(connection.connect(), settings)


@pytest.mark.parametrize("address", [None, "", " \n"])
def test_a_variable_without_an_address_is_refused_naming_it(monkeypatch, no_settings_of_ours, address):
    if address is not None:
        monkeypatch.setenv(VARIABLE, address)
    assert refused(server_log()) == (
        f"The environment variable {VARIABLE} is not set: give it the database's address,"
        f" like export {VARIABLE}=postgresql://user@host/database."
    )


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"schema": "public%20-cnonsense%3D1"}, "the address is wrong"),
        ({"password": "wrong-4711"}, "the user or the password was refused"),
        ({"user": "somebody_else"}, "the user or the password was refused"),
        ({"user": BARRED}, "the server does not let this user in from here"),
        ({"database": "no_password_4711"}, "the database or the user does not exist"),
        ({"password": ""}, "the user or the password was refused"),
    ],
)
def test_a_server_that_lets_nobody_in_is_named_by_the_variable_alone(
    server, monkeypatch, no_settings_of_ours, changed, reason
):
    monkeypatch.setenv(VARIABLE, server.address(**changed))
    secrets = [*filter(None, changed.values()), str(server.folder)]
    with tells_nothing(*secrets) as said:
        read_anew(server_log())
    assert said == [f"{SERVER_NAME} cannot be reached: {reason}."]


def test_nobody_listening_is_told_without_the_address(monkeypatch, no_settings_of_ours):
    with closing(socket.socket()) as closed:
        closed.bind(("127.0.0.1", 0))  # taken, but nobody listens
        port = str(closed.getsockname()[1])
        monkeypatch.setenv(VARIABLE, f"postgresql://{OWNER}:{PASSWORD}@127.0.0.1:{port}/shop")
        with tells_nothing("127.0.0.1", port) as said:
            read_anew(server_log())
    assert said == [f"{SERVER_NAME} cannot be reached: nothing answers at that host and port."]


@pytest.mark.slow
def test_a_server_that_never_answers_is_given_up(monkeypatch, no_settings_of_ours):
    monkeypatch.setattr(databases, "CONNECT_SECONDS", 2)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = str(silent.getsockname()[1])
        monkeypatch.setenv(VARIABLE, f"postgresql://{OWNER}:{PASSWORD}@127.0.0.1:{port}/shop")
        with tells_nothing("127.0.0.1", port) as said:
            read_anew(server_log())
    assert said == [f"{SERVER_NAME} cannot be reached: the server did not answer in time."]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (f"postgresql://{OWNER}:{PASSWORD}@/shop?host=/nowhere/4711", "nothing answers at that host and port"),
        (f"host=a4711,b4711 port=1,2,3 user={OWNER} password={PASSWORD}", "the address is wrong"),
    ],
)
def test_an_address_that_leads_nowhere_is_told_without_it(monkeypatch, no_settings_of_ours, address, reason):
    monkeypatch.setenv(VARIABLE, address)
    with tells_nothing(address, "4711", "nowhere") as said:
        read_anew(server_log())
    assert said == [f"{SERVER_NAME} cannot be reached: {reason}."]


@pytest.mark.parametrize(
    "address",
    [
        f"mysql://{OWNER}:{PASSWORD}@db4711/shop",
        f"postgresql+psycopg2://{OWNER}:{PASSWORD}@db4711/password",
        f"{OWNER}:{PASSWORD}@db4711/refused",
        f"host=db4711 user={OWNER} password={PASSWORD} timeout",
        f"postgresql://{OWNER}:{PASSWORD}%zz@db4711/shop",
        f"postgresql://{OWNER}:{PASSWORD}@[::4711/shop",
        f"postgresql://{OWNER}:{PASSWORD}@db4711/shop?sslmood=require",
        f'"postgresql://{OWNER}:{PASSWORD}@db4711/shop"',
        f"postgresql://{OWNER}:{PASSWORD}\udce9@db4711/shop",
        f"postgresql://{OWNER}:{PASSWORD}@{'db4711' * 50}/shop",
    ],
)
def test_what_is_no_address_is_refused_without_showing_it(monkeypatch, no_settings_of_ours, address):
    monkeypatch.setenv(VARIABLE, address)
    with tells_nothing("db4711", "4711") as said:
        read_anew(server_log())
    assert said == [
        f"{SERVER_NAME} cannot be reached: what the variable holds is no address like postgresql://user@host/database."
    ]


def test_an_address_may_end_in_a_line_end(postgresql, monkeypatch):
    postgresql.run(*ORDERS)
    monkeypatch.setenv(VARIABLE, os.environ[VARIABLE] + "\n")
    assert kept(cleaned(postgresql.source(table="orders"))) == BOTH


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"table": "nowhere"}, 'relation "nowhere" does not exist'),
        ({"table": "nowhere.orders"}, 'relation "nowhere.orders" does not exist'),
        ({"query": "SELECT * FROM orders WHERE"}, "syntax error at end of input"),
        ({"query": "SELECT * FROM orders WHERE id = $1"}, "requires 1"),
        (
            {"query": "SELECT current_user::int AS id, date, amount FROM orders"},
            'invalid input syntax for type integer: "…"',
        ),
        (
            {"query": "SELECT pg_terminate_backend(pg_backend_pid())::text AS id, date, amount FROM orders"},
            "terminating connection due to administrator command",
        ),
    ],
)
def test_what_a_server_refuses_is_told_without_its_connection(postgresql, server, options, reason):
    postgresql.run(*ORDERS)
    with tells_nothing(str(server.folder)) as said:
        read_anew(postgresql.source(**options))
    assert said[0].startswith(f"{SERVER_NAME} refuses to read the log: ")
    assert reason in said[0]


def test_what_the_settings_say_is_told_also_if_it_is_the_users_name(postgresql, server, monkeypatch):
    monkeypatch.setenv(VARIABLE, server.address(user=TRUSTED, password=""))
    sentence = refused(postgresql.source(table=TRUSTED))
    assert sentence == f'{SERVER_NAME} refuses to read the log: relation "{TRUSTED}" does not exist.'


def test_columns_that_a_server_lacks_are_told_without_its_connection(postgresql, server):
    postgresql.run(*ORDERS)
    with tells_nothing(str(server.folder)) as said:
        read_anew(postgresql.source(table="orders", columns=COLUMNS | {"date": "day"}))
    assert said[0].startswith(f"{SERVER_NAME} lacks the column day (found: id, date, amount)")


def test_a_table_that_a_user_may_not_read_is_refused(postgresql, server, monkeypatch):
    schema = postgresql.run("SELECT current_schema")[0][0]
    postgresql.run(*ORDERS, f"GRANT USAGE ON SCHEMA {schema} TO PUBLIC", f"GRANT SELECT ON orders TO {READER}")
    monkeypatch.setenv(VARIABLE, server.address(user=READER, schema=schema))
    assert kept(cleaned(server_log())) == BOTH
    monkeypatch.setenv(VARIABLE, server.address(user=STRANGER, schema=schema))
    with tells_nothing(STRANGER, str(server.folder)) as said:
        read_anew(server_log())
    assert said == [f"{SERVER_NAME} refuses to read the log: permission denied for table orders."]


def test_a_server_is_not_asked_for_what_no_query_can_be(monkeypatch, no_settings_of_ours):
    monkeypatch.setenv(VARIABLE, f"postgresql://{OWNER}:{PASSWORD}@/shop?host=/nowhere")
    log = SourceSettings("postgresql", columns=COLUMNS, query="DELETE FROM orders", database_url_env=VARIABLE)
    assert refused(log) == NO_SELECT
