"""Runs take turns on a GPU."""

import getpass
import threading
import time

import pytest
import torch

from salutary.errors import SalutaryError
from salutary.system import device as module
from salutary.system.device import Device


class Gpu(Device):
    """The CPU, known as a GPU of some name."""

    def __init__(self, hardware, **settings):
        super().__init__("cpu", **settings)
        self.hardware = hardware

    def _hardware(self):
        return self.hardware


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(tmp_path))
    return tmp_path


def most_at_once(devices):
    """How many of the devices are held at the same time, each by a thread of its own."""
    inside, most, lock = [], [], threading.Lock()

    def hold(device):
        with device.turn():
            with lock:
                inside.append(1)
                most.append(len(inside))
            time.sleep(0.2)
            with lock:
                inside.pop()

    threads = [threading.Thread(target=hold, args=[device]) for device in devices]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return max(most)


def test_one_at_a_time_on_one_gpu(folder):
    assert most_at_once([Gpu("one"), Gpu("one"), Gpu("one")]) == 1
    assert not list(folder.rglob("*.lock"))


def test_memory_is_given_back_before_the_next_turn(folder, monkeypatch):
    """Also after a mistake; on the CPU there is none to give."""
    held = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: held.append(len(list(folder.rglob("*.lock")))))
    with pytest.raises(ZeroDivisionError), Gpu("one").turn():
        raise ZeroDivisionError
    with Device("cpu").turn():
        pass
    assert held == [1]


def test_a_user_without_a_name_has_turns(monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: {}["uid not found"])
    assert most_at_once([Gpu("one"), Gpu("one")]) == 1


def test_nobody_waits_for_another_gpu_nor_where_turns_are_off():
    with Gpu("one").turn(), Gpu("other").turn(), Gpu("one", turns=False).turn():
        pass


def test_on_the_cpu_nothing_is_locked(folder):
    with Device("cpu").turn(), Device("cpu").turn():
        assert not list(folder.rglob("*"))


def test_a_folder_that_cannot_be_written_keeps_nobody_waiting(monkeypatch):
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: "/proc/none")
    with Gpu("one").turn(), Gpu("one").turn():
        pass


def test_turns_are_true_or_false():
    with pytest.raises(SalutaryError, match=r"device.turns must be true or false, not 1"):
        Device("cpu", turns=1)
