"""The page's accessibility, layout, size and colours, at many widths and in both themes."""

import re
from urllib.parse import urlsplit

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.support.browser import keep, open_page

VIEWS = ("Try it", "The models")
MAX_BYTES = 300_000


def show(page, view):
    page.get_by_role("tab", name=view).click()
    if view == "The models":
        expect(page.locator(".figure-row")).to_have_count(7)


def violations(page, *rules):
    """The violations that axe finds, by all of its rules or by the given ones."""
    options = {"resultTypes": ["violations"]} | ({"runOnly": [*rules]} if rules else {})
    found = Axe().run(page, options=options).response["violations"]
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_violation(server, tab, theme):
    rules = ["color-contrast"] if theme == "dark" else []  # no other rule depends on the theme
    tab.emulate_media(color_scheme=theme)
    open_page(tab, server.url)
    expect(tab.locator("#curve svg, #contributions table")).to_have_count(2)

    for view in VIEWS:
        show(tab, view)
        assert violations(tab, *rules) == []
    show(tab, "Try it")
    tab.locator("#city").fill("San")  # suggestions
    tab.locator("#HouseAge").fill("120")  # a warning
    expect(tab.locator(".warnings li").first).to_be_visible()
    tab.locator("#sample").click()
    expect(tab.locator("#batch-result")).to_be_visible()
    tab.locator("#city").focus()
    tab.locator("#city").press("n")
    assert violations(tab, *rules) == []


def test_axe_finds_no_violation_in_error_states(server, tab):
    open_page(tab, server.url)
    tab.locator("#HouseAge").fill("500")
    expect(tab.locator(".failed")).to_have_count(2)
    tab.context.set_offline(True)
    tab.locator("#HouseAge").fill("50")
    expect(tab.locator("#alert")).to_be_visible()
    tab.locator("#key-form").evaluate("form => { form.hidden = false }")

    assert violations(tab) == []
    tab.context.set_offline(False)
    expect(tab.locator("#alert")).to_be_hidden()


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_scrolls_sideways_from_320_pixels_to_4k(server, tab, view):
    open_page(tab, server.url)
    show(tab, view)

    for width in (320, 375, 480, 768, 1024, 1440, 2560, 3840):
        tab.set_viewport_size({"width": width, "height": 900})
        tab.wait_for_function("width => innerWidth === width", arg=width)
        beyond = tab.evaluate(
            """() => [...document.querySelectorAll("main *")]
              .filter((one) => !one.closest(".visually-hidden, .table-box, pre, .map, svg") && one.getClientRects().length
                && one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
              .map((one) => one.outerHTML.slice(0, 80))"""
        )
        assert beyond == [], width
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), width


def test_the_page_loads_in_300_kilobytes_from_its_own_host(server, page):
    requests = []
    page.on("requestfinished", keep(requests))
    open_page(page, server.url)
    expect(page.locator("#curve svg, #contributions table")).to_have_count(2)
    page.wait_for_load_state("networkidle")

    sizes = [request.sizes() for request in requests]
    total = sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)

    assert {urlsplit(request.url).netloc for request in requests} == {urlsplit(server.url).netloc}
    assert any("block-groups.bin" in request.url for request in requests)
    assert len({request.url for request in requests if "/page/" in request.url}) > 20
    assert 150_000 < total < MAX_BYTES


def test_pictures_load_only_when_they_are_shown(server, page):
    pictures = []
    page.on("request", lambda one: pictures.append(one.url) if "/report/" in one.url else None)
    open_page(page, server.url)
    page.wait_for_load_state("networkidle")
    assert pictures == []

    show(page, "The models")
    last = page.get_by_role("img", name="Permutation importance, champion")
    assert not last.evaluate("image => image.complete && image.naturalWidth > 0")
    last.scroll_into_view_if_needed()

    page.wait_for_function("image => image.naturalWidth > 0", arg=last.element_handle())


