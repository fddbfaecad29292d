"""Columns of an unknown log whose few values may say that a row is no purchase: a status, a type, a mark of a test.

Which values count is asked, never guessed: the params file gets a line to correct and to uncomment.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from typing import Any

from clv.transactions.notation import number_styles, read_number
from clv.transactions.synonyms import Chosen, ColumnLook, is_blank, rank_of, shown, whole_percent, words_in

FEW_VALUES, FEW_EVENTS = 12, 100  # a column with more is no state, and no stream of events
SHOWN_VALUES = 6
OFTEN = 0.05  # share of the rows above which values with one sum of money hardly have it by chance
_NAMED = re.compile(
    r"(status|state|stage|type|event|action|kind|cancel\w*|void\w*|test\w*|deleted|returned|refunded|failed|paid|captured"
    r"|zustand|vorgang|storn\w*|belegart|art|statut|etat|estado|tipo|typ|stato|situacao|tipologia)"
)
_CODED = re.compile(r"(status|state|zustand|statut|etat|estado|stato)")  # also where its values are codes: 2, 5, 6
_SIDES = ({"S", "H"}, {"D", "C"}, {"DR", "CR"}, {"DEBIT", "CREDIT"})  # of a ledger: one of them is a refund
_TAKEN = re.compile(r"(refund\w*|return(s|ed)?|chargeback\w*|storn\w*|retour\w*|credited|cancel\w*)")
_DISCOUNT = re.compile(r"(discount\w*|rabatt\w*|remise|descuento|desconto|sconto|korting)")
_MARKS = re.compile(r"(cancel\w*|void\w*|test\w*|deleted|returned|refunded|failed|storn\w*)")  # filled: no purchase
_GOOD_MARKS = re.compile(r"(paid|captured)")  # no: no purchase
# Of these a "not yet" is a purchase all the same.
_DELIVERY = re.compile(r"(fulfil\w*|ship\w*|deliver\w*|liefer\w*|versand\w*|livraison)")
_NO = re.compile(r"(|0|n|no|false|f|none|nein|non)", re.IGNORECASE)
_NO_PURCHASE = re.compile(
    r"^(?!part).*refunded|cancel|void|fail|declin|denied|refuse|reject|charge.?back|\btest\b|view|(?<![a-z])cart(?!on)"
    r"|abandon|expired|uncollectible|returned|delet|\blost\b|withdraw|conversion|payout|\bfees?\b|^verify|missing"
    r"|storniert|abgebrochen|fehlgeschlagen|an+ul|rembours[ée]|erreur|devuelt|fallid|rechazad|mislukt|avbrut|iptal"
    r"|отмен|возврат|キャンセル|取消|返品|返金",
    re.IGNORECASE,
)
_NOT_YET = re.compile(
    r"pending|unpaid|not.paid|payment.due|requires.payment|overdue|^open$|incomplete|draft|on.hold|^pledged?$|^closed$|queued|skipped",
    re.IGNORECASE,
)
_PURCHASE = re.compile(
    r"(in.app.)?purchased?|bought|buy|(order|checkout|payment).?(placed|paid|done|complete[d]?|succe\w+)|kauf|achat|compra",
    re.IGNORECASE,
)
_REFUND = re.compile(
    r"\b(refund|return|credit.?note|gutschrift|retoure|erstattung|rückzahlung|storno|avoir|remboursement|devoluci[oó]n|reembolso)s?\b",
    re.IGNORECASE,
)
_FIRST_LINES = (0.1, 0.9)  # share of rows that are further lines of an order, where its fields stand on the first only


@dataclass(frozen=True)
class States:
    """A column that may tell rows apart: what to ask, and the lines a params file might say."""

    question: str
    lines: tuple[tuple[str, str, tuple[str, ...]], ...]  # key, column, values


def carried(columns: list[ColumnLook]) -> list[ColumnLook]:
    """Return the columns with what stands on the first line of an order only (its number, customer, date) on all."""
    roles = ("order_id", "customer_id", "date")
    patterns: dict[tuple[bool, ...], list[ColumnLook]] = defaultdict(list)
    for column in columns:
        blank = tuple(map(is_blank, column.values))
        if blank and not blank[0] and _FIRST_LINES[0] < sum(blank) / len(blank) < _FIRST_LINES[1]:
            patterns[blank].append(column)
    for together in patterns.values():
        if all(any(rank_of(role, column.name) for column in together) for role in roles):
            return [ColumnLook(each.name, _down(each.values)) if each in together else each for each in columns]
    return columns


def find_states(columns: Sequence[ColumnLook], chosen: Chosen, money: Sequence[Decimal | None]) -> Iterator[States]:
    """Return what to ask of the columns that no role has taken: of states, and of numbers that lower what was paid."""
    orders = chosen["order_id"].values if "order_id" in chosen else []
    for column in columns:
        if column in chosen.values():
            continue
        words, texts = words_in(column.name), _of_order(column, orders)
        if any(map(_MARKS.fullmatch, words)) and "" in texts and column.dates:
            texts = ["filled" if text else "" for text in texts]
        counts = Counter(texts)
        named = any(map(_NAMED.fullmatch, words)) and not any(map(_DELIVERY.fullmatch, words))
        stream = named and any(map(_PURCHASE.fullmatch, counts))
        few = 2 <= len(counts) <= (FEW_EVENTS if stream else FEW_VALUES)
        if not few or _counts_something(counts, words):
            yield from _numbers_beside(column, words, chosen, money)
            continue
        refunds = {text for text in counts if _REFUND.search(text)}
        bad = {text for text in counts if _is_bad(text, words, 2 * counts[text] > len(texts))} - refunds
        if named or bad or refunds or {text.upper() for text in counts} in _SIDES:
            yield _asked(column, texts, (bad, refunds), money)


def _is_bad(text: str, words: Sequence[str], most: bool) -> bool:
    """Return whether a value says that a row is no purchase; what most rows say is never that they wait for one."""
    marked, good, delivery = (any(map(names.fullmatch, words)) for names in (_MARKS, _GOOD_MARKS, _DELIVERY))
    no = bool(_NO.fullmatch(text))
    waits = _NOT_YET.search(text) and not most and not delivery
    return bool((marked and not no) or (good and no and text) or _NO_PURCHASE.search(text) or waits)


def _asked(
    column: ColumnLook, texts: list[str], what: tuple[set[str], set[str]], money: Sequence[Decimal | None]
) -> States:
    (bad, refunds), counts = what, Counter(texts)
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for text, amount in zip(texts, money, strict=False):
        sums[text] += amount or 0
    bought = [text for text in counts if _PURCHASE.fullmatch(text)]
    held = [
        f"{shown(text) or '(blank)'} {whole_percent(counts[text] / len(texts))} of the rows ({sums[text]:,.2f})"
        for text in sorted(counts, key=lambda text: (text not in bought, -counts[text]))[:SHOWN_VALUES]
    ]
    more = f" and {len(counts) - SHOWN_VALUES} more" if len(counts) > SHOWN_VALUES else ""
    kept = [text for text in counts if text in refunds or (text in bought if bought else text not in bad)]
    again = [text for text in kept if sums[text] and counts[text] > OFTEN * len(texts)]
    again = [text for text in again if [sums[other] for other in again].count(sums[text]) > 1]
    kept = [text for text in kept if text not in again[1:]]
    lines = [("keep_rows", column.name, tuple(kept))] if bad or bought or again or not refunds else []
    lines += [("refund_rows", column.name, tuple(text for text in counts if text in refunds))] if refunds else []
    told = f" {' and '.join(map(shown, again))} hold the same money: is each purchase told more than once?"
    return States(
        f"{column} holds {', '.join(held)}{more}: are all purchases?{told if again else ''} If not, state keep_rows,"
        " drop_rows or refund_rows.",
        tuple(lines),
    )


def _numbers_beside(
    column: ColumnLook, words: list[str], chosen: Chosen, money: Sequence[Decimal | None]
) -> Iterator[States]:
    """Ask of numbers that may lower what was paid, and that nothing takes off."""
    pieces = rank_of("quantity", column.name) is not None
    taken, discount = (any(map(names.fullmatch, words)) for names in (_TAKEN, _DISCOUNT))
    discount = discount and "unit_price" in chosen
    if not column.filled or not (pieces or taken or discount):
        return
    style = number_styles(column.filled)[0]
    read = [read_number(value, style) for value in column.values]
    both = zip(column.values, read, money, strict=False)
    back = {str(value).strip() for value, number, paid in both if number and paid and number < 0 < paid}
    some = f"{column} is not 0 in {whole_percent(sum(map(bool, read)) / len(read))} of the rows"
    if back and pieces:
        lines = (("refund_rows", column.name, tuple(sorted(back))),) if len(back) <= FEW_VALUES else ()
        asked = f"{column} is below zero where the money is above: are these rows returns? State refund_rows."
        yield States(asked, lines)
    elif any(read) and taken:
        asked = f"{some}, and nothing takes it off: map it as refunded_amount if it is money given back; if it counts"
        yield States(f"{asked} pieces, give what was kept of each row.", ())
    elif any(read) and discount:
        asked = f"{some}: is it taken off {chosen['unit_price']} already? If not, map the money of the line as amount,"
        yield States(f"{asked} and neither quantity nor unit_price.", ())


def _of_order(column: ColumnLook, orders: Sequence[object]) -> list[str]:
    """Return a column's texts; a blank has what another line of its order says."""
    texts = ["" if is_blank(value) else str(value).strip() for value in column.values]
    said = {order: text for order, text in zip(orders, texts, strict=False) if order is not None and text}
    return [text or said.get(order, "") for text, order in zip(texts, orders, strict=False)] if orders else texts


def _counts_something(counts: Counter[str], words: Sequence[str]) -> bool:
    numbers = [text for text in counts if re.fullmatch(r"[-+]?[\d.,]+", text)]
    coded = any(map(_CODED.fullmatch, words)) and all(re.fullmatch(r"\d{1,3}", text) for text in numbers)
    return len(numbers) == len(counts.keys() - {""}) and not coded and not {*numbers} <= {"0", "1"}


def _down(values: Iterable[Any]) -> list[object]:
    return list(accumulate(values, lambda above, value: above if is_blank(value) else value))
