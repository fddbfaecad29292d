"""What a model holds possible before any data, and how it weighs them, as an analyst checks it."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from IPython.display import Markdown

from clv.models.priors import LOG, LOGIT, Prior
from clv.report.markup import Words


def priors_table(priors: Iterable[Prior]) -> Words:
    """Return the priors as they are used: the tuple that the sampler was built from."""
    scale = {LOG: "ln", LOGIT: "logit"}
    rows = {
        one.name: {
            "Prior": f"{one.distribution}({scale[one.distribution]} {one.median:g}, {one.sigma:g})",
            "95 % from": f"{one.low:g}",
            "95 % to": f"{one.high:g}",
            "What it is": one.meaning,
        }
        for one in priors
    }
    table = Words.from_dict(rows, orient="index")
    return Words(table.rename_axis("Parameter")).captioned("What is held possible before any data")


def source(function: Callable[..., Any]) -> Markdown:
    """Return a function as the package runs it: shown, never copied."""
    return Markdown(f"```python\n{inspect.getsource(function).rstrip()}\n```")
