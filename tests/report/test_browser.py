"""Pages as a reader meets them: in a browser without a network, on a phone, in the dark, by keyboard and on paper.

Needs an installed Chromium. With CLV_RUN=<folder of a run> that run's pages are looked at as well.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from playwright.sync_api import Browser, Locator, Page, sync_playwright
from test_cards import CUSTOMERS, SEGMENTS
from test_charts import CHARTS
from test_report import FIGURES

from clv.report import display
from clv.report.display import headline
from clv.report.labels import label
from clv.report.markup import Words, markup, worded
from clv.report.page.html import render
from clv.report.page.mime import PLOTLY, downloads
from clv.report.tables.value import segments_table

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed, so no page was looked at"),
]
QUIET = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
DESK, PHONE = 1100, 390
DOT = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
LETTERHEAD = {"title": "Acme", "logo": f"data:image/gif;base64,{DOT}", "accent": "#0072b2"}
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
SEGMENTS_CSV = "group,clv\nChampions,1.5\nMüller & Söhne,2\n"
LONG = pd.DataFrame(
    {
        "Value": ["9", "1,250", "-3", "", "20", *map(str, range(100, 118))],
        "Share": [f"{share} %" for share in (10, 9, 100, 2, 0.5, *range(40, 58))],
        "Total": ["2,000 to 9,000", "300 to 9,999", "10 to 20", "1 to 2", *["5 to 6"] * 19],
    },
    index=pd.Index(["Lost", "Champions", *(f"Group {number}" for number in range(3, 24))], name="Group"),
)
MOVES = worded(
    {
        "Before": ["Loyal", "Potential loyalists", "Loyal", "At risk", "Lost", "Lost"],
        "Now": ["Champions", "Loyal", "At risk", "Lost", "Loyal", "At risk"],
        "Customers": ["60", "5", "4", "3", "2", "1"],
    },
    "Moves",
    by=2,
)
CHECKS = [
    {"part": "data", "name": name, "figure": 1.0, "limit": "< 2", "verdict": verdict, "sentence": "S."}
    for name, verdict in {"a": "PASS", "b": "WARN", "c": "PASS"}.items()
]


DRAWING = '<svg xmlns="http://www.w3.org/2000/svg" width="1000" height="400"><rect width="9" height="9"/></svg>'


def shown(**data: object) -> nbformat.NotebookNode:
    """Return a code cell that showed something; media types are given by their last part."""
    types = {"html": "text/html", "plotly": PLOTLY, "drawing": "image/svg+xml"}
    output = new_output("display_data", {types[name]: content for name, content in data.items()})
    return new_code_cell(
        "answer = 42  # too long a line for a phone, so it must scroll, by keyboard too", outputs=[output]
    )


def book() -> nbformat.NotebookNode:
    """Return a notebook with one of everything that a page can show."""
    label(SEGMENTS, currency="USD", interval=0.9)
    wide = pd.DataFrame({f"A wide column {n}": ["12,345,678 to 23,456,789"] for n in range(12)}, index=["x"])
    carried = downloads({"segments.csv": SEGMENTS_CSV})._repr_mimebundle_()
    return new_notebook(
        cells=[
            new_markdown_cell(
                "# A page\n\nWith $P(\\text{alive}) = \\frac{a}{b}$ and `code`.\n\n$$"
                + "x + y + " * 30
                + "z$$\n\n\n\n> **Take care.** Slippery."
            ),
            new_markdown_cell("## Charts\n\nLook."),
            *(
                shown(plotly=json.loads(draw().to_json()), **({} if place else {"drawing": DRAWING}))
                for place, draw in enumerate(CHARTS.values())
            ),
            new_markdown_cell("## Tables\n\n| a | b |\n| --- | --- |\n| x | y |"),
            shown(html=Words(LONG).captioned("A long table")._repr_html_()),
            shown(html=markup(wide)),
            shown(html=markup(MOVES)),
            shown(html=display.folded_checks(CHECKS).data),
            shown(html=headline(FIGURES).data),
            shown(html=segments_table(SEGMENTS, CUSTOMERS, FIGURES)._repr_html_()),
            new_markdown_cell("## Files"),
            new_code_cell("files", outputs=[new_output("display_data", carried)]),
            new_code_cell("print(1)", outputs=[new_output("stream", name="stdout", text="1 " * 400)]),
        ]
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return the browser that is installed here."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a page for readers, one for analysts, and the same notebook's page as nbconvert makes it."""
    folder, notebook = tmp_path_factory.mktemp("pages"), book()
    pages = {
        "readers": render(notebook, title="x", show_code=False, letterhead=LETTERHEAD),
        "analysts": render(notebook, title="x", show_code=True),
    }
    with pytest.warns(UserWarning, match="not able to be represented"):
        pages["stock"] = HTMLExporter().from_notebook_node(notebook)[0]
    for name, page in pages.items():
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in pages}


