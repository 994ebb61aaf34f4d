"""Files of class names in the forms that people have, and how names meet a model's classes."""

import pytest

from semantic_detection_pkg.detector.backends.names_file import parse_names
from semantic_detection_pkg.detector.core.class_names import are_odd, fit_names
from semantic_detection_pkg.detector.core.vocabulary import ClassNames
from semantic_detection_pkg.detector.core.word_lists import split_words
from semantic_detection_pkg.errors import ConfigurationError, ModelError

THREE = ("person", "tent", "boat")


@pytest.mark.parametrize(
    "content",
    [
        b"person\ntent\nboat\n",
        b"person\r\ntent\r\nboat",
        b"\xef\xbb\xbfperson\n  tent \nboat\n",
        b"0  person\n1  tent\n2  boat\n",
        b"\xef\xbb\xbf0 person\r\n1 tent\r\n2 boat\r\n",
        b"2: boat\n0: person\n1: tent\n",
        b"0,person\n1,tent\n2,boat\n",
        b"train: ../train\nnc: 3\nnames: ['person', 'tent', 'boat']\n",
        b"names:\n- person\n- tent\n- boat\n",
        b"path: x\nnames:\n  0: person\n  1: tent\n  2: boat\nroboflow: {license: CC}\n",
        b'{"names": {"2": "boat", "0": "person", "1": "tent"}}',
        b'["person", "tent", "boat"]',
    ],
)
def test_forms_of_one_list(content):
    assert parse_names(content) == THREE


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"person\n\nboat\n", ("person", "", "boat")),
        (b"\nperson\n\n", ("", "person", "")),
        (b"0 person\n2 boat\n", ("person", "", "boat")),
        (b"names: {0: person, 2: boat}\nnc: 4\n", ("person", "", "boat", "")),
        (b"names: [no, 1, on]\n", ("no", "1", "on")),  # not false, 1, true
        (b"3 wheeler\ncar\n", ("3 wheeler", "car")),  # no label map: not every line has an id
        ("café\x85noir\n".encode(), ("café\x85noir",)),  # only line ends end a line
    ],
)
def test_places_are_kept(content, names):
    assert parse_names(content) == names


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("person\n".encode("utf-16"), "is UTF-16 text"),
        ("person\n".encode("utf-16-le"), "is UTF-16 text, or no text; save it as UTF-8"),
        (b"0 person\n0 tent\n", "names class 0 twice"),
        (b"names: {a: person}\n", "class a: 'person' must be an id"),
        (b"names: [[a], b]\n", "class 0"),
        (b"nc: 1\nnames: [a, b]\n", "names 2 classes, but its nc is 1"),
        (b"names: {0: a\n", "is no YAML"),
        (b"names:\n", "holds no name"),
        (b"nc: 1\nnames: person\n", r"names 'person' must be a list .* \[person\]"),
        (b'item {\n id: 1\n name: "person"\n}', "TensorFlow .pbtxt label map"),
    ],
)
def test_files_that_are_refused(content, message):
    with pytest.raises(ConfigurationError, match=message) as raised:
        parse_names(content)

    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "slots", "names"),
    [
        (("a", "", "c"), 3, ("a", "", "c")),
        (("a", "b", ""), 3, ("a", "b", "")),
        (("a", "b", ""), 2, ("a", "b")),
        (("a", "", "b", ""), 2, ("a", "b")),  # the count says that blank lines mean nothing
        (("a", "", "c", ""), None, ("a", "", "c")),
        ((), 2, ("class_0", "class_1")),
    ],
)
def test_the_count_tells_what_blank_lines_mean(given, slots, names):
    assert fit_names("m", given, (), slots) == names


def test_rows_take_the_count_from_the_metadata():
    with pytest.raises(ModelError, match="2 class names for 3 classes; .*--names"):
        fit_names("m", ("a", "b"), THREE, None)


@pytest.mark.parametrize(
    ("names", "is_odd"),
    [
        (THREE, False),
        (("3 wheeler", "car", "bus"), False),
        (("class_0", "class_1"), True),
        (("0", "1"), True),
        (("0  person", "1  car"), True),
        (("\ufeffperson", "car"), True),
        ((), True),
    ],
)
def test_odd_names(names, is_odd):
    assert are_odd(names) is is_odd


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("person,tent", ["person", "tent"]),
        ("person, tent", ["person", "tent"]),
        ("bus, school,tent", ["bus,school", "tent"]),
        ("tent,BUS,school", ["tent", "BUS,school"]),
        ('"bus, school",tent', ["bus, school", "tent"]),
        ("van=bus, school", ["van=bus,school"]),
        ("bus", ["bus"]),
    ],
)
def test_words_in_one_text(text, words):
    known = ("person", "tent", "bus", "bus, school", "a=b")

    found = split_words(text, known)

    assert found == words
    assert len(ClassNames(known).choose(found).names) == (len(words) or len(known))


def test_quotes_that_do_not_pair_are_refused():
    with pytest.raises(ConfigurationError, match="is no list of words"):
        split_words('"person,tent')


def test_a_name_with_an_equals_sign_can_be_asked_for():
    assert ClassNames(("a=b", "a")).choose(["a=b"]).names == ("a=b",)


def test_a_name_that_is_no_text_is_refused():
    """Escapes of YAML and JSON can make halves of letters, which no message can carry."""
    with pytest.raises(ModelError, match=r"m.onnx: class name '.ud800' of 1 is no text"):
        fit_names("m.onnx", ["a", "\ud800"], (), 2)
