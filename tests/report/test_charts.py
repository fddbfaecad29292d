"""The readers' charts: what they are given is what they draw, titled by its finding, light enough for a page."""

import json
import re

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from clv import report
from clv.errors import ClvError
from clv.report import key_figures
from clv.report.charts import backtest, canvas, value
from clv.report.charts.backtest import chart_tracking, chart_windows
from clv.report.charts.calendar import chart_calendar
from clv.report.charts.cohorts import chart_cumulative, chart_retention
from clv.report.charts.value import chart_concentration, chart_groups, chart_total
from clv.report.figures.style import BAND, OBSERVED
from clv.report.labels import label
from clv.report.page.chart_table import as_csv, as_html, chart_table


def labelled(table: pd.DataFrame, interval: float = 0.9) -> pd.DataFrame:
    """Return a table as a run labels it."""
    table = table.copy()
    label(table, currency="EUR", interval=interval, horizon_weeks=52)
    return table


DRAWS = pd.DataFrame({"draw": range(100), "value": np.arange(100.0), "purchases": np.arange(100.0)})
DRAWS = DRAWS.assign(value_with_misfit=1.5 * DRAWS["value"] - 25)  # 10 to 90 becomes -10 to 110
BASE = labelled(
    pd.DataFrame(
        {
            "clv_mean": [50.0],
            "clv_lower": [-10.0],
            "clv_upper": [110.0],
            "clv_lower_with_misfit": [-10.0],
            "clv_upper_with_misfit": [110.0],
            "clv_lower_if_model_right": [10.0],
            "clv_upper_if_model_right": [90.0],
        }
    ),
    interval=0.8,
)
UNTESTED = BASE.assign(clv_lower=10.0, clv_upper=90.0, clv_lower_with_misfit=np.nan, clv_upper_with_misfit=np.nan)
CONCENTRATION = pd.DataFrame(
    {
        "customer_share": [0.1, 0.5, 1.0],
        "value_share": [0.4, 0.8, 1.0],
        "lower": [0.3, 0.7, 1.0],
        "upper": [0.5, 0.9, 1.0],
    }
)
CONCENTRATION = labelled(CONCENTRATION)
GROUPS = pd.DataFrame(
    {
        "grouping": "rfm_segment",
        "share_of_value": [0.88, 0.12],
        "group": pd.Series(["Champions", "Lost"], dtype="str"),
        "customers": [100, 400],
        "clv_mean": [5_000.0, 700.0],
        "clv_lower": [4_000.0, 500.0],
        "clv_upper": [6_500.0, 650.0],  # a skewed total: the mean lies above the upper limit
        "clv_per_customer": [500.0, 1.75],
    }
)
GROUPS = labelled(GROUPS)
GRID = pd.DataFrame(
    [(r, f, "Do not lose", 0 if f == 2 else 10 * r) for r in range(1, 6) for f in range(1, 6)],
    columns=["r_score", "f_score", "segment", "customers"],
)
GRID = GRID.assign(clv=GRID["customers"] * 3.0, clv_per_customer=np.where(GRID["customers"] > 0, 3.0, np.nan))


def ahead(seen: tuple[float, ...] = (300.0, 240.0), expected: tuple[float, ...] = (210.0, 180.0)) -> pd.DataFrame:
    """Return table FORECAST of whole quarters: what came, and what is expected, likely half or twice as much."""
    starts = pd.date_range("2024-01-01", periods=len(seen) + len(expected), freq="QS")
    revenue, known = np.array([*seen, *expected]), np.arange(len(starts)) < len(seen)
    rows = pd.DataFrame({"kind": "quarter", "starts": starts, "ends": starts + pd.offsets.QuarterEnd(0)})
    rows = rows.assign(period=starts.astype("str"), status=np.where(known, "observed", "forecast"))
    for name, amount in (("revenue", revenue), ("purchases", revenue / 10), ("active", np.nan)):
        limits = {"lower": np.where(known, amount, amount / 2), "upper": np.where(known, amount, 2 * amount)}
        rows = rows.assign(**{name: amount} | {f"{name}_{end}": limit for end, limit in limits.items()})
        rows = rows.assign(**{f"{name}_{end}_if_model_right": limit for end, limit in limits.items()})
    return labelled(rows.assign(revenue_of_new=0.0, purchases_of_new=0.0))


