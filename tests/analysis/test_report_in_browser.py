"""report.html in a real browser: `make test-browser`."""

from pathlib import Path

import pytest
from browser import NARROW, chromium, not_on_paper, opened, shown, table, violations
from processes import forked, status_of
from written_runs import write_run

from salutary.analysis import report

pytestmark = [pytest.mark.slow, pytest.mark.browser]

KEPT = Path(__file__).parents[2] / "docs" / "report" / "report.html"


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The report of one's own runs, on twelve tables of long names, and the one of the documentation."""
    folder = tmp_path_factory.mktemp("own")
    for table_name in range(12):
        for strategy in ("random", "margin", "salutary"):
            for seed in range(5):
                write_run(folder / "outputs", f"customers_of_region_{table_name:02}", strategy, seed)
    assert status_of(forked(folder, report.report, ["salutary-report", "-o", "page"])) == 0
    return {"own": folder / "page" / "report.html", "kept": KEPT}


NAMES = ["own", "kept"]


@pytest.mark.parametrize("name", NAMES)
def test_it_opens_from_a_file_and_asks_for_nothing_else(browser, pages, name):
    with opened(browser, pages[name]) as seen:
        assert seen.page.locator("th button").count()
        assert seen.told == [] and seen.requests == []
        for link in seen.page.locator("nav a").all():
            link.click()
            assert seen.page.locator(":target").inner_text() == link.inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_nothing(browser, pages, name, scheme):
    assert violations(browser, pages[name], color_scheme=scheme) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_narrow_screen_scrolls_tables_and_not_the_page(browser, pages, name):
    with opened(browser, pages[name], viewport=NARROW) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_cut_on_paper(browser, pages, name, tmp_path):
    missing, n_words = not_on_paper(browser, pages[name], tmp_path)
    assert n_words > 300 and missing == []


def test_the_kept_tables_fit_a_screen_of_1200_pixels(browser, pages):
    with opened(browser, KEPT) as seen:
        cut = "regions => regions.filter(r => r.scrollWidth > r.clientWidth).map(r => r.ariaLabel)"
        assert seen.page.locator(".table").evaluate_all(cut) == []


def test_the_main_table_is_sorted_by_numbers(browser, pages):
    with opened(browser, KEPT) as seen:
        region, _ = table(seen.page, "Tables 1 and 4, figure 2: ten rounds of ten")
        region = region.first
        for sign in (1, -1):
            region.get_by_role("button", name="Wine", exact=True).click()
            wine = [float(row[2].split()[0]) for row in shown(region) if row[2]]
            assert len(wine) > 10 and wine == sorted(wine, reverse=sign < 0)
