"""The pages: their links lead somewhere, and what a reader copies from them runs.

The walk-through of the README is held by ``labeling/test_label_command.py``.
"""

import doctest
import importlib
import importlib.util
import re
import sys
from pathlib import Path

import pytest

import salutary

ROOT = Path(__file__).parents[1]
PAGES = [
    path
    for pages in ("*.md", "docs/**/*.md", "benchmarks/*.md", "examples/*.md")
    for path in ROOT.glob(pages)
]


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).strip().replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    if not (ROOT / "benchmarks").is_dir():
        pytest.skip("a source distribution has no benchmarks")
    for link in re.findall(r"\]\((?!http)([^)]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_a_strategy_of_your_own_runs_as_the_page_says(salutary_run, tmp_path):
    page = (ROOT / "docs" / "strategies.md").read_text()
    section = page.partition("## Your own strategy")[2].partition("\n## ")[0]
    code, yaml = (re.search(rf"```{kind}\n(.*?)```", section, re.DOTALL)[1] for kind in ("python", "yaml"))
    (tmp_path / "my_code.py").write_text(code)
    (tmp_path / "my_conf" / "strategy").mkdir(parents=True)
    (tmp_path / "my_conf" / "strategy" / "mine.yaml").write_text(yaml)
    (arguments,) = re.findall(r"`salutary-run (--config-dir my_conf .*?)`", section)
    status, out, err = salutary_run(*arguments.split(), "rounds=1")
    assert status == 0, err
    assert "digits · mine" in out


def test_a_function_of_your_own_runs_as_the_page_says(salutary_run, tmp_path):
    page = (ROOT / "docs" / "strategies.md").read_text()
    section = page.partition("## Your own strategy")[2].partition("\n## ")[0]
    code = re.findall(r"```python\n(.*?)```", section, re.DOTALL)[1]
    (tmp_path / "my_code.py").write_text(code)
    sys.modules.pop("my_code", None)
    (arguments,) = re.findall(r"`salutary-run (strategy=callable .*?)`", section)
    status, out, err = salutary_run(*arguments.split(), "rounds=1")
    sys.modules.pop("my_code", None)
    assert status == 0, err
    assert "digits · callable" in out and "10 human labels bought" in out


def test_the_reference_is_what_the_comments_say():
    """``make reference`` would change nothing."""
    path = ROOT / "scripts" / "make_reference.py"
    spec = importlib.util.spec_from_file_location("make_reference", path)
    make_reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_reference)
    page = (ROOT / "docs" / "reference.md").read_text()
    assert make_reference.page(page) == page
    for name in ("seed", "n_validation", "salutary_greedy", "table4", "min_influence", "shortlist"):
        assert f"| `{name}` |" in page


@pytest.mark.parametrize("name", ["SalutaryClassifier", "influence", "read_rows"])
def test_the_examples_of_the_public_interface_run(name):
    module = importlib.import_module(getattr(salutary, name).__module__)
    result = doctest.testmod(module, raise_on_error=True)
    assert result.attempted >= 6 and not result.failed


def test_the_comparison_of_the_page_runs():
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "report_options.md").read_text(), re.DOTALL)
    found: dict = {}
    exec(code, found)
    assert (found["compared"].paired["win"] == 5).all() and found["compared"].paired["mean"].lt(-0.05).all()
