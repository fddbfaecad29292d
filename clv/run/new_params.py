"""A first params file for a log of one's own: what its columns look like, and the questions they leave open."""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path, PurePath
from textwrap import wrap
from typing import Any

import yaml

from clv.errors import InputError
from clv.run import artefacts, disk
from clv.run.params import RESERVED_NAMES, RUN_NAME
from clv.transactions import files as transactions_files
from clv.transactions import reading
from clv.transactions.connection import connect
from clv.transactions.files import CSV, find, kind, opened
from clv.transactions.recognise import recognise
from clv.transactions.source import SourceSettings
from clv.transactions.synonyms import ASKED, NAMES, Recognised, shown

SAMPLED_ROWS = 5000
SHAPES = {"line_items": "a row is one line of an order", "order_totals": "a line that repeats its order's total"}
SHORTEST_TESTED, FEWEST_ROWS_TESTED = timedelta(weeks=26), 1000  # of a log that is split without asking
_BYTES_TRIED = 64 << 20  # of a text file whose encoding is not known
_ENCODINGS = ("utf-8", "cp1252", "latin-1")  # the last one reads everything


def new_params(data: str, *, table: str | None = None) -> Path:
    """Write params/<name of the log>.yaml for `data` (a path, folder or glob, or a `table` in it); return its place."""
    files = find(data)
    if not data or not files:
        raise InputError(f"DATA={data} was not found: name a log, like make new-params DATA=data/orders.csv.")
    name = run_of(data)
    if not RUN_NAME.fullmatch(name) or name in RESERVED_NAMES:
        raise InputError(f"DATA={data} gives no name for a run: rename the file, letters and digits first.")
    target = artefacts.root() / "params" / f"{name}.yaml"
    if target.exists():
        raise InputError(f"params/{name}.yaml exists already: remove or rename it first.")
    encoding = _encoding(files[0]) if kind(files) == CSV else None
    settings = SourceSettings(data, encoding=encoding, table=table)
    names, rows = reading.sample(connect(), settings, rows=SAMPLED_ROWS)
    source = artefacts.shown(Path(data).expanduser().absolute())
    disk.write(target, params_text(recognise(names, rows), source=source, encoding=encoding, table=table))
    return target


def _encoding(file: Path) -> str | None:
    """Return the encoding to state for a text file: the first that reads it, None for UTF-8 and what says itself."""
    if transactions_files.encoding(file, None) != "utf-8":
        return None
    with opened(file) as stream:
        begin = stream.read(_BYTES_TRIED)
    begin = begin[: begin.rfind(b"\n") + 1] or begin  # a last character that the limit cuts in two is no fault
    for name in _ENCODINGS:
        with suppress(UnicodeDecodeError):
            begin.decode(name)
            return None if name == "utf-8" else name
    return None


TEMPLATE = """\
# {file}: a first params file, recognised from the names of its columns and a sample of its rows.
# Read every line and answer the questions, then: make check-data PARAMS=params/{run}.yaml
# When nothing there surprises you:               make report PARAMS=params/{run}.yaml
{questions}
source: {source}
{shape}columns:
{columns}
{formats}observation_end: null               # null: the last date in the data
{split}
horizon_weeks: 52                   # weeks ahead that are valued
# calendar: {{months: {{december: 2}}}} # if you know more of its year than the log; params/default.yaml
purchase_model: auto                # how customers buy, as past windows tell; bgnbd alone takes less time
discount_rate_annual: 0.10          # cost of capital per year; finance changes it
gross_margin: 1.0                   # 1.0: value is revenue; finance changes it
{currency}
refunds: net                        # negative rows are taken off their purchase
max_rejected_share: 0.10            # with more faulty rows the log is refused
"""


