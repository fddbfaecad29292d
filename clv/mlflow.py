"""A finished run beside others in MLflow, which `pip install clv[mlflow]` brings: settings, key figures, files.

Only what names no customer is logged: the report, key figures and tables of groups.
"""

import pandas as pd

from clv.errors import InputError
from clv.run.analysis import Fit
from clv.run.artefacts import AGGREGATES
from clv.run.manifest import run_id
from clv.run.prepare import SETTINGS, parameters

_LONGEST = 500  # characters of a setting that every store of MLflow holds


def log(fit: Fit, experiment: str | None = None) -> str:
    """Log a finished run.

    Parameters
    ----------
    fit
        The run, of `clv.fit` or `clv.load`.
    experiment
        MLflow's experiment; None: the active one. Where it is kept, `mlflow.set_tracking_uri` says.

    Returns
    -------
    MLflow's id of the run. Metrics are named as in key_figures.json, like `total_clv.mean`.

    Raises
    ------
    InputError
        MLflow is not installed.
    """
    try:
        import mlflow
    except ImportError as error:
        raise InputError("MLflow is not installed: pip install mlflow-skinny, or mlflow.") from error
    folder, figures = fit.run.folder, fit.run.read_json("key_figures")
    settings = parameters(fit.run, SETTINGS)
    numbers = pd.json_normalize(figures).select_dtypes(["number", "bool"])
    if experiment:
        mlflow.set_experiment(experiment)
    with mlflow.start_run(run_name=fit.run.name) as started:
        mlflow.log_params({key: str(value)[:_LONGEST] for key, value in settings.items() if value is not None})
        mlflow.log_metrics(numbers.astype(float).iloc[0].to_dict())
        mlflow.set_tags({"run_id": run_id(fit.run), "gate": figures["gate"]["verdict"], "as_of": figures["as_of"]})
        for file in ("report.html", *AGGREGATES):
            if (folder / file).exists():
                mlflow.log_artifact(str(folder / file))
        return started.info.run_id
