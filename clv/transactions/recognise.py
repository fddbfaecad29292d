"""Which column of an unknown log is which: told from the columns' names and a sample of rows.

What the sample leaves open becomes a question; nothing is guessed that a run could silently get wrong.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal

from clv.errors import InputError, listed
from clv.transactions import synonyms
from clv.transactions.amounts import ONCE, Notation, currency, is_total, notation, questions, settle
from clv.transactions.currencies import words
from clv.transactions.history import history
from clv.transactions.notation import MOST, NAMED_UTC, SEVERAL_ZONES, Dates, number_styles, read_number, unknown_zone
from clv.transactions.source import KNOWN_COLUMNS, SourceSettings
from clv.transactions.states import carried, find_states
from clv.transactions.synonyms import FEW, NAMES, Chosen, ColumnLook, misleads, rank_of, shown, whole_percent, words_in

STRAY_LINES = 0.01  # share of rows that are a total or a footer, not dates written otherwise
_MIDNIGHT = re.compile(r"[ T]00[:.]00(?:[:.]00(?:\.0+)?)?\s?(?:Z|UTC|\+00(?::?00)?)?$")
_FINE = re.compile(r"\d+\.\d{5,}")  # 1000.1690000000, as web analytics number visitors, is no money


def recognise(names: Sequence[str], rows: Sequence[Sequence[object]]) -> synonyms.Recognised:
    """Return how a log with these columns is to be read, from a sample of its rows: texts, or typed values.

    A column is chosen by its name and must hold what the name says; day and month are never told apart by guessing.
    """
    if not names or not rows:
        raise InputError("a log needs a header and at least one row to be recognised: give a file with transactions.")
    _refuse_headless(names)
    rows = [row for row in rows if list(row) != list(names)] or rows  # files put together repeat their header
    looks = [ColumnLook(name, [row[at] if at < len(row) else None for row in rows]) for at, name in enumerate(names)]
    columns = carried(looks)
    named, about_names = _choose(columns)
    if not {"customer_id", "date", "amount", "unit_price"} & set(named):
        raise InputError(
            f"no column looks like a customer, a date or an amount (found: {listed(sorted(map(shown, names)))}):"
            " put a line on top that names every column, and below it a row for each purchase."
        )
    chosen, about_money, price_in_doubt = settle(named)
    dates = (chosen["date"].dates if "date" in chosen else None) or Dates()
    sure = Dates() if len(dates.formats) > 1 or dates.unread > STRAY_LINES * len(rows) else dates
    first, last = history(sorted(Counter(sure.days).items()))
    how = notation(chosen)
    decimal, thousands = how.stated[0]
    money = how.money()
    code, about_currency = currency(chosen)
    states = tuple(find_states(columns, chosen, money))
    total = "amount" in chosen and {"order_id", "product"} <= set(chosen) and is_total(chosen["amount"], columns)
    return synonyms.Recognised(
        columns={role: chosen[role].name for role in NAMES if role in chosen},
        shape="order_totals" if total else "line_items" if _orders_have_lines(named) else "transactions",
        date_format=next(iter(sure.formats), None),
        date_formats=() if sure is dates else dates.formats,
        decimal=decimal if len(how.stated) == 1 and decimal != "." else None,
        thousands=thousands if len(how.stated) == 1 else None,
        timezone=_timezone(chosen),
        cancellation_pattern=_cancellation_pattern(chosen, money),
        currency=code,
        first_day=first,
        last_day=last,
        questions=(
            *(*about_names, *about_money, *([ONCE.format(chosen["amount"])] if total else [])),
            *_observations(chosen, how, money),
            *(*(state.question for state in states), *about_currency),
        ),
        row_lines=tuple(line for state in states for line in state.lines),
        number_formats=tuple(how.stated) if len(how.stated) > 1 else (),
        date_language=dates.languages[0] if len(dates.languages) == 1 else None,
        price_in_doubt=price_in_doubt,
        rows=len(rows),
    )


def _refuse_headless(names: Sequence[str]) -> None:
    """Refuse names that look like a row of data, if none is a name that columns have."""
    like_data = any(re.search(r"^[\d.,/: -]+$|@", name) for name in names)
    if like_data and not any(rank_of(role, name) for role in NAMES for name in names):
        apart = " Nothing that can part columns stands in it: put commas there." if len(names) == 1 else ""
        raise InputError(
            f"the log's first line looks like a row of data: put a line with the columns' names on top.{apart}"
        )


def _choose(columns: list[ColumnLook]) -> tuple[dict[str, ColumnLook], list[str]]:
    """Return the best column for each role, and a question for each role with several or none."""
    chosen: dict[str, ColumnLook] = {}
    questions: list[str] = []
    for role in NAMES:
        free = [column for column in columns if column not in chosen.values()]
        ranks = {column: rank for column in free if (rank := rank_of(role, column.name))}
        # Of two columns named like the customer, the customer is the one in which somebody comes back.
        # Of two dates it is the one whose days can be told; the other is asked about.
        order = {column: (_is_worse(role, column, columns), rank) for column, rank in ranks.items()}
        named = [column for column, _ in sorted(order.items(), key=lambda item: item[1])]
        fitting = [column for column in named if _fits(role, column)]
        fitting = fitting or _by_content(role, free)
        questions += _about_choice(role, named, fitting, columns)
        if fitting:
            chosen[role] = fitting[0]
    return chosen, questions


def _by_content(role: str, free: list[ColumnLook]) -> list[ColumnLook]:
    """Return the columns of dates or, of those that no role names, the only one of money, or of who comes back."""
    if role == "date":
        return [column for column in free if column.dates]
    priced = any(rank_of("unit_price", column.name) for column in free)
    nameless = [column for column in free if not column.dates and not any(rank_of(one, column.name) for one in NAMES)]
    money = [column for column in nameless if not misleads("amount", words_in(column.name)) and _fits("amount", column)]
    money = [column for column in money if any(re.search(r"\d[.,٫]\d\d(?!\d)", text) for text in column.texts)]
    people = [column for column in nameless if column not in money and column.repeats and _fits(role, column)]
    people = [column for column in people if len(set(column.texts)) > max(FEW, len(column.texts) / 20)]
    found = {"amount": [] if priced else money, "customer_id": people}.get(role, [])
    return found if len(found) == 1 else []


def _is_worse(role: str, column: ColumnLook, columns: list[ColumnLook]) -> bool:
    if role == "amount":
        return is_total(column, columns)
    dates = column.dates if role == "date" else None
    unclear = bool(dates and (len(dates.formats) > 1 or dates.unread))
    return unclear or (role == "customer_id" and not column.repeats)


def _fits(role: str, column: ColumnLook) -> bool:
    """Return whether the values are what the role needs."""
    filled, texts = column.filled, column.texts
    if role == "date":
        return column.dates is not None
    if not filled:
        return False
    style = number_styles(filled)[0]
    numbers = [read_number(value, style) for value in filled]
    is_numeric = len(filled) - numbers.count(None) >= MOST * len(filled)
    if role in synonyms.MONEY or role == "refunded_amount":
        return is_numeric
    if role == "currency":
        return all(re.fullmatch(r"[A-Za-z]{3}", text) or text in words() for text in texts)
    if role in ("product", "country"):
        return role == "product" or not is_numeric
    if (column.blank_share > 0.5 and role != "order_id") or any(
        number != number.to_integral_value() and not _FINE.fullmatch(str(value))
        for number, value in zip(numbers, filled, strict=True)
        if number
    ):
        return False
    if role == "order_id":
        return sum(any(map(str.isdigit, text)) for text in texts) >= MOST * len(texts)
    return (column.repeats or column.name.lower() != "id") and (len(texts) < FEW or len(set(texts)) > 2)


def _about_choice(
    role: str, named: list[ColumnLook], fitting: list[ColumnLook], columns: list[ColumnLook]
) -> Iterator[str]:
    filled = [column for column in named if column.filled]
    zone = unknown_zone(filled[0].texts) if filled and role == "date" else ""
    if filled and not fitting and zone:
        yield f"The times in {filled[0]} end in {zone}, {SEVERAL_ZONES}"
    elif filled and not fitting:
        yield f"{filled[0]} is named like {role}, but its values do not look like it: what is it?"
    if not fitting and role in synonyms.ASKED and role != "amount":
        yield synonyms.ASKED[role]
    if not fitting and role == "date" and any(column.name.lower() == "recency" for column in columns):
        yield "This looks like a table with a row for each customer: give the log with a row for each purchase."
    if len(fitting) > 1 and role not in ("product", "country"):
        yield f"{fitting[0]} is taken for {role}: or is it {' or '.join(map(str, fitting[1:]))}?"
    if fitting and role in synonyms.HOLDS and rank_of(role, fitting[0].name) is None:
        yield f"{fitting[0]} is taken for {synonyms.HOLDS[role]}: is it?"
    if fitting and role == "order_id" and fitting[0].name.lower() == "id":
        yield f"{fitting[0]} is taken for the order number: is it, or does it only number the rows?"


def _orders_have_lines(named: Chosen) -> bool:
    if "order_id" not in named or not named["order_id"].repeats:
        return False
    products = named["product"].values if "product" in named else []
    pairs = zip(named["order_id"].values, products, strict=False)
    lines = {(str(order), str(product)) for order, product in pairs if order}
    return {"quantity", "unit_price"} <= set(named) or len({order for order, _ in lines}) < len(lines)


def _cancellation_pattern(chosen: Chosen, amounts: list[Decimal | None]) -> str | None:
    """Return the pattern of order ids that have letters before the digits, if just these rows are negative."""
    negative: dict[str, list[bool]] = defaultdict(list)
    orders = chosen["order_id"].values if "order_id" in chosen else []
    for order, amount in zip(orders, amounts, strict=False):
        match = re.fullmatch(r"([A-Za-z]*)\d+", str(order).strip())
        if match and amount:
            negative[match[1]].append(amount < 0)
    plain = len(negative.pop("", []))
    found = [letters for letters, rows in negative.items() if all(rows) and len(rows) < plain]
    return f"^{max(found, key=lambda letters: len(negative[letters]))}" if found else None


def _observations(chosen: Chosen, how: Notation, money: list[Decimal | None]) -> Iterator[str]:
    if "date" in chosen:
        yield from _about_dates(chosen["date"])
    yield from questions(chosen, how, money)
    if "customer_id" in chosen:
        yield from _about_customers(chosen["customer_id"])
    for column in (chosen[role] for role in ("customer_id", "order_id", "product") if role in chosen):
        if any(isinstance(value, float) for value in column.filled):
            yield f"{column} holds decimal numbers, which merge long identifiers: can it be text?"
    known = [amount for amount in money if amount is not None]
    counts = {
        "without a readable amount, which counts as a fault: what are they?": len(money) - len(known),
        "negative; refunds: net takes them off their purchase. Are they refunds?": sum(amount < 0 for amount in known),
        "of amount 0; zero_amounts: visit counts them as purchases. Are they?": known.count(Decimal(0)),
    }
    yield from (
        f"Of the rows {whole_percent(count / len(money))} are {what}" for what, count in counts.items() if count
    )


def _about_dates(column: ColumnLook) -> Iterator[str]:
    dates = column.dates or Dates()
    if len(dates.formats) > 1:
        yield f"Dates in {column} can be read as {' or '.join(dates.formats)}: which is it? State date_format."
    if dates.unread:
        share = whole_percent(dates.unread / len(column.filled))
        yield f"Of the dates in {column} {share} are not written like {dates.formats[0]}: what are they?"
    if len(dates.languages) > 1:
        yield f"Months in {column} can be {' or '.join(dates.languages)}: which is it? State date_language."
    if dates.days and min(dates.days).year >= 2400:
        yield f"Years in {column} are of the Buddhist calendar, 543 ahead: take them off, no setting does."
    zone = _timezone({"date": column})
    if zone:
        yield f"All moments in {column} are midnight by UTC: they are taken for days, whatever clock yours follow."
    elif zone is not None and not dates.offset:
        yield f"{column} says UTC: which clock do your days follow? State timezone, or the days are those of UTC."
    elif zone is not None:
        yield f"{column} holds instants, not days: which clock do your days follow? State timezone."


def _timezone(chosen: Chosen) -> str | None:
    """Return the clock of the days: UTC where all moments are midnight there, "" where only the shop knows it."""
    column = chosen.get("date")
    dates = (column.dates if column else None) or Dates()
    named = column and NAMED_UTC.search(column.name) and any(re.search("%[HI]", form) for form in dates.formats)
    return ("UTC" if all(map(_MIDNIGHT.search, column.texts)) else "") if column and (dates.offset or named) else None


def unasked_states(names: Sequence[str], rows: Sequence[Sequence[object]], settings: SourceSettings) -> tuple[str, ...]:
    """Return what to ask of columns that may say that a row is no purchase, and that no setting speaks of."""
    known = {" ".join(name.split()): place for place, name in enumerate(names)}
    columns = carried([ColumnLook(name, [row[place] for row in rows]) for name, place in known.items()])
    chosen = {
        role: columns[list(known).index(settings.name_of(role))]
        for role in KNOWN_COLUMNS
        if settings.has(role) and settings.name_of(role) in known
    }
    others = [column for column in columns if column.name not in settings.others.values()]
    return tuple(state.question for state in find_states(others, chosen, notation(chosen).money()))


def _about_customers(column: ColumnLook) -> Iterator[str]:
    if column.blank_share > synonyms.REFUSED_ABOVE:
        share = whole_percent(column.blank_share)
        yield f"{column} is blank in {share} of the rows, which a run refuses: mend them, or raise max_rejected_share?"
    if len(column.filled) >= FEW and not column.repeats:
        yield f"Nobody in the sample bought twice: does {column} number the customers, or the orders?"
    if sum("@" in text for text in column.texts) > len(column.filled) / 2:
        yield f"{column} holds e-mail addresses, which pages hide without show_customer_ids: is there a number?"
