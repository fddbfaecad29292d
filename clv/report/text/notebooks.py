"""What single cells of the notebooks say of their own results, in a sentence."""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clv.backtest.tables import deciding
from clv.checks.gate import TAKEN_OVER, Check
from clv.models.operational_time import Clock, clock
from clv.models.registry import DEFAULT
from clv.transactions.months import ENGLISH
from clv.words import count, day, percent, weeks

if TYPE_CHECKING:
    import xarray as xr

_TOLD = 4  # groups of months that a sentence names


def dependence_in_words(dependence: pd.DataFrame) -> str:
    """Return what was measured of the model's assumption that spend does not depend on frequency."""
    rows = {row.measure: row for row in dependence.itertuples()}
    parts = [f"{name} {row.value:+.2f} ({row.lower:+.2f} to {row.upper:+.2f})" for name, row in rows.items()]
    clear = any(not row.lower <= row.value <= row.upper for row in rows.values())
    meaning = "That is what independence looks like."
    if clear:
        meaning = (
            "Spend depends on frequency more than luck explains: values of customers with few purchases may be biased."
        )
    return (
        "Correlation of frequency and mean spend among repeat buyers, in brackets what independence would show: "
        f"{'; '.join(parts)}. {meaning}"
    )


def merged_in_words(same_day: int) -> str:
    """Return how many kept rows a day's purchase swallowed."""
    return f"{count(same_day)} rows were merged with another row of the same customer on the same day."


def memory_in_words(needed_gib: float, memory_gib: float) -> str:
    """Return how much memory the run needs beside how much it may use."""
    return f"The hungriest of them needs about {needed_gib:.1f} GiB of memory; memory_gib allows {memory_gib:g}."


def draws_in_words(posterior: "xr.DataTree", checks: list[Check]) -> str:
    """Return what to look for in the draws' figure and table, by their method; first why NUTS took over, if it did."""
    from clv.models.sampling import CERTAIN, LAPLACE, method_of  # two notebooks have it; others need not wait for it

    instead = " ".join(check.sentence for check in checks if check.name == TAKEN_OVER)
    if method_of(posterior) == CERTAIN:
        return "Every purchase counts the same: there was nothing to learn, and no draw differs from another."
    if method_of(posterior) == LAPLACE:
        looks = (
            "These draws come from a multivariate t distribution around the posterior's mode, weighted by how well it "
            "fits there and drawn again in proportion. Look for a curve that leaves the diagonal gently: one that "
            "leaps up at the left would say that few draws carry all the weight. In the table, `ess` says how many "
            "independent draws they are worth."
        )
    else:
        looks = (
            "Left, one density per chain: chains that agree lie on top of each other. Right, the ranks of each chain "
            "among all: lines near the middle; p above α says that they cannot be told from chance."
        )
    return f"{instead} {looks}".strip()


def cut_in_words(calibration: pd.DataFrame, holdout: pd.DataFrame, cut: date, horizon_weeks: float) -> str:
    """Return what stands on each side of the backtest's cut."""
    if calibration.empty:
        return "This run has no calibration end, so there is no backtest."
    later = holdout["actual_purchases"]
    return (
        f"Up to {day(cut.isoformat())} there were {count(len(calibration))} customers with "
        f"{count(calibration['frequency'].sum())} repeat purchases. In the {weeks(horizon_weeks)} after it they made "
        f"{count(later.sum())} purchases; {percent((later > 0).mean())} of them bought."
    )


def choice_in_words(choice: pd.DataFrame, name: str, calendar: Mapping[str, Any] | None = None) -> str:
    """Return which model of purchases is used, `name`, and why, and the calendar it runs on.

    Table CHOICE is empty where no other model was compared.
    """
    return " ".join([_chosen(choice, name), *_calendar(clock(calendar, date.max))])


def _calendar(stated: Clock | None) -> list[str]:
    """Return what a calendar says of the year, in sentences; none without one."""
    if stated is None:
        return []
    by_share: dict[str, list[str]] = {}
    for name, index in zip(ENGLISH, stated.months, strict=True):
        by_share.setdefault(percent(index), []).append(name)
    *others, (usual, _) = sorted(by_share.items(), key=lambda share: len(share[1]))
    months = [f"{share} in {', '.join(names)}" for share, names in others] + [f"{usual} in all other months"]
    if len(others) > _TOLD:  # no sentence holds twelve
        least, *_, most = sorted(zip(stated.months, ENGLISH, strict=True))
        months = [
            f"{percent(index)} in {name}, the {which}" for (index, name), which in ((most, "most"), (least, "least"))
        ]
    spans = [
        f"from {day(str(first))} to {day(str(last))} {percent(factor)} of what these days would bring otherwise"
        for first, last, factor in stated.spans
    ]
    year = [f"of an average day's purchases {', '.join(months)}"] if others else []
    unsure = f" In the future, each is uncertain by about {percent(stated.sd)}." if stated.sd else ""
    whose = "this log itself shows" if stated.history else "was stated"
    if not year + spans:
        return [f"All months count alike: no other year {whose}."]
    return [f"The year is the one that {whose}: {'; '.join(year + spans)}.{unsure}"]


def _chosen(choice: pd.DataFrame, name: str) -> str:
    if choice.empty:
        return f"Purchases are forecast by {name}; no other model was compared with it on past windows."
    rows = deciding(choice)
    own, number = rows[rows["model"] == choice["chosen"].iloc[0]], rows["origin"].nunique()
    past = f"in {number} past window{'s' if number > 1 else ''} of {weeks(rows['horizon_weeks'].max())}"
    if choice["chosen"].iloc[0] == DEFAULT:
        return (
            f"Purchases are forecast by {name}, the default: {past} no other model forecast single customers better by "
            "more than chance explains."
        )
    better = percent(-np.expm1(own["log_ratio"].mean()))
    return (
        f"Purchases are forecast by {name}: {past} it forecast single customers {better} better than the default (by "
        "their CRPS), more than chance explains."
    )


def fits_in_words(origins: int, refused: Mapping[str, str]) -> str:
    """Return how many origins were fitted, and why some are left out."""
    left_out = [f"The windows from {day(origin)} are left out. {sentence}" for origin, sentence in refused.items()]
    return " ".join([f"{count(origins)} origins were fitted, and {count(origins - len(refused))} passed.", *left_out])
