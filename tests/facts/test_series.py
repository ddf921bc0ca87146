import gzip

import numpy as np
import pandas as pd
import pytest

from tenfold.core.errors import BadInput
from tenfold.facts.series import read_series, series_of

HOURS = pd.date_range("2024-01-01", periods=6, freq="h")
PLAIN = pd.DataFrame({"date": HOURS, "a": np.arange(6.0), "b": [2.0, 1, 0, 5, 6, 9]})


def text(folder, words, name="table.csv"):
    file = folder / name
    file.write_bytes(words if isinstance(words, bytes) else words.encode())
    return file


@pytest.mark.parametrize("compressed", [False, True])
def test_a_wide_table_gives_its_columns_and_the_times_that_follow(tmp_path, compressed):
    content = PLAIN.to_csv(index=False).encode()
    file = text(tmp_path, gzip.compress(content, mtime=0) if compressed else content, "t.csv.gz" if compressed else "t.csv")
    found = read_series(file)
    np.testing.assert_array_equal(found.values, PLAIN[["a", "b"]].to_numpy())
    assert found.names == ("a", "b")
    assert list(found.after(2)) == [pd.Timestamp("2024-01-01 06:00"), pd.Timestamp("2024-01-01 07:00")]


def test_long_rows_are_the_same_series_as_wide_ones():
    long = (
        PLAIN.melt("date", var_name="unique_id", value_name="y")
        .rename(columns={"date": "ds"})
        .sample(frac=1, random_state=0)
    )
    ours, wide = series_of(long), series_of(PLAIN)
    np.testing.assert_array_equal(ours.values, wide.values)
    assert ours.names == wide.names
    assert (ours.times == wide.times).all()
    twice = pd.concat([long, long.head(1)])
    with pytest.raises(BadInput, match=r"series '.' has the time .* twice"):
        series_of(twice)


def test_a_table_without_header_and_times_has_numbered_columns_and_rows(tmp_path):
    found = read_series(text(tmp_path, "1,2\n3,4\n5,6\n", "rates.txt"))
    assert found.names == ("0", "1")
    assert found.times is None
    assert list(found.after(2)) == [3, 4]


def test_months_go_on_as_months():
    months = pd.DataFrame({"ds": pd.date_range("2023-11-30", periods=4, freq="ME"), "y": range(4)})
    assert list(series_of(months).after(2)) == [pd.Timestamp("2024-03-31"), pd.Timestamp("2024-04-30")]


def test_columns_are_taken_in_the_order_in_which_they_are_asked_for():
    assert series_of(PLAIN, columns=["b", "a"]).names == ("b", "a")
    assert series_of(PLAIN).chosen(["b"]).values.shape == (6, 1)
    with pytest.raises(BadInput, match="no column 'c'"):
        series_of(PLAIN).chosen(["c"])
    with pytest.raises(BadInput, match="no column 'c'"):
        series_of(PLAIN, columns=["c"])


def test_an_index_of_times_is_a_clock_too():
    assert (series_of(PLAIN.set_index("date")).times == HOURS).all()


@pytest.mark.parametrize(
    ("fill", "wanted"), [("forward", [0, 0, 2, 3, 4, 5]), ("linear", [0, 1, 2, 3, 4, 5]), ("mask", [0, np.nan, 2, 3, 4, 5])]
)
def test_missing_values_are_filled_or_kept_as_asked_and_else_refused(fill, wanted):
    holed = PLAIN.assign(a=[0, np.nan, 2, 3, 4, 5])
    np.testing.assert_array_equal(series_of(holed, fill=fill).values[:, 0], wanted)
    assert "1 of" in series_of(holed, fill=fill).notes[0]
    with pytest.raises(BadInput, match="row 2, column 'a'"):
        series_of(holed)
    with pytest.raises(BadInput, match="holds no number at all"):
        series_of(PLAIN.assign(a=np.nan), fill="forward")
    with pytest.raises(BadInput, match="fill 'zero' is unknown"):
        series_of(PLAIN, fill="zero")


