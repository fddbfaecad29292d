"""A log becomes clean customer-days: read, judged row by row, refunds settled, every row and cent accounted for."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
