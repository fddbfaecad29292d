"""The money of an unknown log: which columns hold it, how it is written, in which currency, and what is open."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import islice, product
from statistics import median

from clv.transactions import synonyms
from clv.transactions.currencies import CODE, code_of, minor_units, split_off, words
from clv.transactions.notation import MOST, STYLES, Style, number_styles, read_number
from clv.transactions.synonyms import FEW, MONEY, Chosen, ColumnLook, is_blank, rank_of, whole_percent

Stated = tuple[str | dict[str, str], str | dict[str, str] | None]  # decimal and thousands, for all or by column
_OF_ONE_PIECE = re.compile(r"unit|each|per|einzel|stuck|stueck|unitaire|unitario", re.IGNORECASE)
_ONLY_PRICE = re.compile(r"price|preis|prix|precio", re.IGNORECASE)
_OF_LINES = ("order_id", "product")  # what says which order and line a row is
ONCE = (
    "All lines of an order say the same {}: it is taken for the order's total, which counts once. Is it? If it is the"
    " money of a line, state shape: line_items."
)
_MOST_NOTATIONS = 4  # offered where several columns are in doubt


@dataclass(frozen=True)
class Notation:
    """How the numbers of the money's columns are written: by column, one style for each meaning they can have."""

    columns: Mapping[str, ColumnLook]
    styles: Mapping[str, tuple[Style, ...]]

    @cached_property
    def stated(self) -> list[Stated]:
        """The settings that can be meant, the likeliest first."""
        ways = islice(product(*self.styles.values()), _MOST_NOTATIONS)
        return [self._stated(dict(zip(self.styles, way, strict=True))) for way in ways]

    def _stated(self, styles: Mapping[str, Style]) -> Stated:
        texts = {role: [text for text in self.columns[role].filled if isinstance(text, str)] for role in styles}
        meant = {role: [read_number(text, styles[role]) for text in texts[role]] for role in styles}
        for style in STYLES:
            if all([read_number(text, style) for text in texts[role]] == meant[role] for role in styles):
                return style
        thousands = {role: mark for role, (_, mark) in styles.items() if mark}
        return {role: decimal for role, (decimal, _) in styles.items()}, thousands or None

    def money(self, *roles: str) -> list[Decimal | None]:
        """Return the money of each row, of the columns named or of all, read in each column's first style."""
        columns = [(self.columns[role], self.styles[role][0]) for role in roles or self.columns]
        read = [[read_number(value, style) for value in column.values] for column, style in columns]
        if len(read) < 2:
            return read[0] if read else []
        return [None if None in pair else pair[0] * pair[1] for pair in zip(*read, strict=True)]  # type: ignore[operator]


def notation(chosen: Chosen) -> Notation:
    """Return how the numbers of the chosen columns are written, each column for itself."""
    columns = {role: chosen[role] for role in MONEY if role in chosen}
    return Notation(columns, {role: number_styles(column.filled) for role, column in columns.items()})


def settle(named: Chosen) -> tuple[dict[str, ColumnLook], list[str], bool]:
    """Keep either the amount or quantity and unit price, the money of a row; ask, and say if a price is in doubt."""
    amount, quantity, price = (named.get(role) for role in MONEY)
    others = {role: column for role, column in named.items() if role not in MONEY}
    if not (quantity and price):
        single = amount or (None if quantity else price)
        return ({**others, "amount": single}, [], False) if single else (others, [synonyms.ASKED["amount"]], False)
    lines = {**others, "quantity": quantity, "unit_price": price}
    if amount is None:
        asked = _about_price(named.get("product"), quantity, price)
        return lines, asked, bool(asked)
    if amount.blank_share <= synonyms.REFUSED_ABOVE and _agree(amount, quantity, price):
        return {**others, "amount": amount}, [], False
    blank = f", blank in {whole_percent(amount.blank_share)} of the rows" if amount.blank_share else ""
    asked = [f"{quantity} times {price} is taken for the money; {amount} differs{blank}: which of them came in?"]
    return lines, asked, False


def is_total(amount: ColumnLook, columns: list[ColumnLook]) -> bool:
    """Return whether lines of an order with several products say the same amount, in nearly all such orders."""
    ranks = [{column: rank for column in columns if (rank := rank_of(role, column.name))} for role in _OF_LINES]
    keys = [min(rank, key=rank.__getitem__).values for rank in ranks if rank]
    lines: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for order, sold, money in zip(*keys, amount.values, strict=True) if len(keys) == len(_OF_LINES) else ():
        if not is_blank(order) and not is_blank(money):
            lines[str(order)].add((str(sold), str(money)))
    several = [pairs for pairs in lines.values() if len({sold for sold, _ in pairs}) > 1]
    same = sum(len({money for _, money in pairs}) == 1 for pairs in several)
    one_price = 2 * Counter(amount.texts).most_common(1)[0][1] > len(amount.texts) if several else False
    return 2 * len(several) >= FEW and same >= MOST * len(several) and not one_price


