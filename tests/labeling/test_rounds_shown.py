"""What ``salutary-label`` shows of its rounds."""

import io

from rich.console import Console

from salutary.labeling import terminal
from salutary.labeling.stopping import Stopping
from salutary.system.progress import sparkline

from .labelings import make


def test_a_round_of_salutary_label_is_a_line_on_a_terminal_only(monkeypatch, capsys):
    labeler = make(folds=2, budget=3)
    rounds = [*labeler.rounds(Stopping(2, 3, None, 0, None))]
    terminal.tell_round(rounds, "loss")
    assert capsys.readouterr().out == ""
    screen = Console(force_terminal=True, file=io.TextIOWrapper(io.BytesIO(), "utf-8"))
    monkeypatch.setattr(terminal, "console", lambda: screen)
    terminal.tell_round(rounds, "loss")
    line = sparkline([record.loss for record in rounds])
    assert capsys.readouterr().out == f"round 2: 6 labels, held-out loss {rounds[-1].loss:.4f}  {line}\n"
    assert len(line) == 3
