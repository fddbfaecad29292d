"""The look of the report: whose it is, by a title, a logo and a colour of theirs."""

import re
from itertools import pairwise

from pydantic import Field, field_validator

from clv.run.settings.kinds import Section

PAPERS = {"white": ("#ffffff", "darker"), "the dark page": ("#14191e", "lighter")}  # page.css has them, too
CONTRAST = 3.0  # what lines and bars need against what they stand on (WCAG 1.4.11)


class Look(Section):
    """Keys of the page's head and colour."""

    report_title: str | None = Field(
        default=None,
        min_length=1,
        max_length=80,
        description="Stands above the report's first sentence: a company, a department. Changed by whoever sends it.",
    )
    report_logo: str | None = Field(
        default=None,
        description="A PNG, JPEG or SVG of at most 200 kB, carried in the page; its path starts at the project folder.",
    )
    report_accent: str | None = Field(
        default=None,
        description='Colour of lines and bars of the page (not of charts), like "#0072b2"; text keeps its own.',
    )

    @field_validator("report_accent")
    @classmethod
    def _can_be_seen(cls, colour: str | None) -> str | None:
        if colour and not re.fullmatch(r"#[0-9A-Fa-f]{6}", colour):
            raise ValueError('must be a colour like "#0072b2"')
        for paper, (ground, change) in PAPERS.items() if colour else ():
            if (found := contrast(str(colour), ground)) < CONTRAST:
                raise ValueError(f"its contrast on {paper} is {found:.1f} and has to be {CONTRAST:g}: make it {change}")
        return colour


def contrast(colour: str, other: str) -> float:
    """Return the contrast of two colours like #0072b2, from 1 to 21 (WCAG 2)."""
    lighter, darker = sorted(map(_luminance, (colour, other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    shares = [int(colour[first:last], 16) / 255 for first, last in pairwise((1, 3, 5, 7))]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return sum(weight * light for weight, light in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
