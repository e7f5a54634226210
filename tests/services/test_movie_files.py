"""Reading files of movies as spreadsheets and distributors write them, and refusing others."""

import io
import zipfile
from datetime import date

import pytest

from booking.services.programme.movie_cells import DateOrder, read_duration
from booking.services.programme.movie_files import DateOrderUnclear, UnreadableFile, read_movie_file

COLUMNS = ["title", "duration_minutes", "certificate", "release_date", "genre", "director"]
HEADER = ",".join(COLUMNS)
AMELIE = ["Amélie", "122", "15", "2001-10-05", "Comedy", "Jean-Pierre Jeunet"]


def table(*rows, separator=",", header=COLUMNS):
    return "\n".join(separator.join(row) for row in (header, *rows))


def titles(file):
    return [movie.title for movie in file.movies]


def read(text, **options):
    return read_movie_file(text.encode(), **options)


# --- Encodings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "mark", "name"),
    [
        ("utf-8", b"", "UTF-8"),
        ("utf-8", b"\xef\xbb\xbf", "UTF-8"),
        ("utf-16-le", b"\xff\xfe", "UTF-16"),
        ("utf-16-be", b"\xfe\xff", "UTF-16"),
        ("utf-16-le", b"", "UTF-16"),
        ("utf-16-be", b"", "UTF-16"),
        ("utf-32-le", b"\xff\xfe\0\0", "UTF-32"),
        ("cp1252", b"", "Windows-1252"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_an_encoding_is_recognised_and_reported(codec, mark, name, newline):
    content = mark + table(AMELIE).replace("\n", newline).encode(codec)
    file = read_movie_file(content)
    assert (titles(file), file.description) == (["Amélie"], f"read as {name}, separated by commas")


@pytest.mark.parametrize("content", [b"\xff\xfe\0", b"\x81\x8d", b"\xef\xbb\xbf\xff", b"\xff\xfe\0\xd8"])
def test_content_that_is_not_text_is_refused(content):
    with pytest.raises(UnreadableFile, match=r"^The file is not text in UTF-8, UTF-16 or Windows-1252\.$"):
        read_movie_file(content)


# --- Separators -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("separator", "name"), [(",", "commas"), (";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")]
)
def test_a_separator_is_recognised_and_reported(separator, name):
    file = read(table(AMELIE, separator=separator))
    assert (titles(file), file.description) == (["Amélie"], f"read as UTF-8, separated by {name}")


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;", "sep=;;;;;;"])
def test_a_line_that_declares_the_separator_is_not_a_header(line):
    file = read(f"{line}\r\n{table(AMELIE, ['', '', '', '', '', 'x'], separator=';')}")
    assert (titles(file), file.separator) == (["Amélie"], "semicolons")
    assert file.refused == [(4, "title: This field cannot be blank.")]


@pytest.mark.parametrize("line", ["sep=\t", "sep=\\t"])
def test_a_tab_can_be_declared_in_two_ways(line):
    assert read(f"{line}\n{table(AMELIE, separator=chr(9))}").separator == "tabs"


def test_an_unknown_separator_is_refused():
    with pytest.raises(UnreadableFile, match="says that “~” separates the columns"):
        read(f"sep=~\n{HEADER}")


def test_quoted_commas_are_not_separators():
    row = ['"Good, the Bad and the Ugly, The"', *AMELIE[1:]]
    assert titles(read(table(row, separator=";"))) == titles(read(table(row))) == ["Good, the Bad and the Ugly, The"]


def test_blanks_after_separators_are_ignored():
    file = read(table(['"A, B"', *AMELIE[1:]], separator=", "))
    assert titles(file) == ["A, B"]


# --- Headers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        ["Title", "Duration", "Certificate", "Release Date", "Genre", "Director"],
        ["TITLE ", " duration (min)", "Certification", "RELEASE-DATE", "genres", "Directed by"],
        ["Film title", "Running time", "Rating", "release_date", "Genre:", "Directors"],
        ["\ufeffTitle", "Duration_Minutes", "MPAA Rating", "Released", "genre", "director"],
    ],
)
def test_columns_are_recognised_in_several_spellings(header):
    file = read(table(AMELIE, header=header))
    movie = file.movies[0]
    values = [getattr(movie, name) for name in COLUMNS]
    assert values == ["Amélie", 122, "15", date(2001, 10, 5), "Comedy", "Jean-Pierre Jeunet"]
    assert file.ignored == []


