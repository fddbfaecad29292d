"""The look of the report: whose it is, by a title, a logo and a colour of theirs, and how it writes money."""

from pydantic import Field

from clv.run.settings.kinds import Section


class Look(Section):
    """Keys of the page's head and colour."""

    report_title: str | None = Field(None, min_length=1, max_length=80)
    """Stands above the report's first sentence: a company, a department. Changed by whoever sends it."""
    report_logo: str | None = None
    """A PNG, JPEG or SVG of at most 200 kB, carried in the page; its path starts at the project folder."""
    currency_sign: str | None = Field(None, pattern=r"^[^\s\d]{1,3}$")
    """Stands in the report and its files for the three letters of `currency`: $ or € before an amount, kr behind it."""
    report_accent: str | None = Field(None, pattern="^#[0-9A-Fa-f]{6}$")
    """Colour of lines and bars of the page (not of charts), like "#0072b2"; text keeps its own."""
