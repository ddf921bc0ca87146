import numpy as np
import pandas as pd
import pytest

from tenfold.core.errors import BadInput
from tenfold.facts.covariates import Roles, calendar_marks, rows_of, season_of
from tenfold.facts.series import series_of

HOURS = pd.date_range("2024-01-01", periods=48, freq="h")  # a Monday
TABLE = series_of(
    pd.DataFrame({"date": HOURS, "y": np.arange(48.0), "past": np.arange(48.0) + 100, "plan": np.arange(48.0)})
)


def test_columns_that_are_no_covariates_are_forecast():
    roles = Roles.of(TABLE, ["past"], ["plan"], calendar=True)
    assert roles.targets == ("y",)
    assert roles.rows[:3] == ("y", "past", "plan")
    assert roles.marks == ("day sin", "day cos", "week sin", "week cos", "year sin", "year cos")
    assert roles.columns == ("y", "past", "plan")


def test_what_is_known_ahead_is_moved_back_by_the_horizon_and_the_rest_is_not():
    roles = Roles.of(TABLE, ["past"], ["plan"], calendar=True)
    rows = rows_of(TABLE, roles, 6)
    np.testing.assert_array_equal(rows[:, 0], np.arange(48))
    np.testing.assert_array_equal(rows[:, 1], np.arange(48) + 100)
    np.testing.assert_array_equal(rows[:42, 2], np.arange(6, 48))
    assert np.isnan(rows[42:, 2]).all()  # not known yet
    ahead = series_of(pd.DataFrame({"plan": [7.0, 8, 9, 7, 8, 9]}))
    np.testing.assert_array_equal(rows_of(TABLE, roles, 6, ahead)[42:, 2], [7, 8, 9, 7, 8, 9])
    midnight = rows_of(TABLE, roles, 24)[:, 3:5]  # marks of the hour a day later are those of the hour
    np.testing.assert_allclose(midnight[0], [0, 1], atol=1e-9)


def test_marks_say_what_time_it_is_as_far_as_the_steps_do():
    marks = calendar_marks(pd.date_range("2024-01-01", periods=24 * 7 + 1, freq="h"))
    for name in ("week sin", "week cos"):
        assert marks[name][0] == pytest.approx(marks[name][-1], abs=1e-9)
    np.testing.assert_allclose([marks["week sin"][0], marks["week cos"][0]], [0, 1], atol=1e-9)
    np.testing.assert_allclose([marks["day sin"][6], marks["day cos"][6]], [1, 0], atol=1e-9)
    assert list(calendar_marks(pd.date_range("2024-01-01", periods=5, freq="D"))) == [
        "week sin", "week cos", "year sin", "year cos",
    ]  # fmt: skip


@pytest.mark.parametrize(("freq", "season"), [("h", 24), ("15min", 96), ("D", 7), ("ME", 12), ("min", 1)])
def test_the_season_is_the_shortest_period_that_fits_a_window(freq, season):
    times = pd.date_range("2024-01-31", periods=30, freq=freq)
    assert season_of(series_of(pd.DataFrame({"ds": times, "x": range(30)})), 96) == season


def test_a_column_that_is_not_there_is_hidden():
    roles = Roles.of(TABLE, ["past"], [], calendar=False)
    rows = rows_of(TABLE.chosen(["y", "plan"]), roles, 6)
    assert np.isnan(rows[:, roles.rows.index("past")]).all()


@pytest.mark.parametrize(
    ("past", "future", "calendar", "why"),
    [
        (["other"], [], False, "There is no column 'other'"),
        (["y"], ["y"], False, "named twice"),
        (["y", "past"], ["plan"], False, "nothing to forecast"),
        ([], [], True, "has no times"),
    ],
)
def test_roles_that_make_no_sense_are_refused(past, future, calendar, why):
    table = series_of(pd.DataFrame({"y": [1.0, 2], "past": [1.0, 2], "plan": [1.0, 2]})) if calendar else TABLE
    with pytest.raises(BadInput, match=why):
        Roles.of(table, past, future, calendar=calendar)
