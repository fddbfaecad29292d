"""Customer lifetime value with honest uncertainty: the map of the package.

Words      params, tables, errors      what may be said: settings, table contracts, refusals
Data       sources, transactions       raw files to clean customer-days (with database, refunds)
           rfm, simulate               one row per customer; generated customers with known truth
Maths      bgnbd, gamma_gamma          likelihoods and closed forms, in plain numpy
           predict, value              every customer's simulated future; values with intervals
           backtest, checks            a forecast against what came; a model against its data
           segments, cohorts           named groups; monthly matrices
Engine     bgnbd_model, gamma_gamma_model, sampling, gate
                                       PyMC models, posteriors, the verdict
Disk       artefacts, manifest         name, place and contract of every file of a run; their hashes
Face       plots, charts, report       figures for analysts, charts for readers, words
Run        run                         executes one notebook strictly and renders it

A module imports only from its own layer and the layers above it in this list.
"""

__version__ = "0.1.0"