def params_text(found: Recognised, *, source: str, encoding: str | None = None, table: str | None = None) -> str:
    """Return a params file with the questions on top; what is in doubt is commented out, so that the run waits for it.

    It holds names of columns, formats, shares, sums over all rows looked at and a day to split at, never a customer,
    an order or its amount.
    """
    file = PurePath(source).name
    if re.fullmatch(r"utf[-_]?8([-_]sig)?", encoding or "", re.IGNORECASE):
        encoding = None  # the default
    settings: dict[str, Any] = {"table": table, "decimal": found.decimal, "thousands": found.thousands}
    settings["cancellation_pattern"] = found.cancellation_pattern
    formats = [*_format_lines(found), *(f"{key}: {_quoted(value)}" for key, value in settings.items() if value)]
    if encoding:
        formats.append(_noted(f"encoding: {_quoted(encoding)}", "no UTF-8; if letters look wrong, state another one"))
    questions = ["#", "# What the file does not say:"] if found.questions else []
    for number, question in enumerate(found.questions, start=1):
        questions += wrap(f"{number}. {question}", 118, initial_indent="# ", subsequent_indent="#    ")
    return TEMPLATE.format(
        file=shown(file),
        run=run_of(source) or "yours",
        questions="".join(f"{line}\n" for line in questions),
        source=_quoted(source),
        shape=_noted(f"shape: {found.shape}", f"{SHAPES[found.shape]}\n") if found.shape in SHAPES else "",
        columns="\n".join(_column_lines(found)),
        formats="".join(f"{line}\n" for line in formats),
        split=_split_line(found),
        currency=f"currency: {found.currency}" if found.currency else _noted("# currency: EUR", "or else it is USD"),
    )


def _split_line(found: Recognised) -> str:
    """Return the line that holds the last third of the log out, where it is long and large enough to tell something."""
    first, last = found.first_day, found.last_day
    if first is None or last is None or last - first < SHORTEST_TESTED or found.rows < FEWEST_ROWS_TESTED:
        return _noted(
            '# calibration_end: "2025-06-30"', "what comes after it tests the forecast; without it nothing does"
        )
    day = first + timedelta((last - first).days * 2 // 3)
    return _noted(f'calibration_end: "{day}"', "what came after it tests the forecast; null: no test")


def run_of(source: str) -> str:
    """Return the name of a run after its log; empty if the log's name gives none."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", PurePath(source).name.split(".")[0]).strip("_-")[:64]


def _column_lines(found: Recognised) -> Iterator[str]:
    wanted = set(ASKED) - ({"amount"} if "quantity" in found.columns else set())
    waits = {"unit_price": "if it is the price of one piece"} if found.price_in_doubt else {}
    if found.number_formats:
        waits |= dict.fromkeys(("amount", "unit_price"), "once decimal and thousands are stated")
    for role in NAMES:
        line = f"{role}: {_quoted(found.columns[role]) if role in found.columns else '?'}"
        if role in found.columns and role not in waits:
            yield f"  {line}"
        elif role in found.columns:
            yield _noted(f"  # {line}", waits[role])
        elif role in wanted:
            yield _noted(f"  # {line}", "the name of its column")


def _format_lines(found: Recognised) -> Iterator[str]:
    if found.date_format:
        yield f"date_format: {_quoted(found.date_format)}"
    for form in found.date_formats:
        yield _noted(f"# date_format: {_quoted(form)}", "remove the # if dates are written so")
    if found.date_language:
        yield f"date_language: {found.date_language}"
    if found.timezone:
        yield f"timezone: {found.timezone}"
    elif found.timezone is not None:
        yield _noted("# timezone: Europe/Berlin", "the clock that your days follow")
    for decimal, thousands in found.number_formats:
        yield f"# decimal: {_quoted(decimal)}"
        yield _noted(f"# thousands: {_quoted(thousands) if thousands else 'null'}", "with the line above")
    for key in ("keep_rows", "refund_rows"):
        named = {column: values for one, column, values in found.row_lines if one == key}
        if named:
            lines = [f"{_quoted(column)}: [{', '.join(map(_quoted, values))}]" for column, values in named.items()]
            yield _noted(f"# {key}: {{{', '.join(lines)}}}", "correct it and remove the #")


def _noted(line: str, comment: str) -> str:
    return f"{line:<35} # {comment}"


def _quoted(text: str | dict[str, str]) -> str:
    """Return YAML that says just this text, or these."""
    if isinstance(text, dict):
        return f"{{{', '.join(f'{name}: {_quoted(one)}' for name, one in text.items())}}}"
    if re.fullmatch(r"(?!(null|true|false|yes|no|on|off)$)[A-Za-z_][A-Za-z0-9_./-]+", text, re.IGNORECASE):
        return text
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=len(text) * 10 + 10).strip()
