"""Every refund meets the purchase it belongs to, and takes its money off it.

Works on the table `judged` (one row per record of the source, with the rule that took it, or none).
"""

from duckdb import DuckDBPyConnection

from clv.sources import SourceSettings


def net_refunds(con: DuckDBPyConnection, settings: SourceSettings) -> None:
    """Create `netted`: every untaken row with the refunds taken off the purchases they belong to.

    What can be refunded is a bundle: an order, or a customer's day where no order is named. A refund goes to the
    bundle of its order, or without an order to the customer's latest bundle that is large enough. Within a bundle the
    largest row gives first; what exceeds the whole bundle goes to its smallest row, which then leaves with it.
    """
    net = settings.refunds == "net"
    con.execute("""
        CREATE OR REPLACE TABLE purchases AS
        SELECT *, coalesce('order ' || order_id, 'day ' || day) AS bundle FROM judged WHERE rule IS NULL AND money >= 0;
        CREATE OR REPLACE TABLE bundles AS
        SELECT customer, bundle, min(day) AS day, sum(money) AS total FROM purchases GROUP BY customer, bundle""")
    con.execute(
        """
        CREATE OR REPLACE TABLE refunds AS
        SELECT record, customer, order_id, day, money, bundle
        FROM (SELECT r.*, b.bundle,
                     row_number() OVER (PARTITION BY r.record ORDER BY b.day DESC, b.total DESC, b.bundle DESC) AS place
              FROM judged AS r
              LEFT JOIN bundles AS b ON b.customer = r.customer AND ?
                   AND (b.bundle = 'order ' || r.order_id
                        OR (r.order_id IS NULL AND b.day <= r.day AND b.total >= -r.money))
              WHERE r.rule IS NULL AND r.money < 0)
        WHERE place = 1""",
        [net],
    )
    con.execute("""
        CREATE OR REPLACE TABLE reduced AS
        SELECT record, refunded >= total OR money - taken <= 0 AND taken > 0 AS cancelled,
               money - taken - CASE WHEN place = 1 THEN greatest(refunded - total, 0) ELSE 0 END AS net
        FROM (SELECT *, least(money, greatest(refunded - (total - below), 0)) AS taken
              FROM (SELECT p.record, p.money, b.total, r.refunded,
                           sum(p.money) OVER smallest_first AS below, row_number() OVER smallest_first AS place
                    FROM purchases AS p
                    JOIN bundles AS b USING (customer, bundle)
                    JOIN (SELECT customer, bundle, -sum(money) AS refunded FROM refunds GROUP BY customer, bundle) AS r
                         USING (customer, bundle)
                    WINDOW smallest_first AS (PARTITION BY p.customer, p.bundle ORDER BY p.money, p.day, p.record
                                              ROWS UNBOUNDED PRECEDING)))""")
    con.execute(
        """
        CREATE OR REPLACE TABLE netted AS
        SELECT p.record, p.customer, p.order_id, p.day, p.money, p.bundle, coalesce(n.net, p.money) AS net,
               coalesce(n.cancelled, false) AS cancelled, $policy AS policy, $zero_amounts AS zero_amounts
        FROM purchases AS p LEFT JOIN reduced AS n USING (record)
        UNION ALL
        SELECT record, customer, order_id, day, money, bundle, CASE WHEN bundle IS NULL THEN money ELSE 0 END,
               false, $policy, $zero_amounts
        FROM refunds""",
        {"policy": settings.refunds, "zero_amounts": settings.zero_amounts},
    )
