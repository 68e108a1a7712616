"""The documentation site: its contents, and, where Sphinx is here, that it builds without a warning."""

import importlib.util
import re
import subprocess
import sys

import pytest
from pages import ROOT, named, pages

import salutary
from salutary.experiments.records import QUERY_COLUMNS, ROUND_COLUMNS

DOCS = ROOT / "docs"
ONE_PAGE = {"docs/index.md": 400, "docs/confidence.md": 600, "benchmarks/README.md": 600}


@pytest.mark.parametrize(("page", "most"), ONE_PAGE.items())
def test_pages_that_answer_are_short(page, most):
    if not (ROOT / page).exists():
        pytest.skip("a source distribution has no benchmarks")
    assert len((ROOT / page).read_text().split()) <= most


def test_every_page_has_its_place():
    """Below docs/ a page is in the table of contents of one index, and no more."""
    found = []
    for page in pages():
        for content in re.findall(r"^```\{toctree\}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
            names = [
                re.sub(r".*<(.*)>", r"\1", each) for each in content.split("\n") if each and each[0] != ":"
            ]
            found += [(page.parent / f"{each}.md").resolve() for each in names]
    assert len(found) == len(set(found))
    below = {page.resolve() for page in pages() if page.is_relative_to(DOCS)}
    assert below - set(found) == {(DOCS / "index.md").resolve()}
    others = {named(page) for page in set(found) - below}
    benchmarks = {"benchmarks/README.md", "benchmarks/FIGURES.md"}
    assert others == benchmarks | {"CHANGELOG.md", "CONTRIBUTING.md", "examples/README.md"}


@pytest.mark.parametrize(("section", "names"), [("rounds", ROUND_COLUMNS), ("queries", QUERY_COLUMNS)])
def test_each_column_of_a_record_is_told(section, names):
    """The site's table of columns comes from the fields, what they mean from docs/records.md."""
    text = (DOCS / "records.md").read_text().partition(f"## {section}.csv")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (.*?) \|", text, re.MULTILINE)
    told = {name for cell in cells for name in re.findall(r"`([\w<>]+)`", cell)}
    assert set(names) <= told


def test_every_public_name_is_on_the_page_of_the_interface():
    page = (DOCS / "api" / "salutary.md").read_text()
    for name in set(salutary.__all__) - {"__version__"}:
        assert re.search(rf"^\.\. auto\w+:: salutary\.{name}$", page, re.MULTILINE), name


def test_helps_come_from_all_commands():
    project = (ROOT / "pyproject.toml").read_text()
    scripts = re.findall(r"^(salutary-\w+) = ", project, re.MULTILINE)
    assert sorted(scripts) == sorted(
        re.findall(r"\{command-help\} (\S+)", (DOCS / "reference" / "commands.md").read_text())
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    for name in ("sphinx", "myst_parser", "pydata_sphinx_theme", "sphinx_design"):
        if importlib.util.find_spec(name) is None:
            pytest.skip("needs the extra docs: make docs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-c", "docs", ".", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_the_site_is_whole(site):
    """Version, no request to elsewhere, help, columns, docstrings."""
    files = [each for each in site.rglob("*.html") if "_static" not in each.parts]
    assert len(files) > 40
    for file in files:
        text = file.read_text()
        if file != site / "index.html":
            assert f"salutary {salutary.__version__}" in text, file
        loaded = re.findall(r"<(?:script|img|iframe|source)[^>]* src=\"([^\"]*)", text)
        loaded += re.findall(r"<link[^>]*rel=\"(?:stylesheet|preload|icon)\"[^>]*href=\"([^\"]*)", text)
        assert not [each for each in loaded if re.match(r"(https?:)?//", each)], file
    commands = (site / "docs/reference/commands.html").read_text()
    assert "active learning without a human" in commands and "min_influence" in commands
    columns = (site / "docs/reference/columns.html").read_text()
    assert all(f">{name}<" in columns for name in (*ROUND_COLUMNS, *QUERY_COLUMNS))
    interface = (site / "docs/api/engine.html").read_text()
    assert "J(W) = sum over L of" in interface and "I(x, c) = p.u - u_c" in interface.replace("&quot;", "")
    assert not [each for each in site.rglob("*.html") if "system-message" in each.read_text()]
