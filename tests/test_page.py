"""The start page in a real browser, compared with the service's own predictions."""

import json
import re
import subprocess

import httpx
import numpy as np
import pytest
from playwright.sync_api import expect

from app.access.api_keys import key_line
from models.features import FEATURE_NAMES
from tests.support.browser import keep, open_page
from tests.support.headers import KEY
from tests.support.programs import find_program
from tests.support.servers import serving
from training.data import load_dataset

NETWORK = "Failed to load resource"  # the browser's own message about a failed request
MODELS = ("notebook", "champion")
OTHERS = FEATURE_NAMES[:6]
MINUS = "\N{MINUS SIGN}"
LOS_ANGELES = (34.05, -118.25)


@pytest.fixture(scope="module")
def dataset():
    return load_dataset("embedded")


def dollars(value):
    """Format a value in 100,000 USD as the page does, rounded to 100 USD."""
    hundreds = int(np.floor(value * 1000 + 0.5))
    return f"{MINUS if hundreds < 0 else ''}${abs(hundreds) * 100:,}"


def in_hundreds(text):
    """Parse the output of `dollars`, in hundreds of USD."""
    return int(re.sub(r"[$+±,]", "", text).replace(MINUS, "-")) // 100


@pytest.fixture
def opened(server, tab):
    """The tab with the opened page; afterwards its only errors are the requests that it aborted."""
    yield open_page(tab, server.url)
    assert sorted(tab.errors) == sorted(tab.aborted)


def row_of(page):
    """The shown row, read from the curl command."""
    return json.loads(re.search(r"-d '(.*)'", page.locator("#curl").inner_text(), re.DOTALL)[1])


def expect_predictions(page, client, row):
    """Wait until the page shows both models' predictions for a row; returns the predictions."""
    answers = {}
    for model in MODELS:
        answer = answers[model] = client.post(f"/predict?model={model}", json=row).json()
        interval = answer["interval"]
        expect(page.locator(f"#{model}-price")).to_have_text(dollars(answer["prediction"]))
        expect(page.locator(f"#{model}-interval")).to_have_text(
            f"90 % between {dollars(interval['lower'])} and {dollars(interval['upper'])}"
        )
    return answers


def number(page, name):
    return float(page.locator(f"#{name}").input_value())


def around(dataset, latitude, longitude):
    """The medians of the features and the values of the 16 block groups nearest to a place."""
    north, east = dataset.rows[:, 6] - latitude, dataset.rows[:, 7] - longitude
    away = np.hypot(north, east * np.cos(np.radians(latitude)))
    nearest = away <= np.sort(away)[15] + 1e-9  # and those that tie with the last
    return np.median(dataset.rows[nearest, :6], axis=0), np.median(dataset.targets[nearest])


def test_the_page_opens_with_the_predictions_for_its_row(opened, client):
    row = row_of(opened)

    assert [*row] == [*FEATURE_NAMES]
    assert {name: number(opened, name) for name in FEATURE_NAMES} == row
    expect_predictions(opened, client, row)


def test_a_click_on_the_map_sets_the_place_and_the_typical_features_there(opened, client, dataset):
    opened.locator("#city").fill("los ang")
    opened.locator("#city").press("Enter")
    assert (number(opened, "Latitude"), number(opened, "Longitude")) == LOS_ANGELES
    spot = opened.locator(".marker").bounding_box()
    opened.locator("#city").fill("Eureka")
    opened.get_by_role("option", name="Eureka").click()
    assert number(opened, "Latitude") == 40.8

    opened.mouse.click(spot["x"] + spot["width"] / 2, spot["y"] + spot["height"] / 2)

    row = row_of(opened)
    assert (row["Latitude"], row["Longitude"]) == pytest.approx(LOS_ANGELES, abs=0.03)
    typical, value = around(dataset, row["Latitude"], row["Longitude"])
    assert [row[name] for name in OTHERS] == pytest.approx(typical.tolist(), rel=0.02, abs=0.6)
    shown = re.search(r"median value of \$([\d,]+)", opened.locator("#neighbourhood").inner_text())
    assert in_hundreds(shown[1]) == pytest.approx(value * 1000, abs=20)
    expect(opened.locator("#neighbourhood")).to_contain_text("Near Los Angeles")
    expect_predictions(opened, client, row)


