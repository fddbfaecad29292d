"""A posterior becomes futures, values and totals: of customers, segments, tiers and cohorts."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
