"""Pictures of every mode, folders of them as tables, and files that are none."""

import numpy as np
import pandas as pd
import pytest
from picture_files import write_folder
from PIL import Image

from salutary.errors import SalutaryError
from salutary.tables.files import open_table
from salutary.tables.pictures import BadPicture, WithoutBad, located, square, upright

PIXELS = np.linspace(0, 255, 48).astype(np.uint8).reshape(4, 4, 3)
COLOURED = Image.fromarray(PIXELS)


def saved(path, image, **settings):
    image.save(path, **settings)
    return path


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA", "LA", "CMYK", "YCbCr"])
def test_pictures_of_any_mode_are_those_of_pillow(mode, tmp_path):
    path = saved(tmp_path / "a.tif", COLOURED.convert(mode))
    found = upright(path)
    assert found.mode == "RGB" and found.size == (4, 4)
    np.testing.assert_array_equal(np.asarray(found), np.asarray(Image.open(path).convert("RGB")))


def test_sixteen_bits_are_made_eight(tmp_path):
    values = np.array([[0, 257, 25700, 65535]], np.uint16)
    found = np.asarray(upright(saved(tmp_path / "a.png", Image.fromarray(values))))
    np.testing.assert_array_equal(found[0, :, 0], [0, 1, 100, 255])


def test_what_can_be_seen_through_is_laid_on_white(tmp_path):
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (10, 20, 30, 255))
    expected = [[[255, 255, 255], [10, 20, 30]]]
    np.testing.assert_array_equal(np.asarray(upright(saved(tmp_path / "a.png", image))), expected)
    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.putpixel((1, 0), 1)
    path = saved(tmp_path / "b.png", palette, transparency=0)
    np.testing.assert_array_equal(np.asarray(upright(path)), expected)


def test_the_camera_may_have_been_turned(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the top is on the right
    found = np.asarray(upright(saved(tmp_path / "a.tif", COLOURED, exif=exif)))
    np.testing.assert_array_equal(found, np.rot90(PIXELS, -1))


def test_squares_are_bicubic(tmp_path):
    path = saved(tmp_path / "a.png", COLOURED)
    expected = np.asarray(COLOURED.resize((8, 8), Image.Resampling.BICUBIC)).transpose(2, 0, 1)
    np.testing.assert_array_equal(square(path, 8), expected)


def spoilt(folder, kind, monkeypatch):
    path = saved(folder / "a.png", Image.effect_noise((40, 40), 50))
    if kind == "cut":
        path.write_bytes(path.read_bytes()[:-600])
    elif kind == "text":
        path.write_text("no picture")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "gone":
        path.unlink()
    elif kind == "real numbers":
        path = saved(folder / "a.tif", Image.new("F", (4, 4)))
    else:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", {"large": 1599, "bomb": 799}[kind])
    return path


KINDS = {
    "cut": "truncated|broken", "text": "no format that Pillow knows", "empty": "no format that Pillow knows",
    "gone": "there is no such file", "large": "too many pixels, more than 1,599", "bomb": "too many pixels",
    "real numbers": "its pixels are real numbers",
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_bad_pictures_are_named(kind, tmp_path, monkeypatch):
    path = spoilt(tmp_path, kind, monkeypatch)
    with pytest.raises(BadPicture, match=rf"a\.\w+ is not a whole picture: .*({KINDS[kind]})") as error:
        upright(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [None, np.nan, "  ", 3])
def test_a_row_that_names_no_picture(value, tmp_path):
    with pytest.raises(BadPicture, match="it names no picture"):
        located(value, tmp_path)


def test_a_folder_for_each_class(tmp_path):
    labels = write_folder(tmp_path, 6, seed=0)
    (tmp_path / ".hidden").mkdir()
    saved(tmp_path / ".hidden" / "b.png", COLOURED)
    saved(tmp_path / "red" / "._002.png", COLOURED)
    (tmp_path / "notes.txt").write_text("no picture")
    table = open_table(tmp_path)
    assert table.columns == ["path", "label"] and table.n_rows == 6 and table.folder == tmp_path
    frame = table.read()
    assert dict(zip(frame["path"], frame["label"], strict=True)) == labels
    assert frame["path"].tolist() == sorted(labels)
    assert table.read(["label"]).columns.tolist() == ["label"]


def test_a_flat_folder_has_no_labels(tmp_path):
    write_folder(tmp_path, 4, seed=0, flat=True)
    table = open_table(tmp_path)
    assert table.columns == ["path"] and len(table.read()) == 4
    with pytest.raises(
        SalutaryError, match=r"000\.png is in no folder; pictures with labels are in one named"
    ):
        table.read(["path", "label"])


def test_a_folder_of_parquet_stays_one(tmp_path):
    pd.DataFrame({"x": [1, 2]}).to_parquet(tmp_path / "part.parquet")
    saved(tmp_path / "a.png", COLOURED)
    assert open_table(tmp_path).columns == ["x"]


def test_rows_of_bad_pictures_keep_out_and_others_their_numbers(tmp_path):
    write_folder(tmp_path, 6, seed=0, flat=True)
    (tmp_path / "002.png").write_text("none")
    paths = ["000.png", None, "002.png", "003.png", "004.png"]
    pd.DataFrame({"file": paths, "x": range(5)}).to_csv(tmp_path / "rows.csv", index=False)
    table = WithoutBad(open_table(tmp_path / "rows.csv"), ["file"])
    assert [*table.read().index] == [0, 3, 4] and table.n_rows == 3
    assert table.numbers(np.array([1, 2])).tolist() == [3, 4]
    assert "row 2: it names no picture; the row is left out" in table.skipped[0]
    assert "row 3: " in table.skipped[1] and "002.png is not a whole picture" in table.skipped[1]
    pd.DataFrame({"file": ["002.png"]}).to_csv(tmp_path / "rows.csv", index=False)
    with pytest.raises(SalutaryError, match=r"rows\.csv has no whole picture; .*002\.png"):
        WithoutBad(open_table(tmp_path / "rows.csv"), ["file"])
