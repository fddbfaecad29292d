"""How far a forecast can be trusted, in words: the backtest, past windows, and what the intervals allow for."""

from collections.abc import Mapping

import pandas as pd

from clv.report.text.backtests import (
    Figures,
    backtest_in_words,
    better,
    further_tests_in_words,
    held,
    inside_shown,
    intervals_of_customers,
    without_a_model,
    would_have_contained,
)
from clv.report.text.windows import intervals_of_groups, of_few, one_sided
from clv.words import count, day, money, percent, weeks

LEAST_REFUNDS = 0.005  # of the last weeks' money, that are worth a sentence


def in_short(figures: Figures) -> str:
    """Return what the backtest found, as one sentence."""
    test, currency = figures["backtest"], figures["currency"]
    if test is None:
        return "This forecast has **not** been tested on held-out data: the run has no calibration end."
    purchases, value = test["purchases"], test["value"]
    inside = {(True, True): "both inside", (False, False): "both **outside**"}
    verdict = inside.get((purchases["inside"], value["inside"]), "one of them **outside**")
    side, windows = one_sided(test), sum(row["n_windows"] for row in test["horizons"])
    wider = (
        f"; intervals of this report, by what was known then, {would_have_contained([purchases, value])}"
        if purchases["with_misfit"]
        else ""
    )
    always = f"; all {windows} past windows, which overlap, brought **{side}** value than forecast" if side else ""
    return (
        f"Tested on the {weeks(test['horizon_weeks'])} after {day(test['origin'])}: "
        f"{count(purchases['forecast']['mean'])} purchases worth {money(value['forecast']['mean'], currency)} were "
        f"forecast, {count(purchases['actual'])} worth {money(value['actual'], currency)} came, {verdict} the model's "
        f"own {percent(figures['interval'])} interval{wider}{always}."
    )


def trust_in_words(figures: Figures) -> str:
    """Return how the model did on held-out data and what its intervals allow for, as Markdown paragraphs."""
    back, refunds = figures.get("may_come_back", 0.0), ""
    if back >= LEAST_REFUNDS:
        refunds = (
            f"\n\nOf the money spent in the last four weeks about {percent(back)} may still be refunded, by what came "
            "back of earlier weeks; this forecast counts it as kept."
        )
    return f"{backtest_in_words(figures)}\n\n{further_tests_in_words(figures)}{refunds}".strip()


def answers(figures: Figures) -> list[tuple[str, str, str]]:
    """Return what a reader asks of a forecast, what the tests say, and a word for it."""
    test = figures["backtest"]
    if test is None:
        return [("Was it tested?", "no: the run has no calibration end", "unknown")]
    value, naive, level, currency = test["value"], test["naive"], percent(figures["interval"]), figures["currency"]
    gini, best = test["ranking"]["gini"], test["ranking"]["best_tenth"]
    held = {True: "held", False: "missed"}
    found = [
        (
            "Was the total right?",
            f"{money(value['forecast']['mean'], currency)} forecast, {money(value['actual'], currency)} came",
            held[inside_shown(value)],
        ),
        *(
            (
                f"Were totals {weeks(row['horizon_weeks'])} ahead right before?",
                f"the {level} interval, by what was known before, contained {row['value']['inside_with_misfit']} of "
                f"{row['n_windows']}; the model's own {row['value']['inside']}",
                of_few(row["value"]["inside_with_misfit"], row["n_windows"], figures["interval"]),
            )
            for row in test["horizons"]
        ),
        *intervals_of_groups(test["groupings"]["value"], figures["interval"]),
        *intervals_of_customers(value, figures["interval"]),
    ]
    if gini["forecast"] is not None:
        ranks = (
            f"the best tenth by forecast brought {percent(best['forecast'])} of the value, by past spend "
            f"{percent(best['past_spend'])}; over all ranks (Gini) {gini['forecast']:.2f} against "
            f"{gini['past_spend']:.2f}"
        )
        found.append(("Does it rank better than past spend?", ranks, better(gini["forecast"], gini["past_spend"])))
    score, rivals = test["purchases"]["crps"], min(naive["past_rate_mae"], naive["nobody_mae"])
    errors = (
        f"purchases per customer were forecast with a score (CRPS) of {score:.2f}; going on as before scores "
        f"{naive['past_rate_mae']:.2f}, nobody buying {naive['nobody_mae']:.2f}; lower is better"
    )
    rules = without_a_model(test["better_without_a_model"])
    return [
        *found,
        ("Does it beat having no model?", errors, better(rivals, score)),
        ("Did a rule without a model do better?", rules or "none that was tried", "yes" if rules else "no"),
    ]


def purchases_in_words(outcome: Figures | None, *, horizon_weeks: float, interval: float) -> str:
    """Return the backtest of the number of purchases in words, as Markdown."""
    if outcome is None:
        return "This run has no backtest: `calibration_end` is null."
    verdict = "lies inside" if outcome["inside"] else "lies **outside**"
    forecast = outcome["forecast"]
    return (
        f"In the {weeks(horizon_weeks)} held out, **{count(outcome['actual'])}** purchases came. The forecast was "
        f"**{count(forecast['mean'])}** ({percent(interval)} interval of the realised total: "
        f"{count(forecast['lower'])} "
        f"to {count(forecast['upper'])}); what came {verdict} the interval. The {percent(0.9)} interval of the single "
        f"customer's count contained what came for {percent(outcome['coverage']['0.90'])} of the customers; the mean "
        f"absolute error was {outcome['mae']:.2f} purchases, the CRPS {outcome['crps']:.3f}."
    )


def spend_in_words(table: pd.DataFrame, currency: str) -> str:
    """Return the backtest of the amounts in words; `table` is from `backtest.spend_figures`."""
    if table.empty:
        return "This run has no backtest: `calibration_end` is null."
    everybody = table.loc["all"]
    off = everybody["expected"] / everybody["actual"] - 1
    return (
        f"The {count(everybody['customers'])} customers who bought after the cut paid "
        f"**{everybody['actual']:,.2f}**\u00a0{currency} per purchase, where the spend model expected "
        f"**{everybody['expected']:,.2f}** ({off:+.1%}) of the purchases they made. The {percent(0.9)} interval of "
        f"what so many purchases bring contained what came for {percent(everybody['0.90'])} of them: "
        f"{held(everybody['0.90'], 0.9, everybody['customers'])}."
    )


def fits_in_words(origins: int, refused: Mapping[str, str]) -> str:
    """Return how many origins were fitted, and why some are left out."""
    left_out = [f"The windows from {day(origin)} are left out. {sentence}" for origin, sentence in refused.items()]
    return " ".join([f"{count(origins)} origins were fitted, and {count(origins - len(refused))} passed.", *left_out])
