"""The models there are, by the key that stands in a params file and in posterior files."""

import xarray as xr

from clv.errors import InputError
from clv.models.base import Parameter, PurchaseModel
from clv.models.bgnbd import BGNBD
from clv.models.gamma_gamma import KEY as GAMMA_GAMMA
from clv.models.gamma_gamma import PARAMETERS as SPEND_PARAMETERS

PURCHASE_MODELS: dict[str, PurchaseModel] = {model.key: model for model in (BGNBD(),)}
KEY = "model"  # attribute of a posterior


def purchase_model(key: str, *posteriors: xr.DataTree) -> PurchaseModel:
    """Return the purchase model of this key, or refuse `posteriors` that are not of it."""
    for posterior in posteriors:
        own = model_of(posterior)
        if own.key != key:
            raise InputError(
                f"The posterior of purchases is one of {own.name} and this run asks for {PURCHASE_MODELS[key].name}: "
                "run notebook 03 again."
            )
    return PURCHASE_MODELS[key]


def model_of(posterior: xr.DataTree | xr.Dataset) -> PurchaseModel:
    """Return the purchase model that draws of parameters belong to."""
    key = _key(posterior)
    if key not in PURCHASE_MODELS:
        known = ", ".join(PURCHASE_MODELS)
        raise InputError(f"A posterior of purchases names the model {key}; known are {known}: run notebook 03 again.")
    return PURCHASE_MODELS[key]


def parameters_of(posterior: xr.DataTree | xr.Dataset) -> tuple[Parameter, ...]:
    """Return the parameters of the model, of purchases or of spend, that draws belong to."""
    return SPEND_PARAMETERS if _key(posterior) == GAMMA_GAMMA else model_of(posterior).parameters


def is_generated(posterior: xr.DataTree | xr.Dataset) -> bool:
    """Whether generated customers come from the model that draws belong to, so that its truth is theirs."""
    return _key(posterior) == GAMMA_GAMMA or model_of(posterior).is_generated


def _key(posterior: xr.DataTree | xr.Dataset) -> str:
    group = posterior["posterior"] if isinstance(posterior, xr.DataTree) else posterior
    return str(group.attrs.get(KEY))
