"""Users' films as clips, from small folders made here."""

import numpy as np
import pytest
from PIL import Image

from tenfold.core.errors import BadInput, DataMissing, ExtraMissing
from tenfold.facts.rollout import learned_from_videos
from tenfold.facts.sprites import film
from tenfold.facts.videos import PROTOCOLS, Protocol, find_videos, read_clip, sample_clips

SHORT = Protocol(3, 2, 2, 16)


def write(folder, frames, suffix="png"):
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames):
        Image.fromarray((255 * frame).round().astype(np.uint8)).save(folder / f"test_{number}.{suffix}")


def grey(level, height=16, width=16):
    return np.full((height, width, 3), level / 255)


def test_frames_come_in_the_order_of_their_numbers_and_one_of_every_two_is_taken(tmp_path):
    write(tmp_path / "train" / "000", [grey(number) for number in range(12)])
    clip = read_clip(find_videos(tmp_path)[0], SHORT)
    assert clip.shape == (5, 3, 16, 16)
    assert np.allclose(255 * clip[:, 0, 0, 0], [0, 2, 4, 6, 8])


def test_pictures_are_cut_to_the_square_in_the_middle_and_shrunk(tmp_path):
    wide = grey(255, 32, 64)
    wide[:, :16] = wide[:, 48:] = 0
    write(tmp_path / "test" / "a" / "7", [wide] * 9)
    clip = read_clip(find_videos(tmp_path, "test")[0], SHORT)
    assert np.array_equal(clip, np.ones((5, 3, 16, 16), np.float32))


def test_every_film_comes_once_before_one_comes_again_and_seeds_repeat(tmp_path):
    for number in range(4):
        write(tmp_path / "train" / str(number), [grey(50 * number + frame) for frame in range(11)])
    videos = find_videos(tmp_path)
    clips = sample_clips(videos, SHORT, 8, seed=3)
    films = (255 * clips[:, 0, 0, 0, 0]).round().astype(int) // 50
    assert sorted(films[:4]) == sorted(films[4:]) == [0, 1, 2, 3]
    assert np.array_equal(clips, sample_clips(videos, SHORT, 8, seed=3))
    assert not np.array_equal(clips, sample_clips(videos, SHORT, 8, seed=4))


def test_the_protocols_are_those_of_slotformer():
    assert PROTOCOLS["obj3d"] == (6, 10, 1, 64)
    assert PROTOCOLS["obj3d"].span == 16
    assert PROTOCOLS["clevrer"].span == 31


def test_what_is_missing_or_broken_is_told(tmp_path):
    with pytest.raises(DataMissing, match="holds no films") as told:
        find_videos(tmp_path)
    assert "train/000000/000.png" in told.value.hint
    write(tmp_path / "train" / "0", [grey(1)] * 3)
    short = find_videos(tmp_path)[0]
    with pytest.raises(BadInput, match="has 3 frames; a clip needs 9"):
        read_clip(short, SHORT)
    with pytest.raises(BadInput, match="part 'all'"):
        find_videos(tmp_path, "all")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="at least 1"):
        sample_clips((), SHORT, 1)
    write(tmp_path / "val" / "0", [grey(1)] * 9)
    (tmp_path / "val" / "0" / "test_4.png").write_bytes(b"no picture")
    with pytest.raises(BadInput, match=r"test_4\.png is not a picture"):
        read_clip(find_videos(tmp_path, "val")[0], SHORT)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    write(tmp_path / "elsewhere", [grey(1)] * 9)
    (tmp_path / "data" / "train").mkdir(parents=True)
    (tmp_path / "data" / "train" / "0").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataMissing):
        find_videos(tmp_path / "data")


def test_video_files_are_read_or_the_package_is_named(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "video_00000.mp4").write_bytes(b"no video")
    with pytest.raises((BadInput, ExtraMissing), match=r"av|can be read"):
        read_clip(find_videos(tmp_path)[0], SHORT)


def test_a_model_learns_from_a_folder_and_is_scored_on_its_test_part(tmp_path):
    for part, seed in (("train", 1), ("test", 2)):
        for number, clip in enumerate(film(2, 16, size=64, seed=seed).frames):
            write(tmp_path / part / str(number), clip.transpose(0, 2, 3, 1))
    found = learned_from_videos("facts", tmp_path, "obj3d", steps=2, batch=2, clips=2, tested=2)
    assert np.isnan(found.fg_ari)
    assert found.psnr > 3
    assert 0 < found.ssim < 1
