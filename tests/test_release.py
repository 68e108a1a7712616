"""What ``make release`` reads: the README's commands, and the notes of the version with what goes next."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest

from salutary.system import __version__
from salutary.system.moved import LAST, MOVED

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "salutary"


def script(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def readme():
    return script("readme")


@pytest.fixture(scope="module")
def notes():
    return script("release_notes")


@pytest.fixture(scope="module")
def listed(notes):
    """What the version's list of deprecations names, but for successors, which stand in brackets."""
    date, text = notes.section((ROOT / "CHANGELOG.md").read_text(), __version__)
    assert date == notes.UNRELEASED or re.fullmatch(r"\d{4}-\d\d-\d\d", date)
    names = re.findall(r"`([^`]+)`", re.sub(r"\(`[^)]*`\)", "", notes.deprecated(text)))
    return {name for line in names for name in line.split()}


def test_all_that_a_reader_copies_is_a_step(readme):
    """Counted another way: every block of Python, and every line that begins as one of the commands does."""
    text = (ROOT / "README.md").read_text()
    found = readme.steps(text, has_data=True)
    names = re.findall(r"^(salutary-\w+) =", (ROOT / "pyproject.toml").read_text(), re.M)
    command = re.compile(rf"    (make|{'|'.join(names)})( |$)")
    lines = [line[4:] for line in text.splitlines() if command.match(line)]
    assert [step.code for step in found if not step.is_python] == lines
    assert sum(step.is_python for step in found) == text.count("```python") >= 3
    left_out = [step for step in found if step.why]
    assert left_out and all(step.code.startswith("make ") for step in left_out)
    assert len(found) - len(left_out) >= 9


def test_without_the_raw_files_tables_of_scikit_learn_stand_in(readme):
    text = (ROOT / "README.md").read_text()
    here, fetched = ([step.code for step in readme.steps(text, has)] for has in (False, True))
    assert here != fetched
    assert not [code for code in here if re.search(r"^salutary.*dataset=\S*(bank|wine)", code)]
    for code in fetched:  # a table with no stand-in would be fetched after all
        for names in re.findall(r"^salutary-.*\bdataset=([\w,]+)", code):
            assert names in readme.FETCHED or names in ("digits", "breast_cancer")


def test_a_step_that_fails_is_named(readme, tmp_path, capsys, monkeypatch):
    page = tmp_path / "README.md"
    page.write_text("```python\nopen('a', 'w').write('x')\n```\n\n    salutary-none a > b\n")
    monkeypatch.setattr(readme, "GIVEN", "")
    with pytest.raises(SystemExit, match=r"this ended with 127: salutary-none a > b"):
        readme.main(str(page))
    assert "ran in 0 s: python: open('a', 'w').write('x') ..." in capsys.readouterr().out
    page.write_text("    make run\n")
    readme.main(str(page))
    assert "0 steps ran, 1 were left out" in capsys.readouterr().out


CHANGELOG = "# C\n\n## 2.0.0 (2026-01-02)\n\n- a\n\n### Deprecated\n\n- `b`\n\n## 1.0.0 (2025-01-01)\n\n- c\n"


def test_the_notes_of_a_version(notes):
    assert notes.section(CHANGELOG, "2.0.0") == ("2026-01-02", "\n- a\n\n### Deprecated\n\n- `b`\n\n")
    assert notes.deprecated(notes.section(CHANGELOG, "2.0.0")[1]) == "\n- `b`\n\n"
    with pytest.raises(SystemExit, match=r"no list '### Deprecated'"):
        notes.deprecated(notes.section(CHANGELOG, "1.0.0")[1])
    with pytest.raises(SystemExit, match=r"no section '## 1\.1\.0 \(DATE\)'"):
        notes.section(CHANGELOG, "1.1.0")


def test_this_tree_could_be_released_but_for_its_date(notes, capsys):
    notes.main(rehearsal=True)
    assert capsys.readouterr().out == f"{__version__}\n"


def old_names():
    """Of the source: what ``moved.tell`` and ``moved.names`` say of names that are not whole modules."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        if path.name == "moved.py" or "moved." not in path.read_text():
            continue
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            kind = ast.unparse(call.func)
            if kind == "moved.tell":
                found.add(eval(ast.unparse(call.args[0]), {"__name__": module}))
            elif kind == "moved.names":
                found |= {f"{module}.{name}" for name in eval(ast.unparse(call.args[1]))}
    return found


def test_whatever_warns_is_listed_and_whatever_is_listed_works(listed):
    """Names without a module are of the one before them in the list."""
    modules = {f"salutary.{name}" for name in MOVED}
    names = old_names()
    assert len(names) >= 8
    last = {name.rpartition(".")[2] for name in names}
    assert modules <= listed
    assert {name for name in names if name not in listed and name.rpartition(".")[2] not in listed} == set()
    files = {"scripts/confidence_study.py", "alternative.skops"}
    said = {
        "experiment=confidence",
        "salutary-report",
        "salutary-label",
        "models/labeled_and_validation.skops",
    }
    assert listed <= modules | names | last | files | said
    assert (ROOT / "scripts" / "confidence_study.py").exists() and files <= listed


def test_nothing_else_of_the_package_says_that_it_is_going():
    """A warning of another kind would have to be listed, too."""
    raised = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in PACKAGE.rglob("*.py")
        if path.name != "moved.py"
        for line in path.read_text().splitlines()
        if re.search(r"warn\(.*(Future|Deprecation)Warning", line) or f"gone in {LAST[:3]}" in line
    ]
    assert raised == []


def test_what_goes_is_not_of_a_version_that_is_here():
    assert tuple(map(int, LAST.split("."))) > tuple(map(int, __version__.split(".")[:3]))
