"""How far a forecast can be trusted, in words: what tests found, question by question, and what intervals allow for."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from clv.report.key_figures import Figures
from clv.words import count, money, percent, span, weeks

LEAST_REFUNDS = 0.005  # of the last weeks' money, that are worth a sentence
_CLEARLY = 3.0  # standard errors
_ALIKE = 0.05  # two scores closer than that are no reason to prefer one
_TOO_MANY_MISSES = 0.05  # so improbable a number of missed totals, were the intervals right, is a verdict on them
_ENOUGH_WINDOWS = 5  # that fell on one side of their forecasts to be worth a sentence
_NEARLY = 0.1  # below its level an interval of groups, whose errors are no independent tests, still holds

Answer = tuple[str, str, str]  # a question, what the tests say, a word for it

# A grouping as readers call its groups.
GROUPINGS = {"rfm_segment": "segments", "value_tier": "value tiers", "cohort": "cohorts"}
_MEASURES = {
    "customer": "mean error of a customer {naive:,.2f} against {forecast:,.2f}",
    "total": "error of the total {naive:,.0f} against {forecast:,.0f}",
    "ranking": "ranking, as a distance from perfect, {naive:.2f} against {forecast:.2f}",
}


def trust_in_words(figures: Figures) -> str:
    """Return what the intervals allow for, and what may still be refunded, as Markdown paragraphs."""
    back, refunds = figures.get("may_come_back", 0.0), ""
    if back >= LEAST_REFUNDS:
        refunds = (
            f"\n\nOf the money spent in the last four weeks about {percent(back)} may still be refunded, by what came "
            "back of earlier weeks; this forecast counts it as kept."
        )
    return f"{misfit_in_words(figures['misfit'], horizon_weeks=figures['horizon_weeks'])}{refunds}"


def misfit_in_words(misfit: Figures | None, *, horizon_weeks: float) -> str:
    """Return what the intervals of totals allow for, and from which tests that was learnt."""
    if misfit is None:
        return (
            "Without a backtest nobody knows how wrong the model is here, and ranges hold only if it is right: set "
            "`calibration_end` in the params file to hold the last months out."
        )
    shortest, longest = misfit["shortest_weeks"], misfit["horizon_weeks"]
    lengths = weeks(longest) if shortest == longest else f"{shortest:.3g} to {weeks(longest)}, the nearer the more"
    tests = "the one test" if misfit["n_windows"] == 1 else f"the {misfit['n_windows']} tests"
    low, high = (percent(limit) for limit in misfit["tau_range"]["value"])
    further = ""
    if misfit["growth"] > 1:
        further = f" This report looks {weeks(horizon_weeks)} ahead, further than those tests: that is allowed for by "
        further += f"{misfit['growth']:.2g} times as much."
    return (
        f"**What the ranges allow for.** Ranges of totals allow for a model as wrong as it was in {tests} of "
        f"{lengths}: typically by {percent(misfit['tau']['value'])} in value (so few tests leave anything from {low} "
        f"to {high} possible) and {percent(misfit['tau']['purchases'])} in purchases, either way; the expected "
        "total is not moved. A group that was off the same way again and again is moved and widened by that. Ranges of "
        f"single customers are left as they are.{further}"
    )


def windows_in_words(horizons: list[dict[str, Any]], outcome: str, *, interval: float) -> str:
    """Return how often ranges of the total `outcome` held in past windows, as a Markdown list, a length a line."""
    found = [
        f"- {weeks(row['horizon_weeks'])} ahead: {': '.join(_of_windows(row[outcome], row, interval))}."
        for row in horizons
    ]
    return "\n".join(found) or "No past window has enough history and repeat customers before it to be tested on."


def answers(figures: Figures) -> list[Answer]:
    """Return what a reader asks of a forecast, what the tests say, and a word for it."""
    if figures["backtest"] is None:
        return [("Was it tested?", "no: the run has no calibration end", "unknown")]
    return list(_answers(figures, figures["backtest"]))


def _answers(figures: Figures, test: Figures) -> Iterator[Answer]:
    value, bought, naive, currency = test["value"], test["purchases"], test["naive"], figures["currency"]
    level = figures["interval"]
    held = {True: "held", False: "missed"}
    total = f"{money(value['forecast']['mean'], currency)} forecast, {money(value['actual'], currency)} came"
    yield "Was the total right?", total, held[inside_shown(value)]
    number = f"{count(bought['forecast']['mean'])} forecast, {count(bought['actual'])} came"
    yield "Was the number of purchases right?", number, held[inside_shown(bought)]
    for row in test["horizons"]:
        yield f"Were totals {weeks(row['horizon_weeks'])} ahead right before?", *_of_windows(row["value"], row, level)
    for row in figures["latest_windows"]:  # a reader of a forecast begins where it begins
        came = f"{money(row['forecast'], currency)} forecast, {money(row['actual'], currency)} came"
        yield f"Were the last {weeks(row['horizon_weeks'])} as forecast?", came, held[row["inside"]]
    yield from _one_sided(test)
    yield from intervals_of_groups(test["groupings"]["value"], level)
    yield from intervals_of_customers(value, level)
    gini, best = test["ranking"]["gini"], test["ranking"]["best_tenth"]
    if gini["forecast"] is not None:
        ranks = (
            f"the best tenth by forecast brought {percent(best['forecast'])} of the value, by past spend "
            f"{percent(best['past_spend'])}; over all ranks (Gini) {gini['forecast']:.2f} against "
            f"{gini['past_spend']:.2f}"
        )
        yield "Does it rank better than past spend?", ranks, better(gini["forecast"], gini["past_spend"])
    score, rivals = bought["crps"], min(naive["past_rate_mae"], naive["nobody_mae"])
    errors = (
        f"purchases per customer were forecast with a score (CRPS) of {score:.2f}; going on as before scores "
        f"{naive['past_rate_mae']:.2f}, nobody buying {naive['nobody_mae']:.2f}; lower is better"
    )
    yield "Does it beat having no model?", errors, better(rivals, score)
    rules = without_a_model(test["better_without_a_model"])
    yield "Did a rule without a model do better?", rules or "none that was tried", "yes" if rules else "no"
    yield from _not_tested(test)
    own, shown = figures["total_clv"]["if_model_right"], figures["total_clv"]
    if_right = f"the total would be {span(own)} instead of {span(shown)}, as wide as past errors make it"
    yield "How sure were it if the model were right?", if_right, "too sure"


def _not_tested(test: Figures) -> Iterator[Answer]:
    """Return what the past windows leave open; nothing where all were fitted, on all customers."""
    left_out, sample = test["windows_left_out"], test["sample_of"]
    told = [f"{count(left_out)} past windows could not be fitted"] if left_out else []
    if sample:
        told.append(f"past windows hold a sample of {count(sample)} customers, whose totals vary more")
    if told:
        yield "What was not tested?", "; ".join(told), "unknown"


def _of_windows(found: Figures, row: Figures, interval: float) -> tuple[str, str]:
    """Return how many windows of one length lay in their range, and what so few can say of it."""
    inside, number = found["inside_with_misfit"], row["n_windows"]
    low, high = (percent(1 + found["off"][end]) for end in ("lowest", "highest"))
    came = low if low == high else f"{low} to {high}"
    said = f"the {percent(interval)} range, by what was known before, contained {inside} of {number}"
    return f"{said}; what came was {came} of the forecast", of_few(inside, number, interval)


def of_few(inside: int, number: int, interval: float) -> str:
    """Return whether ranges held so seldom as only wrong ones do: of a few windows most say nothing."""
    from scipy.stats import binom

    missed = binom.cdf(inside, number, interval) < _TOO_MANY_MISSES
    return "missed" if missed else "too few tests to tell"


def _one_sided(test: Figures) -> Iterator[Answer]:
    """Return the side on which the main test and all past windows, if not too few, fell of their forecasts."""
    off = [row["value"]["off"] for row in test["horizons"]]
    main = test["value"]["actual"] - test["value"]["forecast"]["mean"]
    less, more = main < 0 and all(row["highest"] < 0 for row in off), main > 0 and all(row["lowest"] > 0 for row in off)
    if sum(row["n_windows"] for row in test["horizons"]) >= _ENOUGH_WINDOWS and (less or more):
        errors = [abs(error) for row in off for error in row.values()]
        said = f"every window brought {'less' if less else 'more'}, by {percent(min(errors))} to {percent(max(errors))}"
        yield "Do past forecasts err on one side?", f"{said}; they share weeks and customers", "yes"


def intervals_of_groups(groupings: Figures, interval: float) -> Iterator[Answer]:
    """Return how often intervals of groups held in past windows, and whether that is near what they promise."""
    for grouping, name in GROUPINGS.items():
        if found := groupings.get(grouping):
            share, own = (percent(found[held] / found["groups"]) for held in ("inside", "inside_if_right"))
            said = f"{share} of {count(found['groups'])} contained what came (the model's own {own})"
            enough = found["inside"] >= (interval - _NEARLY) * found["groups"]
            yield f"Did intervals of {name} hold before?", said, "held" if enough else "missed"


def intervals_of_customers(value: Figures, interval: float) -> Iterator[Answer]:
    """Return how often intervals held, by history: of one-time buyers most outcomes are zero, and easily contained."""
    for history, row in value["by_history"].items():
        share, customers = row["coverage_of_interval"], row["n_customers"]
        said = f"{percent(interval)} intervals contained what came for {percent(share)} of {count(customers)}"
        verdict = "missed" if beyond_luck(share, interval, customers) < 0 else "held"
        yield f"Do intervals hold of customers who {history}?", said, verdict
    alone, customers = value["expectation_interval_coverage"], value["n_customers"]
    said = (
        f"that interval, which other tools print, contained what came for {percent(alone)} of {count(customers)}, the "
        f"one of what may happen for {percent(value['coverage_of_interval'])}"
    )
    enough = "no" if beyond_luck(alone, interval, customers) < 0 else "yes"
    yield "Would the interval of a customer's mean do?", said, enough


def inside_shown(outcome: Figures) -> bool:
    """Return whether what came lay inside the interval that is shown, by what was known at its origin."""
    limits = outcome["with_misfit"] or outcome["forecast"]
    return bool(limits["lower"] <= outcome["actual"] <= limits["upper"])


def better(larger: float, smaller: float) -> str:
    """Call one figure better than another if it is larger by more than a twentieth."""
    if abs(larger - smaller) <= _ALIKE * max(abs(larger), abs(smaller)):
        return "about the same"
    return "better" if larger > smaller else "worse"


def beyond_luck(share: float, level: float, customers: float) -> int:
    """Return -1 or 1 where so many outcomes lay inside an interval that luck explains neither so few nor so many."""
    luck = _CLEARLY * np.sqrt(level * (1 - level) / customers)
    return int(share > level + luck) - int(share < level - luck)


def without_a_model(rules: list[dict[str, Any]]) -> str:
    """Name the rules without a model that did better than the forecast, and by what; nothing where none did."""
    if not rules:
        return ""
    named = [f"{row['rule']} in {row['outcome']} ({_MEASURES[row['measure']].format(**row)})" for row in rules]
    return f"Better than the forecast: {'; '.join(named)}"
