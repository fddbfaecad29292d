"""What shops call their columns, and what is known of a column once it was looked at."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from clv.transactions.currencies import CODE
from clv.transactions.notation import Dates, read_dates

# What shops call our columns, best first: small letters without accents, punctuation or a word for "number" at the end.
# The last words of a name are enough ("Billing country"); NUMBER_WORD, ONLY_ALONE and MISLEADING say what else counts.
NAMES = {
    "customer_id": """customerunique customer cust client user buyer member household shopper consumer
        account card loyalty customerreference shopperreference visitor guest donor constituent contact kunden kunde
        kund kd debitor klant klient cliente cid uid userpseudo emailaddress email mailadresse mail id""",
    "date": """orderdate invoicedate purchasedate transactiondate saledate dateofpurchase datepurchased
        purchasetimestamp orderedat purchasedat createdat processedat placedat paidat datecreated createdutc created
        timestamp datetime ordertime date day invoicecreated bestelldatum besteldatum kaufdatum rechnungsdatum
        fakturadatum belegdatum buchungsdatum datum fecha time""",
    "amount": """amount orderamount totalamount transactionamount amountpaid ordertotal totalprice totaldue
        grandtotal linetotal lineamount total money gross grossamount revenue sales turnover ordervalue value spend
        spent subtotal payment paid sale gesamtbetrag rechnungsbetrag betrag umsatz gesamtpreis summe gesamt
        bestellwert montanttotal montant chiffredaffaires importe importo importototale monto ventas venta valor
        bedrag kwota belopp brutto netto nettowert nettobetrag bruttobetrag net collected""",
    "quantity": """quantity qty quantitypurchased quantityordered qtyordered quantitysold unitssold units
        pieces items itemcount cds menge anzahl stuckzahl stueckzahl stuck quantite qte cantidad unidades""",
    "unit_price": """unitprice unitamount priceperunit priceeach price einzelpreis stuckpreis stueckpreis
        preis prixunitaire prix preciounitario precio""",
    "order_id": """order invoice transaction trans receipt basket ticket booking checkout cart saleid salesid
        purchaseid documentno increment bestell bestellung rechnungs rechnung auftrags auftrag beleg bon commande
        facture pedido factura faktura ordine bestelnummer zamowienia orderreference
        merchantreference charge vch num name id""",
    "product": """stock sku product item article variant ean gtin upc asin lineitemname productname itemname
        artikel produkt produit producto articulo description bezeichnung""",
    "currency": "currency isocurrency wahrung waehrung devise monnaie moneda divisa",
    "country": "country land pays pais",
    "refunded_amount": "refundedamount totalrefunded amountrefunded refundamount",
}
RANKS = {role: {name: rank for rank, name in enumerate(names.split())} for role, names in NAMES.items()}
NUMBER_WORD = re.compile(r"((in)?cents|id|no|nr|num|number|nummer|numero|code|key|ref)$")
ONLY_ALONE = ("id", "name")  # "store id" and "first name" are somebody else's
NOT_THE_MONEY = r"tax|vat|discount|shipping|freight|fee|cost|refund(ed)?|balance|tip|compare"
MISLEADING = {
    "date": r"birth|ship\w*|deliver\w*|due|update\w*|modified|cancel\w*|expir\w*|first|last|week|hour",
    "customer_id": "gift|is|has",
    "order_id": "days|since|prior|previous|is|has",
    "amount": NOT_THE_MONEY,
    "unit_price": f"total|{NOT_THE_MONEY}",
}
ASKED = {
    "customer_id": "Which column says who bought? State customer_id under columns.",
    "date": "Which column says when? State date under columns.",
    "amount": "Which column says how much? State amount under columns, or quantity and unit_price; amount: null, if "
    "the log holds no money: then purchases are forecast.",
    "order_id": "No column looks like an order number: without order_id nobody can say which repeated rows are errors.",
}
HOLDS = {  # why a column of another name is taken
    "customer_id": "the customer because it alone holds names that come back",
    "date": "the date because it holds dates",
    "amount": "the amount because it alone holds money",
}
MONEY = ("amount", "quantity", "unit_price")
REFUSED_ABOVE = 0.10  # the default of max_rejected_share
FEW = 20  # fewer rows show nothing about what repeats


@dataclass(frozen=True)
class Recognised:
    """What names and a sample tell of a log, and the questions they leave open."""

    columns: dict[str, str]  # ours -> the file's
    shape: str  # transactions, line_items or order_totals
    date_format: str | None  # None: typed, or in doubt
    date_formats: tuple[str, ...]  # those in doubt
    decimal: str | dict[str, str] | None  # for all numbers or by column; None: a point, or in doubt
    thousands: str | dict[str, str] | None
    timezone: str | None  # "": it must be stated; None: days need none
    cancellation_pattern: str | None
    currency: str | None
    first_day: date | None
    last_day: date | None
    questions: tuple[str, ...]
    number_formats: tuple[tuple[str | dict[str, str], str | dict[str, str] | None], ...] = ()  # those in doubt
    date_language: str | None = None  # of the months' names; None: English, numbers, or in doubt
    price_in_doubt: bool = False  # of one piece, or of the line
    row_lines: tuple[tuple[str, str, tuple[str, ...]], ...] = ()  # key, column, values: which rows may be no purchases
    rows: int = 0  # that were looked at


@dataclass(frozen=True, eq=False)
class ColumnLook:
    name: str
    values: list[object]

    @cached_property
    def filled(self) -> list[object]:
        return [value for value in self.values if not is_blank(value)]

    @cached_property
    def texts(self) -> list[str]:
        return [str(value).strip() for value in self.filled]

    @cached_property
    def dates(self) -> Dates | None:
        return read_dates(self.filled, named=rank_of("date", self.name) is not None)

    @cached_property
    def repeats(self) -> bool:
        return len(set(self.texts)) < len(self.texts)

    @property
    def blank_share(self) -> float:
        return 1 - len(self.filled) / len(self.values)

    def __str__(self) -> str:
        return f"`{shown(self.name)}`"


def is_blank(value: object) -> bool:
    return value is None or not str(value).strip() or value != value


def words_in(name: str) -> list[str]:
    """Return the words and numbers of a name like "customerID" or "Order_date", in small letters without accents."""
    plain = "".join(char for char in unicodedata.normalize("NFKD", name) if not unicodedata.combining(char))
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", plain)]


Chosen = Mapping[str, ColumnLook]  # our column -> the file's


def shown(name: str) -> str:
    """Return a name as it may stand in a comment or a question: one line, printable."""
    return "".join(char if char.isprintable() else " " for char in name)[:60]


def rank_of(role: str, name: str) -> tuple[int, int, bool] | None:
    """Return how many first words of a name are ignored and the rank of the others; None if it is named otherwise."""
    bare = re.sub(r"[(\[].*?[)\]]", " ", name)  # "Grand Total (Base)"
    words = [word for word in words_in(bare if bare.strip() else name) if not CODE.fullmatch(word.upper())]
    if misleads(role, words):
        return None
    for ignored in range(len(words)):
        joined = "".join(words[ignored:])
        for key in (joined, NUMBER_WORD.sub("", joined)):
            if key in RANKS[role] and not (ignored and key in ONLY_ALONE):
                return ignored, RANKS[role][key], words[-1] != "id"
    return None


def misleads(role: str, words: list[str]) -> bool:
    """Return whether a word says that a column is something else, as "tax" does of an amount."""
    return any(re.fullmatch(MISLEADING.get(role, "-"), word) for word in words)


def whole_percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %") if share >= 0.01 else "under 1 %"