AHEAD = ahead()
TRACKING = pd.DataFrame(
    {
        "week": [0, 1, 2, 3],
        "period": ["calibration", "calibration", "holdout", "holdout"],
        "actual": [1.0, 3.0, 4.0, 6.0],
        "expected": [1.5, 2.5, 3.5, 4.5],
        "lower": [np.nan, np.nan, 3.0, 3.5],
        "upper": [np.nan, np.nan, 4.0, 5.5],
    }
)
DECILES = pd.DataFrame(
    {
        "decile": [1, 2],
        "customers": [50, 50],
        "actual": [1.0, 9.0],
        "predicted": [2.0, 8.0],
        "actual_error": [0.5, 2.0],
    }
)
BY_FREQUENCY = pd.DataFrame(
    {
        "frequency": [0, 1, 6],
        "customers": [1411, 439, 93],
        "actual": [0.2, 0.7, 5.6],
        "predicted": [0.2, 0.5, 5.3],
        "actual_error": [0.0, 0.1, 0.9],
    }
)
WINDOWS = pd.DataFrame(
    {
        "horizon_weeks": [26, 13, 13, 13],
        "origin": pd.to_datetime(["2024-01-29", "2024-04-29", "2024-01-29", "2024-01-29"]),
        "outcome": ["value", "value", "value", "purchases"],
        "actual": [150.0, 90.0, 260.0, 1.0],
        "forecast": [100.0, 100.0, 200.0, 1.0],
        "lower": [80.0, 85.0, 180.0, 0.0],
        "upper": [120.0, 115.0, 230.0, 9.0],
        "lower_with_misfit": [60.0, 70.0, 150.0, 0.0],
        "upper_with_misfit": [160.0, 140.0, 250.0, 9.0],
    }
)
WINDOWS = labelled(WINDOWS)
TESTED = {"forecast": {"mean": 2.0}, "actual": 3.0}


def cohort_table(cohorts: int, ahead: int = 2) -> pd.DataFrame:
    """Return monthly cohorts from January 2024, the last one's first month being half observed."""
    months = pd.period_range("2024-01", periods=cohorts + ahead, freq="M")
    rows = []
    for first in range(cohorts):
        for at in range(first, len(months)):
            status = "observed" if at < cohorts - 1 else "split" if at == cohorts - 1 else "forecast"
            reach = 0.0 if status == "observed" else 0.1
            active, since = (1.0 if at == first else 0.25), at - first
            rows.append(
                {
                    "cohort": str(months[first]),
                    "month": str(months[at]),
                    "months_since": since,
                    "status": status,
                    "customers": 20,
                    "active": active,
                    "revenue": 100.0,
                    "cumulative": 5.0 * (since + 1),
                    "cumulative_lower": 5.0 * (since + 1) - reach,
                    "cumulative_upper": 5.0 * (since + 1) + reach,
                }
            )
    return labelled(pd.DataFrame(rows))


COHORTS = cohort_table(3)
CHARTS = {
    "total": lambda: chart_total(DRAWS, BASE),
    "concentration": lambda: chart_concentration(CONCENTRATION),
    "groups": lambda: chart_groups(GROUPS),
    "segment_grid": lambda: value.grid_chart(GRID, currency="EUR"),
    "retention": lambda: chart_retention(COHORTS),
    "cumulative": lambda: chart_cumulative(COHORTS),
    "calendar": lambda: chart_calendar(AHEAD),
    "tracking": lambda: chart_tracking(labelled(TRACKING), TESTED),
    "backtest": lambda: backtest.against_actual(DECILES, x="Tenth", unit="EUR", title="Furthest off in tenth 1"),
    "by_frequency": lambda: backtest.chart_by_frequency(BY_FREQUENCY),
    "windows": lambda: chart_windows(WINDOWS),
}


def names(figure: go.Figure) -> list[str]:
    return [trace.name for trace in figure.data if trace.name]


def trace(figure: go.Figure, name: str) -> go.Scatter:
    return next(trace for trace in figure.data if trace.name == name)


