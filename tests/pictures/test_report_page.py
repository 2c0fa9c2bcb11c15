"""The report in Debian's chromium (`make pictures`): it renders, and answers pointer and keys. The pictures of
docs/monitoring.md are taken on the way."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from psycopg import sql

from harness.cluster import ROOT, Cluster
from harness.past import Past, live_through
from harness.scheduler import TEMPLATE, Scheduler, new_scheduler
from tests.conftest import *  # noqa: F403 - fixtures

DAY = 86400.0  # seconds
PICTURES = ROOT / "build/pictures"
SCRIPT = "<script>alert(1)</script>"
RIGHT_TO_LEFT = "\u0645\u0632\u0627\u0645\u0646\u0629 \u0627\u0644\u0637\u0644\u0628\u0627\u062a"
NEW_YORK, BERLIN, KOLKATA = "America/New_York", "Europe/Berlin", "Asia/Kolkata"
LOST = "the worker ended during the run"
RATES = 'could not connect to server "rates.example.com", attempt {}'
DUPLICATE = 'duplicate key value violates unique constraint "orders_pkey"'

JOBS = [
    Past("import orders", "*/5 * * * *", 300, 4.2, trouble=0.04, sqlstate="23505", message=DUPLICATE, rolname="shop"),
    Past("send mails", "* * * * *", 60, 0.8, late=0.02, rolname="shop"),
    Past("nightly report", "30 3 * * *", DAY / 2, 1900, rolname="reports"),
    Past("refresh sales by region", "15 * * * *", 3600, 240, growth=3.5, rolname="reports"),
    Past("archive old orders", "0 2 * * *", DAY / 3, 600, rolname="shop"),
    Past("vacuum the stock", "*/30 * * * *", 1800, 35, growth=0.4, rolname="shop"),
    Past("exchange rates", "0 * * * *", 3600, 2.1, trouble=1, sqlstate="08001", message=RATES, timezone=NEW_YORK,
         rolname="finance"),
    Past("close the day", "55 23 * * *", DAY / 2, 420, timezone=NEW_YORK, rolname="finance"),
    Past("check balances", "*/10 * * * *", 600, 70, trouble=0.12, state="timed out", sqlstate="57014",
         message="canceling statement due to user request", timezone=NEW_YORK, rolname="finance"),
    Past("expire sessions", "30 seconds", 30, 0.05, rolname="portal"),
    Past("rebuild search index", "0 */2 * * *", 7200, 1500, trouble=0.1, state="lost", message=LOST, rolname="portal"),
    Past("thumbnails", "*/2 * * * *", 240, 95, late=8, trouble=0.1, state="skipped",
         message="an earlier run is still active", rolname="portal"),
    Past("import weather", "20 * * * *", 3600, 12, late=45, trouble=0.25, state="missed",
         message="no worker was running", timezone=KOLKATA, rolname="portal"),
    Past(SCRIPT, "45 * * * *", 3600, 3, rolname="portal"),
    Past(RIGHT_TO_LEFT, "*/15 * * * *", 900, 6, timezone="Asia/Riyadh", rolname="portal"),
]  # fmt: skip


@pytest.fixture(scope="module")
def scheduler(cluster: Cluster) -> Iterator[Scheduler]:
    with cluster.connect() as admin:
        admin.execute(sql.SQL("CREATE DATABASE weborder TEMPLATE {}").format(sql.Identifier(TEMPLATE)))
    scheduler = Scheduler(cluster, "weborder")
    roles = sorted({job.rolname for job in JOBS})
    for role in roles:
        scheduler.execute(f"CREATE ROLE {role}")
        scheduler.execute(f"GRANT job_scheduler TO {role}")
    scheduler._roles += roles
    live_through(scheduler.admin, JOBS, DAY)
    scheduler.start()
    yield scheduler
    scheduler.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium is not None
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


Show = Callable[..., Page]


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Show]:
    """Opens a report; at the end nothing must have been complained of, or asked for from elsewhere."""
    complaints: list[str] = []

    def opened(text: str, width: int = 1280, height: int = 900, scheme: str = "light", zone: str = BERLIN) -> Page:
        file = tmp_path / "report.html"
        file.write_text(text)
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,  # type: ignore[arg-type]
            timezone_id=zone,
            locale="en-GB",
        )
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda request: None if request.url == file.as_uri() else complaints.append(request.url))
        page.goto(file.as_uri())
        expect(page.locator("#title")).not_to_be_empty()
        return page

    yield opened
    assert complaints == []
    for context in browser.contexts:
        context.close()


@pytest.fixture(scope="module")
def report(scheduler: Scheduler) -> str:
    text: str = scheduler.value("SELECT report_html()")
    return text


def names(page: Page) -> list[str]:
    """The lanes that are drawn."""
    return [name.removeprefix("!") for name in page.locator(".lane .name").all_inner_texts()]


def hover(page: Page, job: str, steps: int = 200) -> Locator:
    """Moves the pointer along the lane of a job until it is over a run."""
    canvas = page.locator(".lane", has=page.get_by_title(job, exact=True)).locator("canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    for step in range(steps):
        page.mouse.move(box["x"] + box["width"] * (1 - step / steps) - 1, box["y"] + box["height"] / 2)
        if page.locator("#tip").is_visible():
            return page.locator("#tip")
    raise AssertionError(f"no run of {job} under the pointer")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 1120), (400, 1500)])
def test_it_is_drawn(show: Show, report: str, width: int, height: int, scheme: str) -> None:
    page = show(report, width, height, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert (
        {"exchange rates", SCRIPT, RIGHT_TO_LEFT} <= set(names(page))
        if width > 1000
        else "exchange rates" in names(page)
    )
    # Something is drawn on each canvas that can be seen.
    for canvas in page.locator("#overview, .lane canvas").all()[:8]:
        assert canvas.evaluate("c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(Boolean)")
    tip = hover(page, "exchange rates")
    expect(tip).to_contain_text("failed")
    PICTURES.mkdir(parents=True, exist_ok=True)
    file = PICTURES / f"report-{width}-{scheme}.png"
    page.screenshot(path=file)
    Image.open(file).convert("RGB").quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
        file, optimize=True
    )


def test_what_the_pointer_is_over_is_explained(show: Show, report: str) -> None:
    page = show(report)
    tip = hover(page, "exchange rates")
    # The reader's time, and the job's.
    expect(tip).to_contain_text(re.compile(r"\d\d:00:00 \(\d\d:00:00 America/New_York\)"))
    expect(tip).to_contain_text("took")
    expect(hover(page, "expire sessions")).to_contain_text(re.compile("runs? succeeded|succeeded"))
    page.mouse.move(5, 5)
    expect(page.locator("#tip")).to_be_hidden()
    page.locator("#coming td[tabindex]").nth(30).hover()
    expect(page.locator("#tip")).to_contain_text("due time")


def test_find_and_filter(show: Show, report: str) -> None:
    page = show(report)
    page.get_by_label("Find a job").fill("ORDERS shop")
    expect(page.locator("#found")).to_have_text(re.compile("^2 of 15 jobs$"))
    assert set(names(page)) == {"import orders", "archive old orders"}
    expect(page.locator("#failures tbody tr")).to_have_count(1)
    page.get_by_label("Find a job").fill("")
    page.get_by_role("button", name="missed").click()
    expect(page.get_by_role("button", name="missed")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#found")).to_have_text("1 of 15 jobs")
    page.get_by_role("button", name="missed").click()
    page.locator("#failures button", has_text="import orders").click()
    expect(page.locator("#lanes")).to_be_focused()
    assert names(page) == ["import orders"]
    page.get_by_label("Find a job").fill("nothing of the kind")
    expect(page.locator("#rows")).to_contain_text("No job matches.")


def test_order(show: Show, report: str) -> None:
    page = show(report)
    assert names(page)[0] == "exchange rates"
    page.get_by_label("Order").select_option("most runs")
    page.wait_for_timeout(100)
    lanes = page.locator(".lane").evaluate_all(
        "rows => rows.sort((a, b) => parseInt(a.style.top) - parseInt(b.style.top)).map(row => row.job.name)"
    )
    assert lanes[:2] == ["expire sessions", "send mails"]


def test_keys(show: Show, report: str) -> None:
    page = show(report)
    page.keyboard.press("/")
    expect(page.get_by_label("Find a job")).to_be_focused()
    page.locator("#lanes").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#spoken")).to_contain_text("exchange rates, role finance")
    page.keyboard.press("End")
    expect(page.locator("#tip")).to_contain_text("failed")
    last = page.locator("#spoken").inner_text()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#spoken")).not_to_have_text(last)
    page.keyboard.press("+")
    expect(page.locator("#range")).to_contain_text("12 h")
    expect(page.locator("#tip")).to_be_visible()
    page.keyboard.press("0")
    expect(page.locator("#range")).to_be_empty()
    page.keyboard.press("Escape")
    expect(page.locator("#tip")).to_be_hidden()
    # Everything can be reached.
    page.locator("#query").focus()
    reached = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.closest('[id]')?.id"))
    assert {"states", "in", "order", "lanes", "failures", "ran", "coming", "changed", "slowest", "jobs"} <= reached
    page.locator("#coming td[tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator("#tip")).to_contain_text("Tuesday 0:00")


def test_zoom(show: Show, report: str) -> None:
    page = show(report)
    page.locator("#overview").scroll_into_view_if_needed()
    box = page.locator("#overview").bounding_box()
    assert box is not None
    y = box["y"] + 20
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 3 / 4, y, steps=4)
    page.mouse.up()
    expect(page.locator("#range")).to_contain_text(re.compile(r", (6 h|5 h 59 min)"))
    page.get_by_role("button", name="Earlier").click()
    page.get_by_role("button", name="Zoom in").click()
    expect(page.locator("#range")).to_contain_text(re.compile(r", (3 h|2 h 59 min)"))
    page.locator("#axis").hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, 200)
    page.keyboard.up("Control")
    expect(page.locator("#range")).not_to_contain_text(re.compile(", (3 h|2 h 59 min)"))
    page.get_by_role("button", name="All", exact=True).click()
    expect(page.locator("#range")).to_be_empty()


def test_names_are_text(show: Show, report: str) -> None:
    page = show(report)
    assert page.locator("script").count() == 2
    page.locator("#jobs summary").click()
    expect(page.locator("#jobs").get_by_text(SCRIPT)).to_be_visible()


def test_many_jobs(show: Show, cluster: Cluster) -> None:
    """Only the lanes in sight are there."""
    scheduler = new_scheduler(cluster)
    try:
        jobs = [Past(f"job {number}", "@hourly", 8640, 60, trouble=number % 2 / 3) for number in range(1000)]
        live_through(scheduler.admin, jobs, DAY)
        page = show(scheduler.value("SELECT report_html()"))
        assert len(names(page)) < 40
        page.locator("#lanes").evaluate("lanes => { lanes.scrollTop = lanes.scrollHeight; }")
        page.wait_for_timeout(200)
        assert 0 < len(names(page)) < 40
        page.get_by_label("Find a job").fill("job 777")
        expect(page.locator("#found")).to_have_text("1 of 1,000 jobs")
    finally:
        scheduler.close()


def test_without_jobs(show: Show, cluster: Cluster) -> None:
    scheduler = new_scheduler(cluster)
    try:
        page = show(scheduler.value("SELECT report_html()"), 400)
        expect(page.locator("#rows")).to_contain_text("There are no jobs here.")
        expect(page.locator("#problems")).to_contain_text("no worker has been started")
    finally:
        scheduler.close()
