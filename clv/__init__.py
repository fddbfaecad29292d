"""Customer lifetime value with honest uncertainty: the map of the package.

Words      params, tables, errors      what may be said: settings, table contracts, refusals
Data       transactions, simulate, rfm raw rows to one row per customer (DuckDB)
Maths      bgnbd, gamma_gamma          likelihoods and closed forms, in plain numpy
           predict, value              every customer's simulated future; values with intervals
           backtest, segments, cohorts scores of a forecast; named groups; monthly matrices
Engine     bgnbd_model, gamma_gamma_model, sampling, gate
                                       PyMC models, posteriors, the verdict
Disk       artefacts                   name, place and contract of every file of a run
Face       plots, charts, report       figures for analysts, charts for readers, words
Run        run                         executes one notebook strictly and renders it

A module imports only from its own layer and the layers above it in this list.
"""

__version__ = "0.1.0"
