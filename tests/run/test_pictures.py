"""Charts as picture files: named by their place, drawn by a real browser, and no old ones left where none can draw."""

import json
import struct

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from test_browser import CHROMIUM
from test_charts import CHARTS, WINDOWS

from clv.report.charts.backtest import chart_windows
from clv.report.page.mime import PLOTLY
from clv.run import pictures
from clv.run.folder import Run
from clv.run.pictures import WIDTH


@pytest.fixture
def run(tmp_path, monkeypatch) -> Run:
    monkeypatch.setenv("CLV_OUTPUTS", str(tmp_path))
    (tmp_path / "test" / "figures").mkdir(parents=True)
    (tmp_path / "test" / "figures" / "01-old.png").write_bytes(b"of an earlier state")
    return Run("test")


def book(*names: str):
    """Return an executed notebook with a section and a subsection before the charts of these names."""
    shown = [
        new_code_cell("draw()", outputs=[new_output("display_data", {PLOTLY: json.loads(CHARTS[name]().to_json())})])
        for name in names
    ]
    heads = [new_markdown_cell("# A page"), new_markdown_cell("## What it is worth\n\nWords.\n\n### In all, 90 %")]
    return new_notebook(cells=[*heads, *shown, new_code_cell("1", outputs=[new_output("stream", text="1")])])


def names(run: Run) -> list[str]:
    return sorted(file.name for file in (run.folder / "figures").iterdir())


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed, so no picture was drawn")
def test_every_chart_becomes_a_picture_named_by_its_section(run):
    drawn = book("total", "windows")
    found, reason = pictures.write_pictures(drawn, run)
    assert reason == ""
    assert names(run) == [file.name for file in found] == ["01-in-all-90.png", "02-in-all-90.png"]
    content = found[0].read_bytes()
    assert content.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", content[16:24])
    assert (width, height) == (2 * WIDTH, 2 * (CHARTS["total"]().layout.height + 40))
    assert len(content) > 20_000  # not a blank sheet
    drawing = drawn.cells[2].outputs[0].data[pictures.DRAWING]
    assert drawing.startswith("<svg") and "<script" not in drawing
    title = CHARTS["total"]().layout.title.text
    assert title and title not in drawing  # a page writes it above
    again = book("total", "windows")
    pictures.write_pictures(again, run)
    assert [cell.outputs for cell in again.cells[2:]] == [cell.outputs for cell in drawn.cells[2:]]
    assert list(run.folder.glob(".figures*")) == []


def test_what_a_killed_run_left_half_drawn_is_cleared_away(run):
    (run.folder / ".figures.killed").mkdir()
    (run.folder / ".figures.killed" / "01-x.png").write_bytes(b"half")
    assert pictures.write_pictures(book(), run) == ([], "")
    assert list(run.folder.glob(".figures*")) == []


@pytest.mark.parametrize(("user", "sandboxed"), [(0, False), (1000, True)])
def test_the_browser_draws_in_its_sandbox_unless_it_runs_as_root(tmp_path, monkeypatch, user, sandboxed):
    (tmp_path / pictures.TASK).write_text("{}")
    asked = {}
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setattr("kaleido.write_fig_from_object_sync", lambda *_, kopts, **__: asked.update(kopts))
    assert pictures.main(tmp_path) == 0
    assert asked["enable_sandbox"] == sandboxed


@pytest.mark.slow
def test_without_a_browser_it_is_said_and_no_old_picture_stays(run, monkeypatch):
    monkeypatch.setenv("BROWSER_PATH", str(run.folder / "no-browser"))
    found, reason = pictures.write_pictures(book("total"), run)
    assert found == []
    assert reason.startswith("no Chrome or Chromium was found")
    assert names(run) == []


def install(run: Run, monkeypatch: pytest.MonkeyPatch, does: str) -> None:
    """Let a shell script be the machine's browser."""
    browser = run.folder / "browser"
    browser.write_text(f"#!/bin/sh\n{does}\n")
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER_PATH", str(browser))


@pytest.mark.slow
def test_a_browser_that_fails_costs_nobody_the_report(run, monkeypatch):
    install(run, monkeypatch, "exit 7")
    found, reason = pictures.write_pictures(book("total"), run)
    assert found == []
    assert reason == "figures/*.png could not be drawn; the page's buttons save pictures as well"
    assert names(run) == []


@pytest.mark.slow
def test_a_browser_that_never_answers_is_not_waited_for(run, monkeypatch):
    install(run, monkeypatch, "exec sleep 20")
    monkeypatch.setattr(pictures, "SECONDS", 3.0)
    found, reason = pictures.write_pictures(book("total"), run)
    assert found == []
    assert reason.startswith("figures/*.png took more than 3 seconds to draw;")
    assert names(run) == []


def test_a_chart_with_nothing_to_draw_is_no_picture(run):
    empty = new_output("display_data", {PLOTLY: json.loads(chart_windows(WINDOWS[:0]).to_json())})
    notebook = book()
    notebook.cells.append(new_code_cell("draw()", outputs=[empty]))
    assert pictures.write_pictures(notebook, run) == ([], "")


def test_a_notebook_without_charts_needs_no_browser(run, monkeypatch):
    monkeypatch.setenv("BROWSER_PATH", str(run.folder / "no-browser"))
    assert pictures.write_pictures(book(), run) == ([], "")
    assert names(run) == []
