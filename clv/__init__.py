"""Customer lifetime value with honest uncertainty: the map of the package.

Words      params, tables, errors      what may be said: settings (with strict_yaml, secrecy), contracts, refusals
           words                       how numbers are written
           progress                    how far a notebook is
Data       sources, source_files, source_databases
                                       a log as it stands, wherever it lies (on database)
           transactions                raw rows to clean customer-days (parsing, rules, hints, refunds)
           findings                    what a data owner should know of a cleaned log
           recognise, notation, params_text
                                       what the columns of an unknown log are; a first params file
           rfm, simulate, support      one row per customer; generated customers; enough data?
           windows                     past windows: what was known at each origin, what came after it
Maths      bgnbd, gamma_gamma          likelihoods and closed forms, in plain numpy
           predict, value, memory      every customer's simulated future; values with intervals
           backtest, scores, misfit    a forecast against what came; what totals must allow for
           checks, plausibility        a model against its data
           segments, cohorts           named groups; monthly matrices
           uplift, knowledge, decisions
                                       what a contact brings; what knowing more would add; whom to contact
           acquisition, watch          what a new customer may cost; whose silence to watch
Engine     bgnbd_model, gamma_gamma_model, priors, laplace, sampling
                                       PyMC models and posteriors
           gate, origins               the verdict; fits at past origins
Disk       artefacts                   name, place and contract of every file of a run
           chain, marks                what each was made from: records that readers check, marks in the files
Face       plots, charts, captions, style
                                       figures for analysts; charts for readers and their sentences; common colours
           key_figures                 the figures a report speaks of
           report, trust, advice, log_words, page_tables, cards, quality_page, html
                                       sentences and titles; tables and cards for people; pages
Run        check, new_params           a log without a run
           prepare, cells, run         settings to notebooks; one notebook executed strictly and rendered
           pictures                    the report's charts as files for slides
           terminal, failures          stages as they run; what went wrong
           provenance, manifest        what no longer belongs together; hashes of all that a run read and left behind

A module imports only from its own layer and the layers above it in this list.
"""

__version__ = "0.1.0"
