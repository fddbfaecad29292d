"""What a database complains of becomes one sentence that quotes nobody: it knows rows, and tells of them unasked."""

import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import duckdb

from clv.errors import InputError

FULL = "The log needs more memory or disk than there is: raise memory_gib or free disk space."
NO_TEXT = "holds bytes that are not UTF-8 text"
DAMAGE = "is damaged or ends before its end: copy it anew and completely"
_DAMAGED = ("read enough bytes", "Corrupt database", "image is malformed", "not a database")
_QUOTES = "\"'`«»„“”‘’‚「」"  # of any language


def names_in(wanted: Mapping[str, str] | None, table: str | None, statement: str) -> set[str]:
    """Return what a complaint may quote: what the settings name, and the words of the statement."""
    return {table or "", *(wanted or {}).values(), *re.findall(r"[\w.]+", statement)} - {""}


def asked(ask: Callable[[], Any], where: str, known: Iterable[str] = ()) -> Any:
    """Return what `ask` does; what a database in a file complains of is refused in one sentence."""
    try:
        return ask()
    except (duckdb.Error, sqlite3.Error, MemoryError) as error:
        said = _complaint(error, where, known)
    raise InputError(said)  # here, where what the database said does not hang on it


def _complaint(error: Exception, where: str, known: Iterable[str]) -> str:
    if isinstance(error, duckdb.OutOfMemoryException | MemoryError):
        return FULL
    if any(sign in str(error) for sign in _DAMAGED):
        return f"{where} {DAMAGE}."
    if isinstance(error, duckdb.PermissionException) or "configuration has been locked" in str(error):
        said = "the table or query reaches outside of this file, where nothing is read"
    elif no_text := re.match("Could not decode to UTF-8 column '(.*?)'", str(error)):
        said = f"{no_text[1]} {NO_TEXT}"
    else:
        said = harmless(reason(error), known)
    return f"{where} refuses to read the log: {said}."


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
