"""What if: the joint monthly draws that a page values again with its reader's settings, and the form to state them."""

import base64
import gzip

import numpy as np
import pandas as pd

from clv.report.key_figures import Figures
from clv.report.page.mime import WHAT_IF, Drawn

_STEPS = 1_023  # finer than a thousandth of the largest draw; a page of ten segments is 130 kB smaller for it


def what_if(figures: Figures, groups: pd.DataFrame, draws: pd.DataFrame, errors: pd.DataFrame) -> Drawn:
    """Return the form and its numbers: tables SEGMENTS, MONTHLY_DRAWS and MONTHLY_ERRORS."""
    rows = groups[groups["grouping"].isin(["base", "rfm_segment"])].set_index("group")
    ends = np.sort(errors["weeks"].unique())
    factors = errors.pivot(index=["group", "weeks"], columns="probability", values="factor")
    packed, told = [], []
    for name, row in rows.iterrows():
        group = {"name": str(name).capitalize(), "customers": int(row["customers"]), "mean": float(row["clv_mean"])}
        group["limits"] = [float(row["clv_lower"]), float(row["clv_upper"])]
        group["factors"] = factors.loc[name].to_numpy().round(3).tolist()
        if row["grouping"] != "base":  # everybody is the sum of all
            own = draws[draws["group"] == name].sort_values(["month", "draw"])
            months = own["revenue"].to_numpy().reshape(len(ends), -1)
            scale = np.maximum(months.max(axis=1), 1e-9) / _STEPS
            packed.append(np.rint(months / scale[:, None]).astype("<u2").tobytes())
            group["scale"] = scale.tolist()
        told.append(group)
    as_of = pd.Timestamp(figures["as_of"])
    dates = [as_of + pd.Timedelta(days=round(weeks * 7)) for weeks in ends]
    campaign, acquisition = figures["campaign"], figures["acquisition"]
    newcomer = figures["new_customer"]["quantiles"]
    content = {
        "currency": figures["currency"],
        "interval": figures["interval"],
        "margin": figures["gross_margin"],
        "rate": figures["discount_rate_annual"],
        "starts": [0.0, *ends[:-1].tolist()],
        "ends": ends.tolist(),
        "labels": [f"{day.day} {day:%b %Y}" for day in dates],
        "draws": int(draws["draw"].max()) + 1,
        "groups": told,
        "newcomer": newcomer,
        "mayCost": list(figures["new_customer"]["may_cost"].values()),
        "numbers": base64.b64encode(gzip.compress(b"".join(packed), 9, mtime=0)).decode(),
        "cost": campaign["cost_per_contact"] if campaign else 1.0,
        "effect": round(_of_anybody(figures), 4) if campaign else 0.1,
        "budget": (campaign["budget"] if campaign else None) or 0,
        "acquisition": acquisition["cost"] if acquisition else round(float(np.median(newcomer)) / 2, 2),
    }
    return Drawn(WHAT_IF, content, "report.html has a form here.")


def _of_anybody(figures: Figures) -> float:
    """Return how much more customers chosen by lot bring by the campaign's contact, as a share of what they bring."""
    plan = figures["campaign"]
    if not plan["contacts"]:
        return float(plan["effect_mean"] * plan["response_share"])
    gained = plan["profit"]["mean"] - plan["rules"]["random"]["regret"] + plan["cost"]
    return float(gained / (plan["contacts"] * figures["total_clv"]["mean"] / figures["n_customers"]))
