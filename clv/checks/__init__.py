"""May this posterior be used? Convergence, what it reproduces of its data, what the prior decides, the gate."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
