"""The page made from an executed notebook: readable, self-contained, and deaf to what stands in the data."""

import base64
import json
import re
from html.parser import HTMLParser
from importlib.resources import files

import nbformat
import numpy as np
import plotly.graph_objects as go
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from test_charts import CHARTS

from clv.report.page.chart_table import as_csv, chart_table
from clv.report.page.html import _plotly, render
from clv.report.page.mime import downloads
from clv.run.artefacts import root

PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "</script><script>alert(1)</script>",
    "<a href='javascript:alert(1)'>x</a>",
    "{{ 7 * 7 }}",
]
OUR_SCRIPTS = {
    (root() / "clv" / "report" / "page" / name).read_text().strip() for name in ("page.js", "tables.js", "charts.js")
}


class Live(HTMLParser):
    """Finds what a browser would run: handlers, script addresses, and scripts that are not our template's."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.runs = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note handlers and script addresses."""
        self.found += [f"{tag} {name}" for name, value in attrs if name.startswith("on") or is_script(value)]
        self.runs = tag == "script" and dict(attrs).get("type") is None

    def handle_data(self, data: str) -> None:
        """Note the content of a script that is not ours."""
        if self.runs and data.strip() not in OUR_SCRIPTS:
            self.found.append(data)
        self.runs = False


def is_script(value: str | None) -> bool:
    """Tell whether an attribute's value is a script's address."""
    return (value or "").strip().lower().startswith("javascript:")


def page(*cells: nbformat.NotebookNode, show_code: bool = True) -> str:
    """Return the page of a notebook made of these cells."""
    return render(new_notebook(cells=list(cells)), title="a title", show_code=show_code, footer="Run x")


def shown(mime: str, content: object, **metadata: object) -> nbformat.NotebookNode:
    """Return a code cell that showed something."""
    return new_code_cell("show()", outputs=[new_output("display_data", {mime: content}, metadata=metadata)])


def chart(title: str) -> dict[str, object]:
    """Return a small plotly figure."""
    return {"data": [{"type": "bar", "x": [title], "y": [1]}], "layout": {"title": {"text": title}}}


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_in_the_data_becomes_a_script(payload):
    cells = [
        new_markdown_cell(
            f"# {payload}\n\n{payload} $x {payload}$ $\\text{{{payload}}}$ [{payload}](javascript:alert(1))"
        ),
        new_code_cell(payload, outputs=[new_output("stream", name="stdout", text=payload)]),
        shown("text/html", f"<table><caption>{payload}</caption><tr><td>{payload}</td></tr></table>"),
        shown("text/markdown", payload),
        shown("text/latex", f"$\\text{{{payload}}}$"),
        shown("text/plain", payload),
        shown("application/vnd.plotly.v1+json", chart(payload)),
        shown("application/vnd.clv.downloads+json", [{"name": f"{payload}.csv", "text": payload}]),
        shown("image/png", "QUJD", alt=payload),
    ]
    text = re.sub(r'<script type="text/plain".*?</script>', "", page(*cells), flags=re.DOTALL)
    assert Live(text).found == []
    assert "49" not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)


def test_the_check_for_scripts_finds_them():
    assert Live("<script>alert(1)</script>").found == ["alert(1)"]
    assert Live("<img src=x onerror=alert(1)>").found == ["img onerror"]
    assert Live("<a href=' JavaScript:alert(1)'>x</a>").found == ["a href"]


def test_a_page_bears_the_title_logo_and_colour_of_whose_it_is():
    own = {"title": "Acme <b>&</b> sons", "logo": "data:image/png;base64,AAAA", "accent": "#0072b2"}
    book = new_notebook(cells=[new_markdown_cell("# Worth it")])
    text = render(book, title="x", show_code=False, letterhead=own)
    assert "<title>Acme &lt;b&gt;&amp;&lt;/b&gt; sons: Worth it</title>" in text
    assert '<img src="data:image/png;base64,AAAA" alt="">' in text
    assert ":root { --accent: #0072b2; }" in text
    for plain in ("<header", "--accent:"):
        assert plain not in page(new_markdown_cell("# Worth it"))