@pytest.fixture
def opened(browser: Browser, files: dict[str, Path]) -> Iterator[Callable[..., Page]]:
    """Return a function that opens the readers' page, its charts drawn."""
    contexts = []

    def open_page(width: int = DESK, **options: object) -> Page:
        contexts.append(browser.new_context(offline=True, viewport={"width": width, "height": 900}, **options))
        page = contexts[-1].new_page()
        page.goto(files["readers"].as_uri())
        if options.get("java_script_enabled", True):
            wait_for_charts(page)
        return page

    yield open_page
    for context in contexts:
        context.close()


def wait_for_charts(page: Page) -> None:
    """Return when the last chart that is not folded can be saved, which is when it is drawn."""
    if page.locator("figure.chart:visible").count():
        page.locator("figure.chart:visible .save").last.wait_for(timeout=60_000)


def faults(browser: Browser, file: Path, *, width: int, scheme: str) -> set[str]:
    """Return what is wrong with a page: requests, errors, missing charts, sideways scrolling, and what axe finds."""
    context = browser.new_context(offline=True, viewport={"width": width, "height": 900}, color_scheme=scheme)
    page, found = context.new_page(), set()
    page.on("request", lambda request: request.url.startswith("http") and found.add(f"request {request.url}"))
    page.on("console", lambda message: message.type in ("error", "warning") and found.add(f"console {message.text}"))
    page.on("pageerror", lambda error: found.add(f"error {error}"))
    page.goto(file.as_uri())
    wait_for_charts(page)
    if not 0 < page.locator("figure.chart").count() == page.locator("figure.chart .main-svg .bglayer").count():
        found.add("charts missing")
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.add("scrolls sideways")
    judged = Axe().run(page, options=RULES).response["violations"]
    found |= {f"axe {rule['id']}: {rule['nodes'][0]['html'][:200]}" for rule in judged}
    context.close()
    return found


@pytest.mark.parametrize(("width", "scheme"), [(DESK, "light"), (PHONE, "dark")])
@pytest.mark.parametrize("name", ["readers", "analysts"])
def test_a_page_has_no_fault(browser, files, name, width, scheme):
    assert faults(browser, files[name], width=width, scheme=scheme) == set()


def test_the_page_that_nbconvert_makes_has_faults_of_every_kind(browser, files):
    found = faults(browser, files["stock"], width=PHONE, scheme="light")
    assert {fault.split()[0] for fault in found} >= {"request", "console", "charts", "axe"}


RUN = Path(os.environ["CLV_RUN"]).resolve() if "CLV_RUN" in os.environ else None


@pytest.mark.skipif(RUN is None, reason="CLV_RUN names no run")
@pytest.mark.parametrize("width", [DESK, PHONE])
@pytest.mark.parametrize("name", ["report.html", "html/0[1-5]*.html"])
def test_pages_of_a_run_have_no_fault(browser, name, width):
    pages = sorted(RUN.glob(name))
    assert pages
    ignored = {"charts missing"}  # notebooks 01 to 04 have pictures instead
    for page in pages:
        assert faults(browser, page, width=width, scheme="dark") - ignored == set(), page
        assert page.stat().st_size < 3_000_000


def test_every_chart_is_drawn_as_wide_as_the_page_and_says_its_sentence(opened):
    figures = opened().locator("figure.chart").all()
    assert len(figures) == len(CHARTS)
    for figure in figures:
        place = figure.bounding_box()
        drawn = figure.locator(".main-svg").first.bounding_box()
        assert drawn["width"] == pytest.approx(place["width"], abs=2)
        assert len(figure.locator(".plot").get_attribute("aria-label")) > 60
        assert figure.locator("[role=img] a, [role=img] button").count() == 0


def test_numbers_above_bars_stand_where_they_have_room(opened):
    for width, there in ((DESK, True), (PHONE, False)):
        written = opened(width).locator(".bars :is(.bartext, .textpoint text)").all()
        assert written and {one.is_visible() for one in written} == {there}


def test_code_is_folded_and_opens_by_mouse_and_by_keyboard(opened):
    page = opened()
    code, button = page.locator("details.code pre").first, page.locator("#toggle-code")
    assert not code.is_visible()
    button.click()
    assert code.is_visible() and button.inner_text() == "Hide the code"
    button.focus()
    page.keyboard.press("Enter")
    assert not code.is_visible() and button.get_attribute("aria-expanded") == "false"


def test_contents_lead_to_their_headings_and_are_folded_on_a_phone(opened):
    page = opened()
    links = page.locator("nav a")
    assert links.all_text_contents() == ["Charts", "Tables", "Files"]
    page.locator("nav summary").click()
    links.nth(1).click()
    assert page.evaluate("location.hash") == "#tables"
    assert abs(page.locator("#tables").bounding_box()["y"]) < 100
    assert not opened(PHONE).locator("nav a").first.is_visible()


