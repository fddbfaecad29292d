"""Customer lifetime value with honest uncertainty: the map of the package, in the order of the notebooks.

errors         refusals: one sentence and an exit code
words          how numbers are written
units          days, weeks, years
progress       how far a notebook is
tables         the grammar of a table; the tables themselves are declared in their rooms
models         03 04   how customers buy and spend, and how that is learnt
transactions   01      a log becomes clean customer-days
rfm            02      customer-days become one row per customer
checks         03 04   may this posterior be used?
forecast       05      a posterior becomes futures, values, totals
backtest       03-05   how wrong was such a forecast?
decisions      05      what to do with it
report         06      what people read
run                    from a params file to a finished folder
mlflow                 a finished run beside others in MLflow

A room imports only rooms above it in this list. Each shows what notebooks use at its door: `from clv import forecast`,
then `forecast.expectations(...)`; nothing is loaded before it is used. In a notebook of one's own, with a frame:

    fit = clv.fit(orders, customer_id="customer", date="day", amount="paid", horizon_weeks=52)
    fit.forecast().groups
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, ["mlflow"], submod_attrs={"run.analysis": ["fit", "load"]})

__version__ = "0.1.0"
