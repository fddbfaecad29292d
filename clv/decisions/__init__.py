"""What to do with a forecast: whom to contact, what a new customer may cost, whose silence to watch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
