"""A real browser without access to other hosts, and pages that record their errors."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.programs import find_program

OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium; while it is open, asyncio.run fails in this thread."""
    program = find_program("chromium", "chromium-browser", "google-chrome", package="chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", OFFLINE]
        )
        yield browser
        browser.close()


@contextmanager
def new_page(browser: Browser) -> Iterator[Page]:
    """A page that records the errors of its console, scripts and requests in `errors`.

    The requests that the page itself aborted are also in `aborted`.
    """
    with browser.new_context() as context:
        page = context.new_page()
        page.errors, page.aborted = [], []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on("requestfailed", lambda request: page.errors.append(request.url))
        page.on(
            "requestfailed",
            lambda request: (
                page.aborted.append(request.url) if request.failure == "net::ERR_ABORTED" else None
            ),
        )
        page.on(
            "console",
            lambda message: page.errors.append(message.text) if message.type == "error" else None,
        )
        yield page


def open_page(page: Page, url: str) -> Page:
    """Open the service's page, and wait for both models' first predictions."""
    page.goto(f"{url}/")
    expect(page.locator(".card:not(.waiting)")).to_have_count(2)
    return page


def keep(kept):
    """A playwright handler that only appends its argument to a list."""

    def append(argument):
        kept.append(argument)

    return append
