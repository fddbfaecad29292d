"""The words of a run without money: what its pages call value is a number of purchases, and is called so.

Texts are written once, for money; here they are put into purchases as a whole, on their way to a page.
"""

import re
from typing import Any

from nbformat import NotebookNode

from clv.report.page.html import PLOTLY

_GAP = "(?: |\u00a0|&nbsp;)"
_COUNT = rf"\*{{0,2}}[\d.,]+{_GAP}purchases\*{{0,2}}"
_WORDS = tuple(
    (re.compile(said), better)
    for said, better in (
        (rf"({_COUNT}){_GAP}of{_GAP}purchases", r"\1"),
        (rf",?{_GAP}worth{_GAP}{_COUNT}", ""),
        (r"\ba revenue of ", ""),
        (rf"bought for ({_COUNT})", r"made \1"),
        (r"value is purchases in purchases", "the log holds no amounts, so purchases are forecast"),
        (r"With a gross margin of 1 it is revenue\.", "The log holds no amounts, so it is a number of purchases."),
        (r"\bof high value\b", "with many purchases to come"),
        (r"\b[Tt]hat value\b", "those purchases"),
        (r"\bvalue sits\b", "purchases sit"),
        (r"\b(?:Value|Revenue)\b(?! tier)", "Purchases"),
        (r"\b(?:value|revenue)\b(?! tier)", "purchases"),
        (r"(\b[Pp]urchases) is\b", r"\1 are"),
        (r"([Pp]urchases) \(purchases\)", r"\1"),
        (r"([Pp]urchases) \(purchases, ", r"\1 ("),
    )
)
# Tags, code and addresses are no words.
_KEPT = re.compile(r"(<[^>]*>|`[^`]*`|\]\([^)]*\))")


def in_purchases(text: str) -> str:
    """Return a text in which what was said of value is said of purchases."""
    pieces = _KEPT.split(text)
    for number in range(0, len(pieces), 2):
        for said, better in _WORDS:
            pieces[number] = said.sub(better, pieces[number])
    return "".join(pieces)


def reword(notebook: NotebookNode) -> None:
    """Put the texts, tables and charts of an executed notebook into purchases; code stays as it ran."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = in_purchases(cell.source)
        for output in cell.get("outputs", []):
            for kind in output.get("data", {}).keys() & {"text/html", "text/markdown", "text/plain", PLOTLY}:
                output.data[kind] = _reworded(output.data[kind])


def _reworded(part: Any) -> Any:
    if isinstance(part, dict):
        return type(part)({key: one if key == "bdata" else _reworded(one) for key, one in part.items()})
    if isinstance(part, list):
        return [_reworded(one) for one in part]
    return in_purchases(part) if isinstance(part, str) else part
