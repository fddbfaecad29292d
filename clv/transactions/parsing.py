"""How a log's cells become identifiers, moments and money: SQL expressions, null where a cell does not say one.

Nothing is guessed: dates are read by the stated format, numbers by the stated decimal sign. A currency sign, a bracket
or a minus that can mean only one thing is understood.
"""

import re
import unicodedata
from collections.abc import Mapping

import duckdb
from duckdb import DuckDBPyConnection

from clv.errors import InputError
from clv.transactions.connection import literal, reason
from clv.transactions.currencies import minor_units, words_of
from clv.transactions.months import ENGLISH, pattern
from clv.transactions.notation import NAMED_UTC, ZONES, shorter
from clv.transactions.source import INSTANTS, SPREADSHEET_DAYS, SourceSettings

MONEY = "DECIMAL(18, 6)"
TEXT = {"VARCHAR"}
DAYS = {"DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"}
INSTANT = "TIMESTAMP WITH TIME ZONE"
INEXACT = {"FLOAT", "DOUBLE"}
WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}
_EDGES = r"[\s\pZ\p{Cc}\p{Cf}]+"  # spaces of every kind, control and invisible characters
_PROTECTED = r"""^="(.*)"$|^['`](.+?)['`]?$"""
# What programs write where there is no customer. NA, null and none may be somebody: findings ask about them.
_NOBODY = (
    r"\\N|nan|NaN|NaT|undefined|<(?i:na|null)>|\((?i:not set|null|none)\)|\[(?i:null)\]|#?[nN]/[aA]|-1|0+(\.0+)?"
    r"|0{8}-0{4}-0{4}-0{4}-0{12}|[^\pL\pN]*"
)
_THOUSANDS = {".": r"\.", ",": ",", " ": r"[ \x{A0}\x{2009}\x{202F}]", "'": "['’]"}
_LATEST = 4_102_444_800  # seconds to the year 2100: what counts time beyond it counts something else


def identifier(column: str) -> str:
    """Return the text of an identifier, null if nothing is left without what stands around it.

    That is spaces, control characters, and what protects numbers from a spreadsheet: ="1", '1 or `1.
    """
    text = f"{column}::VARCHAR"
    bare = f"regexp_replace({text}, '^{_EDGES}|{_EDGES}$', '', 'g')"
    plain = f"nullif(regexp_replace({bare}, {literal(_PROTECTED)}, '\\1\\2'), '')"
    return f"CASE WHEN regexp_full_match({text}, '[0-9A-Za-z][!-~]*') THEN {text} ELSE {plain} END"


def customer(named: str, excluded: str) -> str:
    """Return who bought: the identifier in `named`, null where it stands for nobody, unless it is `excluded`."""
    return f"CASE WHEN regexp_full_match({named}, {literal(_NOBODY)}) AND NOT {excluded} THEN NULL ELSE {named} END"


