"""What is noted of the code of a user's own."""

import os
import sys

from salutary.system import environment
from salutary.system.own_code import OwnCode


def test_code_that_changes_is_noticed_whatever_the_clock_says(tmp_path, monkeypatch):
    """The clock was set back by a year, so that the file seems to be older than the program's start."""
    folder, module = tmp_path / "run.partial", tmp_path / "mine_by_the_clock.py"
    folder.mkdir()
    module.write_text("class Mine: pass")
    os.utime(module, (1e9, 1e9))
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__(module.stem)
    loaded = {name: each for name, each in sys.modules.items() if name in (module.stem, "salutary")}
    monkeypatch.setattr(environment.sys, "modules", loaded)
    config = {"strategy": {"_target_": f"{module.stem}.Mine"}}
    code = OwnCode(config, folder)
    code.note()
    assert not OwnCode(config, folder).doubt()
    module.write_text("class Mine: other = 1")
    os.utime(module, (1e9 + 60, 1e9 + 60))
    for _ in range(2):
        code.note()
        assert OwnCode(config, folder).doubt() == "it cannot be told which code of your own made its rounds"
