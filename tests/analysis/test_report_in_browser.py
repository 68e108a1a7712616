"""report.html in a real browser: `make test-browser`."""

from pathlib import Path

import pandas as pd
import pytest
from browser import NARROW, chromium, not_on_paper, opened, opens_by_itself, shown, table, violations
from processes import forked, status_of
from written_runs import write_run

from salutary.analysis import report
from salutary.analysis.page import html
from salutary.analysis.sections import markdown_table

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
    assert opens_by_itself(browser, pages[name]) == "Salutary labelling"


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


COLUMNS = {
    "grouped": ["9", "1,234", "98", "", "1,234,567"],
    "comma": ["0,7", "2", "1,25", "", "1.000,5"],
    "small": ["1.5e-3", "2e-4", "-inf", "nan", "\u22122"],
    "shares": ["12%", "9%", "+1%", "", "0.5% \u00b1 2"],
    "versions": ["1.10.2", "1.2", "1.9.1", "", "1.2.10"],
    "dates": ["2023-10-01", "2023-09-30", "2022-12-31", "", "2023-10-02"],
    "words": ["b", "a10", "a9", "", "C"],
}
ORDERS = {
    "grouped": [0, 2, 1, 4, 3],
    "comma": [0, 2, 1, 4, 3],
    "small": [2, 4, 1, 0, 3],
    "shares": [4, 2, 1, 0, 3],
    "versions": [1, 4, 2, 0, 3],
    "dates": [2, 1, 0, 4, 3],
    "words": [2, 1, 0, 4, 3],
}


@pytest.mark.parametrize("name", COLUMNS)
def test_sorting_knows_numbers_from_what_looks_like_them(browser, tmp_path, name):
    frame = pd.DataFrame(COLUMNS)
    (tmp_path / "page.html").write_text(html(f"# T\n\n## S\n\n{markdown_table(frame)}\n", {}))
    with opened(browser, tmp_path / "page.html") as seen:
        region, _ = table(seen.page, "S")
        heading = region.get_by_role("button", name=name, exact=True)
        for expected in (ORDERS[name], [*ORDERS[name][-2::-1], 3], [0, 1, 2, 3, 4]):
            heading.click()
            assert [int(row[0]) for row in shown(region)] == expected


def test_headings_stand_on_every_sheet(browser, tmp_path):
    pdfium = pytest.importorskip("pypdfium2")
    frame = pd.DataFrame({"heading": range(200)})
    (tmp_path / "page.html").write_text(html(f"# T\n\n## S\n\n{markdown_table(frame.astype(str))}\n", {}))
    with opened(browser, tmp_path / "page.html") as seen:
        seen.page.pdf(path=tmp_path / "page.pdf")
    sheets = [sheet.get_textpage().get_text_bounded() for sheet in pdfium.PdfDocument(tmp_path / "page.pdf")]
    assert len(sheets) > 2 and all("heading" in "".join(text.split()) for text in sheets)
