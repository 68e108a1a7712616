"""What a sweep and a run leave that nothing disturbed."""

import sys
import time

import pytest

from .sweep_processes import RUN, SWEEP, contents, run_to_the_end


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory) -> tuple[dict, float]:
    """Records of the sweep, and the seconds it took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    started = time.perf_counter()
    assert run_to_the_end(folder, *SWEEP) == 0
    return contents(folder), time.perf_counter() - started


@pytest.fixture(scope="session")
def undisturbed_run(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("undisturbed_run")
    assert run_to_the_end(folder, *RUN) == 0
    return contents(folder)


@pytest.fixture(autouse=True)
def fresh_workers():
    """Processes that joblib keeps for the next sweep would do it in the folder of the last one."""
    yield
    if "joblib.externals.loky" in sys.modules:
        sys.modules["joblib.externals.loky"].get_reusable_executor().shutdown(wait=True, kill_workers=True)
