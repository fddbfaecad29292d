"""How far a forecast can be trusted, in words: the backtest, past windows, and what the intervals allow for."""

from collections.abc import Mapping

import pandas as pd

from clv.report.text.backtests import (
    Figures,
    backtest_in_words,
    better,
    held,
    inside_shown,
    intervals_of_customers,
    without_a_model,
)
from clv.report.text.windows import intervals_of_groups, of_few
from clv.words import count, day, money, percent, span, weeks

LEAST_REFUNDS = 0.005  # of the last weeks' money, that are worth a sentence


def trust_in_words(figures: Figures) -> str:
    """Return how the model did on held-out data and what its intervals allow for, as Markdown paragraphs."""
    back, refunds = figures.get("may_come_back", 0.0), ""
    if back >= LEAST_REFUNDS:
        refunds = (
            f"\n\nOf the money spent in the last four weeks about {percent(back)} may still be refunded, by what came "
            "back of earlier weeks; this forecast counts it as kept."
        )
    return f"{backtest_in_words(figures)}{refunds}"


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
                f"the {level} range, by what was known before, contained {row['value']['inside_with_misfit']} of "
                f"{row['n_windows']}",
                of_few(row["value"]["inside_with_misfit"], row["n_windows"], figures["interval"]),
            )
            for row in test["horizons"]
        ),
        *_latest(figures),
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
        *_not_tested(test),
        ("How sure were it if the model were right?", _if_right(figures), "too sure"),
    ]


def _latest(figures: Figures) -> list[tuple[str, str, str]]:
    """Return how the latest windows went: a reader of a forecast begins where it begins."""
    return [
        (
            f"Were the last {weeks(row['horizon_weeks'])} as forecast?",
            f"{money(row['forecast'], figures['currency'])} forecast, {money(row['actual'], figures['currency'])} came",
            "held" if row["inside"] else "missed",
        )
        for row in figures["latest_windows"]
    ]


def _not_tested(test: Figures) -> list[tuple[str, str, str]]:
    """Return what the past windows leave open; nothing where all were fitted, on all customers."""
    lost = [f"{count(test['windows_left_out'])} past windows could not be fitted"] if test["windows_left_out"] else []
    of_all = f"a sample of {count(test['sample_of'])} customers, whose totals vary more" if test["sample_of"] else ""
    told = "; ".join(filter(None, [*lost, of_all and f"past windows hold {of_all}"]))
    return [("What was not tested?", told, "unknown")] if told else []


def _if_right(figures: Figures) -> str:
    own, total = figures["total_clv"]["if_model_right"], figures["total_clv"]
    return f"the total would be {span(own)} instead of {span(total)}, as wide as past errors make it"


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
