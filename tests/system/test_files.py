"""Files that several processes want to write; files in folders; names of files."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from salutary.errors import SalutaryError
from salutary.labeling import outputs
from salutary.system.commands import explain
from salutary.system.files import (
    as_path,
    directory,
    files_in,
    locked,
    tidy,
    whole_file,
    whole_folder,
    write_atomic,
)

COUNT = """
import sys, time
from pathlib import Path
from salutary.system.files import locked

folder = Path(sys.argv[1])
for _ in range(15):
    with locked(folder / "new" / ".lock", wait=lambda: None):
        file = folder / "count"
        n = int(file.read_text()) if file.exists() else 0
        time.sleep(0.002)
        file.write_text(str(n + 1))
"""


def test_one_process_at_a_time_is_inside(tmp_path):
    command = [sys.executable, "-c", COUNT, str(tmp_path)]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert (tmp_path / "count").read_text() == "45"
    assert not (tmp_path / "new" / ".lock").exists()


@pytest.mark.parametrize("name", [None, "result.txt"])
def test_folders_stay_if_something_came_of_it(tmp_path, name):
    folder = tmp_path / "a" / "b"
    with locked(folder / ".lock", wait=pytest.fail):
        if name:
            (folder / name).touch()
    assert list(tmp_path.rglob("*")) == ([tmp_path / "a", folder, folder / name] if name else [])


def test_a_mistake_inside_comes_out_and_leaves_nothing(tmp_path):
    with pytest.raises(OSError, match="no space"), locked(tmp_path / "a" / ".lock", wait=pytest.fail):
        raise OSError("no space")
    assert not list(tmp_path.iterdir())


def test_another_labelling_of_the_same_table_is_refused(tmp_path):
    path = tmp_path / "new" / "labels.csv"
    with outputs.locked(path):
        message = r"another salutary-label is writing .*labels\.csv"
        with pytest.raises(SalutaryError, match=message), outputs.locked(path):
            pass
        assert path.parent.exists()
    assert not path.parent.exists()
    (tmp_path / "file").touch()
    with pytest.raises(SalutaryError, match="cannot be written"), outputs.locked(tmp_path / "file" / "x.csv"):
        pass
    with pytest.raises(OSError, match="disk"), outputs.locked(path):
        raise OSError("disk")


def test_files_in_a_folder_and_in_those_that_are_linked_there(tmp_path):
    folder, elsewhere = tmp_path / "rows", tmp_path / "elsewhere"
    for each in (folder / "a", elsewhere):
        each.mkdir(parents=True)
        (each / "x").touch()
    (folder / "linked").symlink_to(elsewhere)
    (folder / "a" / "file").symlink_to(elsewhere / "x")
    (folder / "a" / "loop").symlink_to(folder)
    (elsewhere / "loop").symlink_to(elsewhere)
    (folder / "gone").symlink_to(tmp_path / "nowhere")
    found = [path.relative_to(folder).as_posix() for path in files_in(folder)]
    assert found == ["a/file", "a/x", "linked/x"]
    assert files_in(folder / "a" / "x") == [folder / "a" / "x"]


def test_a_tilde_is_the_users_folder_or_part_of_a_name(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert as_path("~/rows.csv") == Path("/home/me/rows.csv")
    assert as_path("~nobody-is-called-so.csv") == directory("~nobody-is-called-so.csv")
    assert os.fspath(as_path("~nobody-is-called-so.csv")) == "~nobody-is-called-so.csv"


def test_what_killed_writes_have_left_goes_and_a_users_files_stay(tmp_path):
    folder = tmp_path / "labels"
    mine = {".labels.settings", ".labels.csv.lock", "labels.csv.unfinished", ".labels.unfinished"}
    mine |= {".labels.mybackup.replaced", ".labels.0a1b2c3d.replaced", ".labels.OLD_ONES.unfinished"}  # files
    for name in mine | {".labels.a1b2c3d4.unfinished"}:
        (tmp_path / name).touch()
    for name in (".labels.00000000.unfinished", ".labels.11111111.replaced"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model").write_text(name)
    tidy(folder)
    assert {path.name for path in tmp_path.iterdir()} == {*mine, "labels"}
    assert (folder / "model").read_text() == ".labels.11111111.replaced"  # it was about to be replaced
    shutil.copytree(folder, tmp_path / ".labels.22222222.replaced")
    tidy(folder)
    assert {path.name for path in tmp_path.iterdir()} == {*mine, "labels"}


def test_a_folder_that_is_a_link_stays_one(tmp_path):
    (tmp_path / "large").mkdir()
    (tmp_path / "labels").symlink_to("large")
    for content in ("old", "new"):
        with whole_folder(tmp_path / "labels") as building:
            (building / "model").write_text(content)
        tidy(tmp_path / "labels")
    assert (tmp_path / "large" / "model").read_text() == "new" and (tmp_path / "labels").is_symlink()
    assert {path.name for path in tmp_path.iterdir()} == {"labels", "large"}


def test_a_folder_is_replaced_whole_or_stays(tmp_path):
    folder = tmp_path / "labels"
    for content in ("old", "new"):
        with whole_folder(folder) as building:
            (building / "model").write_text(content)
            assert not folder.exists() or (folder / "model").read_text() == "old"
    with pytest.raises(OSError, match="No space") as error, whole_folder(folder) as building:
        raise OSError(errno.ENOSPC, "No space left on device")
    assert error.value.filename == str(folder)
    with pytest.raises(OSError) as error, whole_folder(folder) as building:
        building.joinpath("missing", "model").write_text("")
    assert error.value.filename == str(folder / "missing" / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["labels"]
    assert (folder / "model").read_text() == "new"


def test_a_file_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    path = tmp_path / "labels.csv"
    with pytest.raises(OSError) as error, whole_file(path):
        raise OSError(errno.ENOSPC, "[Errno 28] Error writing bytes to file")  # as PyArrow says
    assert explain(error.value) == f"{path} cannot be written: No space left on device"
    monkeypatch.setattr(os, "fsync", lambda _: os.open("/nowhere", os.O_RDONLY))
    with pytest.raises(FileNotFoundError, match="/nowhere"):
        write_atomic(path, b"")
    assert not [*tmp_path.iterdir()]


def test_a_file_system_without_locks_is_one_line(tmp_path, monkeypatch):
    def flock(self, timeout):
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(FileLock, "acquire", flock)
    message = r"labels\.csv cannot be written: its file system knows no locks \(flock\)"
    with pytest.raises(SalutaryError, match=message), outputs.locked(tmp_path / "labels.csv"):
        pass
