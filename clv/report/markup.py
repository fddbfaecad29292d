"""The look of a table in notebooks and pages: cells in words, numbers aligned, everything escaped."""

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import pandas as pd

from clv.decisions.tables import CONFIDENCE
from clv.rfm.segments import WHO
from clv.words import NBSP, amount, level

# What headings and names of rows mean, by what stands before a unit in brackets.
GLOSSARY = {
    **{name: f"{who}, by recency and frequency" for name, who in WHO.items()},
    "Bought": "what a typical customer of the segment did: the middle one, by how often and by how long ago",
    "In truth": "what these customers will really bring: they are generated, so their future is known",
    "Expected value": "what they will bring within the horizon, on average over all possible futures",
    "range": "what comes lies inside with this probability, as far as past errors tell",
    "Still customers": "mean probability of still being a customer, of those who came back at least once",
    "Still a customer": "probability that a purchase may come at all, by purchases so far and the silence since",
    "Will buy": "probability of at least one purchase within the horizon, on average",
    "Belong there": "in how many of the possible futures customers of this tier really end up in it",
    "Among the best tenth": "in how many of the possible futures this customer is one of the most valuable tenth",
    "Silence is a sign from": "from this day on, without a purchase, they are more likely gone than not",
    "Earns its cost": "probability that customers of this month bring more, on average, than they cost",
    f"Highest cost at {level(CONFIDENCE)}": "what one might cost: what each brought and will bring "
    "exceeds it so surely",
    "Brought so far, each": "revenue so far times gross margin, per customer",
    "Better than the next": "probability that a customer here brings more, on average, than one of the row below",
    "CRPS": "error of a whole forecast distribution, in purchases; 0 is perfect, lower is better",
    "PIT distance": "how unevenly outcomes fall in their forecasts; 0 is perfect",
}
SENTENCE_CHARACTERS = 26  # from which a column needs room to break its lines in


class Words(pd.DataFrame):
    """A table as people read it: a notebook shows it as the pages do, under its caption."""

    @property
    def _constructor(self) -> type["Words"]:
        return Words

    def captioned(self, caption: str) -> "Words":
        """Return the table with a caption."""
        table = self.copy()
        table.attrs["caption"] = caption
        return table

    def _repr_html_(self) -> str:
        return markup(self) if len(self.columns) else ""


def worded(columns: Mapping[str, Any], caption: str = "", *, by: int = 0) -> Words:
    """Return a table in words, whose first column names its rows; a page lets choose among those of the first `by`."""
    table = Words(columns).set_index(next(iter(columns)))
    table.attrs["by"] = by
    return table.captioned(caption)


def markup(table: pd.DataFrame) -> str:
    """Return the HTML of `table`: its caption, row names first, everything escaped."""
    names = [name if isinstance(name, tuple) else (name,) for name in table.index]
    cells = [[*map(str, name), *map(str, row)] for name, row in zip(names, table.to_numpy(), strict=True)]
    header = [name or "" for name in table.index.names] + [str(column) for column in table.columns]
    columns = [_kind([row[place] for row in cells]) for place in range(len(header))]
    levels, by = table.index.nlevels, table.attrs.get("by", 0)
    heads = [f"{kind} by" if place < by else kind for place, kind in enumerate(columns)]
    lines = [_line(header, heads, len(header)), *(_line(row, columns, levels) for row in cells)]
    caption = table.attrs.get("caption", "")
    above = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{above}<thead>{lines[0]}</thead><tbody>{''.join(lines[1:])}</tbody></table>"


def _line(cells: list[str], columns: list[str], headers: int) -> str:
    parts = [
        f'<th class="{kind}">{_explained(cell)}</th>' if place < headers else f'<td class="{kind}">{escape(cell)}</td>'
        for place, (cell, kind) in enumerate(zip(cells, columns, strict=True))
    ]
    return f"<tr>{''.join(parts)}</tr>"


def _explained(heading: str) -> str:
    """Return a heading with what it means, for who points at it or comes to it by keyboard."""
    meaning = GLOSSARY.get(heading.partition(" (")[0].replace(NBSP, " ").rpartition(" % ")[2])
    return f'<abbr title="{escape(meaning)}" tabindex="0">{escape(heading)}</abbr>' if meaning else escape(heading)


def _kind(cells: list[str]) -> str:
    if all(not cell or (cell.lstrip("-+<")[:1].isdigit() and ", " not in cell) for cell in cells):
        return "number"
    return "sentence" if max(map(len, cells)) > SENTENCE_CHARACTERS else "word"


def ranges(lower: pd.Series, upper: pd.Series, written: Callable[[float], str] = amount) -> list[str]:
    """Return each pair of limits as words."""
    return [f"{written(low)} to {written(high)}".replace(" ", NBSP) for low, high in zip(lower, upper, strict=True)]
