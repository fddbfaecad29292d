"""How wrong was such a forecast? A cut, past windows, scoring rules, and what totals must allow for."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
