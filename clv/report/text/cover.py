"""The first screen in words: what the base will bring, the next quarter beside the last, what to read first.

Every number in prose comes from the key figures; nothing here estimates anything.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from clv.backtest.verdicts import INDEPENDENCE_WARN, REFUTED
from clv.checks.gate import PASS
from clv.report.key_figures import Figures
from clv.report.text.trust import inside_shown, of_few
from clv.units import PURCHASES
from clv.words import NBSP, count, day, money, more_or_less, percent, priced, span, weeks

MOST_CAUTIONS = 2  # that stand before everything else; the others are told where trust is
_SOURCES = {"generate": "generated customers", "cdnow": "CDNOW"}
# Texts are written for money; this says once what they mean without it.
VALUE_COUNTS = "\n\nThe log holds no amounts: value and revenue stand for a number of purchases."
_FEW_SPEND_MOST = "A few customers spend many times what most do: what a new customer is worth is rough."
_QUARTER_WEEKS = 13
_HARDLY_BETTER = 0.12  # of the value, where a tenth by lot would hold .1
_ALIKE = 0.03  # two quarters closer than that need no word
_APART = 0.1  # two tests, one above and one below: closer they are both about right
_IN_MONTHS = {13: "3 months", 26: "6 months", 39: "9 months", 52: "12 months", 104: "24 months"}


@dataclass(frozen=True)
class Caution:
    """What a reader must know before using a number: how much money it is about, and one sentence of it."""

    money: float
    sentence: str
    comes_first: bool = False


def title(figures: Figures) -> str:
    """Return the report's one sentence."""
    what = " of margin" if figures["value_is"] == "margin" else ""
    return (
        f"Our {count(figures['n_customers'])} customers will bring about "
        f"{money(figures['total_clv']['mean'], figures['currency'])}{what} in the next {ahead(figures)}"
    )


def ahead(figures: Figures) -> str:
    """Return how far the report looks, in months where it is as many."""
    return _IN_MONTHS.get(figures["horizon_weeks"], weeks(figures["horizon_weeks"]))


def cover(figures: Figures) -> str:
    """Return the title and the line that says what it is about, as Markdown."""
    rate = figures["discount_rate_annual"]
    discounting = f", discounted at {percent(rate)} a year" if rate else ""
    return (
        f"# {title(figures)}\n\n{_SOURCES.get(figures['source'], figures['source'])} · as of {day(figures['as_of'])} · "
        f"{figures['value_is']}{discounting} · {count(figures['n_transactions'])} purchases since "
        f"{day(figures['first_purchase'])}{VALUE_COUNTS if figures['currency'] == PURCHASES else ''}"
    )


def read_first(figures: Figures) -> str:
    """Return the largest warnings as a box, as Markdown; nothing where there are none."""
    found = cautions(figures)[:MOST_CAUTIONS]
    lines = [f"> **Read this first.** {found[0].sentence}"] if found else []
    return "\n>\n".join([*lines, *(f"> {caution.sentence}" for caution in found[1:])])


def further_cautions(figures: Figures) -> str:
    """Return the warnings that the first screen has no room for, as a Markdown list."""
    return "\n".join(f"- {caution.sentence}" for caution in cautions(figures)[MOST_CAUTIONS:])


def cautions(figures: Figures) -> list[Caution]:
    """Return every caution once: first those on where the forecast starts, then the largest."""
    found = {caution.sentence: caution for caution in _cautions(figures)}
    return sorted(found.values(), key=lambda caution: (not caution.comes_first, -caution.money))


def _cautions(figures: Figures) -> Iterator[Caution]:
    yield from _starts_higher(figures)
    test, currency = figures["backtest"], figures["currency"]
    if test is None:
        yield Caution(
            figures["total_clv"]["mean"],
            f"Nobody knows how wrong this forecast is: {money(figures['total_clv']['mean'], currency)} have never been "
            "tested against what came. State a calibration_end.",
        )
        return
    yield from _turned(figures, test)
    value = test["value"]
    if not inside_shown(value):
        yield Caution(
            abs(value["actual"] - value["forecast"]["mean"]),
            f"In the {weeks(test['horizon_weeks'])} tested, {money(value['actual'], currency)} came where "
            f"{money(value['forecast']['mean'], currency)} were forecast, outside the range that was shown.",
        )
    yield from _guessed_better(test, currency)
    yield from _of_checks(figures)