def marks(figure: go.Figure) -> int:
    sizes = [np.size(trace.z) if trace.type == "heatmap" else np.size(trace.x) for trace in figure.data]
    return sum(sizes)


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_says_its_finding_and_fits_its_page(name):
    layout = CHARTS[name]().layout
    assert re.match(r"[A-Z0-9].*[^.]$", layout.title.text)  # a heading
    assert layout.width is None and layout.autosize
    assert layout.paper_bgcolor == layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert layout.xaxis.title.text or name == "calendar"
    assert layout.yaxis.title.text or name in ("groups", "windows")  # names need no title


@pytest.mark.parametrize("name", CHARTS)
def test_no_chart_drags_under_a_finger_or_offers_to_send_data_away(name):
    layout = CHARTS[name]().layout
    assert layout.dragmode is False
    assert layout.xaxis.fixedrange and layout.yaxis.fixedrange
    assert "sendChartToCloud" in layout.modebar.remove


@pytest.mark.parametrize("name", CHARTS)
def test_hovering_speaks_in_words(name):
    for drawn in CHARTS[name]().data:
        assert drawn.hoverinfo == "skip" or drawn.hovertemplate.endswith("<extra></extra>")


@pytest.mark.parametrize("name", ["total", "groups", "segment_grid", "cumulative", "backtest"])
def test_money_carries_its_currency(name):
    figure = CHARTS[name]()
    bars = [drawn.colorbar.title.text for drawn in figure.data if drawn.type == "heatmap"]
    assert any(
        "EUR" in (text or "") for text in (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text, *bars)
    )


