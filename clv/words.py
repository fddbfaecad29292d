"""How numbers are written for people: money, counts, shares, days, ranges."""

from collections.abc import Mapping
from datetime import date

import numpy as np

# Keeps a number and its unit on one line.
NBSP = "\u00a0"


def money(value: float, currency: str) -> str:
    """Return an amount as people say it: three significant digits, thousands separated, and the currency."""
    return priced(amount(value), currency)


def priced(number: str, currency: str) -> str:
    """Return an amount that is written already with its currency: letters stand behind it, a sign before."""
    if currency[-1:].isalpha():
        return f"{number}{NBSP}{currency}"
    return f"-{currency}{number[1:]}" if number.startswith("-") else f"{currency}{number}"


def amount(value: float) -> str:
    """Return an amount with three significant digits, at most two of them decimals."""
    if not np.isfinite(value) or abs(value) < 0.005:
        return f"{value:,.0f}"
    digits = 2 - int(np.floor(np.log10(abs(value))))
    return f"{round(value, digits):,.{min(max(digits, 0), 2)}f}"


def span(limits: Mapping[str, float]) -> str:
    """Return two limits, lower and upper, as amounts."""
    return f"{amount(limits['lower'])} to {amount(limits['upper'])}"


def more_or_less(actual: float, forecast: float) -> str:
    """Return by which share of the forecast, which is not zero, more or less came than was forecast."""
    return f"{percent(abs(actual / forecast - 1))} {'more' if actual > forecast else 'less'}"


def count(value: float) -> str:
    """Return a number of things, thousands separated."""
    return f"{value:,.0f}"


def percent(share: float) -> str:
    """Return a share in whole percent, with one decimal below ten."""
    return f"{share * 100:.{0 if abs(share) >= 0.0995 or share == 0 else 1}f}{NBSP}%"


def probability(share: float) -> str:
    """Return a probability counted among draws in whole percent: what happened in none of them is not impossible."""
    if min(share, 1 - share) >= 0.01:
        return percent(share)
    said = f"less than {percent(0.01)}" if share < 0.5 else f"more than {percent(0.99)}"
    return said.replace(" ", NBSP)


def day(iso: str) -> str:
    """Return a date as 30 September 1997."""
    given = date.fromisoformat(iso)
    return f"{given.day}{NBSP}{given:%B}{NBSP}{given.year}"


def weeks(number: float) -> str:
    """Return a length of time in weeks, with decimals only where there are some."""
    said = f"{number:.3g}" if number < 1000 else f"{number:,.0f}"
    return f"{said}{NBSP}week{'s' if said != '1' else ''}"


def level(share: float) -> str:
    """Return a share in words for labels: 0.9 is `90 %`."""
    return f"{100 * share:.3g} %"


def futures(interval: float) -> str:
    """Name the interval of a realised value: the one that a single future should fall into."""
    return f"{level(interval)} of the model's futures"


def possible(interval: float) -> str:
    """Name the interval of a total that allows for the model being wrong."""
    return f"{level(interval)}, allowing for past errors"


def if_right(interval: float) -> str:
    """Name the interval of a total that knows of no other error than luck and uncertain parameters."""
    return f"{level(interval)} if the model is right"


def short_number(value: float) -> str:
    """Return a number as an axis shows it: 1,250,000 is `1.25M`; three digits at most."""
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 0.9995 * size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