def test_the_page_asks_nobody_for_anything():
    text = page(new_markdown_cell("# A\n\n$x$"), shown("application/vnd.plotly.v1+json", chart("a")))
    assert "default-src 'none'" in text
    assert "unsafe-inline" not in text.partition("script-src")[2].partition(";")[0]
    ours = re.sub(r'<script type="text/plain".*?</script>', "", text, flags=re.DOTALL)
    assert not re.findall(r"(?:src|href|url\()\s*=?[\"'(]?(?:https?:)?//", ours)


def test_plotly_is_carried_once_and_only_when_there_is_a_chart():
    with_two = page(*(shown("application/vnd.plotly.v1+json", chart(name)) for name in "ab"))
    assert with_two.count('id="plotly-js"') == 1
    assert 500_000 < len(with_two) < 900_000
    assert len(page(new_markdown_cell("no chart"))) < 20_000


def test_a_chart_is_named_by_its_title_and_says_why_it_may_be_missing():
    text = page(shown("application/vnd.plotly.v1+json", chart("Value by <b>segment</b>")))
    assert re.search(r'<p class="title" id="chart-1">Value by\s+segment\s*</p>', text)
    assert '<figure class="chart" aria-labelledby="chart-1">' in text


def test_the_numbers_of_a_chart_are_a_table_and_a_file_also_where_nothing_draws_it():
    drawn = go.Figure()
    drawn.add_bar(x=["Q1", "Q2"], y=np.array([1200.0, 0.25]), name="came")
    drawn.add_scatter(x=[1, 2, 2, 1], y=[5, 6, 3, 2], fill="toself", name="likely")
    drawn.add_scatter(x=["Q2"] * 3, y=[0.1, 0.5, None], mode="lines", name="range")
    drawn.add_heatmap(x=[1], y=["A"], z=[[0.5]])
    table = chart_table(json.loads(drawn.to_json()))
    assert list(table.columns) == ["came", "likely, upper", "likely, lower", "range", "1"]
    assert [list(row) for row in table.itertuples(name=None)] == [
        ["Q1", "1,200", "", "", "", ""],
        ["Q2", "0.25", "", "", "0.1 to 0.5", ""],
        ["1", "", "5", "2", "", ""],
        ["2", "", "6", "3", "", ""],
        ["A", "", "", "", "", "0.5"],
    ]
    assert as_csv(table).splitlines()[1] == '"Q1","1200","","","",""'
    assert '<th scope="row" class="word">Q1</th>' in page(
        shown("application/vnd.plotly.v1+json", json.loads(drawn.to_json()))
    )