def long_table(page: Page) -> Locator:
    return page.locator("table", has=page.locator("caption", has_text="A long table"))


def column(table: Locator, number: int, *, rows: int = 3) -> list[str]:
    return [row.locator("th, td").nth(number).inner_text() for row in table.locator("tbody tr:visible").all()][:rows]


@pytest.mark.parametrize(
    ("head", "number", "first", "second"),
    [
        ("Value", 1, ["1,250", "117", "116"], ["-3", "9", "20"]),
        ("Share", 2, ["100 %", "57 %", "56 %"], ["0.5 %", "2 %", "9 %"]),
        ("Total", 3, ["2,000 to 9,000", "300 to 9,999", "10 to 20"], ["1 to 2", "5 to 6", "5 to 6"]),
        ("Group", 0, ["Champions", "Group 3", "Group 4"], ["Lost", "Group 23", "Group 22"]),
    ],
)
def test_a_column_sorts_by_its_numbers_or_words_and_goes_back(opened, head, number, first, second):
    table = long_table(opened())
    button, header = table.get_by_role("button", name=head), table.locator("thead th").nth(number)
    before = column(table, 0, rows=99)
    button.click()
    assert column(table, number) == first
    assert header.get_attribute("aria-sort") == ("ascending" if head == "Group" else "descending")
    button.press("Enter")
    assert column(table, number) == second
    assert table.locator("[aria-sort]").count() == 1
    button.press("Space")
    assert column(table, 0, rows=99) == before and table.locator("[aria-sort]").count() == 0


def test_what_is_blank_comes_last_whichever_way_the_rest_stands(opened):
    table = long_table(opened())
    for _ in range(2):
        table.get_by_role("button", name="Value").click()
        assert column(table, 1, rows=99)[-1] == ""


def test_a_long_table_can_be_filtered_and_a_short_one_need_not(opened):
    page = opened()
    boxes = page.get_by_role("searchbox")
    assert boxes.count() == 1
    boxes.fill("champ")
    assert column(long_table(page), 0, rows=99) == ["Champions"]
    assert page.locator(".filter:has(input) output").inner_text() == "1 of 23"
    boxes.fill("")
    assert len(column(long_table(page), 0, rows=99)) == 23


def test_a_file_comes_out_of_the_page_as_it_went_in(opened):
    page = opened()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="segments.csv").click()
    assert downloading.value.suggested_filename == "segments.csv"
    assert downloading.value.path().read_bytes() == SEGMENTS_CSV.encode()


def test_a_chart_is_saved_as_a_picture_named_by_its_title(opened):
    page = opened()
    with page.expect_download() as downloading:
        page.locator(".save").first.click()
    assert (
        downloading.value.suggested_filename
        == "all-customers-together-will-bring-10-0-to-110-eur-with-80-probability.png"
    )
    assert downloading.value.path().read_bytes().startswith(b"\x89PNG")


def test_without_javascript_the_page_is_complete(opened):
    page = opened(java_script_enabled=False)
    assert long_table(page).locator("tbody tr:visible").count() == 23
    for chart in page.locator("figure.chart").all():  # its picture, or its numbers where no browser drew one
        seen = [part.bounding_box()["height"] > 50 for part in chart.locator("img:visible, tbody:visible").all()]
        assert seen == [True]
    assert page.locator("details.more:not([open])").count() == 1  # the numbers of the one that has its picture
    assert page.locator("button:visible").count() == 0
    assert max(plot.bounding_box()["height"] for plot in page.locator(".plot").all()) < 10  # no blank boxes


def test_paper_gets_charts_of_its_width_and_neither_contents_nor_buttons(opened):
    page = opened()
    page.evaluate(
        "addEventListener('beforeprint', () => window.widths = "
        "[...document.querySelectorAll('.plot .main-svg')].map((svg) => svg.getBoundingClientRect().width))"
    )
    printed = page.pdf(format="A4")
    assert printed.startswith(b"%PDF") and 3 < printed.count(b"/Type /Page\n") < 20
    assert max(page.evaluate("widths")) <= 688  # 182 mm
    assert page.locator(".main-svg").first.bounding_box()["width"] > 688  # and the screen gets its own back
    page.emulate_media(media="print")
    for hidden in ("nav", "#toggle-code", ".save", ".filter", ".downloads"):
        assert not page.locator(hidden).first.is_visible()


def test_a_script_that_is_not_the_pages_own_never_runs(browser, files, tmp_path):
    smuggled = tmp_path / "smuggled.html"
    text = files["readers"].read_text(encoding="utf-8")
    smuggled.write_text(text.replace("</main>", "<script>document.title = 'taken'</script></main>"), encoding="utf-8")
    assert any("Content Security Policy" in fault for fault in faults(browser, smuggled, width=DESK, scheme="light"))


