"""The year that a log itself shows: an index of months from its repeat purchases, strictly before a day.

Each month's purchases beside those of a month like any other (clv.rfm.year), against the mean of that ratio over the
twelve months around it, so that growth is none of its business; months of several years are averaged. What differs no
more between months than the same month does between years is no season: the logarithms are shrunk towards 0 by the
share of their variance that such noise explains, to nothing where it explains all. Months to come may differ by what is
left of the noise beside the chance of counts, and by what is not known of the index. Twelve such ratios need two whole
years, and three to be compared.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

MONTHS = 12
History = Sequence[tuple[str, int, float]]  # a month, its repeat purchases, and those if all months were alike
_FEW_YEARS_SD = 0.3  # of a month between years, where hardly two years tell
_ENOUGH = 18  # ratios from which years are compared
_LARGEST_SD = 0.5


def learnt(history: History, origin: date) -> tuple[list[float], float]:
    """Return the index of January to December, and the sd of a logarithm in another year; all 1 where little is known.

    Months that `origin` cuts, and the first, are left out.
    """
    known = pd.DataFrame(history, columns=["month", "came", "alike"]).astype({"came": float, "alike": float})
    known.index = pd.PeriodIndex(known["month"], freq="M")
    whole = known[known.index.end_time.date <= origin].iloc[1:]
    rate = (whole["came"] + 0.5) / (whole["alike"] + 0.5)  # months without a purchase have a logarithm, too
    around = rate.rolling(MONTHS).mean().rolling(2).mean().shift(-MONTHS // 2)
    ratios = np.log(rate / around).dropna()
    by_month = ratios.groupby(ratios.index.month)
    if by_month.ngroups < MONTHS:
        return [1.0] * MONTHS, 0.0
    apart = ratios - by_month.transform("mean")
    sd = float(np.sqrt((apart**2).sum() / (len(ratios) - MONTHS))) if len(ratios) >= _ENOUGH else _FEW_YEARS_SD
    means = by_month.mean() - by_month.mean().mean()
    noise, variance = sd**2 / by_month.size().min(), means.var()
    share = max(1 - noise / variance, 0.0) if variance else 0.0
    chance = (1 / (whole["came"][ratios.index] + 0.5)).mean()  # of a count: futures have their own
    another_year = max(sd**2 - chance, 0.0) + share * noise
    return np.exp(share * means).tolist(), float(min(np.sqrt(another_year), _LARGEST_SD))
