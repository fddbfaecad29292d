"""Markdown, TeX and HTML of a notebook become markup that runs nothing, scrolls in boxes and says what it is about."""

import html
import re
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from latex2mathml.converter import convert_to_element
from markupsafe import Markup
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors.sanitize import SanitizeHTML

SAFE_TAGS = [
    *("a", "abbr", "b", "blockquote", "br", "code", "details", "div", "em", "i", "mark", "p", "pre", "s", "small"),
    *("span", "strong", "sub", "summary", "sup", "u", "h2", "h3", "h4", "hr", "figure", "figcaption"),
    *("dl", "dt", "dd", "ol", "ul", "li"),
    *("table", "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "th", "td"),
]
SAFE_ATTRIBUTES = {
    **{"*": ["class", "style", "title"], "a": ["href"], "abbr": ["tabindex"], "details": ["open"]},
    **{"td": ["colspan", "rowspan"], "th": ["colspan", "rowspan", "scope"]},
}
SAFE_STYLES = ["background-color", "color", "font-weight", "text-align", "white-space", "width"]


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


def is_simple(content: str) -> bool:
    """Tell whether HTML can be read without the style sheet that it brings."""
    # Tables survive without their style sheet; other things that bring one, like xarray's, read better as text.
    return "xr-wrap" not in content and ("<table" in content or not re.search(r"<(style|script|input)\b", content))


def clean(content: str, page: Page) -> Markup:
    """Return HTML without anything that runs or styles."""
    content = re.sub(r"<(style|script)\b.*?</\1\s*>", "", content, flags=re.DOTALL | re.IGNORECASE)
    cleaner = SanitizeHTML(tags=SAFE_TAGS, attributes=SAFE_ATTRIBUTES, styles=SAFE_STYLES)
    content = re.sub(r"<p>\d+ rows × \d+ columns</p>", "", cleaner.sanitize_html_tags(content))
    return Markup(in_boxes(content, page))


def in_boxes(content: str, page: Page) -> str:
    """Let every table scroll in a box of its own, which the keyboard reaches, and say what its headers are about."""
    return re.sub(r"<table\b.*?</table>", lambda table: _table(table[0], page), content, flags=re.DOTALL)


def _table(table: str, page: Page) -> str:
    head, body_tag, body = table.partition("<tbody")
    head = re.sub(r"<th(?=[ >])(?![^>]*scope)", '<th scope="col"', head)
    body = re.sub(r"<th(?=[ >])(?![^>]*scope)", '<th scope="row"', body)
    caption = re.search(r"<caption>(.*?)</caption>", head)
    name = html.escape(plain(caption[1]) if caption else f"Table: {page.last_heading}")
    return f'<div class="table" role="group" aria-label="{name}" tabindex="0">{head}{body_tag}{body}</div>'


def plain(markup: str) -> str:
    """Return the text of HTML."""
    return html.unescape(re.sub(r"<[^>]+>", " ", markup))


def from_markdown(source: str, page: Page) -> Markup:
    """Return Markdown as HTML, its headings noted."""
    return reachable(MarkdownWithMath(renderer=_Renderer(page)).render(source))


def reachable(markup: str) -> Markup:
    """Let the keyboard scroll what is too wide for its page."""
    return Markup(markup.replace("<pre>", '<pre tabindex="0">'))


def from_tex(tex: str, *, display: str) -> Markup:
    """Return a formula as MathML."""
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

    def table(self, text: str) -> str:
        return in_boxes(f"<table>{text}</table>\n", self.page)

    def block_math(self, body: str) -> str:
        return from_tex(body, display="block")

    def inline_math(self, body: str) -> str:
        """Set a formula in a line; what stands between two prices (`$5 to $6`) is none."""
        if body[-1] in " \n(/–—-":
            return self.escape_html(f"${body}$")
        return from_tex(body, display="inline")