def _guessed_better(test: Figures, currency: str) -> Iterator[Caution]:
    """Name each rule without a model that missed less of a total."""
    better: dict[str, list[Any]] = {}
    for rule in test["better_without_a_model"]:
        if rule["measure"] == "total":
            better.setdefault(rule["rule"], []).append(rule)
    of_purchase = test["value"]["actual"] / max(test["purchases"]["actual"], 1)
    named = {
        "value": ("the total value", lambda missed: money(missed, currency), 1.0),
        "purchases": ("purchases", count, of_purchase),
    }
    for guess, found in better.items():
        told = [(*named[rule["outcome"]], rule["naive"], rule["forecast"]) for rule in found]
        missed = " and ".join(f"{what} by {said(naive)}" for what, said, _, naive, _ in told)
        own = " and ".join(said(forecast) for _, said, _, _, forecast in told)
        yield Caution(
            max(each * (forecast - naive) for _, _, each, naive, forecast in told),
            f"In the test, the plain guess of {guess} missed {missed}, this forecast by {own}.",
        )


def _starts_higher(figures: Figures) -> Iterator[Caution]:
    """Warn of a base that can only shrink and yet is expected to bring more than it did; of seasons, a year before."""
    quarter, currency = figures["next_quarter"], figures["currency"]
    if not quarter or not quarter["last_revenue"]:
        return
    seasons = any(check["name"] == "calendar" and check["verdict"] == PASS for check in figures["gate"]["checks"])
    before = max(quarter["last_revenue"], (quarter["year_before"] or 0.0) if seasons else 0.0)
    if quarter["revenue"] > (1 + _ALIKE) * before:
        yield Caution(
            quarter["revenue"] - quarter["last_revenue"],
            f"The forecast starts {percent(quarter['revenue'] / quarter['last_revenue'] - 1)} above the last quarter: "
            f"{money(quarter['revenue'], currency)} in {quarter_words(quarter)} after "
            f"{money(quarter['last_revenue'], currency)}, from a base that nobody new joins.",
            comes_first=True,
        )


def _turned(figures: Figures, test: Figures) -> Iterator[Caution]:
    """Warn where the latest window fell on the other side of its forecast than the main test, or out of its range."""
    main, currency = test["value"], figures["currency"]
    latest = _latest_window(figures)
    if latest is None or not main["forecast"]["mean"] or not latest["forecast"]:
        return
    off = latest["actual"] - latest["forecast"]
    lately, before = off / latest["forecast"], main["actual"] / main["forecast"]["mean"] - 1
    turned = lately * before < 0 and abs(lately - before) > _APART
    if turned or not latest["inside"]:
        yield Caution(
            abs(off),
            f"The {weeks(test['horizon_weeks'])} tested from {day(test['origin'])} brought "
            f"{more_or_less(main['actual'], main['forecast']['mean'])} than forecast, the last "
            f"{weeks(latest['horizon_weeks'])} {more_or_less(latest['actual'], latest['forecast'])}: "
            f"{money(latest['actual'], currency)} of value for {money(latest['forecast'], currency)}.",
            comes_first=True,
        )


def _of_checks(figures: Figures) -> Iterator[Caution]:
    """Say what the checks that warn mean in money; a missed backtest was told above, by the range that is shown."""
    total, currency = figures["total_clv"]["mean"], figures["currency"]
    once = total * figures["share_of_value_one_time_buyers"]
    for check in figures["gate"]["checks"]:
        if check["verdict"] == PASS or check["name"] == "backtest":
            continue
        if check["name"] == "one-time buyers":
            yield Caution(
                once,
                f"{money(once, currency)}, {percent(once / total)} of the value, is expected of customers who bought "
                "once, of whom the model knows little.",
            )
        elif check["name"] == "independence":
            if abs(check["figure"]) <= INDEPENDENCE_WARN or REFUTED in check["sentence"]:
                continue  # no money is at stake, or the same paragraph withdraws it
            wrongly = once * abs(1 - 1 / (1 + check["figure"]))
            yield Caution(
                wrongly,
                f"What customers who bought once are expected to bring, {money(once, currency)}, may be "
                f"{money(wrongly, currency)} too {'high' if check['figure'] > 0 else 'low'}: spend and frequency go "
                "together here, which the model ignores.",
            )
        elif check["name"] == "prior sensitivity":
            assumed = total * check["figure"]
            yield Caution(
                assumed,
                f"About {money(assumed, currency)} of the total rest on what was assumed before any data: so much "
                "these data leave open.",
            )
        elif check["name"] in ("mean spend", "infinite mean spend"):
            yield Caution(0.0, _FEW_SPEND_MOST)
        elif check["name"] == "calendar":
            yield Caution(total * check["figure"], check["sentence"])
        else:
            yield Caution(0.0, f"A technical check warns ({check['name']}): see “What was checked” below.")


def tiles(figures: Figures) -> list[tuple[str, str, str]]:
    """Return the four figures of the first screen: label, figure, what to know of it."""
    total, currency = figures["total_clv"], figures["currency"]
    true = f"; in truth {money(figures['truth']['value'], currency)}: they are generated" if figures["truth"] else ""
    return [
        (f"Next {ahead(figures)}", money(total["mean"], currency), likely(total, figures, currency) + true),
        _next_quarter(figures),
        _sits_with(figures),
        ("Trust", *verdict(figures)),
    ]


