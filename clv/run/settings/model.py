"""The model: how its posterior is found, on what it is tested, and with which means of the machine."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from clv.models.registry import AUTO, PURCHASE_MODELS
from clv.run.settings.kinds import Day, Positive, Section

# Checks of the gate that a run may accept by name; the others say that the numbers themselves are wrong.
ACKNOWLEDGEABLE = (
    *("repeat purchases", "mean spend", "infinite mean spend", "prior sensitivity", "repeat customers"),
    *("horizon / history", "independence", "energy", "tree depth", "backtest", "one-time buyers", "calendar"),
)
FEWEST_WEIGHTED_DRAWS = 1000  # fewer are worth too little for the gate, whatever their weights


class Model(Section):
    """Keys of the posterior, its gate, the backtest and the machine."""

    calibration_end: Day | None = None
    """Last day the backtest's forecast may see; null: no backtest. Changed to test on another period."""
    interval: float = Field(0.90, ge=0.5, le=0.99)
    """Probability inside every interval. Changed by careful readers."""
    purchase_model: str = Field(
        default="bgnbd",
        description=f"How customers buy and leave: one of {', '.join(PURCHASE_MODELS)}. Under bgnbd nobody leaves "
        "before a repeat purchase; under mbgnbd customers may leave with their first; rhythm is mbgnbd in which "
        "some buy in even steps; bgnbd_plain is bgnbd as it was published, which takes days for exact times; auto "
        "takes the one that past windows choose. Changed where customers buy unlike those of most shops.",
    )
    method: Literal["nuts", "laplace", "auto"] = "auto"
    """How the posterior is found: by NUTS, by importance sampling around its mode (laplace), or by NUTS up to 20,000
    distinct histories of repeat buyers (of rhythm 1,000) and by the other beyond (auto). Changed by those who compare
    the two."""
    acknowledge: list[str] = Field([])
    """Checks of the gate that this run accepts, by name; the report says so. Changed by who has read what the check
    says and can answer for it."""
    chains: int = Field(4, ge=4, le=16)
    """Chains of the sampler; convergence is judged on 4. Rarely changed."""
    draws: int = Field(1000, ge=100, le=20000)
    """Draws kept per chain. Raised if the gate finds too few."""
    tune: int = Field(1000, ge=100, le=20000)
    """Warm-up draws per chain. Raised on divergences."""
    predictive_draws: int | None = Field(None, ge=100, le=20000)
    """Posterior draws used per customer; null: 1,000, and 500 of more than 200,000 customers. Raised to know single
    customers' limits more closely, lowered if memory runs out."""
    group_by: list[str] = Field([], max_length=3)
    """Columns of the log, like [Channel, Country]: customers are also told by their value at the first purchase, and
    ranked."""
    seed: int = Field(20260101, ge=0, le=2**32 - 1)
    """Root of all randomness. Changed to see luck."""
    workers: int = Field(2, ge=1, le=256)
    """Processor cores used; results do not depend on it."""
    engine: Literal["local", "spark"] = "local"
    """Where passes over customers are computed: here, or by a Spark cluster; results do not depend on it. Changed
    beyond some million customers."""
    spark_url: str = Field("local[*]", pattern="^(local|yarn|spark://|k8s://|sc://)")
    """The cluster of engine spark: spark://host:7077, yarn, sc://host:15002 (Spark Connect), or local[*], this machine.
    `workers` is then how many of its cores are used."""
    memory_gib: float = Field(4.0, ge=1, le=4096)
    """Memory one notebook may use; results do not depend on it. Raised for more than two million customers, lowered on
    a small machine."""
    typical_order_value: Positive | None = None
    """Money in a usual order, the scale of the spend prior; null: geometric mean of repeat buyers' means. Changed by
    those who know better than a small log."""

    @field_validator("purchase_model")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in (AUTO, *PURCHASE_MODELS):
            raise ValueError(f"must be one of {', '.join((AUTO, *PURCHASE_MODELS))}")
        return value

    @field_validator("acknowledge")
    @classmethod
    def _can_be_acknowledged(cls, value: list[str]) -> list[str]:
        unknown = [name for name in value if name not in ACKNOWLEDGEABLE]
        if unknown:
            raise ValueError(f"names {unknown[0]}, but only {', '.join(ACKNOWLEDGEABLE)} can be accepted")
        return value

    @model_validator(mode="after")
    def _has_enough_draws(self) -> Self:
        kept = self.chains * self.draws
        if self.predictive_draws and self.predictive_draws > kept:
            raise ValueError(f"predictive_draws ({self.predictive_draws}) must not exceed chains x draws ({kept})")
        if self.method == "laplace" and kept < FEWEST_WEIGHTED_DRAWS:
            raise ValueError(f"method laplace needs chains x draws of at least {FEWEST_WEIGHTED_DRAWS}, not {kept}")
        return self
