"""The models there are, by the key in params files and in posterior files; each is loaded when asked for."""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from clv.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

    from clv.models.base import Parameter, PurchaseModel

_HOMES = {
    "bgnbd": ("bgnbd", "BGNBD"),
    "mbgnbd": ("mbgnbd", "MBGNBD"),
    "rhythm": ("rhythm", "Rhythm"),
    "bgnbd_plain": ("bgnbd", "PlainBGNBD"),
}
PURCHASE_MODELS = tuple(_HOMES)
DEFAULT = PURCHASE_MODELS[0]
GAMMA_GAMMA = "gamma_gamma"
KEY = "model"  # attribute of a posterior
AUTO = "auto"  # the model that past windows choose


def purchase_model(key: str, *posteriors: "xr.DataTree") -> "PurchaseModel":
    """Return the purchase model of this key, or refuse `posteriors` that are not of it; of `auto` that of the first."""
    model = model_of(posteriors[0]) if key == AUTO else _made(key)
    for posterior in posteriors:
        own = model_of(posterior)
        if own.key != model.key:
            raise InputError(
                f"A posterior of purchases is one of {own.name}, and purchase_model asks for {model.name}: "
                "run notebook 03 again."
            )
    return model


def model_of(posterior: "xr.DataTree | xr.Dataset") -> "PurchaseModel":
    """Return the purchase model that draws of parameters belong to."""
    key = _key(posterior)
    if key not in PURCHASE_MODELS:
        known = ", ".join(PURCHASE_MODELS)
        raise InputError(f"A posterior of purchases names the model {key}; known are {known}: run notebook 03 again.")
    return _made(key)


def parameters_of(posterior: "xr.DataTree | xr.Dataset") -> "tuple[Parameter, ...]":
    """Return the parameters of the model, of purchases or of spend, that draws belong to."""
    from clv.models import gamma_gamma

    return gamma_gamma.PARAMETERS if _key(posterior) == GAMMA_GAMMA else model_of(posterior).parameters


def is_generated(posterior: "xr.DataTree | xr.Dataset") -> bool:
    """Whether generated customers come from the model that draws belong to, so that its truth is theirs."""
    return _key(posterior) == GAMMA_GAMMA or model_of(posterior).is_generated


@cache
def _made(key: str) -> "PurchaseModel":
    module, name = _HOMES[key]
    model: PurchaseModel = getattr(import_module(f"clv.models.{module}"), name)()
    return model


def _key(posterior: "xr.DataTree | xr.Dataset") -> str:
    attributes = posterior["posterior"].attrs if "posterior" in posterior else posterior.attrs
    return str(attributes.get(KEY))
