"""What the days of a log say of it: dates that lie alone, silences, crowds, and days that everybody's purchases share.

Reads `decided` and `transactions` as cleaning makes them. A finding is a rule and the query for the rows it holds for.
"""

from collections.abc import Iterator
from datetime import date

from duckdb import DuckDBPyConnection

from clv.transactions.connection import one
from clv.transactions.history import QUIET_TIMES, history
from clv.transactions.rules import EARLIEST_LONELY, STRAY, WARN, Rule
from clv.transactions.source import SourceSettings

QUIET_DAYS = 14  # days without any purchase that are worth a question, if purchases usually come more often
FEWEST_SIDES = 20  # customers who come back before a day, and after it, without whom nothing is said of that day

# fmt: off
GAP = Rule("silent_days", WARN, "date", "purchases before which nobody had bought for an unusually long time",
    f"days since the purchase before > {QUIET_DAYS} and > {QUIET_TIMES} times the usual",
    "Was the shop closed, or is a part of the export missing? To the model such silence looks like customers lost.")
CLOSED_SPLIT = Rule("split_in_silence", WARN, "date", "calibration_end lies in a time in which nobody bought",
    "the first purchase after a silence that holds calibration_end",
    "The backtest would take that silence for customers lost: move calibration_end before it, or well behind it.")
QUIET_END = Rule("silent_end", WARN, "date", "nobody bought for an unusually long time before observation_end",
    f"observation_end - last purchase > {QUIET_DAYS} days and > {QUIET_TIMES} times the usual pause",
    "Silence counts as customers lost: set observation_end to the last day that was exported.")
CROWD = Rule("crowded_day", WARN, "date", "a day with far more purchases than all others",
    "a third of all purchases, or a twentieth and 20 times the usual day",
    "Is it a date that a system fills in, the day of an import, or an opening? If it is no day of purchase, mend it.")
COARSE = Rule("coarse_dates", WARN, "date", "all purchases are on one day of the week, or on the first of a month",
    "99 % of the purchases, in at least 8 weeks",
    "If dates were rounded or summed, purchases of a week or month became one: export the day of each purchase.")
SEAM = Rule("nobody_crosses", WARN, "customer_id", "a day that hardly any customer's purchases reach across",
    f"{FEWEST_SIDES} customers came back before it, {FEWEST_SIDES} after it, and 20 times fewer than usual across it",
    "Did everybody get a new number that day? Then each counts as lost, and as a new one: map old numbers to new ones.")
# fmt: on


def find_strays(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    """Add to `changes` the rows whose dates lie alone, far from all others: few, or before anybody kept such logs.

    Without a stated `observation_end` one wrong date would move it, and all silence until then would count.
    """
    days = "SELECT moment::DATE AS day, count(*) FROM judged WHERE rule IS NULL GROUP BY day ORDER BY day"
    first, last = history(con.execute(days).fetchall())
    last = None if settings.observation_end else last
    con.execute(
        f"INSERT INTO changes SELECT record, if(day < DATE '{EARLIEST_LONELY}', 'impossible_date', '{STRAY.name}'),"
        " money FROM decided WHERE rule IS NULL AND (day < coalesce(?::DATE, day) OR day > coalesce(?::DATE, day))",
        [first, last],
    )


def of_days(
    con: DuckDBPyConnection, settings: SourceSettings, calibration_end: date | None
) -> Iterator[tuple[Rule, str]]:
    """Return what the days of a cleaned log say: rules, and the query for the rows that each holds for."""
    pauses = (
        "SELECT date, lag(date) OVER (ORDER BY date) AS before, date - lag(date) OVER (ORDER BY date) AS pause"
        " FROM (SELECT DISTINCT date FROM transactions)"
    )
    usual = float(one(con, f"SELECT coalesce(median(pause), 1) FROM ({pauses})") or 1)
    longest = max(QUIET_DAYS, QUIET_TIMES * usual)
    gaps = f"SELECT date FROM ({pauses}) WHERE pause > {longest}"
    yield GAP, _firsts(gaps)
    split = f"AND DATE '{calibration_end}' BETWEEN before AND date - 1" if calibration_end else "AND false"
    yield CLOSED_SPLIT, _firsts(f"{gaps} {split}")
    end = f"DATE '{settings.observation_end}'" if settings.observation_end else "max(date)"
    yield QUIET_END, f"SELECT NULL AS record, 0 AS money FROM transactions HAVING {end} - max(date) > {longest}"
    crowd = """
        SELECT date FROM (SELECT date, count(*) AS n FROM transactions GROUP BY date)
        QUALIFY count(*) OVER () >= 10 AND (3 * n > sum(n) OVER () OR (20 * n > sum(n) OVER ()
            AND n > 20 * median(n) OVER ()))"""
    yield CROWD, _rows_on(crowd)
    coarse = """
        SELECT date FROM transactions WHERE (
            SELECT count(DISTINCT date_trunc('week', date)) >= 8 AND 0.99 * count(*) <= greatest(
                count(*) FILTER (dayofweek(date) = (SELECT mode(dayofweek(date)) FROM transactions)),
                count(*) FILTER (day(date) = 1)) FROM transactions)"""
    yield COARSE, _rows_on(coarse)
    seam = f"""
        WITH spans AS (SELECT min(date) AS came, max(date) AS went FROM transactions GROUP BY customer_id
                       HAVING count(*) > 1),
             steps AS (SELECT day, sum(came) AS came, sum(went) AS went FROM (
                           SELECT came AS day, 1 AS came, 0 AS went FROM spans UNION ALL SELECT went, 0, 1 FROM spans)
                       GROUP BY day),
             sides AS (SELECT day, sum(went) OVER upto AS behind, (SELECT count(*) FROM spans) - sum(came) OVER upto
                              AS ahead, sum(came - went) OVER upto AS across
                       FROM steps WINDOW upto AS (ORDER BY day)),
             seams AS (SELECT day FROM sides
                       WHERE least(behind, ahead) >= {FEWEST_SIDES}
                         AND 20 * across <= (SELECT median(across) FROM sides)
                       ORDER BY across, day LIMIT 1)
        SELECT min(date) AS date FROM transactions WHERE date > (SELECT day FROM seams)"""
    yield SEAM, _firsts(seam)


def _firsts(days: str) -> str:
    """Return the query for the first row of each of these days."""
    return (
        "SELECT min(record) AS record, arg_min(money, record) AS money FROM decided"
        f" WHERE rule IS NULL AND day IN ({days}) GROUP BY day"
    )


def _rows_on(days: str) -> str:
    return f"SELECT record, money FROM decided WHERE rule IS NULL AND day IN ({days})"
