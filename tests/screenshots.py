"""python -m tests.screenshots: the pictures of the page that the README shows, into docs/."""

from io import BytesIO

from PIL import Image
from playwright.sync_api import expect, sync_playwright

from tests.support.programs import find_program
from tests.support.servers import PROJECT, serving

DIRECTORY = PROJECT / "docs"
SIZE = {"width": 1280, "height": 960}
COLORS = 256  # of the file: a third of the bytes, and hardly a difference to see


def main():
    DIRECTORY.mkdir(exist_ok=True)
    with serving() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_program("chromium", package="chromium"), args=["--no-sandbox"]
        )
        for theme in ("light", "dark"):
            for name, address in (("page", server.url), ("models", f"{server.url}/#models")):
                page = browser.new_page(viewport=SIZE, color_scheme=theme)
                page.goto(address)
                expect(page.locator(".card:not(.waiting)")).to_have_count(2)
                page.wait_for_load_state("networkidle")
                page.evaluate("scrollTo(0, 0)")
                picture = Image.open(BytesIO(page.screenshot(animations="disabled")))
                file = DIRECTORY / f"{name}-{theme}.png"
                picture.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE).save(
                    file, optimize=True
                )
                print(f"{file.relative_to(PROJECT)}: {file.stat().st_size:,} bytes")
                page.close()
        browser.close()


if __name__ == "__main__":
    main()
