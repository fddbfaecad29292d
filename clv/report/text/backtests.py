"""What backtest and past windows found, in words: direction, luck, customers, what did better without a model."""

from typing import Any

import numpy as np

from clv.report.key_figures import Figures
from clv.words import count, day, money, percent, weeks

# So improbable a number of missed totals, were the intervals right, is a verdict on them.
_TOO_MANY_MISSES = 0.05
_CLEARLY = 3.0  # standard errors
_ALIKE = 0.05  # two scores closer than that are no reason to prefer one
_ENOUGH_WINDOWS = 5  # that fell on one side of their forecasts to be worth a sentence


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


def further_tests_in_words(figures: Figures) -> str:
    """Return what else was tested, as Markdown paragraphs; nothing without a backtest."""
    test = figures["backtest"]
    if test is None:
        return ""
    parts = [
        _past_windows(figures, test),
        _single_customers(figures, test),
        _ranking(test),
        _without_a_model(test),
        _where_wrong(figures, test),
        _slipping(figures, test),
    ]
    return "\n\n".join(part for part in parts if part)


def intervals_of_customers(value: Figures, interval: float) -> list[tuple[str, str, str]]:
    """Return how often intervals held, by history: of one-time buyers most outcomes are zero, and easily contained."""
    rows = []
    for history, row in value["by_history"].items():
        share, customers = row["coverage_of_interval"], row["n_customers"]
        said = f"{percent(interval)} intervals contained what came for {percent(share)} of {count(customers)}"
        verdict = "missed" if _beyond_luck(share, interval, customers) < 0 else "held"
        rows.append((f"Do intervals hold of customers who {history}?", said, verdict))
    return rows


def of_few(inside: int, number: int, interval: float) -> str:
    """Return what so few windows can say of an interval: that it is wrong, or nothing."""
    return "missed" if _at_most(inside, number, interval) < _TOO_MANY_MISSES else "too few tests to tell"


def better(larger: float, smaller: float) -> str:
    """Call one figure better than another if it is larger by more than a twentieth."""
    if abs(larger - smaller) <= _ALIKE * max(abs(larger), abs(smaller)):
        return "about the same"
    return "better" if larger > smaller else "worse"


def one_sided(test: Figures) -> str:
    """Return whether the main test and all past windows, if not too few, brought less value than forecast, or more."""
    off = [row["value"]["off"] for row in test["horizons"]]
    main = test["value"]["actual"] - test["value"]["forecast"]["mean"]
    if sum(row["n_windows"] for row in test["horizons"]) < _ENOUGH_WINDOWS:
        return ""
    if main < 0 and all(row["highest"] < 0 for row in off):
        return "less"
    return "more" if main > 0 and all(row["lowest"] > 0 for row in off) else ""


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


def windows_in_words(horizons: list[dict[str, Any]], outcome: str, *, interval: float) -> str:
    """Return what past windows say of the totals of `outcome`, one sentence per length, as a Markdown list."""
    found = [f"- {_verdict(row, outcome, interval)}" for row in horizons]
    return "\n".join(found) or "No past window has enough history and repeat customers before it to be tested on."


