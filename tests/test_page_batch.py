"""The page scores a CSV file and offers it with the predictions of the service."""

import csv
import io

import numpy as np
import pytest
from numpy.testing import assert_allclose
from playwright.sync_api import expect

from models.features import FEATURE_NAMES
from tests.support.browser import keep, open_page
from tests.support.rows import ROW

ROWS = 21_000  # more than the page sends at once
HEADER = ",".join(FEATURE_NAMES)
DROP = """
  ([text, name]) => {
    const files = new DataTransfer();
    files.items.add(new File([text], name, { type: "text/csv" }));
    document.getElementById("drop").dispatchEvent(
      new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
  }
"""


def line(age):
    return ",".join(str({**ROW, "HouseAge": age}[name]) for name in FEATURE_NAMES)


def drop(page, text, name="rows.csv"):
    page.evaluate(DROP, [text, name])


def saved(page):
    """The name and the text of the file that the page offers."""
    with page.expect_download() as download:
        page.locator("#batch-result").click()
    return download.value.suggested_filename, download.value.path().read_text()


def response_to(client, text):
    """The service's response to the whole file."""
    response = client.post(
        "/predict/batch?model=notebook&errors=true",
        content=text.encode(),
        headers={"content-type": "text/csv"},
    )
    return response.text


def check_predictions(content, lines, expected):
    """Check each line's prediction, up to the last digit: that depends on the size of the batch."""
    header, *rows = content.splitlines()
    assert header == f"{HEADER},{expected[0]}"
    assert len(rows) == len(lines) == len(expected[1:])
    assert all(row.startswith(f"{line},") for row, line in zip(rows, lines, strict=True))
    cells = [
        row.removeprefix(f"{line},").split(",", 3) for row, line in zip(rows, lines, strict=True)
    ]
    true_cells = [answer.split(",", 3) for answer in expected[1:]]
    assert [error for *_, error in cells] == [error for *_, error in true_cells]
    assert_allclose(numbers(cells), numbers(true_cells), rtol=1e-12)


def numbers(cells):
    return np.array([[float(one or "nan") for one in row[:3]] for row in cells])


def test_a_dropped_file_is_returned_with_the_services_predictions(server, tab, client):
    lines = [line(1 + row % 50) for row in range(ROWS)]
    lines[4] = line("old")
    lines[20_500] = line(500)
    text = "\n".join([HEADER, *lines]) + "\n"
    open_page(tab, server.url)

    drop(tab, text)
    expect(tab.locator("#batch-status")).to_have_text(
        "notebook scored rows.csv: 21,000 rows; 2 rejected.", timeout=30_000
    )

    name, content = saved(tab)
    expected = response_to(client, text).splitlines()
    assert name == "rows-notebook.csv"
    check_predictions(content, lines, expected)
    errors = tab.locator("#batch-errors tbody tr").all_inner_texts()
    assert [row.split("\t")[:2] for row in errors] == [["5", "6"], ["20,501", "20,502"]]
    assert "HouseAge must be a number" in errors[0]
    assert tab.locator("#batch-progress").evaluate("bar => bar.value") == 1
    assert tab.errors == []


def test_the_selected_model_scores_a_chosen_file(server, tab, tmp_path):
    (tmp_path / "one.csv").write_text(f"{HEADER}\r\n{line(41)}\r\n\r\n")
    open_page(tab, server.url)
    tab.get_by_role("radio", name="champion").check()

    tab.locator("#file").set_input_files(tmp_path / "one.csv")

    expect(tab.locator("#batch-status")).to_have_text("champion scored one.csv: 1 row.")
    name, content = saved(tab)
    (row,) = csv.DictReader(io.StringIO(content))
    assert name == "one-champion.csv"
    assert float(row["lower"]) < float(row["prediction"]) < float(row["upper"])
    assert row["error"] == ""


def test_a_file_that_is_not_csv_is_rejected_with_a_reason(server, tab):
    open_page(tab, server.url)
    status = tab.locator("#batch-status")

    drop(tab, "a,b\n1,2\n")
    expect(status).to_contain_text("Scoring of rows.csv failed. The body, line 1: the header must")
    expect(tab.locator("#batch-result")).to_be_hidden()
    drop(tab, "")
    expect(status).to_contain_text("The body is empty")
    drop(tab, HEADER + "\n")
    expect(status).to_have_text("rows.csv has no rows below its header.")


