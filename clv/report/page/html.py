"""An executed notebook becomes one self-contained HTML page: no request leaves it, no foreign script runs in it."""

import base64
import gzip
import hashlib
import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any
from xml.etree import ElementTree

import jinja2
from latex2mathml.converter import convert_to_element
from markupsafe import Markup
from nbconvert.filters import Highlight2HTML, strip_ansi
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors.sanitize import SanitizeHTML
from nbformat import NotebookNode

from clv.report.page.chart_table import as_csv, as_html, chart_table
from clv.report.page.mime import PLOTLY, WHAT_IF

DOWNLOADS = "application/vnd.clv.downloads+json"  # name and text of each file
MEDIA_TYPES = {"csv": "text/csv", "json": "application/json"}
FOR_AUTHORS = "for-authors"  # tag of text that a page without code leaves out
FOLDED = "folded: "  # begins the tag of a cell that a page without code hides behind a line, the rest of the tag
BUNDLE = "plotly-cartesian.min.js.gz"  # of the release that plotly.py carries whole: bars, lines, heat maps
IMAGES = ("image/svg+xml", "image/png", "image/jpeg")
SAFE_TAGS = [
    *("a", "abbr", "b", "blockquote", "br", "code", "details", "div", "em", "i", "mark", "p", "pre", "s", "small"),
    *("span", "strong", "sub", "summary", "sup", "u", "h2", "h3", "h4", "hr", "figure", "figcaption"),
    *("dl", "dt", "dd", "ol", "ul", "li"),
    *("table", "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "th", "td"),
]
SAFE_ATTRIBUTES = {
    "*": ["class", "style", "title"],
    "a": ["href"],
    "abbr": ["tabindex"],
    "details": ["open"],
    "td": ["colspan", "rowspan"],
} | {"th": ["colspan", "rowspan", "scope"]}
_BLANK = r"(?:&nbsp;|\xa0)?"  # pandas' corner above the row numbers
SAFE_STYLES = ["background-color", "color", "font-weight", "text-align", "white-space", "width"]


@dataclass(frozen=True)
class Downloads:
    """Files that a page carries within itself and offers as links: file name to text."""

    files: Mapping[str, str]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        files = [{"name": name, "text": text} for name, text in self.files.items()]
        return {DOWNLOADS: files, "text/plain": ", ".join(self.files)}


@dataclass
class Page:
    """What is collected while a notebook is rendered: headings for the table of contents, and whether it has charts."""

    headings: list[tuple[int, str, str]] = field(default_factory=list)
    has_charts: bool = False
    asks: bool = False

    def add_heading(self, level: int, text: str) -> str:
        """Note a heading and return an id that no other heading of the page has."""
        slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "section"
        taken = {name for _, name, _ in self.headings}
        name = next(name for name in (slug, *(f"{slug}-{n}" for n in range(2, 999))) if name not in taken)
        self.headings.append((level, name, text))
        return name

    @property
    def last_heading(self) -> str:
        """The heading above what is being rendered."""
        return self.headings[-1][2] if self.headings else "this page"


def render(notebook: NotebookNode, *, title: str, show_code: bool, footer: str = "", alert: str = "") -> str:
    """Return the page of an executed notebook; without `show_code` its code appears only at the press of a button."""
    page = Page()
    pieces = list(_pieces(notebook, page, show_code))
    asked = [name for name, there in (("charts.js", page.has_charts), ("whatif.js", page.asks)) if there]
    scripts = [_script(name) for name in ("page.js", "tables.js", *asked)]
    return _template().render(
        title=next((text for level, _, text in page.headings if level == 1), title),
        pieces=pieces,
        contents=[(name, text) for level, name, text in page.headings if level == 2],
        show_code=show_code,
        footer=footer,
        alert=alert,
        scripts=scripts,
        hashes=Markup(" ".join([*map(_hash, scripts), *([_hash(_plotly())] if page.has_charts else [])])),
        plotly_js=_packed_plotly() if page.has_charts else "",
    )


def _pieces(notebook: NotebookNode, page: Page, show_code: bool) -> Iterator[dict[str, Any]]:
    tags = [set(cell.metadata.get("tags", [])) for cell in notebook.cells]
    injected = any("injected-parameters" in cell_tags for cell_tags in tags)
    for cell, cell_tags in zip(notebook.cells, tags, strict=True):
        if cell.cell_type == "markdown":
            if show_code or FOR_AUTHORS not in cell_tags:
                yield {"text": _markdown(cell.source, page)}
        elif cell.cell_type == "code" and cell.source.strip() and not (injected and "parameters" in cell_tags):
            # Highlight2HTML escapes everything it colours.
            code = _reachable(Highlight2HTML(pygments_lexer="python3")(cell.source))
            outputs = [_output(output, page) for output in cell.outputs]
            folded = next((tag.removeprefix(FOLDED) for tag in sorted(cell_tags) if tag.startswith(FOLDED)), "")
            yield {"code": code, "outputs": outputs, "folded": "" if show_code else folded}


def _output(output: NotebookNode, page: Page) -> Mapping[str, Any]:
    if output.output_type == "stream":
        return {"kind": output.name, "text": strip_ansi(output.text)}
    if output.output_type == "error":
        return {"kind": "error", "text": strip_ansi("\n".join(output.traceback) or f"{output.ename}: {output.evalue}")}
    data = output.data
    if PLOTLY in data:
        return _chart(data[PLOTLY], page)
    if WHAT_IF in data:
        page.asks = True
        return {"kind": "whatif", **data[WHAT_IF], "json": _as_script(data[WHAT_IF])}
    if DOWNLOADS in data:
        return {"kind": "downloads", "files": [_download(**file) for file in data[DOWNLOADS]]}
    for mime in IMAGES:
        if mime in data:
            return _image(mime, data[mime], output.metadata, page)
    if "text/html" in data and _is_simple(data["text/html"]):
        return {"kind": "html", "html": _clean(data["text/html"], page)}
    if "text/markdown" in data:
        return {"kind": "html", "html": _markdown(data["text/markdown"], page)}
    if "text/latex" in data:
        return {"kind": "html", "html": _math(data["text/latex"].strip().strip("$"), display="block")}
    return {"kind": "plain", "text": strip_ansi(data.get("text/plain", ""))}


def _chart(figure: Mapping[str, Any], page: Page) -> Mapping[str, Any]:
    page.has_charts = True
    layout = figure.get("layout", {})
    title = layout.get("title", {})
    name = (title.get("text") if isinstance(title, Mapping) else title) or f"Chart: {page.last_heading}"
    drawn = {"data": figure.get("data", []), "layout": layout}
    header, rows = chart_table(drawn)
    return {
        "kind": "chart",
        "title": _plain(name),
        "height": int(layout.get("height") or 450),
        "table": Markup(_tables(as_html(header, rows, _plain(name)), page)) if rows else "",
        "csv": _download("chart.csv", as_csv(header, rows))["address"] if rows else "",
        "json": _as_script(drawn),
    }


def _as_script(content: Any) -> Markup:
    """Return JSON in which nothing can end the script element that holds it."""
    return Markup(json.dumps(content).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _download(name: str, text: str) -> Mapping[str, Any]:
    content, media_type = text.encode(), MEDIA_TYPES[name.rpartition(".")[2]]
    return {
        "name": name,
        "kilobytes": max(round(len(content) / 1000), 1),
        "address": f"data:{media_type};charset=utf-8;base64,{base64.b64encode(content).decode()}",
    }


def _image(mime: str, content: str, metadata: Mapping[str, Any], page: Page) -> Mapping[str, Any]:
    encoded = base64.b64encode(content.encode()).decode() if mime == "image/svg+xml" else content.replace("\n", "")
    said = {**metadata, **metadata.get(mime, {})}
    return {
        "kind": "image",
        "source": f"data:{mime};base64,{encoded}",
        "alt": said.get("alt") or f"Figure: {page.last_heading}",
        "caption": said.get("caption", ""),
    }


def _is_simple(content: str) -> bool:
    # Tables survive without their style sheet; other things that bring one, like xarray's, read better as text.
    return "xr-wrap" not in content and ("<table" in content or not re.search(r"<(style|script|input)\b", content))


def _clean(content: str, page: Page) -> Markup:
    content = re.sub(r"<(style|script)\b.*?</\1\s*>", "", content, flags=re.DOTALL | re.IGNORECASE)
    cleaner = SanitizeHTML(tags=SAFE_TAGS, attributes=SAFE_ATTRIBUTES, styles=SAFE_STYLES)
    content = re.sub(r"<p>\d+ rows × \d+ columns</p>", "", cleaner.sanitize_html_tags(content))
    return Markup(_tables(content, page))


def _tables(content: str, page: Page) -> str:
    """Let every table scroll in a box of its own, which the keyboard reaches, and say what its headers are about."""
    return re.sub(r"<table\b.*?</table>", lambda table: _table(table[0], page), content, flags=re.DOTALL)


def _table(table: str, page: Page) -> str:
    head, body_tag, body = _without_row_numbers(table).partition("<tbody")
    head = re.sub(r"<th(?=[ >])(?![^>]*scope)", '<th scope="col"', head)
    body = re.sub(r"<th(?=[ >])(?![^>]*scope)", '<th scope="row"', body)
    caption = re.search(r"<caption>(.*?)</caption>", head)
    name = html.escape(_plain(caption[1]) if caption else f"Table: {page.last_heading}")
    return f'<div class="table" role="group" aria-label="{name}" tabindex="0">{head}{body_tag}{body}</div>'


def _plain(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", markup))


def _without_row_numbers(table: str) -> str:
    numbers = re.findall(r"<tr[^>]*>\s*<th[^>]*>(\d+|\.\.\.)</th>", table)
    rows = len(re.findall(r"<tr\b", table.partition("<tbody")[2]))
    one_blank_corner = len(re.findall(rf"<tr[^>]*>\s*<th[^>]*>{_BLANK}</th>", table)) == 1
    if not numbers or len(numbers) != rows or numbers[0] != "0" or not one_blank_corner:
        return table
    return re.sub(rf"(<tr[^>]*>\s*)<th[^>]*>(\d+|\.\.\.|{_BLANK})</th>", r"\1", table)


def _markdown(source: str, page: Page) -> Markup:
    return _reachable(MarkdownWithMath(renderer=_Renderer(page)).render(source))


def _reachable(markup: str) -> Markup:
    """Let the keyboard scroll what is too wide for its page."""
    return Markup(markup.replace("<pre>", '<pre tabindex="0">'))


def _math(tex: str, *, display: str) -> Markup:
    try:
        formula = convert_to_element(tex, display=display)
    except Exception:  # what the converter cannot read, it cannot read in many ways; the reader sees the TeX
        return Markup("<code>{}</code>").format(tex)
    # The converter's own text output does not escape: \text{<script>} would become a script.
    for element in formula.iter():
        element.text = html.unescape(element.text) if element.text else element.text
        element.attrib.pop("href", None)
    if display == "block":
        formula.set("tabindex", "0")  # a long one scrolls
    return Markup(ElementTree.tostring(formula, encoding="unicode"))


class _Renderer(IPythonRenderer):
    """Markdown with headings noted, formulas as MathML, and raw HTML shown as text."""

    def __init__(self, page: Page) -> None:
        super().__init__(escape=True, allow_harmful_protocols=False)
        self.page = page

    def heading(self, text: str, level: int, **attrs: Any) -> str:
        """Give the heading an id and note it for the table of contents."""
        name = self.page.add_heading(level, html.unescape(re.sub(r"<[^>]+>", "", text)))
        return f'<h{level} id="{name}">{text}</h{level}>\n'

    def block_mermaidjs(self, code: str) -> str:
        """Show a diagram's source: nothing here can draw it."""
        return f"<pre>{html.escape(code)}</pre>"

    def table(self, text: str) -> str:
        """Treat a table as those of the outputs."""
        return _tables(f"<table>{text}</table>\n", self.page)

    def block_math(self, body: str) -> str:
        """Set a displayed formula."""
        return _math(body, display="block")

    def latex_environment(self, name: str, body: str) -> str:
        """Set an environment such as align."""
        return _math(f"\\begin{{{name}}}{body}\\end{{{name}}}", display="block")

    def inline_math(self, body: str) -> str:
        """Set a formula in a line; what stands between two prices (`$5 to $6`) is none."""
        if body[-1] in " \n(/–—-":
            return self.escape_html(f"${body}$")
        return _math(body, display="inline")


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(files("clv.report.page"))),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("page.html.j2")


def _script(name: str) -> Markup:
    return Markup((files("clv.report.page") / name).read_text(encoding="utf-8"))


@cache
def _hash(script: str) -> str:
    """Return a script's name in the page's policy: what is not named there is never run, wherever it came from."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@cache
def _plotly() -> str:
    return gzip.decompress((files("clv.report.page") / BUNDLE).read_bytes()).decode()


@cache
def _packed_plotly() -> str:
    return base64.b64encode((files("clv.report.page") / BUNDLE).read_bytes()).decode()