def moment(con: DuckDBPyConnection, kind: str, settings: SourceSettings) -> str:
    """Return the date of a row as TIMESTAMP: in the stated zone if it carries an offset, and as it stands if not."""
    name, written = settings.name_of("date"), settings.date_format
    if kind == "TIMESTAMP_NS":  # a cast would round the end of a day into the next one
        return "make_timestamp(epoch_ns(date) // 1000)"
    if kind in DAYS:
        read = "try_cast(date AS TIMESTAMP)"
        is_utc = settings.timezone and kind != "DATE" and NAMED_UTC.search(name)
        return _local(f"timezone('UTC', {read})", settings) if is_utc else read
    if kind == INSTANT:
        return _local("date", settings)
    if kind not in TEXT | WHOLE:
        raise InputError(f"column {name} holds {kind}: write it as a date, or as text and state date_format.")
    if written is None:
        example = '"%Y-%m-%d" for 2024-01-31'
        if kind in WHOLE:
            example = "unix_seconds, or %Y%m%d for 20240131, or spreadsheet_days for 45322"
        what = "text" if kind in TEXT else "a whole number"
        raise InputError(f"column {name} is {what}: state how its dates are written as date_format, like {example}.")
    if written in INSTANTS:
        count = f"try_cast(date AS DOUBLE) / {INSTANTS[written]}"
        return _local(f"CASE WHEN abs({count}) < {_LATEST} THEN to_timestamp({count}) END", settings)
    if written == SPREADSHEET_DAYS:
        days = "try_cast(date AS DOUBLE)"
        return f"CASE WHEN {days} BETWEEN 1 AND 99999 THEN TIMESTAMP '1899-12-30' + {days} * INTERVAL 1 DAY END"
    text = "trim(date::VARCHAR)"
    if "%f" in written:
        text = f"regexp_replace({text}, '([.][0-9]{{6}})[0-9]+', '\\1')"
    if settings.date_language:
        written = written.replace("%b.", "%b").replace("%B.", "%B")
        text = _in_english(text, settings.date_language, short="%b" in written)
    # Java writes no seconds where they are zero, BigQuery no fractions.
    formats = ", ".join(map(literal, [written, *shorter(written)]))
    read = f"try_strptime({text}, [{formats}])"
    if not settings.date_language:  # trimming takes long, and matters where stranger spaces stand around a date
        read = f"coalesce(try_strptime(date::VARCHAR, {literal(written)}), {read})"
    if written.endswith("%z"):
        read = f"coalesce({read}, try_strptime(regexp_replace({text}, 'Z$', '+00'), {literal(written)}))"
    if written.endswith("%Z"):
        known = " ".join(f"WHEN '{name}' THEN '{offset}'" for name, offset in ZONES.items())
        offset = f"regexp_replace({text}, '[A-Z]+$', CASE regexp_extract({text}, '[A-Z]+$') {known} END)"
        read = f"coalesce(try_strptime({offset}, {literal(written[:-1] + 'z')}), {read})"
    found = _kind_of(con, read.replace("date::VARCHAR", "''"), written)
    if found == INSTANT:
        return _local(read, settings)
    if found == "TIMESTAMP_NS":
        read = f"make_timestamp(epoch_ns({read}) // 1000)"
    utc_by_name = settings.timezone and NAMED_UTC.search(name) and re.search("%[HI]", written)
    if written.endswith(("Z", "UTC")) or utc_by_name:  # %z does not read a Z, so formats spell it out
        return _local(f"timezone('UTC', {read}::TIMESTAMP)", settings)
    return f"{read}::TIMESTAMP"


def money(column: str, kind: str, settings: SourceSettings) -> str:
    """Return the amount (or quantity, or price) in `column` as DECIMAL with six decimals; null if it is no number."""
    number = _number(column, kind, settings)
    if not settings.minor_units or column == "quantity":
        return number
    return f"(({number})::DECIMAL(27, 6) * {1 / minor_units(settings.currency)}::DECIMAL(4, 3))::{MONEY}"


def _number(column: str, kind: str, settings: SourceSettings) -> str:
    exact = f"try_cast({column} AS {MONEY})"
    if kind == "FLOAT":  # its shortest text is what was meant: 0.1 and not 0.10000000149
        return f"try_cast({column}::VARCHAR::DOUBLE AS {MONEY})"
    if kind in INEXACT | WHOLE or kind.startswith("DECIMAL"):
        return exact
    if kind not in TEXT:
        raise InputError(f"column {settings.name_of(column)} holds {kind}: write amounts as numbers.")
    decimal = settings.style_of(column)[0]
    mark = re.escape(decimal)
    plain = rf" *[+-]?(\d+{mark}?\d*|{mark}\d+)([eE][+-]?\d+)? *"
    return (
        f"CASE WHEN regexp_full_match({column}, {literal(plain)})"
        f" THEN try_cast(replace({column}, '{decimal}', '.') AS {MONEY})"
        f" ELSE {_decorated(column, settings)} END"
    )


def sign(column: str) -> str:
    """Return the currency sign in an amount's text, null if there is none."""
    sign = rf"nullif(regexp_extract({column}, '\p{{Sc}}'), '')"
    return f"CASE WHEN contains({column}, '$') OR strlen({column}) > length({column}) THEN {sign} END"


def refuse_inexact_identifiers(kinds: Mapping[str, str], settings: SourceSettings) -> None:
    """Refuse identifiers stored as floating-point numbers: long ones have merged already."""
    for column in ("customer_id", "order_id", "product"):
        if kinds.get(column) in INEXACT:
            name = settings.name_of(column)
            raise InputError(f"column {name} holds {kinds[column]}, which merges long identifiers: write it as text.")