def test_unknown_columns_are_reported():
    file = read(table([*AMELIE, "7.6", ""], header=[*COLUMNS, "IMDB Rating", ""]))
    assert file.description == "read as UTF-8, separated by commas; ignored columns: IMDB Rating"


def test_a_column_with_the_exact_name_takes_precedence():
    file = read(table([*AMELIE, "Le fabuleux destin"], header=[*COLUMNS, "Film"]))
    assert (titles(file), file.ignored) == (["Amélie"], ["Film"])


@pytest.mark.parametrize("header", [[*COLUMNS, "Genre"], ["Film", "Movie", *COLUMNS[1:]]])
def test_a_duplicate_column_is_refused(header):
    with pytest.raises(UnreadableFile, match=r"^The first line names (genre|title) twice\.$"):
        read(",".join(header))


@pytest.mark.parametrize("text", ["", "\n\n", " ,,\n", "\ufeff"])
def test_a_file_without_a_header_is_refused(text):
    with pytest.raises(UnreadableFile, match=r"^The first line lacks the columns title, duration_minutes"):
        read(text)


def test_a_header_that_is_not_csv_is_refused():
    with pytest.raises(UnreadableFile, match=r"^Line 1 is not CSV: "):
        read('"title"x,genre')


def test_a_header_that_is_too_long_is_refused():
    with pytest.raises(UnreadableFile, match=r"^Line 1 is not CSV: field larger than field limit"):
        read("x" * 200_000)


# --- Rows -------------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [";", "|", "\t"])
def test_a_row_of_empty_cells_before_the_header_does_not_hide_the_separator(separator):
    lines = [separator * 5, "", HEADER.replace(",", separator), separator.join(AMELIE)]
    assert [movie.title for movie in read("\r\n".join(lines)).movies] == [AMELIE[0]]


def test_a_line_with_one_value_is_refused():
    assert read(f"{HEADER}\nAlien\n").refused == [(2, "1 value for 6 columns")]


@pytest.mark.parametrize("blank", ["", ",,,,,", " , ,,,, ", ",", '"",""'])
def test_blank_rows_are_skipped(blank):
    file = read(f"{blank}\n{HEADER}\n{blank}\n{','.join(AMELIE)}\n{blank}\n")
    assert (titles(file), file.refused) == (["Amélie"], [])


def test_empty_cells_at_the_end_of_a_line_are_ignored():
    assert titles(read(table([*AMELIE, "", " "]))) == ["Amélie"]


def test_lines_are_counted_as_in_the_file():
    file = read(f'{HEADER}\n"A\nB",,,,,\n\n,1,,,,\n')
    assert file.refused == [(5, "title: This field cannot be blank.")]


def test_refused_lines_are_in_the_order_of_the_file():
    file = read(f"{HEADER}\nA,x,,,,\nB\nC,x,,,,\n")
    assert [line for line, _ in file.refused] == [2, 3, 4]


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("117", 117),
        ("117.0", 117),
        ("117 min", 117),
        ("117min.", 117),
        ("117 Minutes", 117),
        ("1h57", 117),
        ("1 h 57 min", 117),
        ("1hr 57mins", 117),
        ("2h", 120),
        ("", None),
    ],
)
def test_common_formats_of_lengths_are_read(text, minutes):
    assert read_duration(text) == minutes


# --- Dates ------------------------------------------------------------------------------------


def dates(*texts, **options):
    rows = [[f"Movie {number}", "", "", f'"{text}"', "", ""] for number, text in enumerate(texts)]
    return read(table(*rows), **options)