def test_dragging_the_marker_moves_the_place(opened, client):
    marker = opened.locator(".marker").bounding_box()
    x, y = marker["x"] + marker["width"] / 2, marker["y"] + marker["height"] / 2
    before = row_of(opened)

    opened.mouse.move(x, y)
    opened.mouse.down()
    opened.mouse.move(x + 30, y + 20, steps=5)
    half_way = row_of(opened)
    opened.mouse.move(x + 60, y + 40, steps=5)
    opened.mouse.up()
    opened.mouse.move(x, y)

    row = row_of(opened)
    assert before["Latitude"] > half_way["Latitude"] > row["Latitude"]
    assert before["Longitude"] < half_way["Longitude"] < row["Longitude"]
    expect_predictions(opened, client, row)


def test_the_keyboard_moves_the_place_and_zooms(opened, client):
    focus = opened.locator(".map-focus")
    focus.focus()
    focus.press("ArrowUp")
    focus.press("ArrowRight")
    focus.press("Shift+ArrowDown")
    focus.press("Shift+ArrowLeft")

    assert (number(opened, "Latitude"), number(opened, "Longitude")) == (37.79, -122.32)
    assert "37.79 north, 122.32 west, near Oakland" in focus.get_attribute("aria-label")
    expect_predictions(opened, client, row_of(opened))
    before = opened.locator(".marker").bounding_box()
    focus.press("+")
    focus.press("ArrowRight")
    focus.press("+")
    for _ in range(10):
        focus.press("ArrowRight")
    assert opened.locator(".marker").bounding_box()["x"] - before["x"] > 5
    expect_predictions(opened, client, row_of(opened))


def test_the_map_draws_the_block_groups_in_the_colours_of_their_prices(opened):
    """At least a thousand pixels in many shades are not the colours of land, sea or names."""
    shades = opened.evaluate(
        """() => {
          const canvas = document.querySelector("#map canvas");
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          const counts = new Map();
          for (let at = 0; at < data.length; at += 4) {
            const [red, green, blue, alpha] = data.slice(at, at + 4);
            if (alpha === 255 && Math.max(red, green, blue) - Math.min(red, green, blue) > 40)
              counts.set((red << 16) + (green << 8) + blue, 1);
          }
          return [...counts.keys()];
        }"""
    )

    assert len(shades) > 200


def test_a_slider_moves_the_price(opened, client):
    slider = opened.get_by_label("Median household income, slider")
    before = number(opened, "MedInc")

    slider.focus()
    for _ in range(20):
        slider.press("ArrowRight")

    row = row_of(opened)
    assert row["MedInc"] == number(opened, "MedInc") > before + 0.1
    assert slider.get_attribute("aria-valuetext").endswith("dollars a year")
    expect_predictions(opened, client, row)


def test_a_slider_spans_the_training_range(opened, client, dataset):
    for entry in client.get("/models/notebook").json()["features"][:6]:
        slider = opened.locator(f"[data-feature={entry['name']}]")
        marks = slider.locator("xpath=..").locator(".tick").all_inner_texts()

        slider.press("Home")
        least = number(opened, entry["name"])
        slider.press("End")
        most = number(opened, entry["name"])

        assert entry["minimum"] <= least <= entry["minimum"] + 0.01
        assert entry["maximum"] - 1 <= most <= entry["maximum"]
        for mark, percent in zip(marks, (1, 99), strict=True):
            true = np.percentile(dataset.rows[:, FEATURE_NAMES.index(entry["name"])], percent)
            text = mark.removeprefix(f"{percent} %: ").replace(",", "")
            assert float(text) == pytest.approx(true, abs=0.51 if true > 10 else 0.051)

    answers = expect_predictions(opened, client, row_of(opened))
    assert not any("outside" in warning for warning in answers["notebook"]["warnings"])


def test_a_number_outside_the_training_range_gets_a_warning(opened, client):
    opened.locator("#HouseAge").fill("120")

    answers = expect_predictions(opened, client, row_of(opened))

    warnings = answers["notebook"]["warnings"]
    assert "HouseAge is outside its training range" in warnings[0]
    expect(opened.locator(".card", has_text="notebook").locator(".warnings li")).to_have_text(
        warnings
    )


