"""An executed notebook becomes one self-contained HTML page: no request leaves it, no foreign script runs in it."""

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup
from nbconvert.filters import Highlight2HTML, strip_ansi
from nbformat import NotebookNode

from clv.report.page.mime import DOWNLOADS, PLOTLY, WHAT_IF
from clv.report.page.prose import Page, clean, from_markdown, in_boxes, is_simple, plain, reachable

MEDIA_TYPES = {"csv": "text/csv", "json": "application/json"}
FOR_AUTHORS = "for-authors"  # tag of text that a page without code leaves out
FOLDED = "folded: "  # begins the tag of a cell that a page without code hides behind a line, the rest of the tag
BUNDLE = "plotly-cartesian.min.js.gz"  # of the release that plotly.py carries whole: bars, lines, heat maps
IMAGES = ("image/svg+xml", "image/png", "image/jpeg")


def render(
    notebook: NotebookNode,
    *,
    title: str,
    show_code: bool,
    footer: str = "",
    alert: str = "",
    letterhead: Mapping[str, str | None] | None = None,
) -> str:
    """Return the page of an executed notebook; without `show_code` its code appears only at the press of a button.

    `letterhead` is whose page it is: a title, a logo as data URI, an accent like #0072b2, each of them or None.
    """
    page = Page()
    pieces = list(_pieces(notebook, page, show_code))
    asked = [name for name, there in (("charts.js", page.has_charts), ("whatif.js", page.asks)) if there]
    names = ("page.js", "tables.js", *asked)
    scripts = [Markup((files("clv.report.page") / name).read_text(encoding="utf-8")) for name in names]
    return _template().render(
        title=next((text for level, _, text in page.headings if level == 1), title),
        pieces=pieces,
        contents=[(name, text) for level, name, text in page.headings if level == 2],
        show_code=show_code,
        footer=footer,
        alert=alert,
        letterhead=letterhead or {"title": None, "logo": None, "accent": None},
        scripts=scripts,
        hashes=Markup(" ".join([*map(_hash, scripts), *([_hash(_plotly()[0])] if page.has_charts else [])])),
        plotly_js=_plotly()[1] if page.has_charts else "",
    )


def _pieces(notebook: NotebookNode, page: Page, show_code: bool) -> Iterator[dict[str, Any]]:
    tags = [set(cell.metadata.get("tags", [])) for cell in notebook.cells]
    injected = any("injected-parameters" in cell_tags for cell_tags in tags)
    for cell, cell_tags in zip(notebook.cells, tags, strict=True):
        if cell.cell_type == "markdown":
            if show_code or FOR_AUTHORS not in cell_tags:
                yield {"text": from_markdown(cell.source, page)}
        elif cell.cell_type == "code" and cell.source.strip() and not (injected and "parameters" in cell_tags):
            # Highlight2HTML escapes everything it colours.
            code = reachable(Highlight2HTML(pygments_lexer="python3")(cell.source))
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
        return _chart(data[PLOTLY], data.get(IMAGES[0]), page)
    if WHAT_IF in data:
        page.asks = True
        return {"kind": "whatif", **data[WHAT_IF], "json": _as_script(data[WHAT_IF])}
    if DOWNLOADS in data:
        return {"kind": "downloads", "files": [_download(**file) for file in data[DOWNLOADS]]}
    for mime in IMAGES:
        if mime in data:
            return _image(mime, data[mime], output.metadata, page)
    if "text/html" in data and is_simple(data["text/html"]):
        return {"kind": "html", "html": clean(data["text/html"], page)}
    if "text/markdown" in data:
        return {"kind": "html", "html": from_markdown(data["text/markdown"], page)}
    return {"kind": "plain", "text": strip_ansi(data.get("text/plain", ""))}


def _chart(figure: Mapping[str, Any], drawing: str | None, page: Page) -> Mapping[str, Any]:
    from clv.report.page.chart_table import as_csv, as_html, chart_table  # brings pandas, which only charts need

    page.has_charts = True
    layout = figure.get("layout", {})
    title = layout.get("title", {})
    name = (title.get("text") if isinstance(title, Mapping) else title) or f"Chart: {page.last_heading}"
    drawn = {"data": figure.get("data", []), "layout": layout}
    table = chart_table(drawn)
    return {
        "kind": "chart",
        "title": plain(name),
        "height": int(layout.get("height") or 450),
        "table": Markup(in_boxes(as_html(table, plain(name)), page)) if len(table) else "",
        "csv": _download("chart.csv", as_csv(table))["address"] if len(table) else "",
        "json": _as_script(drawn),
        "drawing": drawing and _address(IMAGES[0], drawing),
    }


def _as_script(content: Any) -> Markup:
    """Return JSON in which nothing can end the script element that holds it."""
    return Markup(json.dumps(content).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _download(name: str, text: str) -> Mapping[str, Any]:
    content, media_type = text.encode(), MEDIA_TYPES[name.rpartition(".")[2]]
    return {
        "name": name,
        "kilobytes": max(round(len(content) / 1000), 1),
        "address": _address(f"{media_type};charset=utf-8", text),
    }


def _address(media_type: str, text: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(text.encode()).decode()}"


def _image(mime: str, content: str, metadata: Mapping[str, Any], page: Page) -> Mapping[str, Any]:
    said = {**metadata, **metadata.get(mime, {})}
    return {
        "kind": "image",
        "source": _address(mime, content) if mime == IMAGES[0] else f"data:{mime};base64,{content}".replace("\n", ""),
        "alt": said.get("alt") or f"Figure: {page.last_heading}",
        "caption": said.get("caption", ""),
    }


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


@cache
def _hash(script: str) -> str:
    """Return a script's name in the page's policy: what is not named there is never run, wherever it came from."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


@cache
def _plotly() -> tuple[str, str]:
    """Return the drawing library as text, and as a page carries it."""
    packed = (files("clv.report.page") / BUNDLE).read_bytes()
    return gzip.decompress(packed).decode(), base64.b64encode(packed).decode()
