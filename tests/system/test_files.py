"""Files that several processes want to write."""

import subprocess
import sys

import pytest

from salutary.errors import SalutaryError
from salutary.labeling import outputs
from salutary.system.files import locked

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
