"""Names of months in other languages than English, by CLDR's tables, which babel carries."""

import re
from collections.abc import Sequence
from functools import cache

LANGUAGES = (  # looked for in an unknown log
    *("de", "fr", "es", "it", "pt", "nl", "sv", "nb", "da", "fi", "pl", "cs", "hu", "tr", "ro", "id", "ru", "uk", "el"),
)
_TRIED = 500  # ways in which texts differ beside their numbers
ENGLISH = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


@cache
def names(language: str) -> dict[int, list[str]]:
    """Return how each month is written in a language, in small letters without a final dot, the longest first."""
    from babel import Locale

    months = Locale.parse(language).months
    tables = [months[context][width] for context in ("format", "stand-alone") for width in ("wide", "abbreviated")]
    written = {month: {table[month].lower().rstrip(".") for table in tables} for month in range(1, 13)}
    return {month: sorted(found, key=lambda name: (-len(name), name)) for month, found in written.items()}


def pattern(language: str, month: int) -> str:
    """Return the regular expression (RE2's and Python's) for a month that stands alone; a dot is part of it."""
    letters = "A-Za-zÀ-ɏͰ-ӿ"
    return rf"(?i)(^|[^{letters}])(?:{'|'.join(map(re.escape, names(language)[month]))})\.?($|[^{letters}])"


@cache
def _compiled(language: str) -> list[re.Pattern[str]]:
    return [re.compile(pattern(language, month)) for month in range(1, 13)]


def in_english(text: str, language: str) -> str | None:
    """Return a text with its month in English; None if no month of the language stands in it."""
    for name, month in zip(ENGLISH, _compiled(language), strict=True):
        found = month.search(text)
        if found:
            return f"{text[: found.start()]}{found[1]}{name}{found[2]}{text[found.end() :]}"
    return None


def languages_of(texts: Sequence[str], *, most: float) -> dict[str, list[str]]:
    """Return the languages in which texts name months, one for each meaning, and the texts in English."""
    distinct = list({re.sub(r"\d+", "1", text) for text in texts})[:_TRIED]
    meanings: dict[str, list[str]] = {}
    for language in LANGUAGES:
        if sum(in_english(text, language) is not None for text in distinct) < most * len(distinct):
            continue
        english = [in_english(text, language) or text for text in texts]
        if english not in meanings.values():
            meanings[language] = english
    return meanings