def test_the_bundle_draws_every_kind_of_trace_that_charts_have():
    bundle, release = _plotly()[0], re.compile(r"plotly\.js (?:\(cartesian - minified\) )?v([\d.]+)")
    kinds = {drawn.type for draw in CHARTS.values() for drawn in draw().data}
    assert kinds == {"bar", "heatmap", "scatter"}
    assert all(re.search(rf'name:"{kind}"', bundle) for kind in kinds)
    assert not re.search(r'name:"choropleth"', bundle)  # a kind that it leaves out
    whole = (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    assert release.search(bundle[:200])[1] == release.search(whole[:200])[1]


def test_a_cell_may_be_folded_behind_a_line_for_readers():
    cell = shown("text/markdown", "**Ranking.** Good.")
    cell.metadata["tags"] = ["folded: More <tests>"]
    book = new_notebook(cells=[cell])
    folded = '<details class="more" open><summary>More &lt;tests&gt;</summary>'
    assert folded in render(book, title="x", show_code=False)
    assert folded not in render(book, title="x", show_code=True)


def test_formulas_are_set_and_prices_are_not():
    text = page(new_markdown_cell(r"$\alpha$ costs $5 to $6, and $$P = \frac{1}{2}$$"))
    assert text.count("<math") == 2
    assert "costs $5 to $6, and" in text


def test_a_formula_that_cannot_be_set_is_shown_as_it_is():
    assert r"<code>\frac{</code>" in page(new_markdown_cell(r"$\frac{$"))


def test_headings_have_ids_that_the_contents_reach():
    text = page(new_markdown_cell("# A page\n## First\n## Second\n## Second\n"))
    assert "<title>A page</title>" in text
    targets = re.findall(r'<a href="#([^"]+)"', text)
    assert targets == ["first", "second", "second-2"]
    assert all(f'id="{target}"' in text for target in targets)


def test_headers_say_what_they_head_and_a_table_is_named_by_its_caption_or_its_heading():
    table = (
        "<table><caption>Who &amp; what</caption><thead><tr><th>a</th></tr></thead>"
        "<tbody><tr><th>b</th></tr></tbody></table>"
    )
    text = page(new_markdown_cell("## Part"), shown("text/html", table), new_markdown_cell("| x |\n| --- |\n| y |"))
    assert '<th scope="col">a</th>' in text and '<th scope="row">b</th>' in text and '<th scope="col">x</th>' in text
    assert re.findall(r'<div class="table" role="group" aria-label="(.*?)" tabindex="0">', text) == [
        "Who &amp; what",
        "Table: Part",
    ]


def test_files_are_carried_in_the_page_byte_for_byte():
    carried = downloads({"a.csv": "ä,b\n1,2\n", "k.json": "{}"})._repr_mimebundle_()
    text = page(new_code_cell("x", outputs=[new_output("display_data", carried)]))
    links = re.findall(r'<a href="data:([a-z/]+);charset=utf-8;base64,([^"]+)" download="([^"]+)">', text)
    assert [(kind, name) for kind, _, name in links] == [("text/csv", "a.csv"), ("application/json", "k.json")]
    assert base64.b64decode(links[0][1]).decode() == "ä,b\n1,2\n"


def test_what_needs_its_own_style_sheet_is_shown_as_text():
    output = new_output("display_data", {"text/html": "<style>x</style><div>looks</div>", "text/plain": "reads"})
    text = page(new_code_cell("x", outputs=[output]))
    assert "reads" in text
    assert "looks" not in text


def test_pictures_say_what_they_show():
    assert 'alt="a line"' in page(shown("image/png", "QUJD", **{"image/png": {"alt": "a line"}}))
    described = {"image/png": {"alt": "Lines. A < B.", "caption": "A < B."}}
    assert "<figcaption>A &lt; B.</figcaption>" in page(shown("image/png", "QUJD", **described))
    assert 'alt="Figure: Shape"' in page(new_markdown_cell("## Shape"), shown("image/png", "QUJD"))


def test_code_is_open_for_analysts_and_behind_a_button_for_readers():
    cell = new_code_cell("answer = 42")
    assert '<details class="code" open>' in page(cell)
    for_readers = page(cell, show_code=False)
    assert '<details class="code folded" hidden>' in for_readers
    assert '<button type="button" id="toggle-code"' in for_readers


def test_the_parameters_shown_are_those_of_the_run():
    declared = new_code_cell("seed: int = 1", metadata={"tags": ["parameters"]})
    injected = new_code_cell("seed = 777", metadata={"tags": ["injected-parameters"]})
    text = page(declared, injected)
    assert "777" in text
    assert "int" not in re.sub(r"<(style|meta|script).*?>.*?</\1>", "", text.partition("<main>")[2], flags=re.DOTALL)


def test_colour_codes_of_the_terminal_are_removed():
    stream = new_output("stream", name="stdout", text="\x1b[31mred\x1b[0m")
    assert ">red</pre>" in page(new_code_cell("x", outputs=[stream]))


def test_text_for_authors_stays_out_of_a_page_without_code():
    cell = new_markdown_cell("*Reads* nothing", metadata={"tags": ["for-authors"]})
    book = new_notebook(cells=[new_markdown_cell("# Title"), cell])
    assert "nothing" not in render(book, title="x", show_code=False)
    assert "nothing" in render(book, title="x", show_code=True)
