"""Tables as files that spreadsheets open: text quoted, no cell a formula."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING

# Imported where it is used: `clv.run prepare` needs names only, and quickly.
if TYPE_CHECKING:
    import pandas as pd


def write_for_people(frame: "pd.DataFrame", file: Path) -> None:
    """Write `frame` as CSV; text that a spreadsheet would take for a formula gets a leading '."""
    import pandas as pd

    columns = {
        name: frame[name] if pd.api.types.is_numeric_dtype(frame[name]) else frame[name].map(_guarded) for name in frame
    }
    harmless = pd.DataFrame(columns, index=frame.index).rename(columns=_guarded)
    harmless.to_csv(file, index=False, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)


def _guarded(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