def test_the_report_is_shown_beside_the_description_of_each_model(server, tab, client):
    open_page(tab, server.url)
    show(tab, "The models")

    table = tab.locator(".metadata-table")
    assert table.locator("thead th").all_inner_texts() == ["notebook", "champion"]
    for column, model in enumerate(["notebook", "champion"]):
        description = client.get(f"/models/{model}").json()
        line = table.get_by_role("row", name=re.compile("^Mean absolute error"))
        assert (
            line.locator("td").nth(column).inner_text()
            == f"${description['metrics']['mae'] * 1e5:,.0f}"
        )
        version = table.get_by_role("row", name=re.compile("^Version"))
        assert version.locator("td").nth(column).inner_text() == description["version"]
        tab.get_by_text(f"Details of {model}").click()
        assert (
            description["parameters_sha256"] in tab.locator("details", has_text=model).inner_text()
        )
        for title in (
            "Loss during training",
            "Predicted against true",
            "Map of errors",
            "Interval coverage",
        ):
            assert tab.get_by_role("img", name=f"{title}, {model}").count() == 1
    assert (
        tab.locator(".figure-row").first.locator("p").inner_text().startswith("The training loss")
    )
    tab.reload()
    expect(tab.get_by_role("tab", name="The models")).to_have_attribute("aria-selected", "true")


def test_the_page_is_readable_before_its_map_has_loaded(server, page):
    held = []
    page.route("**/*.bin", keep(held))
    page.goto(server.url, wait_until="commit")

    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("[data-feature=MedInc]")).to_be_visible()
    page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length")

    held[0].abort()
    expect(page.locator("#map-note")).to_be_visible()
    expect(page.locator(".card:not(.waiting)")).to_have_count(2)


NAME_OF_FOCUS = """() => {
  const one = document.activeElement;
  return one.id || (one.dataset.feature ?? one.value ?? one.className) || one.textContent.trim();
}"""


def test_every_control_can_be_reached_with_the_keyboard(server, tab):
    open_page(tab, server.url)
    reached = []
    while len(reached) < 60 and (
        not reached or tab.evaluate("document.activeElement !== document.body")
    ):
        tab.keyboard.press("Tab")
        reached.append(tab.evaluate(NAME_OF_FOCUS))

    assert {"skip", "tab-try", "city", "map-focus", "Latitude", "keep-features", "notebook"} <= {
        *reached
    }
    assert {"copy", "file", "sample", "API documentation"} <= {*reached}
    assert reached.count("MedInc") == reached.count("AveOccup") == 2  # a field and a slider
    tab.get_by_role("tab", name="Try it").focus()
    tab.keyboard.press("ArrowRight")
    expect(tab.locator("#models")).to_be_visible()
    expect(tab.locator("#try")).to_be_hidden()


def test_nothing_moves_if_the_user_prefers_reduced_motion(server, tab):
    tab.emulate_media(reduced_motion="reduce")
    open_page(tab, server.url)

    durations = tab.evaluate(
        "[...document.querySelectorAll('*')].map((one) => getComputedStyle(one).transitionDuration)"
    )

    assert {*durations} == {"0s"}


# --- the colour scale, checked with a second implementation of OKLab -----------------------------

TO_CONES = np.linalg.inv(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)
TO_LAB = np.linalg.inv(
    [
        [1, 0.3963377774, 0.2158037573],
        [1, -0.1055613458, -0.0638541728],
        [1, -0.0894841775, -1.2914855480],
    ]
)
# Viénot, Brettel and Mollon (1999), of linear light
WITHOUT_RED_CONES = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])
WITHOUT_GREEN_CONES = np.array(
    [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]
)


def to_light(lab):
    return ((lab @ np.linalg.inv(TO_LAB).T) ** 3) @ np.linalg.inv(TO_CONES).T


def to_lab(light):
    return np.cbrt(light @ TO_CONES.T) @ TO_LAB.T


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_equal_price_steps_are_equal_colour_steps_in_any_colour_vision(server, tab, theme):
    tab.goto(server.url)
    shades = tab.evaluate(
        "theme => import(new URL('page/colors.js', document.baseURI)).then((m) => m.shades(theme))",
        theme,
    )
    lab = np.array(
        [[float(number) for number in re.findall(r"-?[\d.]+", shade)] for shade in shades]
    )

    light = to_light(lab)
    assert len(lab) == 256
    assert light.min() > -0.002  # within the gamut of a screen
    assert light.max() < 1.002
    steps = np.linalg.norm(np.diff(lab[::16], axis=0), axis=1)
    assert steps.max() / steps.min() < 1.1
    for eye in (np.eye(3), WITHOUT_RED_CONES, WITHOUT_GREEN_CONES):
        seen = to_lab(np.clip(light @ eye.T, 0, 1))
        lightness = seen[::16, 0] if theme == "dark" else -seen[::16, 0]
        assert (np.diff(lightness) > 0.005).all()
        assert np.linalg.norm(np.diff(seen[::16], axis=0), axis=1).min() > 0.02
