"""MBG/NBD: as BG/NBD, but a customer may leave with the first purchase already (Batislam, Denizel & Filiztekin 2007).

Every purchase, the first included, is a chance to leave, so one-time buyers may have left as well. All of it is BG/NBD
with one chance more survived (`first` = 1): b + 1 in the place of b for somebody alive.
"""

from dataclasses import replace
from typing import ClassVar

from clv.models.base import Parameter
from clv.models.bgnbd import BGNBD

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
