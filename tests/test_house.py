"""What keeps the house as it is; which wing may import which is the linter's (pyproject.toml)."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "salutary"
WINGS = {
    *("system", "engine", "tables", "encoders", "datasets", "models", "strategies", "experiments"),
    *("remedies", "labeling", "analysis", "integrations"),
}


def test_the_top_of_the_package_is_its_wings():
    names = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert names == {*WINGS, "__init__.py", "__main__.py", "errors.py", "py.typed"}


def test_tests_stand_in_the_wing_that_they_test():
    folders = {
        path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"
    }
    assert folders <= WINGS


def test_no_test_file_is_longer_than_500_lines():
    sizes = {path.name: path.read_text().count("\n") for path in (ROOT / "tests").rglob("*.py")}
    assert {name: size for name, size in sizes.items() if size > 500} == {}


def test_a_configuration_of_hydra_ends_at_the_commands():
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "hydra_plugins").glob("*.py")]
    seen = {str(path.relative_to(ROOT)) for path in files if "DictConfig" in path.read_text()}
    assert seen == {
        "salutary/system/commands.py",
        "salutary/experiments/cli.py",
        "salutary/experiments/jobs.py",
        "salutary/experiments/mlflow.py",
        "salutary/experiments/ray_jobs.py",
        "salutary/experiments/sweep.py",
        "salutary/labeling/cli.py",
        "hydra_plugins/salutary_ray.py",
        "hydra_plugins/salutary_sweeper.py",
    }


def test_the_loop_reads_at_a_glance():
    """Propose, check, ask, add, yield, in at most 35 lines."""
    tree = ast.parse((PACKAGE / "experiments" / "loop.py").read_text())
    (run,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "run")
    first, *_, last = run.body[1:]  # after the docstring
    assert last.end_lineno - first.lineno < 35
    steps = [
        match[1] for match in re.finditer(r"\b(propose|check_proposal|ask|add|yield)\b", ast.unparse(run))
    ]
    assert steps[-5:] == ["propose", "check_proposal", "yield", "ask", "add", "yield"][-5:]


def test_few_functions_of_labelling_take_the_settings():
    lines = [line for path in (PACKAGE / "labeling").glob("*.py") for line in path.read_text().splitlines()]
    assert sum(bool(re.search(r"def .*settings", line)) for line in lines) <= 3