def likely(limits: Figures, figures: Figures, unit: str) -> str:
    """Return the range that is shown of a figure, and how sure it is."""
    sure = f"with {percent(figures['interval'])} probability" if limits["with_misfit"] else "if the model is right"
    return f"likely {priced(span(limits), unit).replace(' ', NBSP)} {sure}"


def _next_quarter(figures: Figures) -> tuple[str, str, str]:
    quarter, currency = figures["next_quarter"], figures["currency"]
    if quarter is None:
        bought = figures["expected_purchases"]
        return "Purchases", count(bought["mean"]), f"likely {count(bought['lower'])} to {count(bought['upper'])}"
    before = f"{money(quarter['last_revenue'], currency)} came in the last quarter" if quarter["last_revenue"] else ""
    if quarter["last_revenue_of_new"]:
        before += f", {percent(quarter['last_revenue_of_new'] / quarter['last_revenue'])} of it from new customers"
    if quarter["year_before"]:
        before += f"{', ' if before else ''}{money(quarter['year_before'], currency)} a year before"
    row = next((row for row in _horizons(figures) if row["horizon_weeks"] == _QUARTER_WEEKS), None)
    past = ""
    if row:
        low, high = (percent(1 + row["value"]["off"][end]) for end in ("lowest", "highest"))
        several = row["n_windows"] > 1
        past = f"forecasts like this came in at {low} to {high}" if several else f"the last came in at {low}"
    words = "; ".join(filter(None, [before, past])) or f"likely {span(quarter)}"
    name = "Purchases" if currency == PURCHASES else "Revenue"
    return f"{name}, {quarter_words(quarter)}", money(quarter["revenue"], currency), words


def _sits_with(figures: Figures) -> tuple[str, str, str]:
    watched, currency = figures["watch"], figures["currency"]
    share = figures["share_of_value_top_decile"]
    said = "their share of the value" + (": hardly anybody stands out" if share < _HARDLY_BETTER else "")
    if watched["customers"]:
        worth = money(watched["clv_mean"], currency)
        said += f"; {count(watched['customers'])} valuable ones may be slipping ({worth})"
    return "The best tenth", percent(share), said


def verdict(figures: Figures) -> tuple[str, str]:
    """Return how far to trust the forecast: in two or three words, and why."""
    test = figures["backtest"]
    if test is None:
        return "Not tested", "no months were held out, so nobody knows how wrong it is"
    value, rows = test["value"], _horizons(figures)
    held, number = sum(row["value"]["inside_with_misfit"] for row in rows), sum(row["n_windows"] for row in rows)
    missed = any(
        of_few(row["value"]["inside_with_misfit"], row["n_windows"], figures["interval"]) == "missed" for row in rows
    )
    fine = inside_shown(value) and not missed and not any(caution.comes_first for caution in cautions(figures))
    latest = _latest_window(figures)
    said = [f"{held} of {number} past forecasts inside their range"] if number else []
    if latest:
        said.append(
            f"the last {weeks(latest['horizon_weeks'])} brought "
            f"{more_or_less(latest['actual'], latest['forecast'])} than forecast"
        )
    elif value["forecast"]["mean"]:
        said.append(f"the test brought {more_or_less(value['actual'], value['forecast']['mean'])} than forecast")
    return "Held so far" if fine else "Use with care", "; ".join(said)


def _latest_window(figures: Figures) -> Figures | None:
    """Return the latest of the shortest past windows: what came last."""
    return min(figures["latest_windows"], key=lambda row: row["horizon_weeks"], default=None)


def _horizons(figures: Figures) -> list[dict[str, Any]]:
    return figures["backtest"]["horizons"] if figures["backtest"] else []


def quarter_words(quarter: Mapping[str, Any]) -> str:
    """Return three months as Jul\N{EN DASH}Sep 1998."""
    starts, ends = (date.fromisoformat(quarter[end]) for end in ("starts", "ends"))
    first = f"{starts:%b}" if starts.year == ends.year else f"{starts:%b %Y}"
    return f"{first}\N{WORD JOINER}\N{EN DASH}\N{WORD JOINER}{ends:%b %Y}".replace(" ", NBSP)


def footer(figures: Figures | None, *, run: str, run_id: str, seed: int, versions: Mapping[str, str]) -> str:
    """Return the last line of the report's page, as text: by the run id `make verify` finds what it was made from."""
    span = checked = ""
    if figures:
        span = f"purchases from {day(figures['first_purchase'])} to {day(figures['as_of'])}; "
        checked = f"checks {figures['gate']['verdict']}; tables of {figures['run_id']}; " if figures["run_id"] else ""
    libraries = ", ".join(f"{name} {number}" for name, number in versions.items())
    return f"Run {run}, run id {run_id}; {span}seed {seed}; {checked}{libraries}."
