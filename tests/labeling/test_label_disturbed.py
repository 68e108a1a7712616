"""``salutary-label`` that is killed, at random moments and at every write: the same bytes in the end."""

import csv
import os
import random
import signal
import time

import pytest
from processes import status_of

from .label_processes import (
    COMMANDS,
    NUMBERS,
    OLDER,
    QUICK,
    begun,
    content,
    contents,
    label_to_the_end,
    labelling,
    said,
)

KILLS = 60
WRITTEN = ("labels.csv", "predicted.csv", "predicted.parquet", "labels/model.skops", "labels/facts.json")


def undisturbed(folder, read, settings, older=None):
    """What the command leaves, and the seconds it took."""
    begun(folder, older)
    started = time.monotonic()
    assert label_to_the_end(folder, read, *settings) == 0, said(folder)
    return contents(folder), time.monotonic() - started


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_killed_at_random_moments(name, read, tmp_path):
    """A fifth of sixty SIGKILLs over a command's whole life; the same command again until it is done."""
    settings, older = COMMANDS[name], None
    if name in OLDER:
        older = tmp_path / "older"
        undisturbed(older, read, OLDER[name])
    expected, seconds = undisturbed(tmp_path / "undisturbed", read, settings, older)
    before = contents(older) if older else {}
    chance, kills, begun_commands, starts = random.Random(name), 0, 0, 0
    while kills < KILLS // len(COMMANDS):
        folder, status = begun(tmp_path / f"killed-{begun_commands}", older), None
        begun_commands += 1
        while status != 0:
            pid, starts = labelling(folder, read, *settings), starts + 1
            time.sleep(chance.uniform(0, 1.3 * seconds))  # the machine may be slower now
            os.kill(pid, signal.SIGKILL)
            status = status_of(pid)
            if status == 1 and contents(folder) == expected:  # it was killed when all was done
                assert "is there already: force=true replaces it" in said(folder)
                break
            assert status in (0, -signal.SIGKILL), said(folder)
            kills += status != 0
            whole_or_not_there(folder, expected, before)
        assert contents(folder) == expected
        assert rows_lost_or_doubled(folder, tmp_path / "undisturbed") == (0, 0)
    print(f"\n{name}: {kills} kills, {begun_commands} commands, {starts} starts; 0 labels lost, 0 doubled")


def whole_or_not_there(folder, *versions):
    """Whatever has its name holds what one of the versions does."""
    for name in WRITTEN:
        if (folder / name).exists():
            assert content(folder / name) in [found[name] for found in versions if name in found]


def rows_lost_or_doubled(folder, other):
    found, expected = ([row["row"] for row in labels(each)] for each in (folder, other))
    assert expected
    return len({*expected} - {*found}), len(found) - len({*found})


def labels(folder):
    with (folder / "labels.csv").open(newline="") as file:
        return list(csv.DictReader(file))


SMALL = (*NUMBERS, "pool={}/parts", "predictions=predicted.parquet", "rounds=2", "folds=0")
RENAMED = ("predicted.parquet", "labels", "labels.csv")


def kill_after(wanted):
    """A preparation: die right after something got the name."""

    def prepare():
        for function in ("replace", "rename"):
            setattr(os, function, dying(getattr(os, function), wanted))

    def dying(move, wanted):
        def moved(source, target):
            move(source, target)
            if os.path.basename(target) == wanted:
                os.kill(os.getpid(), signal.SIGKILL)

        return moved

    return prepare


def test_killed_between_what_is_written(read, tmp_path):
    """Of three that are there in turn, all the same: and the same command goes on, without force=true."""
    expected, _ = undisturbed(tmp_path / "undisturbed", read, SMALL)
    folder = tmp_path / "killed"
    for number, name in enumerate(RENAMED):
        assert label_to_the_end(folder, read, *SMALL, prepare=kill_after(name)) == -signal.SIGKILL
        assert [(folder / each).exists() for each in RENAMED] == [place <= number for place in range(3)]
        whole_or_not_there(folder, expected)
    refused = label_to_the_end(folder, read, *SMALL, "seed=1")  # which none of these is
    assert refused == 1 and "is there already: force=true replaces it" in said(folder)
    assert label_to_the_end(folder, read, *SMALL) == 0, said(folder)
    assert contents(folder) == expected


def kill_at(number, how):
    """A preparation: die at the ``number``-th change of a disk, before or after it."""

    def prepare():
        count = [0]

        def dying(function):
            def wrapped(*arguments, **keywords):
                count[0] += 1
                try:
                    return None if (count[0], how) == (number, "before") else function(*arguments, **keywords)
                finally:
                    if count[0] == number:
                        os.kill(os.getpid(), signal.SIGKILL)

            return wrapped

        for name in ("replace", "rename", "fsync", "mkdir", "unlink", "rmdir"):
            setattr(os, name, dying(getattr(os, name)))

    return prepare


@pytest.mark.slow
@pytest.mark.parametrize("how", ["before", "after"])
def test_killed_at_every_write(how, read, tmp_path):
    older = tmp_path / "older"
    undisturbed(older, read, (*SMALL, "seed=1"))
    settings = (*SMALL, "force=true")
    expected, _ = undisturbed(tmp_path / "undisturbed", read, settings, older)
    for number in range(1, 300):
        folder = begun(tmp_path / str(number), older)
        status = label_to_the_end(folder, read, *settings, prepare=kill_at(number, how))
        if status == 0:
            break
        assert status == -signal.SIGKILL, said(folder)
        whole_or_not_there(folder, expected, contents(older))
        assert label_to_the_end(folder, read, *settings) == 0, said(folder)
        assert contents(folder) == expected
    assert number > 40  # of the pool, three rounds, six files, predictions, labels: each synced and renamed
    print(f"\nkilled at {number - 1} writes, {how}")


def test_killed_audit(read, tmp_path):
    audit = ("target=y", "ignore=[said]", "audit=true", "output=audit.csv")
    assert label_to_the_end(tmp_path / "expected", read, *audit) == 0, said(tmp_path / "expected")
    folder = tmp_path / "killed"
    assert label_to_the_end(folder, read, *audit, prepare=kill_after("audit")) == -signal.SIGKILL
    assert label_to_the_end(folder, read, *audit) == 0, said(folder)
    assert contents(folder) == contents(tmp_path / "expected")


def test_a_folder_whose_start_was_killed_is_no_strangers(read, tmp_path):
    """What is left by the first write of all, half-way."""

    def killed_in_the_first_write():
        os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)

    first = {"prepare": killed_in_the_first_write}
    assert label_to_the_end(tmp_path, read, *QUICK, "pool={}/pool.csv", **first) == -signal.SIGKILL
    assert [path.suffix for path in (tmp_path / "labels.partial").iterdir()] == [".unfinished"]
    assert label_to_the_end(tmp_path, read, *QUICK, "pool={}/pool.csv") == 0, said(tmp_path)
