from .folder import Run as Run
from .params import day as day