def questions(chosen: Chosen, how: Notation, money: list[Decimal | None]) -> Iterator[str]:
    """Ask what the numbers leave open: marks that mean two things, and whole numbers that may be cents."""
    unsure = [how.columns[role] for role, styles in how.styles.items() if len(styles) > 1]
    if unsure:
        where = f" in {' and '.join(map(str, unsure))}" if len(how.columns) > 1 else ""
        yield f"Is 1,234 (or 1.234){where} more than a thousand, or one and a bit? State decimal and thousands."
    known = [abs(amount) for amount in money if amount]
    code, _ = currency(chosen)
    pieces = minor_units(code or "USD")
    if len(known) >= FEW and all(one == one.to_integral_value() for one in known) and median(known) >= pieces > 1:
        yield (
            f"All amounts are whole numbers: do they count the smallest unit, of which {pieces:,} make one? Then state"
            " minor_units: true."
        )


def currency(chosen: Chosen) -> tuple[str | None, list[str]]:
    """Return the currency that a column, a sign beside the amounts or the name of their column states."""
    money = [chosen[role] for role in ("amount", "unit_price") if role in chosen]
    signs = {split_off(value)[0] for column in money for value in column.filled if isinstance(value, str)} - {""}
    in_names = {code for column in money for code in re.split(r"[^A-Z]+", column.name.upper()) if CODE.fullmatch(code)}
    stated = set(chosen["currency"].texts) if "currency" in chosen else signs or in_names
    codes = {code_of(text) if text in words() else text.upper() for text in stated}
    if len(codes) > 1:
        return None, [f"The amounts are in {len(codes)} currencies: convert them, or keep the rows of one."]
    if codes == {""}:
        can_be = min(min(words()[text]) for text in stated)
        return None, [
            f"The sign beside the amounts belongs to several currencies: state currency, for example {can_be}."
        ]
    if not codes:
        return None, ["Which currency are the amounts in? USD is assumed until it is stated."]
    return codes.pop(), []


def _about_price(product: ColumnLook | None, quantity: ColumnLook, price: ColumnLook) -> list[str]:
    """Ask whether a price is of one piece or of the line, unless its name or the products' prices say it is of one."""
    how = notation({"quantity": quantity, "unit_price": price})
    pieces, single = how.money("quantity"), how.money("unit_price")
    if _OF_ONE_PIECE.search(price.name) or all(count in (None, 0, 1) for count in pieces):
        return []
    same, of_line = _steady_prices(product, pieces, single)
    if same > of_line or (same == of_line and _ONLY_PRICE.fullmatch(price.name)):
        return []
    total, alone = (sum(one for one in column if one is not None) for column in (how.money(), single))
    return [
        f"Is {price} the price of one piece, or the money of the line? The rows looked at come to {total:,.2f} as"
        f" {quantity} times {price}, and to {alone:,.2f} as {price} alone; for the second, map it as amount,"
        " and neither quantity nor unit_price."
    ]


def _steady_prices(
    sold: ColumnLook | None, pieces: list[Decimal | None], prices: list[Decimal | None]
) -> tuple[int, int]:
    """Return of how many products, sold in several quantities, the price is always the same, and that of a piece."""
    seen: dict[str, set[tuple[Decimal, Decimal]]] = defaultdict(set)
    for name, count, price in zip(sold.values if sold else [], pieces, prices, strict=False):
        if name and count and price and count > 0:
            seen[str(name)].add((count, price))
    several = [pairs for pairs in seen.values() if len({count for count, _ in pairs}) > 1]
    same = sum(len({price for _, price in pairs}) == 1 for pairs in several)
    return same, sum(len({round(price / count, 2) for count, price in pairs}) == 1 for pairs in several)


def _agree(amount: ColumnLook, quantity: ColumnLook, price: ColumnLook) -> bool:
    how = notation({"amount": amount, "quantity": quantity, "unit_price": price})
    pairs = zip(how.money("amount"), how.money("quantity", "unit_price"), strict=True)
    both = [(one, other) for one, other in pairs if one is not None and other is not None]
    # A unit price rounded to a cent is half a percent off at one unit of money.
    return sum(abs(one - other) <= Decimal("0.01") + abs(other) / 200 for one, other in both) >= MOST * len(both) > 0
