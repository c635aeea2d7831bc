"""JSON is taken apart and joined without a digit changed."""

import json

import pytest

from heimdall.formats.json_text import objects_in, with_member

ROW = '{"id": "a, b: {c}", "toa_s": 1700000000.12345678901, "list": [1.0, {"d": "]"}], "x": 1e3, "e": {}, "n": null}'


def test_objects_keep_their_text():
    other = '{"y":\n 2.500}'
    assert objects_in(f" [{ROW} ,\r\n{other}]\n{ROW}[]") == [ROW, other.replace("\n", " "), ROW]
    assert objects_in("") == []


@pytest.mark.parametrize("text", ['{"a": 1', "[1, 2]", '{"a": 1} x', "7", '[{"a": 1}, null]'])
def test_a_text_with_other_values_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        objects_in(text)


def test_one_member_changes_and_the_others_keep_their_text():
    assert with_member(ROW, "new", '{"f": 1.10}') == ROW[:-1] + ', "new": {"f": 1.10}}'
    assert with_member(ROW, "x", "2.0") == ROW.replace("1e3", "2.0")
    assert with_member(" {} ", "x", "2.0") == '{"x": 2.0}'
    # Of a name that stands twice the last value counts, as for every reader of JSON.
    assert json.loads(with_member('{"a": 1, "a": 2}', "b", "3")) == {"a": 2, "b": 3}
    with pytest.raises(ValueError, match="no JSON object"):
        with_member("[]", "x", "1")