def test_an_impossible_number_shows_the_reason_for_its_rejection(server, tab, client):
    open_page(tab, server.url)
    tab.locator("#HouseAge").fill("500")

    refused = client.post("/predict", json=row_of(tab)).json()["detail"]
    for model in MODELS:
        card = tab.locator(".card", has_text=model)
        expect(card.locator(".warnings")).to_have_text(refused)
        expect(card.locator(".price")).to_have_text("no prediction")
    tab.locator("#HouseAge").fill("")
    expect(tab.locator(".warnings").first).to_contain_text("must be a number")
    tab.locator("#HouseAge").fill("30")
    expect_predictions(tab, client, row_of(tab))
    assert [e for e in tab.errors if NETWORK not in e and e not in tab.aborted] == []


def test_the_champion_warns_of_a_place_far_from_all_training_rows(opened, client):
    opened.locator("#city").fill(f"36.6, {MINUS}115.2")
    opened.locator("#city").press("Enter")

    answers = expect_predictions(opened, client, row_of(opened))

    assert "km away" in answers["champion"]["warnings"][0]
    expect(opened.locator(".card", has_text="champion").locator(".warnings")).to_contain_text(
        "km away"
    )


def test_the_checkbox_keeps_the_features_when_the_place_changes(opened):
    opened.locator("#MedInc").fill("9")
    opened.locator("#keep-features").check()
    opened.locator("#city").fill("Fresno")
    opened.locator("#city").press("Enter")
    assert number(opened, "MedInc") == 9

    opened.locator("#keep-features").uncheck()
    opened.locator(".map-focus").press("ArrowUp")

    assert number(opened, "MedInc") < 6


def test_the_shown_contributions_of_the_selected_model_add_up(opened, client):
    opened.locator("#city").fill("Palo Alto")
    opened.locator("#city").press("Enter")
    table = opened.locator("#contributions table")
    amounts = table.locator(".amount")
    for model in reversed(MODELS):
        opened.get_by_role("radio", name=model).check()
        explanation = client.post(f"/explain?model={model}", json=row_of(opened)).json()
        expect(amounts.last).to_have_text(dollars(explanation["prediction"]))
        expect(amounts.first).to_have_text(dollars(explanation["baseline"]))
        expect(amounts).to_have_count(10)

        first, *steps, last = map(in_hundreds, amounts.all_inner_texts())

        assert first + sum(steps) == last
        exact = [1000 * explanation["contributions"][name] for name in FEATURE_NAMES]
        assert steps == pytest.approx(exact, abs=1.001)
        assert opened.locator("#explanation-model").inner_text() == model
        bars = table.locator("tr:not(.total) .bar")
        widths = bars.evaluate_all("all => all.map(bar => parseFloat(bar.style.width))")
        scale = max(widths) / max(map(abs, steps))
        assert widths == pytest.approx([scale * abs(step) for step in steps], abs=0.01)


def test_the_curve_shows_the_services_predictions_along_the_selected_feature(opened, client):
    with opened.expect_request(
        lambda request: (
            "predict/batch?model=champion" in request.url
            and "HouseAge" in request.post_data
            and len(set(json.loads(request.post_data)["HouseAge"])) > 1
        )
    ):
        opened.locator("#HouseAge").focus()
    row = row_of(opened)
    expect(opened.locator("#what-if-feature")).to_have_text("median age of the houses")
    expect(opened.locator("#curve svg .curve-line")).to_have_count(2)

    ages = np.linspace(4, 52, 65).tolist()
    for model in MODELS:
        columns = {name: [value] * len(ages) for name, value in row.items()} | {"HouseAge": ages}
        curve = client.post(f"/predict/batch?model={model}", json=columns).json()["prediction"]
        words = f"{model}: from {dollars(curve[0])} at 4 to {dollars(curve[-1])} at 52"
        expect(opened.locator("#curve svg")).to_have_attribute(
            "aria-label", re.compile(re.escape(words))
        )
    opened.locator("#curve").click(position={"x": 200, "y": 100})
    assert number(opened, "HouseAge") != row["HouseAge"]
    expect_predictions(opened, client, row_of(opened))


def test_the_curl_command_gets_the_shown_prediction(opened, client):
    find_program("curl", package="curl")
    opened.get_by_role("radio", name="champion").check()
    opened.locator("#AveRooms").fill("7.25")
    command = opened.locator("#curl").inner_text()

    reply = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, timeout=30, check=True
    )

    answer = json.loads(reply.stdout)
    assert answer["model"].startswith("champion@")
    expect(opened.locator("#champion-price")).to_have_text(dollars(answer["prediction"]))
    opened.context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened.locator("#copy").click()
    expect(opened.locator("#copy-status")).to_have_text("Copied.")
    assert opened.evaluate("navigator.clipboard.readText()") == command