def test_a_notebook_is_handed_what_plotly_would_hand_it_and_nothing_else(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    chart = canvas.new_chart("Title", x="", y="").add_scatter(x=np.arange(3.5), y=[2, 1, 3, np.nan])
    chart._ipython_display_()
    monkeypatch.setattr("plotly.io.renderers.default", "plotly_mimetype")
    assert shown == [go.Figure(chart)._repr_mimebundle_()]


def test_every_chart_is_tried():
    assert {name for name in report.__all__ if name.startswith("chart_")} == {f"chart_{name}" for name in CHARTS}


def test_a_table_that_was_not_labelled_is_no_chart_in_an_unknown_currency():
    with pytest.raises(
        ClvError,
        match=r"^a table without its currency: give it to `report.label` first \(grouping, share_of_value, group, ",
    ):
        chart_groups(pd.DataFrame(GROUPS.to_dict()))


def test_a_label_goes_where_parquet_and_a_choice_of_rows_go(tmp_path):
    GROUPS.to_parquet(tmp_path / "groups.parquet")
    chosen = pd.read_parquet(tmp_path / "groups.parquet").query("customers > 100").reset_index(drop=True)
    assert chart_groups(chosen).layout.title.text == "Lost: 100\u00a0% of the customers, 12\u00a0% of the value"
    assert "EUR" in chart_groups(chosen).layout.xaxis.title.text


def test_months_that_have_begun_are_marked_where_there_are_any():
    figure = chart_retention(COHORTS)
    marks = trace(figure, "month begun: observed so far, rest forecast")
    begun = COHORTS[(COHORTS["status"] == "split") & (COHORTS["months_since"] > 0)]
    assert list(zip(marks.x, marks.y, strict=True)) == list(zip(begun["months_since"], begun["cohort"], strict=True))
    assert marks.showlegend
    whole = chart_retention(COHORTS.replace({"status": {"split": "observed"}}))
    assert all(drawn.type == "heatmap" for drawn in whole.data)


def test_no_customer_reaches_a_page():
    known = DRAWS.assign(customer_id="ID-ada")
    figure = chart_total(known, BASE)
    assert "ID-ada" not in figure.to_json()


def test_the_bars_of_the_total_meet_its_limits_and_add_up():
    figure = chart_total(DRAWS, UNTESTED)
    inside, outside = figure.data  # without a backtest there is no second interval to draw
    assert inside.name == "80 % of the model's futures" and inside.marker.color == BAND
    assert min(inside.x - inside.width / 2) == pytest.approx(10)
    assert max(inside.x + inside.width / 2) == pytest.approx(90)
    assert inside.y.sum() + outside.y.sum() == pytest.approx(100)
    assert inside.y.sum() == pytest.approx(80)
    assert figure.layout.annotations[0].text == "expected: 50\u00a0EUR"


def test_with_a_backtest_the_bars_allow_for_misfit_and_a_line_for_the_model_alone():
    figure = CHARTS["total"]()
    inside, outside, own = figure.data
    assert inside.name == "80 %, allowing for past errors" and inside.marker.color == BAND
    assert min(inside.x - inside.width / 2) == pytest.approx(-10)
    assert max(inside.x + inside.width / 2) == pytest.approx(110)
    assert inside.y.sum() == pytest.approx(80)
    assert inside.y.sum() + outside.y.sum() == pytest.approx(100)
    assert own.name == "80 % if the model is right" and list(own.x) == [10, 90]
    assert max(own.y) < 0  # below the bars, over none of them


def test_a_total_with_a_far_tail_keeps_its_chart_small():
    far = DRAWS.assign(value_with_misfit=np.where(DRAWS["draw"] == 99, 1e9, DRAWS["value_with_misfit"]))
    figure = chart_total(far, BASE)
    assert marks(figure) <= 74
    assert sum(drawn.y.sum() for drawn in figure.data[:2]) == pytest.approx(100)


def test_a_total_that_is_certain_has_a_chart():
    certain = DRAWS.assign(value=7.0, value_with_misfit=7.0)
    for base in (BASE, UNTESTED):
        figure = chart_total(certain, base * 0 + 7.0)
        assert sum(drawn.y.sum() for drawn in figure.data[:2]) == pytest.approx(100)


def test_the_concentration_band_is_the_tables():
    band = trace(CHARTS["concentration"](), "90 % of the model's futures: realised value")
    assert list(band.y) == [50, 90, 100, 100, 70, 30]
    assert list(band.x) == [10, 50, 100, 100, 50, 10]


def test_who_holds_half_is_said_of_any_curve():
    assert "the best 20\u00a0% of" in CHARTS["concentration"]().layout.title.text  # 10 % hold 0.4, 50 % hold 0.8
    equal = labelled(CONCENTRATION.assign(value_share=[0.1, 0.5, 1.0]))
    assert "the best 50\u00a0% of" in chart_concentration(equal).layout.title.text


def test_a_curve_of_a_million_customers_is_thinned():
    share = np.linspace(0, 1, 100_000)
    table = pd.DataFrame({"customer_share": share, "value_share": share, "lower": share, "upper": share})
    figure = chart_concentration(labelled(table))
    assert marks(figure) < 2_000
    assert figure.data[1].x[-1] == 100


def test_a_groups_range_is_drawn_where_it_is_even_if_the_mean_lies_outside():
    figure = chart_groups(GROUPS)
    lines = trace(figure, "90 % range of its total")
    np.testing.assert_array_equal(lines.x, [4_000, 6_500, np.nan, 500, 650, np.nan])
    assert list(trace(figure, "expected").x) == [5_000, 700]
    assert list(trace(figure, "expected").text) == ["5k", "700"]


def test_one_large_group_does_not_hide_the_others():
    groups = labelled(GROUPS.assign(clv_mean=[500_000.0, 0.4], clv_lower=[400_000.0, 0.1], clv_upper=[650_000.0, 9.0]))
    figure = chart_groups(groups)
    small = trace(figure, "expected, off the axis")
    assert figure.layout.xaxis.type == "log"
    assert list(small.x) == [500]  # a thousandth of the largest, where the axis ends
    assert list(small.text) == ["0.4"] and small.marker.symbol == "triangle-left"
    table = chart_table(json.loads(figure.to_json()))
    assert table.loc["Lost"].to_dict() == {  # the numbers themselves, not the places on the axis
        "90 % range of its total; \u25c2 starts off the axis": "0.1 to 9",
        "expected": "",
        "expected, off the axis": "0.4",
    }


def test_groups_that_are_nearly_equal_stand_between_two_marks_of_the_axis():
    near = GROUPS.assign(clv_mean=[94.0, 87.0], clv_lower=[90.0, 85.0], clv_upper=[98.0, 89.0])
    axis = chart_groups(labelled(near)).layout.xaxis
    assert np.power(10, axis.range) == pytest.approx([50, 100])
    assert {50, 100} <= set(axis.tickvals)
    assert chart_groups(GROUPS).layout.xaxis.autorange is True


def test_a_range_that_starts_off_the_axis_ends_in_an_arrow_and_the_legend_says_so():
    assert "off the axis" not in chart_groups(GROUPS).to_json()
    drawn = chart_groups(labelled(GROUPS.assign(clv_lower=[4_000.0, 0.0]))).data[0]
    assert drawn.name == "90 % range of its total; \u25c2 starts off the axis"
    assert list(drawn.marker.opacity) == [0, 0, 0, 1, 0, 0] and drawn.x[3] == 5


def test_so_few_customers_as_no_test_speaks_of_have_no_range_and_the_legend_says_so():
    figure = chart_groups(labelled(GROUPS.assign(customers=[100, 19])))
    assert np.isnan(trace(figure, "90 % range of its total").x[3:5]).all()
    few = trace(figure, "expected; under 20 customers: no range")
    assert list(few.y) == ["Lost"] and few.marker.symbol == "circle-open"
    assert "likely" not in few.hovertemplate and "likely" in trace(figure, "expected").hovertemplate


def test_a_reader_of_groups_chooses_among_groupings_each_with_its_own_finding_axis_and_height():
    of_channel = GROUPS.assign(grouping="by channel", group=["web", "shop"], clv_mean=[20.0, 80.0])
    figure = chart_groups(labelled(pd.concat([GROUPS.assign(grouping="base").head(1), GROUPS, of_channel.head(1)])))
    segments, channels = figure.layout.meta["views"]
    assert (segments["name"], channels["name"]) == ("segments", "by channel")
    assert [drawn.visible for drawn in figure.data] == [True, True, False, False]
    assert (segments["traces"], channels["traces"]) == ([0, 1], [2, 3])
    assert channels["said"] == "web: 100\u00a0% of the customers, 88\u00a0% of the value"
    assert figure.layout.height == segments["layout"]["height"] == channels["layout"]["height"] + 30


def test_a_reader_of_cohorts_chooses_one_of_them():
    figure = chart_retention(COHORTS)
    everything, january, *others = figure.layout.meta["views"]
    assert [january["name"], *(view["name"] for view in others)] == ["2024-01", "2024-02", "2024-03"]
    assert january["layout"]["yaxis.range"] == [0.5, -0.5] and everything["layout"]["yaxis.autorange"] == "reversed"
    figure = chart_cumulative(cohort_table(24))
    some, oldest, *others = figure.layout.meta["views"]
    assert some["name"] == "4 of 24 cohorts" and len(others) == 23
    shown = [at for at, drawn in enumerate(figure.data) if drawn.visible]
    assert some["traces"] == shown and len(shown) == 12
    assert oldest["said"] == "A customer won in 2024-01 will have brought 130\u00a0EUR"
    assert {figure.data[at].meta["name"].partition(",")[0] for at in oldest["traces"]} == {"2024-01"}


def test_the_table_of_cohorts_tells_one_from_the_other():
    table = chart_table(json.loads(CHARTS["cumulative"]().to_json()))
    assert list(table.columns[:3]) == [
        "2024-01, 90 % of the model's futures, upper",
        "2024-01, 90 % of the model's futures, lower",
        "2024-01, observed",
    ]
    assert not any(" to " in cell for cell in table.to_numpy().ravel())


def test_a_long_table_of_a_chart_is_thinned_and_says_so_but_its_csv_is_not():
    tracking = pd.DataFrame({"week": range(100), "period": "calibration", "actual": 1.0, "expected": 1.0})
    figure = chart_tracking(labelled(tracking.assign(lower=np.nan, upper=np.nan)), TESTED)
    table = chart_table(json.loads(figure.to_json()))
    assert as_csv(table).count("\n") == 101
    assert "<caption>Seen (one row in 2; the CSV holds all)</caption>" in as_html(table, "Seen")
    assert as_html(table, "Seen").count("<tr>") == 51
    assert "<caption>Seen</caption>" in as_html(table[:60], "Seen")


def test_the_calendar_tells_what_came_from_what_is_expected_in_each_of_its_views():
    figure = chart_calendar(AHEAD)
    views = figure.layout.meta["views"]
    assert [view["name"] for view in views] == ["Revenue by quarter", "Purchases by quarter"]  # no month is given
    assert [view["layout"]["yaxis.title.text"] for view in views] == ["Revenue (EUR)", "Purchases"]
    assert [at for view in views for at in view["traces"]] == list(range(len(figure.data)))
    came, new, expected, limits = figure.data[:4]
    assert (list(came.y), list(new.y), list(expected.y)) == ([300, 240], [0, 0], [210, 180])
    np.testing.assert_array_equal(limits.y, [105, 420, np.nan, 90, 360, np.nan])
    assert [drawn.visible for drawn in figure.data] == [True] * 5 + [False] * 5
    assert expected.marker.pattern.shape  # told apart without colour


def test_a_quarter_that_the_horizon_cuts_says_its_last_day_and_its_year_stands_below():
    """In one line such a name is too long, and all names under the bars tilt."""
    cut = labelled(AHEAD.assign(starts=pd.Timestamp("2026-10-01"), ends=pd.Timestamp("2026-12-30")))
    assert set(chart_calendar(cut).data[2].x) == {"Oct\N{EN DASH}30 Dec<br>2026"}
    table = chart_table(json.loads(chart_calendar(cut).to_json()))
    assert table.index[0] == "Oct\N{EN DASH}30 Dec 2026"


def test_the_next_quarter_stands_beside_the_last_one_and_the_same_a_year_before():
    months = ahead(seen=(90.0, 100.0, 110.0, 120.0, 130.0), expected=(105.0,))
    found = key_figures._next_quarter(months)
    assert (found["starts"], found["last_revenue"], found["year_before"]) == ("2025-04-01", 130.0, 100.0)
    assert key_figures._next_quarter(ahead())["year_before"] is None  # the log is half a year old


def test_without_money_the_calendar_counts_purchases():
    visits = ahead()
    label(visits, currency="purchases")
    assert [view["name"] for view in chart_calendar(visits).layout.meta["views"]] == ["Purchases by quarter"]


def test_a_horizon_of_no_whole_quarter_is_shown_by_months():
    """Bars of quarters that all lie behind would show nothing of what is expected."""
    months = AHEAD.assign(kind="month")
    seen = labelled(pd.concat([AHEAD[AHEAD["status"] == "observed"], months]))
    names = [view["name"] for view in chart_calendar(seen).layout.meta["views"]]
    assert names == ["Revenue by month", "Purchases by month", "Active customers by month"]


def test_every_cell_of_the_segment_grid_is_named_also_where_nobody_is():
    heat = CHARTS["segment_grid"]().data[0]
    assert np.shape(heat.text) == (5, 5)
    assert heat.text[0][0] == "Do not<br>lose<br><b>10</b>" and heat.text[0][1] == "Do not<br>lose<br>nobody"
    assert (heat.z[:, 1] == 0).all() and (heat.z[:, 0] == 3).all()


def test_retention_leaves_month_zero_out_and_tells_forecast_from_seen():
    observed, forecast, _ = CHARTS["retention"]().data
    assert list(observed.x) == [1, 2, 3, 4] and observed.zmax == forecast.zmax == 25
    assert observed.colorscale != forecast.colorscale
    # January's first month after is seen, its second half seen: that one counts as forecast.
    np.testing.assert_array_equal(observed.z[0], [25, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(forecast.z[0], [np.nan, 25, 25, 25])


def test_retention_of_many_cohorts_keeps_the_newest_and_says_how_many_are_missing():
    figure = chart_retention(cohort_table(60, ahead=12))
    drawn, cells = figure.data[0].y, sum(np.isfinite(heat.z).sum() for heat in figure.data[:2])
    assert drawn[-1] == "2028-12" and cells <= 1_500
    assert f"({60 - len(drawn)} older ones left out)" in figure.layout.yaxis.title.text.replace("<br>", " ")


def test_the_forecast_of_a_cohort_starts_where_the_observation_stops():
    figure = CHARTS["cumulative"]()
    seen, ahead = figure.data[1], figure.data[2]
    assert (seen.x[-1], seen.y[-1]) == (ahead.x[0], ahead.y[0])
    assert seen.line.dash == "solid" and ahead.line.dash == "dash"
    np.testing.assert_allclose(figure.data[0].y[:4], [10, 15.1, 20.1, 25.1])  # the band's upper edge


def test_of_many_cohorts_the_oldest_and_the_newest_are_drawn():
    figure = chart_cumulative(cohort_table(24))
    labels = [note.text for note in figure.layout.annotations]
    assert labels[0] == "2024-01" and labels[-1] == "2025-12" and len(labels) == 4
    assert sum(bool(drawn.showlegend) for drawn in figure.data) == 3
    assert figure.layout.xaxis.title.text.replace("<br>", " ").endswith("; 4 of 24 cohorts are drawn")


def test_labels_of_lines_that_end_side_by_side_do_not_overlap():
    moved = canvas._pushed_apart(np.array([100.0, 99.0, 50.0]), 0.05)
    assert moved == pytest.approx([104.0, 99.0, 50.0])


def test_the_tracking_band_is_the_tables_and_the_cut_is_marked():
    figure = CHARTS["tracking"]()
    band = trace(figure, "90 % of the model's futures")
    assert list(band.x) == [2, 3, 3, 2] and list(band.y) == [4.0, 5.5, 3.5, 3.0]
    assert figure.layout.shapes[0].x0 == 1
    assert trace(figure, "what happened").line.color == OBSERVED


def test_the_backtest_carries_its_standard_errors():
    actual = trace(CHARTS["backtest"](), "what happened, ± 2 standard errors")
    assert list(actual.error_y.array) == [0.5, 2.0]


def test_the_last_frequency_stands_for_more():
    assert list(CHARTS["by_frequency"]().data[0].x) == ["0", "1", "6+"]


def test_past_windows_stand_as_shares_of_their_forecasts_shortest_and_earliest_first():
    figure = CHARTS["windows"]()
    came = trace(figure, "what came")
    assert list(came.x) == [130, 90, 150]
    shown = trace(figure, "90 % range, by what was known then")
    np.testing.assert_allclose(shown.x, [75, 125, np.nan, 70, 140, np.nan, 60, 160, np.nan])
    assert list(came.y) == ["13 weeks to 29 Apr 2024", "13 weeks to 29 Jul 2024", "26 weeks to 29 Jul 2024"]
    assert list(shown.y[::3]) == list(came.y)
    assert came.marker.color == OBSERVED
    assert [note.text for note in figure.layout.annotations] == ["as forecast"]


def test_every_past_window_has_a_line_of_its_own():
    # Two short windows end in March 2024.
    short = WINDOWS.head(2).assign(horizon_weeks=2, origin=pd.to_datetime(["2024-02-20", "2024-03-05"]))
    came = trace(chart_windows(short), "what came")
    assert len(set(came.y)) == 2


def test_without_a_past_window_the_chart_says_so():
    figure = chart_windows(WINDOWS.head(0))
    assert not figure.data
    assert figure.layout.annotations[0].text


@pytest.mark.parametrize("name", CHARTS)
def test_charts_are_light_and_survive_json(name):
    figure = CHARTS[name]()
    assert marks(figure) <= 2_000
    assert json.loads(figure.to_json())["layout"]["title"]["text"] == figure.layout.title.text


@pytest.mark.parametrize("months", [1, 2, 12, 48, 120, 460])
def test_charts_along_time_are_drawn_for_any_span(months):
    weeks = np.arange(4 * months + 2, dtype=float)
    period = np.where(weeks <= weeks[-1] / 2, "calibration", "holdout")
    limit = np.where(period == "holdout", weeks, np.nan)
    tracking = pd.DataFrame(
        {"week": weeks, "period": period, "actual": weeks, "expected": weeks, "lower": limit, "upper": limit}
    )
    cohorts = cohort_table(1, ahead=months)
    for figure in (
        chart_tracking(labelled(tracking), TESTED),
        chart_retention(cohorts),
        chart_cumulative(cohorts),
    ):
        assert marks(figure) > 0 and len(figure.to_json()) < 400_000
