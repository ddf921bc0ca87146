import numpy as np
import pandas as pd
import pytest

from tenfold.core.errors import BadInput
from tenfold.facts import town_meters
from tenfold.facts.series import series_of


def test_the_town_is_the_same_every_time_another_one_for_another_seed_and_usable_as_it_is():
    town = town_meters(200)
    pd.testing.assert_frame_equal(town, town_meters(200))
    assert not town.equals(town_meters(200, seed=1))
    found = series_of(town)
    assert found.notes == ()
    assert found.values.shape == (200, 7)
    with pytest.raises(BadInput, match="hours is 47; at least 48"):
        town_meters(47)


def test_old_houses_follow_the_temperature_hours_later_and_new_ones_later_still():
    town = town_meters(4000)
    cold = -town["temperature"].to_numpy()

    def lag(name):
        heat = town[name].to_numpy()
        return int(np.argmax([np.corrcoef(cold[: -late or None], heat[late:])[0, 1] for late in range(48)]))

    assert 3 <= lag("heat_old") < lag("heat_new") <= 36
