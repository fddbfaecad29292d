"""What is read at a glance: the four figures of the first screen."""

from html import escape

from IPython.display import HTML

from clv.report.key_figures import Figures
from clv.report.text.cover import tiles
from clv.words import NBSP

_MARGIN = 0.25  # of the bar, on either side of the range


def headline(figures: Figures) -> HTML:
    """Return the value with its range, the next quarter beside the last, where the value sits, how far to trust it."""
    first, *others = tiles(figures)
    parts = [_tile(*first, drawn=_range(figures)), *(_tile(*tile) for tile in others)]
    return HTML(f'<dl class="headline">{"".join(parts)}</dl>')


def _tile(label: str, figure: str, words: str, drawn: str = "") -> str:
    figure = figure.replace(NBSP, " ")  # in a narrow tile a unit stands below its number, never a piece of a word
    return f'<div><dt>{escape(label)}</dt><dd>{escape(figure)}</dd><dd class="words">{escape(words)}{drawn}</dd></div>'


def _range(figures: Figures) -> str:
    """Draw the range as a bar, with a mark where the expected value lies in it."""
    lower, mean, upper = (figures["total_clv"][name] for name in ("lower", "mean", "upper"))
    inside = min(max((mean - lower) / (upper - lower), 0), 1) if upper > lower else 0.5
    widths = (_MARGIN, inside * (1 - 2 * _MARGIN), (1 - inside) * (1 - 2 * _MARGIN), _MARGIN)
    pieces = "".join(f'<span style="width: {100 * width:.1f}%"></span>' for width in widths)
    return f'<span class="range">{pieces}</span>'
