"""The rooms of the package: who may import whom, and what only one room may do."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import clv
from clv.run.artefacts import root

LAYERS = {
    "words": "errors secrecy strict_yaml progress params tables words",
    "data": (
        "support database source_files source_databases sources notation recognise params_text parsing "
        "rules hints refunds transactions findings simulate rfm windows"
    ),
    "maths": (
        "bgnbd gamma_gamma predict value scores backtest misfit checks plausibility segments cohorts memory "
        "uplift knowledge decisions acquisition watch"
    ),
    "engine": "priors bgnbd_model gamma_gamma_model laplace sampling gate origins",
    "disk": "marks chain artefacts",
    "face": "style plots charts captions key_figures log_words trust page_tables cards report advice quality_page html",
    "run": "cells prepare provenance manifest terminal failures check new_params pictures run",
}
DEPTH = {module: depth for depth, modules in enumerate(LAYERS.values()) for module in modules.split()}
MODULES = sorted(path for path in (root() / "clv").glob("*.py") if not path.stem.startswith("__"))
PLOTTING = {"matplotlib", "plotly", "arviz_plots", "seaborn", "bokeh"}
READS_OR_WRITES = {
    *("open", "read_csv", "read_parquet", "to_csv", "to_parquet", "to_netcdf", "open_datatree", "from_netcdf"),
    *("read_text", "write_text", "read_bytes", "write_bytes", "write_html", "savez", "load_dataset"),
}
MAY_TOUCH_FILES = {
    "marks",
    "chain",
    "artefacts",
    "sources",
    "source_files",
    "strict_yaml",
    "html",
    "progress",
    *LAYERS["run"].split(),
}
HEAVY = (
    "pandas",
    "numpy",
    "pymc",
    "pymc_marketing",
    "arviz",
    "duckdb",
    "matplotlib",
    "plotly",
    "papermill",
    "pydantic",
)

each_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)


def tree(path: Path) -> ast.Module:
    """Return the module's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> set[str]:
    """Return the full names of everything a module imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.stem}: imports of the package are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def own(names: set[str]) -> set[str]:
    """Return the modules of the package among imported names."""
    return {name.split(".")[1] for name in names if name.startswith("clv.") and not name.startswith("clv.__")}


def calls(path: Path) -> list[tuple[str, str]]:
    """Return (what stands before the last dot, called name) of every call in a module."""
    functions = [node.func for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    names = [(ast.unparse(func.value), func.attr) for func in functions if isinstance(func, ast.Attribute)]
    return names + [("", func.id) for func in functions if isinstance(func, ast.Name)]


@each_module
def test_every_module_has_a_layer_and_stands_on_the_map(path):
    assert path.stem in DEPTH, "give it a layer in this test and a place in the map in clv/__init__.py"
    assert re.search(rf"\b{path.stem}\b", clv.__doc__ or "")


@each_module
def test_a_module_imports_only_from_its_own_layer_and_those_above(path):
    below = {module for module in own(imported(path)) if DEPTH[module] > DEPTH[path.stem]}
    assert not below


@each_module
def test_the_first_line_says_what_the_module_is_responsible_for(path):
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert re.match(r'^""".{20,}[.:;]?("""|)$', first), first


@each_module
def test_only_the_face_draws(path):
    libraries = {name.split(".")[0] for name in imported(path)}
    assert path.stem in {"plots", "charts", "style"} or not libraries & PLOTTING


@each_module
def test_only_run_imports_papermill(path):
    assert path.stem == "run" or "papermill" not in {name.split(".")[0] for name in imported(path)}


@each_module
def test_only_sampling_calls_a_sampler(path):
    samplers = {(before, name) for before, name in calls(path) if before in {"pm", "pymc", "nutpie"}}
    samplers = {call for call in samplers if call[1] in {"sample", "sample_smc", "fit", "find_MAP"}}
    samplers |= {(before, name) for before, name in calls(path) if name == "fit" and "model" in before.lower()}
    assert path.stem == "sampling" or not samplers
    assert path.stem == "sampling" or "nutpie" not in {name.split(".")[0] for name in imported(path)}


@each_module
def test_only_the_disk_and_the_runner_touch_files(path):
    touches = {name for _, name in calls(path) if name in READS_OR_WRITES}
    assert path.stem in MAY_TOUCH_FILES or not touches


@each_module
def test_nothing_happens_at_import(path):
    harmless = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
    # A constant, a branch for type checkers or __main__, or a loop that fills a constant of its module.
    also = (ast.If, ast.For)
    for node in tree(path).body:
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        assert is_text or isinstance(node, harmless + also), f"{path.stem}, line {node.lineno}"


@each_module
def test_nothing_is_pickled(path):
    libraries = {name.split(".")[0] for name in imported(path)}
    assert not libraries & {"pickle", "joblib", "cloudpickle", "dill"}
    assert "allow_pickle=True" not in path.read_text(encoding="utf-8")


def seconds_and_modules(statement: str) -> tuple[float, set[str]]:
    """Return how long a statement takes in a fresh interpreter, and the libraries it brought in."""
    code = f"import sys, time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t, *sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root())
    seconds, *modules = result.stdout.split()
    return float(seconds), {module.split(".")[0] for module in modules}


def test_importing_the_package_is_quick_and_brings_nothing_heavy():
    seconds, modules = seconds_and_modules("import clv")
    assert seconds < 0.1
    assert not modules & set(HEAVY)


def test_preparing_a_run_brings_nothing_heavier_than_pydantic():
    _, modules = seconds_and_modules("import clv.run")
    assert modules & set(HEAVY) == {"pydantic"}
