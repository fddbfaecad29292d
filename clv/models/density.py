"""A model's log-density as compiled code: at many points, or with its gradient for a sampler, for any data.

PyTensor keeps on disk what numba made of a graph, so that a graph is compiled once per machine, and the little that is
wrapped around it here in every process. A graph takes a point, on the unconstrained scale a sampler moves on, and all
data as one vector: its length, where each table ends, and the tables.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clv.models.base import Floats

Data = Mapping[str, NDArray[Any]]


class Density:
    """A compiled PyMC model: log-density and parameters at any points, for any data, without compiling again."""

    def __init__(self, model: Any, names: list[str]) -> None:
        start = model.initial_point()
        self._model = model
        self._at_each = _loop(_compiled(model, [model.logp(), *model.replace_rvs_by_values([model[n] for n in names])]))
        self._width = 1 + len(names)
        self.start = np.concatenate([np.ravel(start[variable.name]) for variable in model.value_vars]).astype(float)

    def at(self, points: Floats, data: Data, workers: int = 1) -> tuple[Floats, Floats]:
        """Return the log-density (points,), -inf where there is none, and the parameters (points, parameters)."""
        packed, points = self.packed(data), np.ascontiguousarray(points)
        found = np.empty((len(points), self._width))
        if len(points) < workers:  # nothing to share
            self._at_each(points, found, packed)
        else:
            parts = [slice(start, None, workers) for start in range(workers)]
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(lambda part: self._at_each(points[part], found[part], packed), parts))
        return np.where(np.isfinite(found[:, 0]), found[:, 0], -np.inf), found[:, 1:]

    def packed(self, data: Data) -> Floats:
        """Return the one vector of all data, of the model's own where a table is not given."""
        tables = [np.ravel(data.get(table.name, table.get_value(borrow=True))) for table in self._model.data_vars]
        first = 1 + len(tables)
        ends = first + np.cumsum([table.size for table in tables])
        return np.concatenate([[ends[-1] if tables else first], ends, *tables])

    @cached_property
    def with_gradient(self) -> Any:
        """Return a C function: (dimensions, point, gradient to be, log-density to be, packed data) -> 0 if finite."""
        return _callback(_compiled(self._model, [self._model.logp()], gradient=True), self.start.size)


def _compiled(model: Any, wanted: list[Any], *, gradient: bool = False) -> Any:
    """Return the numba function of a point and the packed data that gives what is wanted, and the first's gradient."""
    import pytensor
    import pytensor.tensor as pt
    from pymc.pytensorf import compile as compile_graph
    from pymc.pytensorf import join_nonshared_inputs
    from pytensor.graph import clone_replace

    wanted, point = join_nonshared_inputs(model.initial_point(), wanted, model.value_vars)
    packed = pt.dvector("packed")
    ends = [1 + len(model.data_vars), *(packed[1 + i].astype("int64") for i in range(len(model.data_vars)))]
    parts = zip(model.data_vars, pairwise(ends), strict=True)
    tables = {table: (packed[at:to] if table.ndim else packed[at]).astype(table.dtype) for table, (at, to) in parts}
    wanted = clone_replace(wanted, replace=tables)
    if gradient:
        wanted.append(pt.grad(wanted[0], point))
    # Fast arithmetic rounds one way when compiled and another when read back from disk: a second run would differ.
    with model, pytensor.config.change_flags(numba__fastmath=False):
        return compile_graph([point, packed], wanted, mode="NUMBA", on_unused_input="ignore").vm.jit_fn


def _loop(log_density: Any) -> Any:
    from numba import njit

    @njit(nogil=True)
    def at_each(points, found, packed):  # type: ignore[no-untyped-def]
        for i in range(points.shape[0]):
            values = log_density(points[i], packed)
            for k in range(len(values)):  # assigning the row at once takes numba three seconds to compile
                found[i, k] = values[k][()]

    return at_each


def _callback(log_density: Any, dimensions: int) -> Any:
    from numba import carray, cfunc, types

    doubles = types.CPointer(types.double)

    @cfunc(types.int64(types.uint64, doubles, doubles, doubles, doubles))
    def at_one(_, point, slope, value, packed):  # type: ignore[no-untyped-def]
        try:
            found, towards = log_density(carray(point, (dimensions,)), carray(packed, (int(packed[0]),)))
        except Exception:
            return 1
        value[0] = found[()]
        finite = np.isfinite(value[0])
        for i in range(dimensions):
            slope[i] = towards[i]
            finite &= np.isfinite(slope[i])
        return 0 if finite else 2

    return at_one
