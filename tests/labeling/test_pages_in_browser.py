"""The pages of ``salutary-label`` in a real browser: `make test-browser`."""

import numpy as np
import pandas as pd
import pytest
from browser import NARROW, chromium, not_on_paper, opened, opens_by_itself, shown, table, violations
from people import people
from picture_files import write_folder
from sklearn.datasets import make_classification

from .label_processes import label_to_the_end, said

pytestmark = [pytest.mark.slow, pytest.mark.browser]

TITLES = {
    "labels": "12,000 labels for",
    "model": "labels for",
    "audit": "Audit of",
    "gap": "labels for",
    "pictures": "labels for",
    "no_pool": "The model of",
}
NAMES = [*TITLES]


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


def flowers(n):
    """Rows whose texts are awkward on a page: markup, long words, nothing at all."""
    X, y = make_classification(
        n, 5, n_informative=4, n_redundant=0, n_classes=3, class_sep=0.8, random_state=0
    )
    frame = pd.DataFrame(X, columns=[f"measure_{i}" for i in range(5)])
    places = ["north", "", "east, " + "x" * 60, "</td><script>alert(1)</script>"]
    frame.insert(0, "id", [f"p{i:05d}" for i in range(n)])
    frame.insert(1, "place", np.random.default_rng(0).choice(places, n))
    frame["kind"] = np.array(["rose", "lily", "<b>tulip</b>"])[y]
    return frame


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The folder of each command of ``TITLES``, with its audit.html in ``out``."""
    root = tmp_path_factory.mktemp("pages")
    rows = flowers(14_000)
    rows[:300].to_csv(root / "train.csv", index=False)
    rows[300:700].to_csv(root / "val.csv", index=False)
    rows[700:].drop(columns="kind").to_csv(root / "pool.csv", index=False)
    kind = ("target=kind", "id=id")
    many = ("budget=6000", "rounds=2", "strategy=salutary", "strategy.rerank=0", "remedies=false", "folds=0")
    some = ("ask=30", "rounds=3", "model.candidates=[logistic]")
    made = {
        "labels": _labelled(root, "labels", *kind, f"pool={root}/pool.csv", *many),
        "model": _labelled(root, "model", *kind, f"pool={root}/pool.csv", *some),
        "audit": _labelled(root, "audit", *kind, "audit=true"),
        "no_pool": _labelled(root, "no_pool", *kind, "model.candidates=[logistic]"),
    }
    rng = np.random.default_rng(5)
    groups = root / "groups"
    groups.mkdir()
    for name, n in (("train", 150), ("val", 200), ("pool", 300)):
        people(n, rng).to_csv(groups / f"{name}.csv", index=False)
    gap = ("objective=equal_opportunity", "objective.positive=yes", "group=sex", "target=outcome")
    made["gap"] = _labelled(groups, "gap", *gap, f"pool={groups}/pool.csv", "rounds=2", some[-1])
    pictures = root / "pictures"
    for name, n in (("train.csv", 20), ("val.csv", 20), ("pool", 40)):
        write_folder(pictures / name, n, seed=n, flat=name == "pool")
    plain = ("rounds=2", "remedies=false", f"pool={pictures}/pool", "strategy=salutary")
    made["pictures"] = _labelled(pictures, "pictures", *plain)
    return made


def _labelled(read, name, *settings):
    folder = read / f"run_{name}"
    status = label_to_the_end(folder, read, *settings, "output=out.csv")
    assert status == 0, said(folder)
    return folder


def page_of(pages, name):
    return pages[name] / "out" / "audit.html"


@pytest.mark.parametrize("name", NAMES)
def test_it_opens_from_a_file_and_asks_for_nothing_else(browser, pages, name):
    assert TITLES[name] in opens_by_itself(browser, page_of(pages, name))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_nothing(browser, pages, name, scheme):
    assert violations(browser, page_of(pages, name), color_scheme=scheme) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_narrow_screen_scrolls_tables_and_not_the_page(browser, pages, name):
    with opened(browser, page_of(pages, name), viewport=NARROW) as seen:
        assert seen.page.evaluate("document.documentElement.scrollWidth") == NARROW["width"]
    assert violations(browser, page_of(pages, name), viewport=NARROW) == []


@pytest.mark.parametrize("name", [name for name in NAMES if name != "labels"])
def test_nothing_is_cut_on_paper(browser, pages, name, tmp_path):
    missing, n_words = not_on_paper(browser, page_of(pages, name), tmp_path)
    assert n_words > 100 and missing == []


def test_dark_is_dark_and_paper_is_white(browser, pages):
    ground = "getComputedStyle(document.body).backgroundColor"
    with opened(browser, page_of(pages, "audit"), color_scheme="dark") as seen:
        assert max(map(int, seen.page.evaluate(ground)[4:-1].split(","))) < 64
        seen.page.emulate_media(media="print")
        assert seen.page.evaluate(ground) == "rgb(255, 255, 255)"
        assert seen.page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"


# -- tables ----------------------------------------------------------------------------------------------


def wide(pages):
    """All labels as the page has them, by pandas: the largest influence first."""
    frame = pd.read_csv(pages["labels"] / "out.csv", dtype={"id": str})
    return frame.sort_values("influence", ascending=False, kind="stable", ignore_index=True)[:10_000]


def headings(region):
    return [each.inner_text() for each in region.locator("thead th").all()]


def test_ten_thousand_labels_are_sorted_and_paged(browser, pages):
    frame = wide(pages)
    with opened(browser, page_of(pages, "labels")) as seen:
        region, controls = table(seen.page, "All labels")
        assert region.locator("tbody tr").count() == 10_000
        assert [row[0] for row in shown(region)] == frame["id"][:25].tolist()
        assert controls.get_by_role("status").inner_text() == "Rows 1 to 25 of 10,000"
        controls.get_by_role("button", name="Next").click()
        assert [row[0] for row in shown(region)] == frame["id"][25:50].tolist()
        heading = region.get_by_role("columnheader", name="probability", exact=True)
        heading.get_by_role("button").click()
        assert heading.get_attribute("aria-sort") == "ascending"
        ascending = frame.sort_values("probability", kind="stable")
        # The page shows four digits, and sorts by what it shows.
        at = headings(region).index("probability")
        first = [row[at] for row in shown(region)]
        assert first == [f"{each:.4g}" for each in ascending["probability"][:25]]
        heading.get_by_role("button").click()
        assert heading.get_attribute("aria-sort") == "descending"
        assert shown(region)[0][at] == f"{frame['probability'].max():.4g}"
        heading.get_by_role("button").click()
        assert heading.get_attribute("aria-sort") is None
        assert [row[0] for row in shown(region)] == frame["id"][:25].tolist()


def test_rows_are_found_by_all_words_in_any_cell(browser, pages):
    frame = wide(pages)
    tulips = frame[(frame["label"] == "<b>tulip</b>") & (frame["prediction"] == "rose")]
    with opened(browser, page_of(pages, "labels")) as seen:
        region, controls = table(seen.page, "All labels")
        controls.get_by_role("searchbox").fill(" ROSE  <b>tulip ")
        both = frame[["label", "prediction"]].isin(["rose", "<b>tulip</b>"]).all(axis=1)
        both &= frame["label"] != frame["prediction"]
        found = controls.get_by_role("status").inner_text()
        assert found == f"Rows 1 to 25 of {both.sum():,} found of 10,000"
        assert [row[0] for row in shown(region)] == frame["id"][both][:25].tolist()
        controls.get_by_role("searchbox").fill(tulips["id"].iloc[-1])
        assert [row[0] for row in shown(region)] == [tulips["id"].iloc[-1]]
        assert controls.get_by_role("button", name="Next").is_disabled()
        controls.get_by_role("searchbox").fill("nothing is like this")
        assert shown(region) == []
        assert controls.get_by_role("status").inner_text() == "0 found of 10,000 rows"
        region.get_by_role("button", name="influence", exact=True).click()  # sorted while none is shown
        controls.get_by_role("searchbox").fill("")
        at = headings(region).index("influence")
        assert [row[at] for row in shown(region)] == [f"{each:.4g}" for each in frame["influence"][:-26:-1]]


def test_empty_cells_come_last_either_way(browser, pages):
    with opened(browser, page_of(pages, "labels")) as seen:
        region, _ = table(seen.page, "All labels")
        heading = region.get_by_role("button", name="place", exact=True)
        place = headings(region).index("place")
        for first in ("</td><script>alert(1)</script>", "north"):
            heading.click()
            assert shown(region)[0][place] == first
            last = region.locator("tbody tr").last.locator("td").nth(place - 1)
            assert last.inner_text() == "" and not last.is_visible()


def test_only_a_page_of_rows_is_laid_out(browser, pages):
    with opened(browser, page_of(pages, "labels")) as seen:
        laid_out = "rows => rows.filter(row => row.getClientRects().length).length"
        assert seen.page.locator("tbody tr").evaluate_all(laid_out) < 100
        _, controls = table(seen.page, "All labels")
        controls.get_by_role("searchbox").fill("nothing is like this")
        seen.page.emulate_media(media="print")  # paper cannot say what is left out
        assert seen.page.locator("tbody tr").evaluate_all(laid_out) > 10_000


def test_the_keyboard_reaches_everything(browser, pages):
    with opened(browser, page_of(pages, "audit")) as seen:
        region, controls = table(seen.page, "All rows")
        heading = region.get_by_role("columnheader", name="harm", exact=True)
        controls.get_by_role("searchbox").focus()
        focused = "document.activeElement.textContent"
        seen.page.keyboard.press("Tab")
        assert seen.page.evaluate(focused) == "Previous"
        seen.page.keyboard.press("Enter")  # has nowhere to go
        assert "Rows 1 to 25" in controls.get_by_role("status").inner_text()
        seen.page.keyboard.press("Tab")
        assert seen.page.evaluate(focused) == "Next"
        seen.page.keyboard.press("Enter")
        assert "Rows 26 to 50" in controls.get_by_role("status").inner_text()
        seen.page.keyboard.press("Tab")
        assert seen.page.evaluate("document.activeElement.getAttribute('aria-label')").endswith("All rows")
        while seen.page.evaluate(focused) != "harm":
            seen.page.keyboard.press("Tab")
        outline = "getComputedStyle(document.activeElement).outlineStyle"
        assert seen.page.evaluate(outline) == "solid"
        seen.page.keyboard.press("Space")
        assert heading.get_attribute("aria-sort") == "ascending"


@pytest.mark.parametrize("name", NAMES)
def test_without_scripts_all_rows_are_there(browser, pages, name):
    with opened(browser, page_of(pages, name), java_script_enabled=False) as seen:
        assert seen.page.locator("th button").count() == 0 == seen.page.locator(".controls").count()
        n_rows = seen.page.locator("tbody tr").count()
        assert seen.page.locator("tbody tr:visible").count() == n_rows > 1
        assert seen.told == [] and seen.requests == []