def refuse_meaningless_patterns(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    """Refuse a regular expression that the database does not understand, naming the setting."""
    for name in ("exclude_pattern", "cancellation_pattern"):
        pattern = getattr(settings, name)
        try:
            con.execute("SELECT regexp_matches('', ?::VARCHAR)", [pattern])
        except duckdb.Error as error:
            raise InputError(f"{name} {pattern!r} is not understood ({reason(error)}).") from error


def _local(instant: str, settings: SourceSettings) -> str:
    if settings.timezone is None:
        raise InputError(
            f"column {settings.name_of('date')} holds moments with an offset: state whose days count as timezone, "
            "like Europe/Berlin."
        )
    return f"timezone({literal(settings.timezone)}, {instant})"


def _in_english(text: str, language: str, *, short: bool) -> str:
    for month, name in enumerate(ENGLISH, start=1):
        english = name[:3] if short else name
        text = f"regexp_replace({text}, {literal(pattern(language, month))}, '\\1{english}\\2')"
    return text


def _kind_of(con: DuckDBPyConnection, expression: str, written: str) -> str:
    try:
        return str((con.execute(f"SELECT typeof({expression})").fetchone() or ("",))[0])
    except duckdb.Error as error:
        raise InputError(f"date_format {written!r} is not understood ({reason(error)}).") from error


def _decorated(column: str, settings: SourceSettings) -> str:
    """Read $1,234.50, 1.234,50 €, Rs. 1,23,456, 741,-, (12.00), 12.00-, １２ and the like."""
    decimal, thousands = settings.style_of(column)
    mark, gap = re.escape(decimal), _THOUSANDS.get(thousands or "", "")
    digits = rf"\d+{mark}[-–—]{{1,2}}|\d+{mark}?\d*|{mark}\d+"
    if gap:
        digits = rf"\d{{1,3}}(?:{gap}\d{{3}})+(?:{mark}(?:[-–—]{{1,2}}|\d*))?|{digits}"
    if thousands == ",":  # as India groups
        digits = rf"\d\d?(?:,\d\d)+,\d{{3}}(?:{mark}\d*)?|{digits}"
    unit = rf"(?:{'|'.join(map(re.escape, words_of(settings.currency)))}|\p{{Sc}})?"
    space = r"[\s\pZ]*"
    pattern = rf"^{space}([-+−(]?){space}{unit}{space}([-+−]?){space}({digits}){space}{unit}{space}([-−)]?){space}$"
    parts = f"regexp_extract({_western(column, decimal)}, {literal(pattern)}, ['before', 'inner', 'digits', 'after'])"
    bare = f"regexp_replace(p['digits'], {literal(f'[-–—]+$|{gap}' if gap else '[-–—]+$')}, '', 'g')"
    # At most one sign, and brackets only in pairs.
    minus = "(p['before'] IN ('-', '−', '('))::INT + (p['inner'] IN ('-', '−'))::INT + (p['after'] IN ('-', '−'))::INT"
    plus = "(p['before'] = '+')::INT + (p['inner'] = '+')::INT"
    return (
        f"list_transform([{parts}], lambda p: CASE WHEN p['digits'] = '' OR ({minus} + {plus}) > 1"
        f" OR (p['before'] = '(') <> (p['after'] = ')') THEN NULL"
        f" ELSE try_cast(replace({bare}, '{decimal}', '.') AS {MONEY}) * (1 - 2 * ({minus})) END)[1]::{MONEY}"
    )


def _western(column: str, decimal: str) -> str:
    """Return a text with the digits and signs of other scripts as those of ours."""
    others = "".join(char for char in map(chr, range(0x80, 0x10000)) if unicodedata.decimal(char, None) is not None)
    ours = "".join(str(unicodedata.decimal(digit)) for digit in others)
    written = f"translate({column}, '{others}，．－（）٫', '{ours},.-(){decimal}')"
    return rf"CASE WHEN regexp_matches({column}, '[^\x00-\x7F]') THEN replace({written}, '٬', '') ELSE {column} END"
