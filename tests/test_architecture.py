"""The rooms of the package: who may import whom, what a face shows, and what only one room may do."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from pathlib import Path

import pytest
import rooms
from rooms import FOLDERS, MODULES, ROOMS, imported, name, own, room, tree

import clv
from clv.run.artefacts import NOTEBOOKS, root

MOST_LINES = 250
PLOTTING = {"matplotlib", "plotly", "arviz_plots", "seaborn", "bokeh"}
READS_OR_WRITES = {
    *("open", "read_csv", "read_parquet", "to_csv", "to_parquet", "to_netcdf", "open_datatree", "from_netcdf"),
    *("read_text", "write_text", "read_bytes", "write_bytes", "write_html", "savez", "load_dataset"),
}
MAY_TOUCH_FILES = {
    "progress",
    "forecast.cluster",  # the text of this package, by which workers are told from strangers
    "transactions.reading",
    "transactions.files",
    "report.page.html",
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
# A notebook opens so many doors: rooms it takes names from.
MOST_DOORS = dict(zip(NOTEBOOKS, (4, 6, 7, 6, 9, 6), strict=True))


def each_module(test: Callable[[Path], None]) -> Callable[[], None]:
    """Make a test of one module a test of all of them, which names the one that fails."""

    @wraps(test)
    def of_all() -> None:
        for path in MODULES:
            try:
                test(path)
            except AssertionError as error:
                error.add_note(f"in {name(path)}")
                raise

    del of_all.__wrapped__  # pytest would ask for `path`
    return of_all


each_room = pytest.mark.parametrize("folder", FOLDERS)


def calls(path: Path) -> list[tuple[str, str]]:
    """Return (what stands before the last dot, called name) of every call in a module."""
    functions = [node.func for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    names = [(ast.unparse(func.value), func.attr) for func in functions if isinstance(func, ast.Attribute)]
    return names + [("", func.id) for func in functions if isinstance(func, ast.Name)]


@each_module
def test_every_module_is_in_a_room_that_stands_on_the_map(path):
    assert room(name(path)) in ROOMS, "a new room gets its place in tests/rooms.py"
    assert re.search(rf"^{room(name(path))}\b", clv.__doc__ or "", re.MULTILINE)


@each_module
def test_a_module_imports_only_from_its_own_room_and_those_above(path):
    depth = ROOMS.index(room(name(path)))
    assert not {module for module in own(path) if ROOMS.index(room(module)) > depth}


def test_no_modules_import_each_other_in_a_circle():
    waiting = {name(path): own(path) - {name(path)} for path in MODULES}
    while ready := [module for module, needed in waiting.items() if not needed & set(waiting)]:
        for module in ready:
            del waiting[module]
    assert not waiting


def test_contributors_see_who_imports_whom():
    assert rooms.listing() in (root() / "CONTRIBUTING.md").read_text(encoding="utf-8"), "paste what `make rooms` prints"


@each_room
def test_the_readme_says_where_to_change_what_a_room_is_about(folder):
    readme = (root() / "README.md").read_text(encoding="utf-8")
    assert f"`clv/{folder}/" in readme
    assert f"tests/{folder}/" in readme and (root() / "tests" / folder).is_dir()


def test_the_readme_leads_to_places_that_exist():
    readme = (root() / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\(([^)#]+)", readme) + re.findall(r"`(tests/[\w/.]*)`", readme)
    assert len(linked) > 20
    assert [place for place in linked if not (root() / place).exists()] == []
    assert len(readme.splitlines()) <= 120


def test_make_lists_every_target():
    makefile = (root() / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)) - {"help"}
    listed = re.findall(r"^(?:USERS|AUTHORS) := (.*)$", makefile, re.MULTILINE)
    assert targets == {name for names in listed for name in names.split()}


@each_module
def test_no_module_is_too_long_to_read_at_once(path):
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len(lines) <= MOST_LINES


@each_module
def test_the_first_line_says_what_the_module_is_responsible_for(path):
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert re.match(r'^""".{20,}[.:;]?("""|)$', first) or name(path) == "units", first


def defined(path: Path) -> set[str]:
    """Return the names that a module defines."""
    bound = [node.targets if isinstance(node, ast.Assign) else [node] for node in tree(path).body]
    return {getattr(node, "id", getattr(node, "name", "")) for nodes in bound for node in nodes}


@each_room
def test_a_face_has_all_that_its_stub_declares_and_no_module_of_such_a_name(folder):
    place = root() / "clv" / folder
    modules = {path.stem for path in place.glob("*.py")}
    stub = ast.parse((place / "__init__.pyi").read_text(encoding="utf-8"))
    declared = {alias.name: node.module for node in stub.body for alias in node.names}
    assert all(alias.asname == alias.name for node in stub.body for alias in node.names)
    assert set(declared) == set(import_module(f"clv.{folder}").__all__)
    for door, module in declared.items():
        home = defined(place / f"{module.replace('.', '/')}.py") if module else modules
        assert door in home, f"{folder}: {module} has no {door}"
        assert module is None or door not in modules, f"{folder}.{door} would hide a module"


def test_a_door_that_is_no_door_is_an_error_of_its_own_kind():
    with pytest.raises(AttributeError, match="no_such_door"):
        import_module("clv.rfm").no_such_door  # noqa: B018


@each_room
def test_a_face_shows_nothing_that_no_notebook_uses(folder):
    used = {door for notebook in NOTEBOOKS for at, door in doors(notebook) if at == folder}
    assert set(import_module(f"clv.{folder}").__all__) <= used


def doors(notebook: str) -> set[tuple[str, str]]:
    """Return (room, name) of all that a notebook takes from the package."""
    cells = json.loads((root() / "notebooks" / f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
    code = ast.parse("\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"))
    named = [node for node in ast.walk(code) if isinstance(node, ast.ImportFrom) and str(node.module).startswith("clv")]
    found = {(node.module[4:], alias.name) for node in named for alias in node.names if node.module != "clv"}
    faces = {alias.name for node in named for alias in node.names if node.module == "clv"}
    uses = [node for node in ast.walk(code) if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)]
    return found | {(node.value.id, node.attr) for node in uses if node.value.id in faces}


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_a_notebook_opens_few_doors_and_only_faces(notebook):
    opened = {at for at, _ in doors(notebook)}
    assert opened <= set(FOLDERS)
    assert len(opened) <= MOST_DOORS[notebook]


@each_module
def test_only_the_report_draws(path):
    libraries = {full.split(".")[0] for full in imported(path)}
    assert name(path).startswith(("report.charts", "report.figures")) or not libraries & PLOTTING


@each_module
def test_only_the_runner_imports_papermill(path):
    assert name(path) == "run.execute" or "papermill" not in {full.split(".")[0] for full in imported(path)}


@each_module
def test_only_one_module_calls_a_sampler(path):
    samplers = {(before, call) for before, call in calls(path) if before in {"pm", "pymc", "nutpie"}}
    samplers = {call for call in samplers if call[1] in {"sample", "sample_smc", "fit", "find_MAP"}}
    samplers |= {(before, call) for before, call in calls(path) if call == "fit" and "model" in before.lower()}
    assert name(path) == "models.nuts" or not samplers
    assert name(path) == "models.nuts" or "nutpie" not in {full.split(".")[0] for full in imported(path)}


@each_module
def test_only_the_runner_and_the_reading_of_logs_touch_files(path):
    touches = {call for _, call in calls(path) if call in READS_OR_WRITES}
    assert room(name(path)) == "run" or name(path) in MAY_TOUCH_FILES or not touches


@each_module
def test_nothing_happens_at_import(path):
    harmless = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
    # A constant, a branch for type checkers, or a loop that fills a constant of its module.
    also = (ast.If, ast.For)
    for node in tree(path).body:
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        assert is_text or isinstance(node, harmless + also), f"{name(path)}, line {node.lineno}"


@each_module
def test_nothing_is_pickled(path):
    libraries = {full.split(".")[0] for full in imported(path)}
    on_the_way = {"pickle"} if name(path) == "forecast.cluster" else set()  # to workers and back, as Spark itself does
    assert not libraries & {"pickle", "joblib", "cloudpickle", "dill"} - on_the_way
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
    _, modules = seconds_and_modules("import clv.run.commands")
    assert modules & set(HEAVY) == {"pydantic"}


@pytest.mark.slow  # all that these notebooks load
@pytest.mark.parametrize(
    ("notebook", "never"),
    [
        *(("01_generate", "numba"), ("02_rfm", "numba"), ("06_report", "numba")),
        *(("05_segments", "pymc_marketing"), ("05_segments", "nbformat"), ("06_report", "nbformat")),
    ],
)
def test_no_notebook_waits_for_what_it_does_not_use(notebook, never):
    opened = "; ".join(f"from clv.{at} import {door}" for at, door in sorted(doors(notebook)))
    _, modules = seconds_and_modules(opened)
    assert never not in modules


@pytest.mark.slow
def test_a_page_is_rendered_without_what_computes():
    _, modules = seconds_and_modules("import clv.report.page.html")
    assert not modules & {"pandas", "numba", "scipy"}
