"""MBG/NBD: as BG/NBD, but a customer may leave with the first purchase already (Batislam, Denizel & Filiztekin 2007).

Every purchase, the first included, is a chance to leave, so one-time buyers may have left as well. All of it is BG/NBD
with one chance more survived (`first` = 1): b + 1 in the place of b for somebody alive.
"""

from dataclasses import replace
from typing import ClassVar

import pandas as pd

from clv.models.base import Built, Parameter
from clv.models.bgnbd import BGNBD
from clv.units import WEEKS_PER_YEAR

_PUBLISHED = (0.5248, 6.183, 0.8914, 1.614)


class MBGNBD(BGNBD):
    """The model, for everybody else: clv.models.base.PurchaseModel."""

    name: ClassVar[str] = "MBG/NBD"
    key: ClassVar[str] = "mbgnbd"
    first: ClassVar[int] = 1
    parameters: ClassVar[tuple[Parameter, ...]] = tuple(
        replace(one, published=published) for one, published in zip(BGNBD.parameters, _PUBLISHED, strict=True)
    )
    is_generated: ClassVar[bool] = False
    one_time_buyers_may_have_left: ClassVar[bool] = True

    def build(self, customers: pd.DataFrame, *, periods_per_year: float = WEEKS_PER_YEAR) -> Built:
        """Return the PyMC model of one row per customer, with T in units of which a year has `periods_per_year`."""
        from pymc_marketing.clv import ModifiedBetaGeoModel  # seconds that only fitting costs

        from clv.models import bgnbd_pymc

        class WeightedModifiedBetaGeoModel(bgnbd_pymc.OnDistinctHistories, ModifiedBetaGeoModel):
            _model_type, first = "MBG/NBD (distinct histories)", self.first

        built: Built = bgnbd_pymc.model(
            customers,
            periods_per_year=periods_per_year,
            of=WeightedModifiedBetaGeoModel,
            key=self.key,
            days=self.days,
        )
        return built
