"""The page in a real browser, used as a person uses it. Without a browser these tests are skipped.

They need Debian's packages chromium and chromium-driver, and selenium; CI installs them, and sets BROWSER_TESTS
so that nothing is skipped there.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import time
from pathlib import Path

import pytest

from inbedder_cli.options import ReportOptions
from inbedder_cli.report.page import page
from tests.report.feedback import HOSTILE, feedback, feedback_analysis

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if os.environ.get("BROWSER_TESTS") != "required":
    pytest.importorskip("selenium")
    if not (BROWSER and DRIVER):
        pytest.skip("no chromium and chromedriver here", allow_module_level=True)

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")
DESKTOP, PHONE = (1280, 900), (390, 844)


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_bytes(page(feedback_analysis(), ReportOptions(date="day", color_by=("region",))))
    return path


@pytest.fixture(scope="module")
def browser(file):
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "window-size=1280,900"):
        options.add_argument(f"--{argument}")
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND")  # no network
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior",
        {"behavior": "allow", "downloadPath": str(file.parent), "eventsEnabled": True},
    )
    yield driver
    driver.quit()


@pytest.fixture
def report(browser, file):
    """The page, freshly opened at the size of a desktop; at the end, nothing was logged or requested."""
    look(browser, DESKTOP)
    visit(browser, file)
    yield browser
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert {url.split(":")[0] for url in asked} <= {"file", "data", "blob"}
    assert browser.execute_script("return window.hacked") is None


def visit(browser, file):
    browser.get(file.as_uri())
    deadline = time.monotonic() + 10
    while not browser.execute_script("return Boolean(window.report)") and time.monotonic() < deadline:
        time.sleep(0.02)


def look(browser, size, scheme="light"):
    width, height = size
    shape = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", shape)
    features = [
        {"name": "prefers-color-scheme", "value": scheme},
        {"name": "prefers-reduced-motion", "value": "reduce"},  # no smooth scrolling
    ]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def by_id(browser, name):
    return browser.find_element(By.ID, name)


def n_shown(browser) -> int:
    """How many rows the line above the table counts."""
    return int(by_id(browser, "status").text.split()[0].replace(",", ""))


def wait_for(browser, n_rows):
    deadline = time.monotonic() + 5
    while n_shown(browser) != n_rows and time.monotonic() < deadline:
        time.sleep(0.02)
    assert n_shown(browser) == n_rows
    assert by_id(browser, "lit").text == by_id(browser, "status").text  # the same above the map


def cluster_row(browser, label):
    return browser.find_element(By.CSS_SELECTOR, f'#question-0 tr[data-label="{label}"]')


def place_of(browser, row):
    """Where the dot of a row is, from the middle of the map."""
    return browser.execute_script(
        "const map = report.map, [x, y] = map.toScreen(map.x[arguments[0]], map.y[arguments[0]]);"
        "return [Math.round(x - map.width / 2), Math.round(y - map.height / 2)]",
        row,
    )


def test_every_row_is_in_the_page_and_every_read_one_on_the_map(report):
    assert n_shown(report) == 120
    assert report.execute_script("return report.map.known.length") == 119
    lit = report.execute_script("return report.map.layers.flatMap(([, lit]) => lit).length")
    assert lit == 119
    pixels = (
        "return new Set(document.getElementById('points').getContext('2d').getImageData(0, 0, 900, 400).data).size"
    )
    assert report.execute_script(pixels) > 20
    assert {label["place"] for label in report.execute_script("return report.map.labels")} == {0, 1, 2}


def test_search_keeps_rows_with_the_words_accents_folded(report):
    search = by_id(report, "search")
    search.send_keys("CAFE")
    wait_for(report, 1)
    assert "café" in report.find_element(By.CSS_SELECTOR, "#rows td.text").text
    assert [mark.text for mark in report.find_elements(By.TAG_NAME, "mark")] == ["café"]
    search.clear()
    search.send_keys("hot")  # no whole word
    wait_for(report, 0)
    search.clear()
    search.send_keys("部屋")
    wait_for(report, 1)
    by_id(report, "clear").click()
    wait_for(report, 120)


def test_a_cluster_is_selected_everywhere_by_keyboard(report):
    row = cluster_row(report, "anger")
    button = row.find_element(By.CLASS_NAME, "pick")
    report.execute_script("arguments[0].focus()", button)
    ActionChains(report).send_keys(Keys.ENTER).perform()
    size = int(row.get_attribute("data-size"))
    wait_for(report, size)
    assert button.get_attribute("aria-pressed") == "true"
    details = [d for d in report.find_elements(By.CLASS_NAME, "detail") if d.is_displayed()]
    assert [d.find_element(By.TAG_NAME, "h3").text for d in details] == ["anger"]
    assert "By region" in details[0].text
    assert "Its share over time, by day" in details[0].text
    cells = "Array.from(document.querySelectorAll('#rows td.cluster'), (cell) => cell.textContent)"
    assert set(report.execute_script(f"return {cells}")) == {"anger"}
    ActionChains(report).send_keys(Keys.ESCAPE).perform()
    wait_for(report, 120)


def test_everything_is_reached_by_the_tabulator(report):
    report.execute_script(
        "window.reached = []; document.addEventListener('focusin', ({target}) => "
        "window.reached.push(target.id || target.textContent.trim()))"
    )
    chain = ActionChains(report, duration=0)
    for _ in range(40):
        chain.send_keys(Keys.TAB)
    chain.perform()
    reached = set(report.execute_script("return window.reached"))
    wanted = {"tab-0", "joy", "anger", "fear", "search", "color", "lasso", "closer", "whole", "copy", "download"}
    assert wanted <= reached


def test_the_map_answers_to_the_pointer(report):
    box = by_id(report, "map")
    report.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", box)
    row = 20
    group = report.execute_script(f"return report.data.questions[0].groups[{row}]")
    label = report.execute_script(f"return report.data.questions[0].clusters[{group}].label")
    ActionChains(report).move_to_element_with_offset(box, *place_of(report, row)).perform()
    assert by_id(report, "tip").is_displayed()
    assert by_id(report, "tip").text.startswith(label)
    ActionChains(report).click().perform()
    wait_for(report, int(cluster_row(report, label).get_attribute("data-size")))
    by_id(report, "closer").click()
    assert report.execute_script("return report.map.zoom") > 1
    by_id(report, "whole").click()
    assert report.execute_script("return report.map.zoom") == 1


def test_a_lasso_selects_what_is_inside(report):
    box = by_id(report, "map")
    report.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", box)
    width, height = box.size["width"] // 2 - 8, box.size["height"] // 2 - 8
    chain = ActionChains(report, duration=10).move_to_element_with_offset(box, -width, -height).click_and_hold()
    for x, y in ((0, -height), (0, 0), (0, height), (-width, height)):
        chain.move_to_element_with_offset(box, x, y)
    chain.release().perform()
    left = "map.toScreen(map.x[i], 0)[0] < map.width / 2"
    expected = report.execute_script(f"const {{map}} = report; return Array.from(map.known).filter((i) => {left})")
    assert 0 < len(expected) < 119
    assert abs(n_shown(report) - len(expected)) <= 1
    assert "in the lasso" in by_id(report, "status").text


def test_colors_by_a_column(report):
    before = report.execute_script("return report.map.points.toDataURL()")
    Select(by_id(report, "color")).select_by_visible_text("region")
    assert {"north", "south", "east"} <= set(by_id(report, "legend").text.split())
    assert report.execute_script("return report.map.points.toDataURL()") != before
    Select(by_id(report, "color")).select_by_visible_text("day")
    assert by_id(report, "legend").text.split() == ["2025-01-01", "2025-06-28"]


def test_tables_are_sorted(report):
    def labels():
        rows = "document.querySelectorAll('#question-0 .clusters tbody tr')"
        return report.execute_script(f"return Array.from({rows}, (row) => row.dataset.label)")

    head = report.find_element(By.CSS_SELECTOR, "#question-0 .clusters th[data-sort=label]")
    head.find_element(By.TAG_NAME, "button").click()
    assert labels() == ["anger", "fear", "joy", "(no clear answer)"]
    assert head.get_attribute("aria-sort") == "ascending"
    for _ in range(2):
        report.find_element(By.XPATH, "//table[@id='rows']//button[text()='rating']").click()
    rows = "document.querySelectorAll('#rows tbody tr')"
    ratings = report.execute_script(f"return Array.from({rows}, (row) => Number(row.cells[3].textContent))")
    assert ratings == sorted(ratings, reverse=True)
    assert ratings[0] == feedback()["rating"].max()


def test_the_downloaded_rows_are_those_of_the_input(report, file):
    path = file.parent / "rows.csv"
    path.unlink(missing_ok=True)
    by_id(report, "download").click()
    deadline = time.monotonic() + 10
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    frame = feedback()
    assert list(rows[0]) == ["id", "cluster", "answer", "rating", "region", "day", "text"]
    assert [row["id"] for row in rows] == frame["id"].tolist()
    assert [row["rating"] for row in rows] == frame["rating"].astype(str).tolist()
    texts = frame["text"].str.strip().tolist()
    formula = texts.index(HOSTILE[6])
    texts[formula] = "'" + texts[formula]  # a spreadsheet would run it
    assert [row["text"] for row in rows] == texts


def test_hostile_texts_are_inert_and_whole(report):
    texts = report.find_elements(By.CSS_SELECTOR, "#rows td.text")
    for text, cell in zip(HOSTILE[:-1], texts, strict=False):
        assert cell.get_property("textContent") == text
    long = texts[len(HOSTILE) - 1]
    assert len(long.text) < 1000
    long.find_element(By.TAG_NAME, "button").click()
    assert long.get_property("textContent") == HOSTILE[-1]


def test_tabs_switch_the_question(report):
    report.find_element(By.ID, "tab-0").send_keys(Keys.ARROW_RIGHT)
    assert report.switch_to.active_element.get_attribute("id") == "tab-1"
    assert not by_id(report, "question-0").is_displayed()
    assert by_id(report, "question-1").is_displayed()
    assert report.execute_script("return report.map.clusters.length") == 3
    assert report.find_elements(By.CSS_SELECTOR, "#rows td.cluster")[0].text in ("hotel", "travel")


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")])
def test_accessible_and_not_too_wide(report, file, size, scheme):
    look(report, size, scheme)
    visit(report, file)
    cluster_row(report, "joy").find_element(By.CLASS_NAME, "pick").click()
    assert report.execute_script("return document.documentElement.scrollWidth") <= size[0]
    report.execute_script(AXE)
    found = report.execute_async_script(
        "axe.run(document, {resultTypes: ['violations']}).then((r) => arguments[0](r.violations))"
    )
    listed = [(v["id"], v["impact"], [n["html"][:120] for n in v["nodes"][:3]]) for v in found]
    assert listed == []


def test_printed_with_the_map_and_all_clusters(report):
    sheet = report.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})
    assert len(sheet["data"]) > 20_000
    assert by_id(report, "printed").get_attribute("src").startswith("data:image/png")