@pytest.mark.parametrize(
    "text",
    [
        "Jun 12 1998", "June 12, 1998", "12 June 1998", "12-Jun-1998", "12. June 1998", "1998-06-12", "1998/06/12",
        "1998-6-12", "1998-06-12 00:00:00", "1998-06-12T00:00:00Z",
    ],
)  # fmt: skip
def test_an_unambiguous_date_is_read(text):
    file = dates(text)
    assert ([movie.release_date for movie in file.movies], file.date_order) == ([date(1998, 6, 12)], None)


@pytest.mark.parametrize("form", ["{}/{}/1998", "{}.{}.1998", "{}-{}-1998", "{}/{}/1998 00:00"])
def test_a_column_with_the_day_first_is_recognised(form):
    file = dates(form.format("12", "06"), form.format("31", "12"), form.format("5", "5"))
    assert [movie.release_date for movie in file.movies] == [date(1998, 6, 12), date(1998, 12, 31), date(1998, 5, 5)]
    assert file.description.endswith(", dates with the day first")


def test_a_column_with_the_month_first_is_recognised():
    file = dates("12/06/1998", "12/31/1998")
    assert [movie.release_date for movie in file.movies] == [date(1998, 12, 6), date(1998, 12, 31)]
    assert file.description.endswith(", dates with the month first")


def test_an_ambiguous_order_of_dates_is_refused():
    with pytest.raises(DateOrderUnclear) as question:
        dates("05/05/1998", "04/03/2009", "06/12/1998")
    assert question.value.detail == (
        "“04/03/2009” on line 3 is 4 March 2009 with the day first and 3 April 2009 with the month first. "
        "Choose how the dates of this file are written."
    )


@pytest.mark.parametrize(
    ("order", "expected"), [(DateOrder.DAY, date(2009, 3, 4)), (DateOrder.MONTH, date(2009, 4, 3))]
)
def test_a_chosen_order_is_used(order, expected):
    file = dates("04/03/2009", date_order=order)
    assert ([movie.release_date for movie in file.movies], file.date_order) == ([expected], order)


def test_dates_that_are_equal_in_both_orders_are_accepted():
    assert dates("05/05/1998", "12.12.2009").date_order is None


def test_two_orders_in_one_column_are_refused():
    with pytest.raises(
        DateOrderUnclear, match="“31/12/1998” on line 2 is 31 December 1998 with the day first and no date"
    ):
        dates("31/12/1998", "12/31/1998")
    file = dates("31/12/1998", "12/31/1998", date_order=DateOrder.DAY)
    assert [line for line, _ in file.refused] == [3]


@pytest.mark.parametrize(
    "text", ["31/31/1998", "32.1.1998", "1/2.1998", "\u0660\u0661/02/1998", "12 Juni 1998", "1998", "0/1/1998"]
)
def test_text_that_is_not_a_date_is_refused(text):
    assert dates(text).refused == [(2, f"release_date: “{text}” is not a date such as Jun 12 1998 or 1998-06-12")]


# --- What is no CSV ---------------------------------------------------------------------------


def archive(name, text="x"):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr(name, text)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (archive("xl/workbook.xml"), "an Excel workbook (.xlsx)"),
        (archive("mimetype", "application/vnd.oasis.opendocument.spreadsheet"), "an OpenDocument spreadsheet (.ods)"),
        (archive("movies.csv"), "a ZIP archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook (.xls)"),
        (b"%PDF-1.7", "a PDF document"),
        (b"\x1f\x8b\x08", "a gzip archive"),
        (b"\n<!DOCTYPE html>", "a web page or XML"),
    ],
)
def test_the_refusal_names_other_kinds_of_files(content, kind):
    with pytest.raises(UnreadableFile) as refusal:
        read_movie_file(content)
    assert refusal.value.detail == f"This is {kind}, whatever its name is. Save it as CSV and choose that file."