def _main_test(figures: Figures, test: Figures) -> str:
    value, purchases, currency = test["value"], test["purchases"], figures["currency"]
    level = percent(figures["interval"])
    return (
        f"**Test on held-out data.** The model was fitted on the purchases up to {day(test['origin'])} and forecast "
        f"the following {weeks(test['horizon_weeks'])} for the {count(test['n_customers'])} customers known then. "
        f"{count(purchases['actual'])} purchases came where {count(purchases['forecast']['mean'])} were expected "
        f"(the model's own {level} interval: {count(purchases['forecast']['lower'])} to "
        f"{count(purchases['forecast']['upper'])}); discounted to that day they were worth "
        f"{money(value['actual'], currency)} where {money(value['forecast']['mean'], currency)} were expected "
        f"({money(value['forecast']['lower'], currency)} to {money(value['forecast']['upper'], currency)})."
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


def _past_windows(figures: Figures, test: Figures) -> str:
    left_out, base = test["windows_left_out"], test["sample_of"]
    if not test["horizons"] and not left_out:
        return f"**Past windows.** {windows_in_words([], 'value', interval=figures['interval'])}"
    lost = f" {count(left_out)} more could not be fitted and are left out." if left_out else ""
    sample = (
        f" Of the {count(base)} customers a sample was tested: the interval of all of them is narrower than those "
        "tested."
        if base
        else ""
    )
    head = "**Past windows.** The model was fitted again at earlier days, each time asked what came next."
    return f"{head}{lost}{sample}\n\n{windows_in_words(test['horizons'], 'value', interval=figures['interval'])}"


def _verdict(row: Figures, outcome: str, interval: float) -> str:
    """Return what the windows of one length say; one window is no rate, and no error is ever corrected by another."""
    found, number, level = row[outcome], row["n_windows"], percent(interval)
    ahead = f"{weeks(row['horizon_weeks'])} ahead"
    if number == 1:
        inside = "inside" if found["inside"] else "**outside**"
        return (
            f"{ahead}, one window: what came lay {_off(found['off']['highest'])} the forecast, {inside} the model's "
            "own interval of the total. One window says nothing about how often."
        )
    same = "of the same customers" if row["same_customers"] else "they share customers"
    probability = _at_most(found["inside"], number, interval)
    verdict = (
        f"**Were they independent, a right {level} interval would do so badly once in {1 / probability:,.0f} times: "
        "the "
        "model's own intervals of totals are too narrow here.**"
        if probability < _TOO_MANY_MISSES
        else f"So few windows agree with {level}, and with much less."
    )
    low, high = found["off"]["lowest"], found["off"]["highest"]
    return (
        f"{ahead}, {number} windows ({same}, so they count for fewer): the model's own {level} interval of the total "
        f"{outcome} contained what "
        f"came in {found['inside']}. {verdict} What came lay between {_off(low)} and {_off(high)} the forecast; the "
        f"intervals of single customers contained the outcomes of {_range(found['coverage'])}."
    )


def _at_most(inside: int, number: int, interval: float) -> float:
    """Return the probability of at most `inside` hits in `number` windows if intervals hold as they say."""
    from scipy.stats import binom

    return float(binom.cdf(inside, number, interval))


def _off(error: float) -> str:
    return f"{percent(abs(error))} {'above' if error > 0 else 'below'}"


def _range(shares: Figures) -> str:
    low, high = percent(shares["lowest"]), percent(shares["highest"])
    return f"{low} of them" if low == high else f"{low} to {high} of them"


def misfit_in_words(misfit: Figures | None, *, horizon_weeks: float) -> str:
    """Return what the intervals of totals allow for, and from which tests that was learnt."""
    if misfit is None:
        return (
            "Without a backtest nobody knows how wrong the model is here; intervals of totals hold only if it is right."
        )
    windows = "the one window" if misfit["n_windows"] == 1 else f"the {misfit['n_windows']} windows"
    low, high = (percent(limit) for limit in misfit["tau_range"]["value"])
    further = (
        f" This report looks {weeks(horizon_weeks)} ahead, further than those tests: errors that far ahead may be "
        "larger."
        if horizon_weeks > misfit["horizon_weeks"]
        else ""
    )
    return (
        f"**What the intervals allow for.** Intervals of totals allow for a model as wrong as it was in {windows} of "
        f"{weeks(misfit['horizon_weeks'])}: typically by {percent(misfit['tau']['value'])} in value (so few tests "
        f"leave anything from {low} to {high} possible) and {percent(misfit['tau']['purchases'])} in purchases, either "
        "way. The expected value itself is never moved by them: so few tests are no ground for a correction. *If the "
        "model is right* names the interval without that allowance. A segment may be further off than the whole, as "
        f"the table of segments shows. Intervals of single customers are left as they are.{further}"
    )


def _single_customers(figures: Figures, test: Figures) -> str:
    value, level = test["value"], percent(figures["interval"])
    split = " and ".join(
        f"{percent(row['coverage_of_interval'])} of those who {history}" for history, row in value["by_history"].items()
    )
    return (
        f"**Single customers.** The {level} interval of the realised value contained what came for "
        f"{percent(value['coverage_of_interval'])} of the customers ({split}; most outcomes are zero, so an interval "
        f"that contains it contains more than it must). The {level} interval of the *expected* value, which other "
        f"tools print, contained it for {percent(value['expectation_interval_coverage'])}."
    )


def _ranking(test: Figures) -> str:
    gini, best = test["ranking"]["gini"], test["ranking"]["best_tenth"]
    if gini["forecast"] is None:
        return ""
    better = "better" if gini["forecast"] > gini["past_spend"] else "**worse**"
    return (
        f"**Ranking.** The tenth of the customers with the highest forecast brought {percent(best['forecast'])} of "
        f"the value; the tenth that had spent most before brought {percent(best['past_spend'])}, the best tenth in "
        f"hindsight {percent(best['hindsight'])}. Over all ranks the forecast sorts customers {better} than past "
        f"spend does (normalised Gini {gini['forecast']:.2f} against {gini['past_spend']:.2f}; 1 is perfect, 0 by "
        "lot)."
    )


def _without_a_model(test: Figures) -> str:
    naive, purchases, value = test["naive"], test["purchases"], test["value"]
    better = "smaller" if value["mae"] < naive["nobody_value_mae"] else "**larger**"
    return (
        f"**Against no model.** The mean absolute error was {purchases['mae']:.2f} purchases per customer; assuming "
        "that "
        f"everybody goes on as before gives {naive['past_rate_mae']:.2f} and a total of "
        f"{count(naive['past_rate_total'])}, and that nobody buys again {naive['nobody_mae']:.2f}. In value it was "
        f"{value['mae']:,.2f}, {better} than that of nobody buying again ({naive['nobody_value_mae']:,.2f}): this "
        "error "
        f"rewards forecasting zero. The score that judges whole distributions, the CRPS, is {value['crps']:,.2f} in "
        "value "
        "and would be the absolute error for a single number."
    )


def _where_wrong(figures: Figures, test: Figures) -> str:
    value, worst, currency = test["value"], test["worst_tenth"], figures["currency"]
    return (
        f"**Where it was wrong.** Customers forecast to bring 1\u00a0{currency} more than others brought "
        f"{value['slope']:.2f}\u00a0{currency} more (± {value['slope_error']:.2f} standard error). The largest gap "
        f"was in tenth {worst['decile']:.0f} of the customers by forecast: {money(worst['predicted'], currency)} "
        f"each were expected, {money(worst['actual'], currency)} came."
    )


def _slipping(figures: Figures, test: Figures) -> str:
    gone, currency = test["slipping"], figures["currency"]
    if not gone["customers"]:
        return ""
    return (
        f"**Who seemed to have left.** The {count(gone['customers'])} repeat customers who at the calibration end "
        "had more "
        f"likely left than not were expected to bring {money(gone['forecast'], currency)} and brought "
        f"{money(gone['actual'], currency)}."
    )
