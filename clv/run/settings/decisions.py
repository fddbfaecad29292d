"""Decisions: how far ahead money counts and what it costs, what a campaign and new customers may cost."""

from typing import Literal, Self

from pydantic import Field, model_validator

from clv.run.settings.kinds import Positive, Section

# What a campaign cannot do without; its budget may be missing: no limit.
CAMPAIGN = tuple(
    f"campaign_{name}" for name in ("cost_per_contact", "effect", "effect_mean", "effect_sd", "response_share")
)
ACQUISITION_PLAN = ("acquisition_cost", "acquisition_per_month", "acquisition_months")


class Decisions(Section):
    """Keys of finance and marketing: value, the campaign, acquisition, and who may read names."""

    horizon_weeks: int = Field(52, ge=1, le=520)
    """Weeks ahead that are valued. Changed by whoever plans."""
    discount_rate_annual: float = Field(0.10, ge=0, le=1)
    """Cost of capital per year, 0.10 is 10 %. Changed by finance."""
    gross_margin: float = Field(1.0, gt=0, le=1)
    """Share of revenue that is margin; 1.0: value is revenue, and is called so. Changed by finance."""
    show_customer_ids: bool = False
    """Whether notebooks and pages may name customers by their id; exports always do. Changed if every reader of the
    pages may know them."""
    campaign_cost_per_contact: Positive | None = None
    """Money it costs to contact one customer, the offer included; null: no campaign. Changed by whoever plans a
    campaign, like the keys after it."""
    campaign_budget: Positive | None = None
    """Most money that all contacts together may cost; null: no limit."""
    campaign_effect: Literal["rate", "survival", "win_back"] | None = None
    """What a contact changes for who responds, until the horizon: rate, they buy more often; survival, leavings do not
    happen, the one that may have happened and those to come; win_back, who has left returns."""
    campaign_effect_mean: float | None = Field(None, gt=-1, le=10)
    """Mean of what is believed of the effect: 0.20 is a purchase rate raised by 20 %, 20 % of the leavings undone, or
    20 % of those who had left back again. It has to come from an experiment."""
    campaign_effect_sd: float | None = Field(None, ge=0, le=10)
    """Standard deviation of that belief, the standard error of the experiment; 0: known for sure."""
    campaign_response_share: float | None = Field(None, gt=0, le=1)
    """Share of the contacted who respond; 1.0 if the effect was measured over all who were contacted."""
    acquisition_cost: Positive | None = None
    """Money it costs to win one new customer; null: not asked. Changed by marketing."""
    acquisition_per_month: int | None = Field(None, ge=1, le=1_000_000)
    """New customers to come per month; null: none are planned."""
    acquisition_months: int | None = Field(None, ge=1, le=120)
    """Months, from the observation end on, in which they come."""

    @model_validator(mode="after")
    def _can_be_planned(self) -> Self:
        missing = [name for name in CAMPAIGN if getattr(self, name) is None]
        if missing and (len(missing) < len(CAMPAIGN) or self.campaign_budget is not None):
            raise ValueError(f"a campaign needs {', '.join(CAMPAIGN)}; there is no {missing[0]}")
        mean, sd = self.campaign_effect_mean or 0.0, self.campaign_effect_sd or 0.0
        is_share = self.campaign_effect in ("survival", "win_back")
        if is_share and not 0 <= mean < 1:
            raise ValueError(
                f"campaign_effect_mean ({mean:g}) is a share of leavings undone or won back: from 0 to below 1"
            )
        if is_share and sd and sd**2 >= mean * (1 - mean):
            raise ValueError(f"campaign_effect_sd ({sd:g}) is too large for a share with mean {mean:g}")
        cost, per_month, months = (getattr(self, name) for name in ACQUISITION_PLAN)
        if (per_month is None) != (months is None) or (cost is None and months is not None):
            raise ValueError(f"customers still to come need {', '.join(ACQUISITION_PLAN)}, all three")
        return self
