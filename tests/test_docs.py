"""The documentation: every link leads somewhere, every door is documented, and what it says of commands is so."""

import ast
import importlib.util
import inspect
import posixpath
import re
from collections.abc import Iterator
from types import ModuleType

import pytest
import yaml

import clv
from clv.errors import ClvError
from clv.run.analysis import Fit
from clv.run.artefacts import root
from clv.run.commands import INTERRUPTED, _parser
from clv.run.outlook import Outlook
from clv.run.params import Params

DOCS = root() / "docs"
WRITTEN = [*(root() / name for name in ("README.md", "CONTRIBUTING.md")), *sorted(DOCS.glob("*.md"))]
DOORS = [
    clv.fit,
    clv.load,
    *(member for name, member in vars(Fit).items() if inspect.isfunction(member) and name[0] != "_"),
]
LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    """What makes the pages whose home is elsewhere, as the builder of the site loads it: by its file."""
    spec = importlib.util.spec_from_file_location("hooks", DOCS / "hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made(hooks) -> dict[str, str]:
    """Return the pages of the site that no file of docs/ holds."""
    return dict(hooks.pages())


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


def links(text: str) -> Iterator[tuple[str, str]]:
    """Yield place and anchor of each link that stays inside the project."""
    for target in LINK.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        if "://" not in target:
            place, _, anchor = target.partition("#")
            yield place, anchor


@pytest.mark.parametrize("file", WRITTEN, ids=lambda file: file.name)
def test_a_link_leads_to_a_file_and_a_heading_that_exist(file):
    for place, anchor in links(file.read_text(encoding="utf-8")):
        target = (file.parent / place).resolve() if place else file
        assert target.exists(), place
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), f"{place}#{anchor}"


def test_a_page_of_the_site_links_to_pages_of_the_site(made):
    there = {file.name for file in DOCS.iterdir()} | set(made)
    for page, text in made.items():
        for place, _ in links(text):
            target = posixpath.normpath(posixpath.join(posixpath.dirname(page), place))
            assert target in there or target.startswith("run/"), f"{page} links to {place}"


def test_every_page_is_in_the_navigation_once(made):
    def places(entries: list) -> Iterator[str]:
        for entry in entries:
            for one in entry.values() if isinstance(entry, dict) else [entry]:
                yield from places(one) if isinstance(one, list) else [one]

    settings = yaml.safe_load((root() / "mkdocs.yml").read_text(encoding="utf-8"))
    assert sorted(places(settings["nav"])) == sorted([*(file.name for file in DOCS.glob("*.md")), *made])
    assert settings["theme"]["font"] is False


def test_the_gallery_shows_every_chart_of_a_run_under_its_section(hooks, tmp_path, monkeypatch):
    monkeypatch.setenv("CLV_OUTPUTS", str(tmp_path))
    assert "make report" in dict(hooks.pages())["gallery.md"]
    figures = tmp_path / hooks.RUN / "figures"
    figures.mkdir(parents=True)
    for name in ("01-cohorts.png", "02-cohorts.png", "03-what-to-do.png"):
        (figures / name).touch()
    (figures.parent / "manifest.json").touch()
    told = dict(hooks.pages())["gallery.md"]
    assert [line for line in told.splitlines() if line.startswith("## ")] == ["## Cohorts", "## What to do"]
    assert [place for place, _ in links(told) if place.endswith(".png")] == [
        f"run/{picture.name}" for picture in sorted(figures.iterdir())
    ]


def test_every_setting_is_on_its_page_with_what_it_may_be(made):
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", made["settings.md"], re.MULTILINE))
    assert set(rows) == set(Params.model_fields)
    assert rows["horizon_weeks"] == "integer ≥ 1 ≤ 520 | `52` | Weeks ahead that are valued. Changed by whoever plans."
    assert rows["refunds"].startswith('net, drop, reject | `"net"` | ')
    assert rows["calibration_end"].startswith("date or null | `null` | ")


def test_every_door_of_a_room_is_on_the_room_s_page_and_says_what_it_is(made):
    for room in ("models", "transactions", "rfm", "checks", "forecast", "backtest", "decisions", "report", "run"):
        face, page = importlib.import_module(f"clv.{room}"), made[f"reference/{room}.md"]
        for name in face.__all__:
            assert re.search(rf"^(::: clv\.{room}[\w.]*\.|## ){name}$", page, re.MULTILINE), f"{room}.{name}"
        for module, name in re.findall(rf"^::: clv\.{room}\.(\w[\w.]*)\.(\w+)$", page, re.MULTILINE):
            defs = ast.parse((root() / f"clv/{room}/{module.replace('.', '/')}.py").read_text(encoding="utf-8")).body
            (door,) = (one for one in defs if getattr(one, "name", "") == name)
            assert ast.get_docstring(door), f"{room}.{name}"


def section(door: object, title: str) -> str:
    """Return what a docstring says under a heading of numpydoc's, nothing if it has none."""
    found = re.search(rf"^{title}\n-+\n(.*?)(?=\n\n\w+\n-+\n|\Z)", inspect.getdoc(door) or "", re.DOTALL | re.MULTILINE)
    return found[1] if found else ""


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__qualname__)
def test_a_public_door_says_what_it_takes_and_returns_and_shows_an_example(door):
    takes = [name for name in inspect.signature(door).parameters if name != "self"]
    told = re.findall(r"^(\w[\w, ]*)$", section(door, "Parameters"), re.MULTILINE)
    assert [name for names in told for name in names.split(", ")] == takes
    assert section(door, "Returns")
    assert ">>> " in section(door, "Examples")


@pytest.mark.parametrize("kind", [Fit, Outlook])
def test_what_a_door_returns_says_what_it_holds(kind):
    assert set(re.findall(r"^(\w+) : ", section(kind, "Attributes"), re.MULTILINE)) == set(kind.__annotations__)
    assert all(inspect.getdoc(member) for name, member in vars(kind).items() if name[0] != "_")


def test_exit_codes_and_commands_are_those_that_there_are():
    page = (DOCS / "schedule.md").read_text(encoding="utf-8")
    kinds = [ClvError, *ClvError.__subclasses__()]
    assert set(re.findall(r"^\| (\d+) ", page, re.MULTILINE)) == {str(kind.exit_code) for kind in kinds} | {
        "0",
        str(INTERRUPTED),
    }
    known = _parser()._subparsers._group_actions[0].choices
    texts = [file.read_text(encoding="utf-8") for file in WRITTEN]
    said = {command for text in texts for command in re.findall(r"\.venv/bin/clv ([\w-]+)", text)}
    assert {"report", "refresh", "verify"} <= said <= set(known)
    (recipe,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert yaml.safe_load(recipe)["jobs"]["report"]["steps"]
