"""Currencies as logs write them: codes of three letters, and the signs and words that stand beside amounts."""

import re
from functools import cache

CODES = (
    *("EUR", "USD", "GBP", "CHF", "CAD", "AUD", "NZD", "JPY", "CNY", "INR", "BRL", "MXN", "SEK", "NOK", "DKK", "PLN"),
    *("CZK", "HUF", "RON", "BGN", "TRY", "UAH", "ILS", "AED", "SAR", "ZAR", "KRW", "HKD", "SGD", "TWD", "THB", "IDR"),
    *("MYR", "PHP", "VND", "PKR", "LKR", "BDT", "ARS", "CLP", "COP", "PEN", "NGN", "KES", "EGP", "ISK"),
)
CODE = re.compile("|".join(CODES))
_WORDS = re.compile(r"[^\d\s.,'’٫٬+−–—()-]")  # what is no part of a number
# Whose words for currencies are known: more locales of those where shops keep their books add none to them.
_LOCALES = "en en_CA de fr sv pl cs hu ja id"
# What CLDR, which babel carries, does not know or writes otherwise.
_OWN = {
    **dict.fromkeys(("Rs", "Rs."), ("INR", "PKR", "LKR")),
    **dict.fromkeys(("kr", "kr.", "Kr", "Kr."), ("SEK", "NOK", "DKK", "ISK")),
    **dict.fromkeys(("Fr", "Fr.", "SFr.", "sFr."), ("CHF",)),
    **{"₹": ("INR",), "₺": ("TRY",), "TL": ("TRY",), "₪": ("ILS",), "lei": ("RON",), "RM": ("MYR",), "S/": ("PEN",)},
    **{"US $": ("USD",), "AU $": ("AUD",), "Euro": ("EUR",), "$": ("USD", "CAD"), "R": ("ZAR",)},
    **{"¥": ("JPY", "CNY"), "円": ("JPY",), "元": ("CNY",)},
}


@cache
def words() -> dict[str, frozenset[str]]:
    """Return for every code, sign and word that stands beside amounts the currencies that it can mean."""
    from babel.numbers import get_currency_symbol  # read when an amount carries a sign, not before

    known = [(word, code) for word, codes in _OWN.items() for code in codes] + [(code, code) for code in CODES]
    known += [(get_currency_symbol(code, locale), code) for locale in _LOCALES.split() for code in CODES]
    return {word: frozenset(code for other, code in known if other == word) for word in {word for word, _ in known}}


@cache
def _beside() -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, sorted(words(), key=lambda word: (-len(word), word)))))


def split_off(text: str) -> tuple[str, str]:
    """Return the sign or word of a currency in a text, empty if there is none, and what the text is without it."""
    found = _beside().search(text) if _WORDS.search(text) else None
    before, after = (text[: found.start()], text[found.end() :]) if found else ("", text)
    between = re.search(r"\d", before) and re.search(r"\d", after)
    if not found or between or _WORDS.search(before + after):
        return "", text
    return found[0], f"{before} {after}"


def code_of(text: str) -> str:
    """Return the code that a sign or word can only mean; empty if several currencies are written so, or none."""
    means = words().get(text, frozenset())
    return next(iter(means)) if len(means) == 1 else ""


def words_of(currency: str) -> list[str]:
    """Return what stands beside amounts of a currency, the longest first."""
    known = {currency, *(word for word, codes in words().items() if currency in codes)}
    return sorted(known, key=lambda word: (-len(word), word))


def minor_units(currency: str) -> int:
    """Return how many of the smallest pieces make one: 100 cents, 1 yen, 1,000 fils."""
    from babel.numbers import get_currency_precision

    return int(10 ** get_currency_precision(currency))