def test_a_screen_reader_announces_the_prices_once_they_settle(opened, client):
    opened.locator("#Population").fill("900")
    answers = expect_predictions(opened, client, row_of(opened))

    for model in MODELS:
        announcement = f"{model}: {dollars(answers[model]['prediction'])}"
        expect(opened.locator("#announcement")).to_contain_text(announcement)


COUNT_REQUESTS = """
  window.most = 0;
  const open = {}, ask = window.fetch;
  window.fetch = async (address, options) => {
    const model = new URL(address, location).searchParams.get("model");
    if (!model) return ask(address, options);
    open[model] = (open[model] ?? 0) + 1;
    window.most = Math.max(window.most, open[model]);
    try { return await ask(address, options); } finally { open[model]--; }
  };
"""


def test_the_page_sends_each_model_one_request_at_a_time(server, page, client):
    page.add_init_script(COUNT_REQUESTS)
    open_page(page, server.url)
    box = page.locator("#map").bounding_box()

    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 250, box["y"] + 300, steps=60)
    page.mouse.up()

    expect_predictions(page, client, row_of(page))
    assert page.evaluate("window.most") == 1


def test_a_newer_request_aborts_a_stale_one(server, tab, client):
    open_page(tab, server.url)
    held = []
    tab.route("**/predict?model=champion", keep(held), times=1)
    with tab.expect_request("**/predict?model=champion"):
        tab.locator("#MedInc").fill("2")

    with tab.expect_event(
        "requestfailed", lambda request: "/predict?model=champion" in request.url
    ) as stale:
        tab.locator("#MedInc").fill("8")

    assert json.loads(stale.value.post_data)["MedInc"] == 2
    assert stale.value.failure == "net::ERR_ABORTED"
    assert expect_predictions(tab, client, row_of(tab))
    assert sorted(tab.errors) == sorted(tab.aborted)


def test_the_page_says_when_the_service_is_unreachable_and_recovers(tab):
    with serving("--default", "notebook") as server:
        open_page(tab, server.url)
        trouble = tab.locator("#alert")
        expect(trouble).to_be_hidden()
        server.process.kill()
        server.process.wait(timeout=15)
        tab.locator("#MedInc").fill("7")
        expect(trouble).to_contain_text("The service does not respond.")
        tab.locator("#MedInc").fill("6.5")
        with serving("--default", "notebook", "--port", str(server.port)) as again:
            expect(trouble).to_be_hidden(timeout=20_000)
            with httpx.Client(base_url=again.url) as client:
                expect_predictions(tab, client, row_of(tab))
            assert number(tab, "MedInc") == 6.5
    assert all(error.startswith((NETWORK, server.url)) for error in tab.errors)


def test_the_page_says_when_the_browser_is_offline_and_recovers(server, tab, client):
    open_page(tab, server.url)
    tab.context.set_offline(True)
    tab.locator("#MedInc").fill("7")
    expect(tab.locator("#alert")).to_contain_text("The service does not respond.")

    tab.context.set_offline(False)

    expect(tab.locator("#alert")).to_be_hidden()
    expect_predictions(tab, client, row_of(tab))


def test_the_page_asks_for_an_api_key_and_sends_it(page, tmp_path):
    (tmp_path / "keys").write_text(f"{key_line('alice', KEY)}\n")
    with serving("--default", "notebook", "--api-keys-file", str(tmp_path / "keys")) as server:
        page.goto(server.url)
        field = page.get_by_label("This service requires an API key")
        field.fill("not a key")
        field.press("Enter")
        expect(page.locator("#key-note")).to_contain_text("rejected this key")
        field.fill(KEY)
        page.get_by_role("button", name="Use it").click()
        expect(field).to_be_hidden()
        with httpx.Client(base_url=server.url, headers={"x-api-key": KEY}) as client:
            expect_predictions(page, client, row_of(page))
        assert "$HOUSING_API_KEY" in page.locator("#curl").inner_text()
        assert KEY not in page.content()
        page.get_by_role("tab", name="The models").click()
        picture = page.get_by_role("img", name="Loss during training, notebook")
        expect(picture).to_have_js_property("complete", value=True)
        assert picture.evaluate("image => image.naturalWidth") > 100
    assert all(NETWORK in error and "401" in error for error in page.errors)
