"""The editor of a screen's seat plan, in a browser: typing, clicking, by keyboard, pasting, on a phone."""

import pytest
from playwright.sync_api import expect

from booking.models import Screen
from tests.factories import make_screen, redraw

pytestmark = pytest.mark.django_db(transaction=True)
expect.set_options(timeout=15_000)

LAYOUT = "A SS..SS\nB WSSSSS"


@pytest.fixture
def base_url(live_server):
    return live_server.url


@pytest.fixture
def screen(live_server) -> Screen:
    return redraw(make_screen(name="Big"), LAYOUT)


@pytest.fixture
def editor(page, boss, screen):
    page.goto(f"/admin/booking/screen/{screen.pk}/change/")
    expect(cell(page, "B6, Standard")).to_be_visible()
    return page


@pytest.fixture
def empty(page, boss, live_server):
    page.goto("/admin/booking/screen/add/")
    expect(page.get_by_text("Type the rows, paste cells")).to_be_visible()
    return page


def text(page):
    return page.get_by_role("textbox", name="Seat plan")


def cell(page, title):
    return page.get_by_role("gridcell", name=title, exact=True)


def count(page, code):
    return page.locator(f"#plan-counts [data-code={code}] [data-count]")


def paste(page, copied):
    """Pastes into the text as a browser does, without the clipboard of the machine."""
    text(page).evaluate(
        """(area, copied) => {
            const clipboardData = new DataTransfer();
            clipboardData.setData("text/plain", copied);
            area.focus();
            area.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
        }""",
        copied,
    )


# --- Typing -----------------------------------------------------------------------------------


def test_the_hall_is_drawn_and_counted_while_typing(editor):
    expect(editor.locator("#plan-total")).to_have_text("10 seats in 2 rows")
    text(editor).press("Control+End")
    text(editor).press_sequentially("\nLL.WW")
    expect(cell(editor, "C4, Wheelchair")).to_be_visible()
    expect(editor.locator("#plan-total")).to_have_text("14 seats in 3 rows")
    assert [count(editor, code).text_content() for code in "LPSW"] == ["2", "0", "9", "3"]


def test_a_seat_shows_its_number_and_its_category_s_letter(editor):
    assert cell(editor, "B1, Wheelchair").evaluate("seat => [seat.textContent, seat.dataset.code]") == ["1", "W"]


def test_an_error_is_marked_at_its_line_until_it_is_corrected(editor):
    text(editor).fill("A SS\nB S?S")
    message = "Line 2, column 4: '?' is neither a category's letter nor a gap ('.')."
    expect(editor.locator("#plan-message")).to_have_text(message)
    expect(editor.locator("#plan-lines .is-refused")).to_have_text("2")
    expect(text(editor)).to_have_attribute("aria-invalid", "true")
    editor.get_by_role("button", name="Go to line 2").click()
    editor.keyboard.type("S")
    expect(editor.locator("#plan-message")).to_have_text("")
    expect(text(editor)).to_have_value("A SS\nB SSS")
    expect(editor.get_by_role("button", name="Go to line")).to_have_count(0)


def test_an_unfinished_text_is_not_changed_by_clicks(editor):
    text(editor).fill("A ?")
    cell(editor, "A1, Standard").click()
    expect(editor.locator("#plan-says")).to_have_text("Correct the text first.")
    expect(text(editor)).to_have_value("A ?")


def test_an_empty_text_is_not_an_error(empty):
    expect(empty.locator("#plan-message")).to_have_text("")
    expect(empty.locator("#plan-grid")).to_be_hidden()


def test_a_service_that_does_not_answer_is_reported(editor):
    editor.route("**/layout/", lambda route: route.abort())
    text(editor).fill("A S")
    expect(editor.locator("#plan-message")).to_have_text("The service can't be reached. Try again.")


# --- Full rows --------------------------------------------------------------------------------


def test_full_rows_are_filled_in_and_saved(empty):
    empty.get_by_label("Rows", exact=True).fill("28")
    empty.get_by_label("seats in each").fill("3")
    empty.get_by_label("seats in each").press("Enter")
    expect(cell(empty, "AB3, Standard")).to_be_visible()
    assert [line.split()[0] for line in text(empty).input_value().split("\n")][24:] == ["Y", "Z", "AA", "AB"]
    empty.get_by_label("Name:").fill("New")
    empty.get_by_role("button", name="Save", exact=True).click()
    expect(empty.get_by_text("was added successfully")).to_be_visible()
    assert Screen.objects.get().total_seats == 84


@pytest.mark.parametrize(("answer", "keeps"), [("dismiss", True), ("accept", False)])
def test_full_rows_replace_a_text_after_asking(editor, answer, keeps):
    questions = []
    editor.once("dialog", lambda dialog: (questions.append(dialog.message), getattr(dialog, answer)()))
    editor.get_by_label("of", exact=True).select_option("P")
    editor.get_by_role("button", name="Fill in").click()
    expect(text(editor)).to_have_value(LAYOUT if keeps else "\n".join(f"{row} {'P' * 12}" for row in "ABCDEFGHIJ"))
    assert questions == ["Replace the text by 10 rows of 12 seats?"]