def test_a_dark_page_has_light_words_beside_its_charts(opened):
    colour = "(text) => getComputedStyle(text).fill"
    pages = {scheme: opened(color_scheme=scheme) for scheme in ("light", "dark")}
    words = {scheme: page.locator(".xtitle").first.evaluate(colour) for scheme, page in pages.items()}
    assert words == {"light": "rgb(90, 102, 115)", "dark": "rgb(169, 179, 190)"}


def test_a_reader_chooses_what_the_calendar_shows(opened):
    page = opened()
    calendar = chart_with(page, "Purchases by quarter")
    assert "Revenue (EUR)" in calendar.locator(".ytitle").text_content()
    assert calendar.locator(".textpoint text").all_text_contents() == ["210", "180"]  # of every quarter ahead
    before = calendar.locator(".plot").inner_text()
    calendar.locator("select").select_option(label="Purchases by quarter")
    calendar.locator(".ytitle", has_text="Purchases").wait_for()
    assert calendar.locator(".plot").inner_text() != before


def chart_with(page: Page, view: str) -> Locator:
    return page.locator("figure.chart", has=page.locator("option", has_text=view))


def test_a_reader_chooses_a_cohort_by_keyboard_and_all_come_back(opened):
    page = opened()
    lines = chart_with(page, "all cohorts").last
    title, curves = lines.locator(".title"), lines.locator(".scatterlayer .trace")
    before, finding = curves.count(), title.inner_text()
    lines.locator("select").focus()
    page.keyboard.press("ArrowDown")
    lines.locator(".xtitle", has_text="Months").wait_for()
    assert title.inner_text() == "A customer won in 2024-01 will have brought 25.0\u00a0EUR" and (
        before,
        curves.count(),
    ) == (8, 3)
    with page.expect_download() as downloading:
        lines.locator(".save").click()
    assert downloading.value.suggested_filename == "a-customer-won-in-2024-01-will-have-brought-25-0-eur.png"
    lines.locator("select").focus()
    page.keyboard.press("ArrowUp")
    assert curves.count() == before and title.inner_text() == finding


def test_a_cohort_of_the_triangle_stands_alone_with_its_figures(opened):
    page = opened()
    triangle = chart_with(page, "all cohorts").first
    names = triangle.locator(".yaxislayer-above text")
    assert set(names.all_text_contents()) == {"2024-01", "2024-02", "2024-03"}
    triangle.locator("select").select_option(label="2024-02")
    triangle.locator(".yaxislayer-above text", has_text="2024-01").wait_for(state="detached")
    assert names.all_text_contents() == ["2024-02"]


def test_a_table_of_groups_shows_the_rows_of_one_and_no_other_whose_name_holds_its_name(opened):
    page = opened()
    table = page.locator("table", has=page.locator("caption", has_text="Moves"))
    chosen = page.locator(".filter select")
    assert chosen.locator("optgroup").evaluate_all("groups => groups.map((group) => group.label)") == ["Before", "Now"]
    chosen.select_option(label="At risk")  # the first: before
    assert column(table, 2) == ["3"]
    assert chosen.locator("~ output").inner_text() == "1 of 6"
    chosen.select_option(label="all rows")
    chosen.focus()
    page.keyboard.type("Loyal")
    assert column(table, 2) == ["60", "4"]  # not those of potential loyalists
    table.get_by_role("button", name="Customers").click()
    table.get_by_role("button", name="Customers").click()
    assert column(table, 2) == ["4", "60"]  # sorted, it is still chosen
    chosen.select_option(label="all rows")
    assert len(column(table, 2, rows=9)) == 6


def test_what_is_folded_opens_by_keyboard_and_on_paper(opened):
    page = opened()
    folded = page.locator("details.more:not(.data)").first
    assert not folded.locator("table").first.is_visible()
    folded.locator("summary").focus()
    page.keyboard.press("Enter")
    assert folded.locator("table").first.is_visible()
    page.keyboard.press("Enter")
    count = "document.querySelectorAll('details.more[open]').length"
    page.evaluate(f"addEventListener('beforeprint', () => window.open_ones = {count})")
    page.pdf(format="A4")
    assert page.evaluate("open_ones") == page.locator("details.more:not(.data)").count()
    assert not folded.locator("table").first.is_visible()


def test_what_a_heading_means_is_told_to_who_points_and_to_the_keyboard(opened):
    page = opened()
    button = page.get_by_role("button", name="90 % range").first
    assert button.get_attribute("title").startswith("what comes lies inside")
    name = page.locator("tbody th abbr:visible", has_text="Champions").first
    name.focus()
    shown = name.evaluate("one => getComputedStyle(one, '::before').content")
    assert shown == '"among the most recent and most frequent buyers, by recency and frequency"'
