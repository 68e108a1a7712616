"""``salutary-label`` where a disk is full or may only be read: one line, nothing half-written, and with room
the same command goes on to the same bytes.
"""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from disks import fill, mounted, read_only

from salutary.labeling import outputs

from .label_processes import NUMBERS, QUICK, contents, label_to_the_end, mistake, said, undisturbed

COMMAND = (*NUMBERS, "pool={}/parts", "predictions=predicted.csv", "rounds=2", "folds=0")


@pytest.fixture(scope="module")
def expected(read, tmp_path_factory):
    return undisturbed(tmp_path_factory.mktemp("expected"), read, *COMMAND)


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith((".", "output.txt")))


# Bytes that are left, and what does not fit any more. The encoded pool has some 30 kB.
PLACES = {
    "nothing": (0, "labels.partial/fingerprint cannot be written"),
    "the pool": (12_288, "labels.partial/pool.npy cannot be written"),
    "the models": (98_304, "labels/alternative.skops cannot be written"),
}


def out(folder):
    """Where the command prints: elsewhere, since the disk is full."""

    def prepare():
        handle = os.open(folder / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1), os.dup2(handle, 2)

    return prepare


@pytest.mark.parametrize("place", [*PLACES])
def test_full_disk(place, read, expected, tmp_path):
    left, message = PLACES[place]
    small, elsewhere = tmp_path / "small", tmp_path / "elsewhere"
    elsewhere.mkdir()
    with mounted(small, "8m"):
        (small / "output.txt").touch()
        make_room = fill(small, left)
        assert label_to_the_end(small, read, *COMMAND, prepare=out(elsewhere)) == 1
        assert message in mistake(elsewhere) and "No space left on device" in mistake(elsewhere)
        assert not {*visible(small)} - {"filling", "labels.partial"}
        make_room()
        assert label_to_the_end(small, read, *COMMAND, prepare=out(elsewhere)) == 0, said(elsewhere)
        assert contents(small) == expected


def test_full_disk_of_the_predictions(read, expected, tmp_path):
    """Another than that of the labels: these are not there without them."""
    small = tmp_path / "small"
    settings = (*COMMAND, f"predictions={small}/predicted.csv")
    with mounted(small, "16k"):
        assert label_to_the_end(tmp_path, read, *settings) == 1
        assert f"{small}/predicted.csv cannot be written: No space left" in mistake(tmp_path)
        assert not {*visible(tmp_path)} - {"labels.partial", "small"} and not [*small.iterdir()]
    with mounted(small, "4m"):
        assert label_to_the_end(tmp_path, read, *settings) == 0, said(tmp_path)
        assert (small / "predicted.csv").read_bytes() == expected["predicted.csv"]
        assert (tmp_path / "labels.csv").read_bytes() == expected["labels.csv"]


@pytest.mark.parametrize("setting", ["output", "predictions"])
def test_written_where_only_reading_is_allowed(setting, read, tmp_path):
    locked, name = tmp_path / "locked", {"output": "labels.csv", "predictions": "predicted.csv"}[setting]
    with read_only(locked):
        assert label_to_the_end(tmp_path, read, *COMMAND, f"{setting}={locked}/{name}") == 1
        said_once = f"salutary-label: {locked}/{name} cannot be written: Read-only file system"
        assert mistake(tmp_path) == said_once
        assert not {*visible(tmp_path)} - {"locked"} and not [*locked.iterdir()]


def nobody_when_writing():
    """A preparation: what is imported before may be root's."""
    locked = outputs.locked

    def as_nobody(*paths):
        if os.getuid() == 0:
            os.setuid(65534)
        return locked(*paths)

    outputs.locked = as_nobody


def test_a_folder_without_the_right_to_write(read):
    """As another user than root, whom nothing is forbidden."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        forbidden = folder / "forbidden"
        forbidden.mkdir()
        for each, mode in ((folder, 0o777), (forbidden, 0o555)):
            each.chmod(mode)
        shutil.copytree(read, folder / "tables")
        (folder / "tables").chmod(0o755)
        settings = (*COMMAND, "output=forbidden/labels.csv")
        assert label_to_the_end(folder, folder / "tables", *settings, prepare=nobody_when_writing) == 1
        assert "forbidden/labels.csv cannot be written: Permission denied" in mistake(folder)
        assert not [*forbidden.iterdir()]


def test_inputs_and_caches_may_be_read_only(read, expected, tmp_path):
    """Home and cache cannot be written, nor the folder of the tables: that changes nothing."""
    folder = tmp_path / "work"
    folder.mkdir()

    def at_home():
        for name in ("HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR"):
            os.environ[name] = str(folder / "cache")

    with read_only(folder / "cache"), read_only(read):
        assert label_to_the_end(folder, read, *COMMAND, prepare=at_home) == 0, said(folder)
        assert contents(folder) == expected
        texts = (*QUICK, "pool={}/pool.parquet", "text=[said]", "encoder=tfidf", "force=true")
        assert label_to_the_end(folder, read, *texts, prepare=at_home) == 0, said(folder)