def test_invalid_full_rows_are_refused(empty):
    sentences = {"": "Enter the number of rows and of seats in each.", "101": "A hall has at most 100 rows."}
    for rows, sentence in sentences.items():
        empty.get_by_label("Rows", exact=True).fill(rows)
        empty.get_by_role("button", name="Fill in").click()
        expect(empty.locator("#plan-says")).to_have_text(sentence)
        assert text(empty).input_value() == ""


# --- Spreadsheets -----------------------------------------------------------------------------


CELLS = [
    # Letters are categories, empty cells are gaps.
    ("S\t\tW\r\nL\tL\t.\r\n", "S.W\nLL."),
    # A first column with other texts has the labels, at both ends perhaps.
    ("A\tS\tS\nS\tS\tP", "A SS\nS SP"),
    ("A\tS\t\tS\tA\n\t\t\t\t\nB\tS\tS\tS\tB", "A S.S\n\nB SSS"),
    # Numbers are seats; a column of different ones has the labels.
    ("1\t1\t2\n2\t1\t2", "1 SS\n2 SS"),
    ("1\t2\n1\t2", "SS\nSS"),
    # The server refuses what is unknown, at its place.
    ("S\tpillar\tS", "SpS"),
]


def test_cells_of_a_spreadsheet_become_rows(empty):
    for copied, layout in CELLS:
        text(empty).fill("")
        paste(empty, copied)
        assert text(empty).input_value() == layout


def test_pasted_numbers_are_reported(empty):
    paste(empty, "A\t1\t2\nB\t1\t2")
    sentence = "Pasted 2 rows. 4 cells with a number became seats of Standard."
    expect(empty.locator("#plan-says")).to_have_text(sentence)
    expect(cell(empty, "B2, Standard")).to_be_visible()


def test_text_without_tabs_is_pasted_unchanged(empty):
    assert text(empty).evaluate(
        """area => {
            const clipboardData = new DataTransfer();
            clipboardData.setData("text/plain", "A SS");
            const event = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
            return area.dispatchEvent(event);
        }"""
    )


# --- Changing the drawing ---------------------------------------------------------------------


def test_clicks_change_a_seat_to_each_category_and_to_a_gap(editor):
    cell(editor, "A1, Standard").click()
    expect(text(editor)).to_have_value("A WS..SS\nB WSSSSS")
    cell(editor, "A1, Wheelchair").click()
    expect(text(editor)).to_have_value("A .S..SS\nB WSSSSS")
    cell(editor, "Row A, column 1, gap").click()
    expect(text(editor)).to_have_value("A PS..SS\nB WSSSSS")
    expect(cell(editor, "A1, Premium")).to_be_focused()


def test_a_gap_after_the_end_of_a_row_becomes_a_seat(editor):
    text(editor).fill("A S\nB SSSS")
    cell(editor, "Row A, column 4, gap").click()
    expect(text(editor)).to_have_value("A S..P\nB SSSS")


def test_nothing_moves_when_the_first_column_becomes_gaps(editor):
    text(editor).fill("A SS\nB .S")
    cell(editor, "A1, Standard").press(".")
    expect(cell(editor, "Row A, column 1, gap")).to_be_focused()
    editor.keyboard.press("S")
    expect(text(editor)).to_have_value("A SS\nB .S")


def test_seats_are_changed_by_keyboard_alone(editor):
    cell(editor, "A1, Standard").focus()
    for key in ("ArrowRight", "ArrowRight", "Enter", "ArrowDown", "Space", "ArrowLeft", "L", "ArrowUp", "Delete"):
        editor.keyboard.press(key)
    expect(text(editor)).to_have_value("A S.P.SS\nB WLWSSS")
    expect(cell(editor, "Row A, column 2, gap")).to_be_focused()


def test_changes_are_undone_one_by_one(editor):
    undo = editor.get_by_role("button", name="Undo")
    expect(undo).to_be_disabled()
    cell(editor, "A1, Standard").press("P")
    cell(editor, "A1, Premium").press("L")
    expect(text(editor)).to_have_value("A LS..SS\nB WSSSSS")
    cell(editor, "A1, Sofa").press("Control+z")
    expect(text(editor)).to_have_value("A PS..SS\nB WSSSSS")
    undo.click()
    expect(text(editor)).to_have_value(LAYOUT)
    expect(undo).to_be_disabled()


# --- Elsewhere --------------------------------------------------------------------------------


def test_only_the_box_of_the_hall_scrolls_on_a_phone(editor):
    editor.set_viewport_size({"width": 390, "height": 844})
    text(editor).fill("A " + "S" * 60)
    expect(cell(editor, "A60, Standard")).to_be_attached()
    assert editor.evaluate("document.documentElement.scrollWidth") == 390
    box = editor.locator(".hall-box")
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")
    assert text(editor).bounding_box()["y"] < box.bounding_box()["y"]
