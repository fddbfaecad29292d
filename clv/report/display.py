"""Tables as people see them in notebooks and pages: cells in words, numbers aligned, long ones folded."""

from html import escape
from typing import Any

import pandas as pd
from IPython.display import HTML, Markdown

from clv import tables
from clv.backtest.tables import WINDOWS
from clv.checks.gate import PASS
from clv.decisions.tables import ACQUISITION, CONTACTS, WATCH_LIST
from clv.forecast.tables import COHORTS, CUSTOMERS, MIGRATION, SEGMENTS
from clv.report.tables import checks_table
from clv.words import count, percent

SENTENCE_CHARACTERS = 26  # from which a column needs room to break its lines in


def shown(table: pd.DataFrame, caption: str = "") -> HTML:
    """Return `table` as a page shows it: row names first, everything escaped."""
    names = [name if isinstance(name, tuple) else (name,) for name in table.index]
    cells = [[*map(str, name), *map(str, row)] for name, row in zip(names, table.to_numpy(), strict=True)]
    header = [name or "" for name in table.index.names] + [str(column) for column in table.columns]
    columns = [_kind([row[place] for row in cells]) for place in range(len(header))]
    levels = table.index.nlevels
    lines = [_line(header, columns, len(header)), *(_line(row, columns, levels) for row in cells)]
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    return HTML(f"<table>{above}<thead>{lines[0]}</thead><tbody>{''.join(lines[1:])}</tbody></table>")


def _line(cells: list[str], columns: list[str], headers: int) -> str:
    tags = ["th"] * headers + ["td"] * (len(cells) - headers)
    written = (
        f'<{tag} class="{kind}">{escape(cell)}</{tag}>' for tag, cell, kind in zip(tags, cells, columns, strict=True)
    )
    return f"<tr>{''.join(written)}</tr>"


def _kind(cells: list[str]) -> str:
    if all(map(_is_number, cells)):
        return "number"
    return "sentence" if max(map(len, cells)) > SENTENCE_CHARACTERS else "word"


def _is_number(cell: str) -> bool:
    return not cell or (cell.lstrip("-+<")[:1].isdigit() and ", " not in cell)


def readable(table: pd.DataFrame, *, decimals: int = 2) -> pd.DataFrame:
    """Return `table` as text: days without a time, numbers with few decimals, nothing for what is missing."""

    def written(cell: Any) -> str:
        if pd.isna(cell):
            return ""
        if isinstance(cell, pd.Timestamp):
            return f"{cell:%Y-%m-%d}"
        return f"{cell:,.{decimals}f}" if isinstance(cell, float) else str(cell)

    return table.map(written)


def folded_words(text: str, summary: str) -> Markdown:
    """Return Markdown that a page hides behind a line that opens it; elsewhere it simply stands there."""
    return Markdown(text, metadata={"folded": summary})


def folded(table: pd.DataFrame, caption: str, summary: str) -> HTML:
    """Return `table` hidden behind a line that opens it; nothing of one without rows."""
    if table.empty:
        return HTML("")
    return HTML(f"<details><summary>{escape(summary)}</summary>{shown(table, caption).data}</details>")


def folded_checks(checks: list[dict[str, Any]]) -> HTML:
    """Return the checks that failed or warn, and below them, folded, those that passed."""
    table = checks_table(checks)
    passed = table["Verdict"] == PASS
    told = "<p>Nothing failed or warns.</p>" if passed.all() else shown(table[~passed], "Failed or warns").data
    rest = folded(table[passed], "Passed", f"{count(passed.sum())} checks passed")
    return HTML(f"{told}{rest.data}")


def shares_table(matrix: pd.DataFrame) -> pd.DataFrame:
    """Return a matrix of shares in percent, blank where there is none."""
    return matrix.map(lambda share: "" if pd.isna(share) else percent(share))


def data_dictionary() -> pd.DataFrame:
    """Return the meaning of every column of the exported tables."""
    exported = (
        *(CUSTOMERS, SEGMENTS, MIGRATION, COHORTS, WINDOWS),
        *(CONTACTS, WATCH_LIST, ACQUISITION),
    )
    parts = [tables.dictionary(table).assign(table=table.name) for table in exported]
    return pd.concat(parts, ignore_index=True)[["table", "column", "kind", "meaning"]]