def test_a_malformed_csv_line_does_not_affect_the_others(server, tab, client):
    text = f'{HEADER}\n{line(41)}\n1,"2\n{line(40)}\n'
    open_page(tab, server.url)

    drop(tab, text)
    expect(tab.locator("#batch-status")).to_contain_text("1 rejected")

    _, content = saved(tab)
    rows = [*csv.DictReader(io.StringIO(content))]
    assert [row["HouseAge"] for row in rows] == ["41", "", "40"]
    assert [bool(row["error"]) for row in rows] == [False, True, False]
    assert [row["prediction"] for row in rows] == [
        answer.split(",")[0] for answer in response_to(client, text).splitlines()[1:]
    ]


def test_a_file_resumes_where_it_stopped_once_the_service_is_back(server, tab, client):
    lines = [line(1 + row % 50) for row in range(ROWS)]
    text = "\n".join([HEADER, *lines])
    open_page(tab, server.url)
    sent, held = [], []
    tab.on("request", lambda one: sent.append(one) if "errors=true" in one.url else None)

    def let_the_first_pass(route):
        return route.continue_() if len(sent) == 1 else route.abort("connectionreset")

    tab.route("**/predict/batch**errors=true", let_the_first_pass, times=2)
    tab.route("**/readyz", keep(held), times=1)
    with tab.expect_request("**/readyz"):
        drop(tab, text)
    expect(tab.locator("#batch-status")).to_contain_text(
        "Scoring of rows.csv failed after 20,000 rows."
    )
    expect(tab.locator("#alert")).to_be_visible()
    held[0].continue_()
    expect(tab.locator("#batch-status")).to_have_text(
        "notebook scored rows.csv: 21,000 rows.", timeout=30_000
    )

    _, content = saved(tab)
    expected = response_to(client, text).splitlines()
    check_predictions(content, lines, expected)
    assert len(sent) == 3


def test_a_stopped_file_keeps_the_predictions_received_so_far(server, tab):
    text = "\n".join([HEADER, *(line(1 + row % 50) for row in range(ROWS))])
    open_page(tab, server.url)
    held = []
    sent = []
    tab.on("request", lambda one: sent.append(one) if "errors=true" in one.url else None)
    tab.route(
        "**/predict/batch**errors=true",
        lambda route: held.append(route) if len(sent) == 2 else route.continue_(),
    )
    drop(tab, text)
    expect(tab.locator("#batch-status")).to_contain_text("20,000 rows", timeout=30_000)

    tab.get_by_role("button", name="Stop").click()

    expect(tab.locator("#batch-status")).to_have_text("Stopped scoring rows.csv after 20,000 rows.")
    _, content = saved(tab)
    assert len(content.splitlines()) == 20_001


SLICES = """
  async (text) => {
    const { readChunks } = await import("/page/csv_chunks.js");
    const chunks = [];
    for await (const chunk of readChunks(new File([text], "a.csv"))) chunks.push(chunk);
    return chunks.map(({ header, lines, numbers, bytes }) =>
      [header, lines.length, lines[0], lines.at(-1), numbers[0], numbers.at(-1), bytes]);
  }
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_slices_are_of_whole_lines_with_their_numbers(server, tab, end):
    tab.goto(server.url)
    lines = ["\ufeffa,b", "", " ", *(f"{number},1" for number in range(45_000))]

    slices = tab.evaluate(SLICES, end.join(lines))

    whole = len(end.join(lines).encode())
    assert [one[:-1] for one in slices] == [
        ["a,b", 20_000, "0,1", "19999,1", 4, 20_003],
        ["a,b", 20_000, "20000,1", "39999,1", 20_004, 40_003],
        ["a,b", 5_000, "40000,1", "44999,1", 40_004, 45_003],
    ]
    assert 0 < slices[0][-1] <= slices[1][-1] <= slices[2][-1] == whole


def test_a_slice_of_long_lines_has_fewer_lines(server, tab):
    tab.goto(server.url)

    slices = tab.evaluate(SLICES, "a,b\n" + ("x" * 60_000 + ",1\n") * 100)

    assert [count for _, count, *_ in slices] == [70, 30]
