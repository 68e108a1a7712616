"""What a sweep shows on a terminal, and that it leaves the terminal, and what is redirected, as they were."""

import io
import re
import sys
import textwrap

import pytest
from rich.console import Console

from salutary.experiments.live import Board, rounded
from salutary.system.progress import HEIGHTS, WIDTH, sparkline

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def shown(board, width=80, height=24):
    """The lines on a screen of this size."""
    screen = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, highlight=False)
    screen.print(board, end="")
    return [line.rstrip() for line in ESCAPE.sub("", screen.file.getvalue()).splitlines()]


@pytest.fixture
def clock():
    return Clock()


def test_it_shows_what_runs_what_failed_and_the_time_left(clock):
    board = Board(12, clock)
    for job in range(4):
        board.ended(job, f"old-{job}", "skipped", "")  # finished before: in no time
    for job in range(4, 7):
        board.began(job, f"bank-margin-seed{job}", "")
    clock.now = 60
    board.began(5, "bank-margin-seed5", "round 3 of 10")
    board.began(5, "bank-margin-seed5", "")
    assert board.left() == ""  # nothing ended
    board.ended(4, "bank-margin-seed4", "finished", "")
    assert board.left() == ""  # one says little
    board.ended(6, "bank-margin-seed6", "failed", "dataset=[bank] is\x1b[31m gone")
    clock.now = 120
    assert board.left() == "about 6 min left"  # 6 jobs left, 2 ended in 2 minutes
    head, running, failed = shown(board, 100)
    assert head.endswith("6 of 12 jobs, 1 running, 1 failed, 4 skipped, about 6 min left")
    assert re.fullmatch(r"  bank-margin-seed5 +round 3 of 10 +2 min", running)
    assert failed == "  failed bank-margin-seed6: dataset=[bank] is [31m gone"


def test_of_an_unknown_number_of_jobs_no_time_is_guessed(clock):
    board = Board(None, clock)
    for job in range(5):
        board.began(job, "a", "")
        clock.now += 10
        board.ended(job, "a", "finished", "")
    assert board.left() == "" and shown(board) == [" 5 jobs, 0 running"]


def test_when_all_have_ended_nothing_is_left(clock):
    board = Board(2, clock)
    for job in range(2):
        board.began(job, "a", "")
        clock.now += 10
        board.ended(job, "a", "finished", "")
    assert board.left() == ""


@pytest.mark.parametrize("height", [1, 2, 3, 4, 6, 10, 24])
@pytest.mark.parametrize(
    ("n_running", "n_failed"), [(0, 0), (0, 9), (1, 0), (3, 1), (5, 9), (100, 0), (100, 9)]
)
def test_it_is_no_higher_than_the_screen(clock, height, n_running, n_failed):
    board = Board(500, clock)
    for job in range(n_failed):
        board.ended(job, f"failed-{job}-" + "x" * 200, "failed", "why " * 50)
    for job in range(100, 100 + n_running):
        board.began(job, f"run-{job}-" + "y" * 200, "round 1 of 10")
    for width in (30, 80):
        lines = shown(board, width, height)
        assert len(lines) <= max(height - 1, 1) and max(map(len, lines)) <= width
    rows = sum("run-1" in line for line in lines)
    more = [int(each) for each in re.findall(r"and (\d+) more", "\n".join(lines))]
    assert height == 1 or height == 2 or rows + sum(more) == n_running
    if n_failed and height >= 10:
        assert sum("failed-" in line for line in lines) == min(n_failed, 3)


def test_rounded():
    assert [rounded(each) for each in (0.4, 59, 61, 3500, 3600, 8000, 86400)] == [
        *("0 s", "59 s", "1 min", "58 min", "1 h", "2 h 10 min", "24 h")
    ]


def test_a_sparkline_is_as_high_as_its_values():
    assert sparkline([3.0]) == sparkline([2.0, 2.0])[0] == HEIGHTS[0]
    assert sparkline([0, 7, 3.4, 1]) == "▁█▄▂"
    assert sparkline([100.0, *range(WIDTH)]) == sparkline([*range(WIDTH)])


# A sweep of three jobs whose notes come from here; without PyTorch, so in no time.
SWEEP = """
import sys, time
from pathlib import Path
from salutary.experiments.journal import Note, Watch, note
folder = Path(sys.argv[1])
watch = Watch(folder, 3)
try:
    with watch.watching():
        note(folder, Note(0, "first", "running"))
        note(folder, Note(0, "first", "finished", "test accuracy 90%"))
        note(folder, Note(1, "second", "running", "round 2 of 9"))
        while not (watch.ended and watch.running):  # the journal is looked at now and then
            time.sleep(0.05)
        time.sleep(1)  # for the screen to be drawn again
        print("said by a job")
        if "interrupt" in sys.argv:
            print("waiting"); time.sleep(30)
        note(folder, Note(1, "second", "failed", "no [such] file"))
except KeyboardInterrupt:
    sys.exit(130)
print(watch.summary())
"""
LINES = ["1/3 finished first: test accuracy 90%", "said by a job", "2/3 failed second: no [such] file"]
SUMMARY = "3 jobs: 1 run, 0 finished before, 1 failed"
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """Starts the sweep on a terminal of 80 columns; ``redirect``: where the shell sends its output."""
    pexpect = pytest.importorskip("pexpect")
    monkeypatch.setenv("TERM", "xterm-256color")
    (tmp_path / "sweep.py").write_text(textwrap.dedent(SWEEP))

    def start(*arguments, redirect=""):
        command = f"{sys.executable} {tmp_path}/sweep.py {tmp_path} {' '.join(arguments)} {redirect}"
        return pexpect.spawn("bash", ["-c", command], dimensions=(24, 80), encoding="utf-8", timeout=120)

    return start


def ended(child):
    """All that came, and the status."""
    import pexpect

    child.expect(pexpect.EOF)
    child.close()
    return child.before, child.exitstatus


def test_on_a_terminal_lines_come_above_the_table(sweep):
    said, status = ended(sweep())
    assert status == 0 and said.count(HIDE) == said.count(SHOW) == 1
    assert "1 of 3 jobs, 1 running" in said
    assert re.search(r"  second +round 2 of 9 +\d s", ESCAPE.sub("", said))
    plain = [line.rpartition("\r")[2].rstrip() for line in ESCAPE.sub("", said).split("\r\n")]
    assert [line for line in plain if line in LINES] == LINES  # each on a line of its own, once
    assert plain[-2:] == [SUMMARY, ""]
    assert ESCAPE.sub("", said.rpartition(SHOW)[2]).split() == SUMMARY.split()  # of the table nothing stays


def test_an_interrupt_leaves_the_terminal_as_it_was(sweep):
    child = sweep("interrupt")
    child.expect("waiting")
    child.sendintr()
    said, status = ended(child)
    assert status == 130 and said.count(SHOW) == 1 and HIDE not in said.rpartition(SHOW)[2]


@pytest.mark.parametrize("errors", ["", "2>&1"])
def test_what_is_redirected_is_plain_lines(sweep, tmp_path, errors):
    """Also where the errors, and so the table, are still on a terminal."""
    out = tmp_path / "out.txt"
    said, status = ended(sweep(redirect=f"> {out} {errors}"))
    assert status == 0 and ("of 3 jobs" in said) == (not errors)
    assert out.read_text().splitlines() == [*LINES, SUMMARY]
