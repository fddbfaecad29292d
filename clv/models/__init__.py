"""How customers buy and spend, and how that is learnt: likelihoods, priors, PyMC models, posteriors."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
