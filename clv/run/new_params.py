"""A first params file for a log of one's own: what its columns look like, and the questions they leave open."""

from pathlib import Path

from clv.errors import InputError
from clv.run import artefacts
from clv.run.params import RESERVED_NAMES, RUN_NAME
from clv.run.params_text import params_text, run_of
from clv.transactions import files as transactions_files
from clv.transactions import reading
from clv.transactions.connection import connect
from clv.transactions.recognise import recognise

SAMPLED_ROWS = 5000
_BYTES_TRIED = 64 << 20  # of a text file whose encoding is not known
_ENCODINGS = ("utf-8", "cp1252", "latin-1")  # the last one reads everything


def new_params(data: str) -> Path:
    """Write params/<name of the log>.yaml for the log `data` (a path, folder or glob) and return its place."""
    files = transactions_files.find(data)
    if not data or not files:
        raise InputError(f"DATA={data} was not found: name a log, like make new-params DATA=data/orders.csv.")
    name = run_of(data)
    if not RUN_NAME.fullmatch(name) or name in RESERVED_NAMES:
        raise InputError(f"DATA={data} gives no name for a run: rename the file, letters and digits first.")
    target = artefacts.root() / "params" / f"{name}.yaml"
    if target.exists():
        raise InputError(f"params/{name}.yaml exists already: remove or rename it first.")
    encoding = _encoding(files[0]) if transactions_files.kind(files) == transactions_files.CSV else None
    settings = reading.SourceSettings(data, encoding=encoding)
    names, rows = reading.sample(connect(), settings, rows=SAMPLED_ROWS)
    text = params_text(recognise(names, rows), source=_from_project(data), encoding=encoding)
    with artefacts.replacing(target) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
    return target


def _encoding(file: Path) -> str | None:
    """Return the encoding to state for a text file: the first that reads it, None for UTF-8 and what says itself."""
    if transactions_files.encoding(file, None) != "utf-8":
        return None
    with transactions_files.opened(file) as stream:
        begin = stream.read(_BYTES_TRIED)
    # A last character that the limit cuts in two is no fault.
    begin = begin[: begin.rfind(b"\n") + 1] or begin
    found = next(name for name in _ENCODINGS if _reads(begin, name))
    return None if found == "utf-8" else found


def _reads(text: bytes, encoding: str) -> bool:
    try:
        text.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _from_project(data: str) -> str:
    path = Path(data).expanduser().absolute()
    return artefacts.shown(path)
