"""What backtest and past windows found, in words: direction, luck, customers, what did better without a model."""

from typing import Any

import numpy as np

from clv.report.key_figures import Figures
from clv.report.text.windows import misfit_in_words, one_sided
from clv.words import NBSP, count, day, money, percent, span, weeks

_CLEARLY = 3.0  # standard errors
_ALIKE = 0.05  # two scores closer than that are no reason to prefer one


def backtest_in_words(figures: Figures) -> str:
    """Return how the model did at the calibration end and what the intervals of totals allow for, as Markdown."""
    test = figures["backtest"]
    if test is None:
        return (
            "There is no backtest: set `calibration_end` in the params file to hold the last months out. Without one "
            "nobody knows how wrong the model is here, and the intervals of totals hold only if it is right."
        )
    allowed = misfit_in_words(figures["misfit"], horizon_weeks=figures["horizon_weeks"])
    return "\n\n".join(filter(None, [_main_test(figures, test), _direction(test), allowed]))


def intervals_of_customers(value: Figures, interval: float) -> list[tuple[str, str, str]]:
    """Return how often intervals held, by history: of one-time buyers most outcomes are zero, and easily contained."""
    rows = []
    for history, row in value["by_history"].items():
        share, customers = row["coverage_of_interval"], row["n_customers"]
        said = f"{percent(interval)} intervals contained what came for {percent(share)} of {count(customers)}"
        verdict = "missed" if _beyond_luck(share, interval, customers) < 0 else "held"
        rows.append((f"Do intervals hold of customers who {history}?", said, verdict))
    return rows


def inside_shown(outcome: Figures) -> bool:
    """Return whether what came lay inside the interval that is shown, by what was known at its origin."""
    limits = outcome["with_misfit"] or outcome["forecast"]
    return bool(limits["lower"] <= outcome["actual"] <= limits["upper"])


def would_have_contained(outcomes: list[Figures]) -> str:
    held = [inside_shown(outcome) for outcome in outcomes]
    return "contained both" if all(held) else "contained one" if any(held) else "contained neither"


def better(larger: float, smaller: float) -> str:
    """Call one figure better than another if it is larger by more than a twentieth."""
    if abs(larger - smaller) <= _ALIKE * max(abs(larger), abs(smaller)):
        return "about the same"
    return "better" if larger > smaller else "worse"


def held(share: float, level: float, customers: float) -> str:
    """Say whether so many outcomes inside are what an interval of that level leads one to expect, up to luck."""
    words = {
        -1: "**too few: single customers' amounts vary more than the model says**",
        0: "as promised",
        1: "more than promised",
    }
    return words[_beyond_luck(share, level, customers)]


def _beyond_luck(share: float, level: float, customers: float) -> int:
    """Return -1 or 1 where so many outcomes lay inside an interval that luck explains neither so few nor so many."""
    luck = _CLEARLY * np.sqrt(level * (1 - level) / customers)
    return int(share > level + luck) - int(share < level - luck)


def _main_test(figures: Figures, test: Figures) -> str:
    value, purchases, currency = test["value"], test["purchases"], figures["currency"]
    level = percent(figures["interval"])
    wider = (
        f" Intervals as this report shows them, allowing for errors that were known on that day, would have been "
        f"{count(purchases['with_misfit']['lower'])} to {count(purchases['with_misfit']['upper'])} and "
        f"{span(value['with_misfit'])}{NBSP}{currency}: they {would_have_contained([purchases, value])}."
        if value["with_misfit"]
        else ""
    )
    return (
        f"**Test on held-out data.** The model was fitted on the purchases up to {day(test['origin'])} and forecast "
        f"the following {weeks(test['horizon_weeks'])} for the {count(test['n_customers'])} customers known then. "
        f"{count(purchases['actual'])} purchases came where {count(purchases['forecast']['mean'])} were expected "
        f"(the model's own {level} interval: {count(purchases['forecast']['lower'])} to "
        f"{count(purchases['forecast']['upper'])}); discounted to that day they were worth "
        f"{money(value['actual'], currency)} where {money(value['forecast']['mean'], currency)} were expected "
        f"({money(value['forecast']['lower'], currency)} to {money(value['forecast']['upper'], currency)}).{wider}"
    )


def _direction(test: Figures) -> str:
    """Return what all past windows have in common, where it is the side on which they fell."""
    side = one_sided(test)
    if not side:
        return ""
    off = [abs(error) for row in test["horizons"] for error in row["value"]["off"].values()]
    return (
        f"**One direction.** Every past window tested brought {side} value than was forecast, by {percent(min(off))} "
        f"to {percent(max(off))}. They share weeks and customers, so that is less evidence than it seems."
    )


_MEASURES = {
    "customer": "mean error of a customer {naive:,.2f} against {forecast:,.2f}",
    "total": "error of the total {naive:,.0f} against {forecast:,.0f}",
    "ranking": "ranking, as a distance from perfect, {naive:.2f} against {forecast:.2f}",
}


def without_a_model(rules: list[dict[str, Any]]) -> str:
    """Name the rules without a model that did better than the forecast, and by what; nothing where none did."""
    if not rules:
        return ""
    named = [f"{row['rule']} in {row['outcome']} ({_MEASURES[row['measure']].format(**row)})" for row in rules]
    return f"Better than the forecast: {'; '.join(named)}"
