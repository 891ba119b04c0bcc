"""A CSV file that is dropped on the page comes back with the answers of the service."""

import csv
import io

import pytest
from playwright.sync_api import expect

from models.features import FEATURE_NAMES
from tests.conftest import ROW
from tests.test_page import keep, open_page

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
    """The text of the file that the page offers."""
    with page.expect_download() as download:
        page.locator("#batch-result").click()
    return download.value.suggested_filename, download.value.path().read_text()


def answers_of(client, text):
    """What the service answers to a whole file."""
    response = client.post(
        "/predict/batch?model=notebook&errors=true",
        content=text.encode(),
        headers={"content-type": "text/csv"},
    )
    return response.text


def expect_answered(content, lines, expected):
    """That each line stands before its answer; the last digit depends on how many came at once."""
    header, *rows = content.splitlines()
    assert header == f"{HEADER},{expected[0]}"
    assert len(rows) == len(lines) == len(expected[1:])
    for row, line, answer in zip(rows, lines, expected[1:], strict=True):
        assert row.startswith(f"{line},")
        *numbers, error = row.removeprefix(f"{line},").split(",", 3)
        *true_numbers, true_error = answer.split(",", 3)
        assert error == true_error
        assert [float(one or "nan") for one in numbers] == pytest.approx(
            [float(one or "nan") for one in true_numbers], rel=1e-12, nan_ok=True
        )


def test_a_dropped_file_comes_back_with_the_services_own_answers(server, page, client):
    lines = [line(1 + row % 50) for row in range(ROWS)]
    lines[4] = line("old")
    lines[20_500] = line(500)
    text = "\n".join([HEADER, *lines]) + "\n"
    open_page(page, server.url)

    drop(page, text)
    expect(page.locator("#batch-status")).to_have_text(
        "notebook answered all 21,000 rows of rows.csv; 2 of them were refused.", timeout=30_000
    )

    name, content = saved(page)
    expected = answers_of(client, text).splitlines()
    assert name == "rows-notebook.csv"
    expect_answered(content, lines, expected)
    told = page.locator("#batch-errors tbody tr").all_inner_texts()
    assert [row.split("\t")[:2] for row in told] == [["5", "6"], ["20,501", "20,502"]]
    assert "HouseAge must be a number" in told[0]
    assert page.locator("#batch-progress").evaluate("bar => bar.value") == 1
    assert page.errors == []


def test_the_model_at_hand_scores_a_chosen_file(server, page, tmp_path):
    (tmp_path / "one.csv").write_text(f"{HEADER}\r\n{line(41)}\r\n\r\n")
    open_page(page, server.url)
    page.get_by_role("radio", name="champion").check()

    page.locator("#file").set_input_files(tmp_path / "one.csv")

    expect(page.locator("#batch-status")).to_have_text("champion answered all 1 rows of one.csv.")
    name, content = saved(page)
    (row,) = csv.DictReader(io.StringIO(content))
    assert name == "one-champion.csv"
    assert float(row["lower"]) < float(row["prediction"]) < float(row["upper"])
    assert row["error"] == ""


def test_a_file_that_is_none_is_refused_in_words(server, page):
    open_page(page, server.url)
    status = page.locator("#batch-status")

    drop(page, "a,b\n1,2\n")
    expect(status).to_contain_text("was not scored to its end. The body, line 1: the header must")
    expect(page.locator("#batch-result")).to_be_hidden()
    drop(page, "")
    expect(status).to_contain_text("The body must have a header")
    drop(page, HEADER + "\n")
    expect(status).to_have_text("rows.csv has no rows below its header.")


def test_a_line_that_is_no_csv_swallows_no_other(server, page, client):
    text = f'{HEADER}\n{line(41)}\n1,"2\n{line(40)}\n'
    open_page(page, server.url)

    drop(page, text)
    expect(page.locator("#batch-status")).to_contain_text("1 of them were refused")

    _, content = saved(page)
    rows = [*csv.DictReader(io.StringIO(content))]
    assert [row["HouseAge"] for row in rows] == ["41", "", "40"]
    assert [bool(row["error"]) for row in rows] == [False, True, False]
    assert [row["prediction"] for row in rows] == [
        answer.split(",")[0] for answer in answers_of(client, text).splitlines()[1:]
    ]


def test_a_file_goes_on_where_it_broke_off_when_the_service_is_back(server, page, client):
    lines = [line(1 + row % 50) for row in range(ROWS)]
    text = "\n".join([HEADER, *lines])
    open_page(page, server.url)
    sent, held = [], []
    page.on("request", lambda one: sent.append(one) if "errors=true" in one.url else None)

    def let_the_first_pass(route):
        return route.continue_() if len(sent) == 1 else route.abort("connectionreset")

    page.route("**/predict/batch**errors=true", let_the_first_pass, times=2)
    page.route("**/readyz", keep(held), times=1)
    with page.expect_request("**/readyz"):
        drop(page, text)
    expect(page.locator("#batch-status")).to_contain_text(
        "rows.csv was not scored to its end after 20,000 rows."
    )
    expect(page.locator("#trouble")).to_be_visible()
    held[0].continue_()
    expect(page.locator("#batch-status")).to_have_text(
        "notebook answered all 21,000 rows of rows.csv.", timeout=30_000
    )

    _, content = saved(page)
    expected = answers_of(client, text).splitlines()
    expect_answered(content, lines, expected)
    assert len(sent) == 3


def test_a_file_is_stopped_and_what_was_answered_is_kept(server, page):
    text = "\n".join([HEADER, *(line(1 + row % 50) for row in range(ROWS))])
    open_page(page, server.url)
    held = []
    sent = []
    page.on("request", lambda one: sent.append(one) if "errors=true" in one.url else None)
    page.route(
        "**/predict/batch**errors=true",
        lambda route: held.append(route) if len(sent) == 2 else route.continue_(),
    )
    drop(page, text)
    expect(page.locator("#batch-status")).to_contain_text("20,000 rows", timeout=30_000)

    page.get_by_role("button", name="Stop").click()

    expect(page.locator("#batch-status")).to_have_text("Stopped after 20,000 rows of rows.csv.")
    _, content = saved(page)
    assert len(content.splitlines()) == 20_001


SLICES = """
  async (text) => {
    const { slicesOf } = await import(new URL("page/csv_slices.js", document.baseURI));
    const slices = [];
    for await (const slice of slicesOf(new File([text], "a.csv"))) slices.push(slice);
    return slices;
  }
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_slices_are_of_whole_lines_with_their_numbers(server, page, end):
    page.goto(server.url)
    many = [f"{number},1" for number in range(45_000)]

    slices = page.evaluate(SLICES, end.join(["\ufeffa,b", "", " ", *many]))

    assert [len(one["lines"]) for one in slices] == [20_000, 20_000, 5_000]
    assert [line for one in slices for line in one["lines"]] == many
    assert {one["header"] for one in slices} == {"a,b"}
    assert [one["numbers"][0] for one in slices] == [4, 20_004, 40_004]
    assert slices[-1]["bytes"] == len(end.join(["\ufeffa,b", "", " ", *many]).encode())


def test_a_slice_of_long_lines_has_fewer(server, page):
    page.goto(server.url)

    slices = page.evaluate(SLICES, "a,b\n" + ("x" * 60_000 + ",1\n") * 150)

    assert len(slices) == 3
    assert sum(len(one["lines"]) for one in slices) == 150
