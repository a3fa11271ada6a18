"""CSV files: what is recognised without being told, and what is refused with file, line and column."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuilab.spec.errors import FileError
from tuilab.spec.table import Table, read_table

NUMBERS = "\n".join(f"{i / 4},{10 - i},{i % 2}" for i in range(12))
FLOWERS = "length,width,colour,kind\n" + "\n".join(
    f"{i}.5,{i * i},{'red' if i % 3 else 'blue'},{'iris' if i % 2 else 'rose'}" for i in range(12)
)


@pytest.fixture
def table(tmp_path):
    """Writes a file and reads it."""

    def read(text, target, predict="auto") -> Table:
        path = tmp_path / "data.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_table(str(path), target, predict)

    return read


@pytest.fixture
def refused(table):
    """Writes a file that cannot be used, and gives the error."""

    def error(text, target="1", predict="auto") -> FileError:
        with pytest.raises(FileError) as caught:
            table(text, target, predict)
        assert "data.csv" in caught.value.file
        assert "\x1b" not in str(caught.value)
        return caught.value

    return error


def test_numbers_and_text_become_inputs_and_text_becomes_classes(table):
    read = table(FLOWERS, "kind")
    assert read.input_names == ("length", "width", "colour=blue", "colour=red")
    assert read.class_names == ("iris", "rose")
    assert (read.classes, read.num_inputs, read.num_rows) == (2, 4, 12)
    assert read.inputs[:2] == ((0.5, 0.0, 1.0, 0.0), (1.5, 1.0, 0.0, 1.0))
    assert read.targets[:3] == (1.0, 0.0, 1.0)


def test_a_number_with_fractions_is_a_number_to_predict(table):
    read = table(FLOWERS, "length")
    assert read.classes is None
    assert read.targets[1] == 1.5
    assert read.input_names == ("width", "colour=blue", "colour=red", "kind=iris", "kind=rose")


def test_few_whole_numbers_are_classes_unless_told_otherwise(table):
    assert table(NUMBERS, "3").class_names == ("0", "1")
    regression = table(NUMBERS, "3", "regression")
    assert regression.classes is None
    assert regression.targets[:3] == (0.0, 1.0, 0.0)


def test_numeric_classes_are_in_the_order_of_numbers(table):
    text = "\n".join(f"{i},{(i % 3) * 10 - 10}" for i in range(12))
    read = table(text, "2")
    assert read.class_names == ("-10", "0", "10")
    assert read.targets[:4] == (0.0, 1.0, 2.0, 0.0)


def test_more_than_twenty_whole_numbers_are_a_number_to_predict(table):
    text = "\n".join(f"{i},{i % 21}" for i in range(60))
    assert table(text, "2").classes is None
    assert table(text, "2", "classification").classes == 21


def test_columns_without_a_header_go_by_number(table):
    read = table(NUMBERS, "3")
    assert read.input_names == ("column 1", "column 2")
    assert read.num_rows == 12
    assert table(NUMBERS, "1").input_names == ("column 2", "column 3")


def test_a_header_column_can_go_by_number_too(table):
    assert table(FLOWERS, "4") == table(FLOWERS, "kind")


def test_a_header_of_text_only_columns_is_recognised(table):
    rows = "\n".join(f"{'ab'[i % 2]},{'cd'[i % 2]}" for i in range(10))
    assert table("first,second\n" + rows, "second").input_names == ("first=a", "first=b")
    assert table("first,second\n" + rows, "2").input_names == ("first=a", "first=b")
    assert table(rows, "2").num_rows == 10


def test_a_header_with_years_is_recognised_by_the_target_name(table):
    read = table("2023,2024,grade\n" + NUMBERS, "grade")
    assert read.input_names == ("2023", "2024")


def test_a_header_without_a_name_gets_one(table):
    assert table(",b,c\n" + NUMBERS, "c").input_names == ("column 1", "b")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", ", "])
def test_delimiters_are_recognised(table, delimiter):
    assert table(FLOWERS.replace(",", delimiter), "kind") == table(FLOWERS, "kind")


def test_semicolons_may_come_with_decimal_commas(table):
    text = "\n".join(f"{i},5;{i % 2}" for i in range(12))
    assert table(text, "2").inputs[3] == (3.5,)


@pytest.mark.parametrize("change", [lambda t: t.replace("\n", "\r\n"), lambda t: "\ufeff" + t, lambda t: t + "\n\n\n"])
def test_line_ends_byte_order_marks_and_blank_lines_do_not_matter(table, change):
    assert table(change(FLOWERS), "kind") == table(FLOWERS, "kind")


def test_quotes_protect_delimiters_and_line_breaks(table):
    text = '"a,b","c\nd"\n' + "\n".join(f'"{i}",{i % 2}' for i in range(12))
    assert table(text, "c\\nd").input_names == ("a,b",)


def test_escape_characters_are_shown_as_text(table, refused):
    header = "bad\x1b[2Jname,kind\n"
    rows = "\n".join(f"{i / 2},{i % 2}" for i in range(12))
    assert table(header + rows, "kind").input_names == ("bad\\x1b[2Jname",)
    error = refused(header + rows.replace("2.5,", "\x1b[31mred,"), "kind")
    assert error.field == "bad\\x1b[2Jname"
    assert "\\x1b[31mred" in str(error)


def _rows(*changes: tuple[int, str]) -> str:
    lines = FLOWERS.split("\n")
    for line, text in changes:
        lines[line - 1] = text
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "target", "line", "field", "problem"),
    [
        ("", "1", None, None, "empty"),
        (" \n\n", "1", None, None, "empty"),
        ("a\n" * 20, "1", 1, None, "only one column"),
        (_rows((4, "1,2,3")), "kind", 4, None, "3 values where line 1 has 4"),
        (_rows((4, "1,2,3,4,5")), "kind", 4, None, "5 values where line 1 has 4"),
        (_rows((5, ",4,red,iris")), "kind", 5, "length", "missing in line 5"),
        (_rows((5, "NA,4,red,iris"), (7, "?,4,red,iris")), "kind", 5, "length", "missing in lines 5, 7"),
        (_rows((6, "1,4,red,")), "kind", 6, "kind", "missing in line 6"),
        (_rows((6, "1,4,NaN,iris")), "kind", 6, "colour", "missing"),
        (_rows((6, "1,inf,red,iris")), "kind", 6, "width", "not a finite number"),
        (_rows((6, "-Infinity,1,red,iris")), "kind", 6, "length", "not a finite number"),
        (_rows((6, "1e999,1,red,iris")), "kind", 6, "length", "text in a column of numbers"),
        (_rows((8, "5 cm,1,red,iris")), "kind", 8, "length", "'5 cm' is text in a column of numbers"),
        (_rows((8, "1_000,1,red,iris")), "kind", 8, "length", "'1_000' is text"),
        (FLOWERS, "colours", None, "target", "there is no column 'colours'"),
        (FLOWERS, "0", None, "target", "length, width, colour, kind"),
        (FLOWERS, "5", None, "target", "there is no column '5'"),
        (NUMBERS, "kind", None, "target", "column 1, column 2, column 3"),
        ("\n".join(NUMBERS.split("\n")[:9]), "1", None, None, "only 9 rows"),
        ("a,b\n" + "1,2\n" * 3, "a", None, None, "only 3 rows"),
        ("a,b,a\n" + NUMBERS, "b", 1, "a", "two columns are called 'a'"),
        ("a,b\n" + "1,2\n" * 12, "b", None, "b", "is '2' in every row"),
        ("a,b\n" + "1,x\n" * 12, "b", None, "b", "is 'x' in every row"),
        ("a,b\n" + "\n".join(f"word{i},{i % 2}" for i in range(30)), "b", None, "a", "30 different values"),
        ("a,b\n" + "\n".join(f"{i},word{i}" for i in range(101)), "b", None, "b", "101 classes"),
        (b"a,b\n1,\xff\n", "b", 2, None, "UTF-8"),
        (b"a,b\n1,\x00\n", "b", 2, None, "control character '\\x00'"),
        ("a,b\n" + "1," + "x" * 200_000, "b", 2, None, "not a CSV table"),
        ('a,b\n1,"never closed' + "\n1,2" * 50_000, "b", 2, None, "not a CSV table"),
        ("," * 10_001, "1", 1, None, "10,002 columns"),
        ("1,2\n" * 1_000_001, "1", None, None, "more than 1,000,000 rows"),
    ],
)
def test_what_cannot_be_used_is_told_by_line_and_column(refused, text, target, line, field, problem):
    error = refused(text, target)
    assert problem in str(error)
    assert (error.line, error.field) == (line, field)


def test_many_missing_values_are_not_all_listed(refused):
    text = "a,b\n" + "\n".join(f",{i}" for i in range(30))
    assert "in lines 2, 3, 4, 5, 6 and 25 more" in str(refused(text, "b"))


def test_regression_on_text_says_which_value(refused):
    error = refused(FLOWERS, "kind", "regression")
    assert (error.line, error.field) == (2, "kind")
    assert "'rose' is text, but regression needs numbers" in error.problem


def test_a_numeric_target_with_too_many_classes_says_predict_regression(refused):
    text = "\n".join(f"{i},{i / 8}" for i in range(150))
    assert "predict: regression" in refused(text, "2", "classification").problem


def test_files_that_are_not_files_are_refused(tmp_path):
    for path, problem in [
        (tmp_path / "nowhere.csv", "no such file"),
        (tmp_path, "a folder or a device"),
        (tmp_path / ("x" * 5000), "cannot be read"),
        (tmp_path / "a\0b", "cannot be read"),
        (Path("~nobody-here/data.csv"), "no such file"),
    ]:
        with pytest.raises(FileError, match=problem) as caught:
            read_table(str(path), "1")
        assert caught.value.file == str(path)


def test_a_device_is_not_read():
    with pytest.raises(FileError, match="a folder or a device"):
        read_table("/dev/zero", "1")


def test_a_file_past_the_limit_is_not_read(tmp_path):
    path = tmp_path / "big.csv"
    with path.open("wb") as file:
        file.truncate(100_000_001)
    with pytest.raises(FileError, match="100,000,001 bytes"):
        read_table(str(path), "1")


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(FLOWERS)
    first = read_table(str(path), "kind")
    assert read_table(str(path), "kind") is first
    path.write_text(FLOWERS.replace("rose", "tulip"))
    os.utime(path, ns=(1, 1))
    assert read_table(str(path), "kind").class_names == ("iris", "tulip")


def test_the_error_of_a_broken_file_is_remembered_without_growing(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(FLOWERS.replace("red", ""))
    errors = []
    for _ in range(2):
        with pytest.raises(FileError) as caught:
            read_table(str(path), "kind")
        errors.append(caught.value)
    assert errors[0] is not errors[1]
    assert str(errors[0]) == str(errors[1])


def _garbage() -> dict[str, bytes]:
    size = 10_000_000
    noise = bytes((i * i * 31 + i // 7) % 256 for i in range(4096)) * (size // 4096)
    return {
        "bytes": noise,
        "letters": bytes(32 + byte % 95 for byte in noise),
        "commas": b"," * size,
        "line ends": b"\n" * size,
        "quotes": b'"' * size,
        "one line": b"a" * size,
        "one column": b"abc\n" * (size // 4),
        "carriage returns": b"1,2\r" * (size // 4),
    }


@pytest.mark.parametrize("kind", _garbage())
def test_ten_megabytes_of_garbage_are_refused_at_once(refused, kind):
    text = _garbage()[kind]
    started = time.process_time()
    refused(text)
    assert time.process_time() - started < 1.5


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from('01a.,;\t"\n -?'), max_size=200), st.sampled_from(["1", "2", "a"]))
def test_any_text_is_a_table_or_one_sentence(tmp_path, text, target):
    path = tmp_path / "data.csv"
    path.write_text("0,1,a\n" * 6 + text + "\n1,0,b" * 6)
    try:
        read = read_table(str(path), target)
    except FileError as error:
        sentence = str(error)
    else:
        assert len(read.inputs) == len(read.targets) >= 10
        assert {len(row) for row in read.inputs} == {read.num_inputs}
        return
    assert "\n" not in sentence
