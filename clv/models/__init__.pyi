from . import gamma_gamma as gamma_gamma
from . import gamma_gamma_pymc as gamma_gamma_pymc
from .draws import pair as pair
from .registry import purchase_model as purchase_model
from .sampling import Compiled as Compiled
from .sampling import Settings as Settings
from .sampling import prior_draws as prior_draws
from .sampling import sample_parts as sample_parts