def test_constant_columns_and_sentinels_are_remarked_and_kept():
    notes = series_of(PLAIN.assign(a=1.0, b=[-9999, 1, 2, -9999, 3, 4])).notes
    assert notes == ("Column 'a' is constant.", "-9999 occurs 2 times: perhaps it stands for a missing value.")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("date,a\n2024-01-01,1\n2024-01-02,x\n2024-01-03,3\n", "row 2, column 'a': 'x' is no number"),
        ("date,a\n2024-01-01,1\n2024-01-01,2\n2024-01-03,3\n", "row 2: the time 2024-01-01 stands there twice"),
        ("date,a\n2024-01-02,1\n2024-01-01,2\n2024-01-03,3\n", "row 2: the time 2024-01-01 comes before"),
        ("date,a\n2024-01-01,1\n2024-01-02,2\n2024-01-05,3\n2024-01-06,3\n", "the step is 1 days.*row 3"),
        ("date,a\n2024-01-01,1\n2024-01-02,2\nnever,3\n", "row 3: 'never' in column 'date' is no time"),
        ("date,a\n2024-01-01,1\n", "1 times; at least 3"),
        (
            "date,a,b\n2024-01-01,1,2\n2024-01-02,1,2\n2024-01-03,1\n",
            "last row of table.csv has 2 of 3 fields",
        ),
        ("", "is empty"),
        ("date\n2024-01-01\n2024-01-02\n", "holds no numbers"),
        ("a,b\n1,2\n1,2,3\n1,2\n", "is no table"),
    ],
)
def test_a_table_that_cannot_be_used_says_where_and_why(tmp_path, words, why):
    with pytest.raises(BadInput, match=why):
        read_series(text(tmp_path, words))


def test_rows_can_be_taken_as_steps_whatever_their_times(tmp_path):
    file = text(tmp_path, "date,a\n2024-01-02,1\n2024-01-01,2\n2024-01-03,3\n")
    found = read_series(file, time="none")
    assert found.times is None
    assert found.names == ("a",)


def test_a_header_that_is_not_utf8_is_read_as_latin_1_and_said(tmp_path):
    found = read_series(text(tmp_path, "T (\xb0C)\n1\n2\n".encode("latin-1")))
    assert found.names == ("T (\xb0C)",)
    assert found.notes == ("table.csv is not UTF-8: read as latin-1.",)


def test_arrays_are_read_without_pickle(tmp_path):
    np.savez(tmp_path / "a.npz", values=np.arange(6.0).reshape(3, 2))
    np.testing.assert_array_equal(read_series(tmp_path / "a.npz").values, np.arange(6.0).reshape(3, 2))
    np.savez(tmp_path / "two.npz", a=np.ones(2), b=np.ones(2))
    with pytest.raises(BadInput, match="holds 2 arrays"):
        read_series(tmp_path / "two.npz")
    np.savez(tmp_path / "flat.npz", a=np.ones(2))
    with pytest.raises(BadInput, match="has shape"):
        read_series(tmp_path / "flat.npz")
    np.savez(tmp_path / "objects.npz", a=np.array([{}], dtype=object))
    with pytest.raises(BadInput):
        read_series(tmp_path / "objects.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK nonsense")
    with pytest.raises(BadInput):
        read_series(tmp_path / "broken.npz")
    with pytest.raises(BadInput, match="is not there"):
        read_series(tmp_path / "none.csv")


@pytest.mark.data
def test_the_real_files_are_read_with_what_is_odd_about_them(data):
    folder = data / "facts"
    assert read_series(folder / "ETTh1.csv.gz").values.shape == (17_420, 7)
    assert read_series(folder / "exchange_rate.txt.gz").values.shape == (7_588, 8)
    with pytest.raises(BadInput, match="stands there twice"):
        read_series(folder / "weather.csv.gz")
    weather = read_series(folder / "weather.csv.gz", time="none")
    assert weather.values.shape == (52_696, 21)
    assert any("-9999 occurs 81 times" in note for note in weather.notes)
