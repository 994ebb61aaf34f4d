"""Camera URIs: texts to targets and options, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semantic_detection_pkg.camera.core.uri import CameraUri, flag, integer, number
from semantic_detection_pkg.camera.sources import registry
from semantic_detection_pkg.camera.sources.registry import open_camera, register, schemes
from semantic_detection_pkg.errors import ConfigurationError
from simulation_pkg.fakes.camera import FakeCamera


@pytest.mark.parametrize(
    ("text", "scheme", "target", "options"),
    [
        ("images:photos", "images", "photos", {}),
        ("images:/a b/c?loop=1&rate=2", "images", "/a b/c", {"loop": "1", "rate": "2"}),
        ("file:odd%3Fname%25.mp4?loop=1", "file", "odd?name%.mp4", {"loop": "1"}),
        ("file:100%.mp4", "file", "100%.mp4", {}),
        ("file:a#b.mp4", "file", "a#b.mp4", {}),
        ("device:/dev/video0", "device", "/dev/video0", {}),
        (" device:0\n", "device", "0", {}),
        ("device:0?", "device", "0", {}),
        ("rtsp://u:p@h:554/x?y=1&z=2", "rtsp", "rtsp://u:p@h:554/x?y=1&z=2", {}),
        ("rtsp://h/x?y=1#timeout=3", "rtsp", "rtsp://h/x?y=1", {"timeout": "3"}),
        ("csi:0?width=1920", "csi", "0", {"width": "1920"}),
        ("File:a.mp4", "file", "a.mp4", {}),
    ],
)
def test_parse(text, scheme, target, options):
    uri = CameraUri.parse(text)

    assert (uri.scheme, uri.target, dict(uri.options)) == (scheme, target, options)
    assert CameraUri.parse(uri.reveal()) == uri


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a scheme such as images:, file:, device: is missing"),
        ("photos", "'photos': a scheme"),
        ("C:/videos/a.mp4", "a scheme"),
        ("/dev/video0", "a scheme"),
        ("images:", "nothing follows images:"),
        ("images:?loop=1", "nothing follows images:"),
        ("rtsp://", "nothing follows rtsp:"),
        ("images:x?loop", "option 'loop' must have the form name=value"),
        ("images:x?=1", "must have the form name=value"),
        ("images:x?loop=1&loop=0", "option 'loop' is given twice"),
    ],
)
def test_texts_that_are_no_uri_are_refused(text, message):
    with pytest.raises(ConfigurationError, match=message):
        CameraUri.parse(text)


texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), min_size=1
)


@given(
    st.sampled_from(["images", "file", "device", "csi", "sim"]),
    texts.filter(lambda target: not target.startswith("//") and target == target.strip()),
    st.dictionaries(texts, texts, max_size=3),
)
def test_writing_and_parsing_give_the_same_uri(scheme, target, options):
    uri = CameraUri(scheme, target, options)

    parsed = CameraUri.parse(uri.reveal())

    assert (parsed.scheme, parsed.target, dict(parsed.options)) == (scheme, target, options)


@given(st.text())
def test_any_text_parses_or_is_refused_in_one_line(text):
    try:
        parsed = CameraUri.parse(text)
    except ConfigurationError as error:
        message = str(error)
    else:
        assert CameraUri.parse(parsed.reveal()) == parsed
        return
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "opened", "shown"),
    [
        ("rtsp://u:secret@h/s", "rtsp://u:secret@h/s", "rtsp://***@h/s"),
        ("rtsp://u:sec@ret@h:554/s", "rtsp://u:sec%40ret@h:554/s", "rtsp://***@h:554/s"),
        ("rtsp://u:sec/ret@h/s", "rtsp://u:sec%2Fret@h/s", "rtsp://***@h/s"),
        ("rtsp://u:sec#ret@h/s", "rtsp://u:sec%23ret@h/s", "rtsp://***@h/s"),
        ("rtsp://u:sec?ret@h/s?x=1", "rtsp://u:sec%3Fret@h/s?x=1", "rtsp://***@h/s?x=1"),
        ("rtsp://u:se@c/ret@h/s", "rtsp://u:se%40c%2Fret@h/s", "rtsp://***@h/s"),
        (
            "rtsp://u:secret@[fe80::1]:554/x",
            "rtsp://u:secret@[fe80::1]:554/x",
            "rtsp://***@[fe80::1]:554/x",
        ),
        ("rtsp://u:sec%40ret@h/s", "rtsp://u:sec%40ret@h/s", "rtsp://***@h/s"),
        ("rtsp://u:100%secret@h/s", "rtsp://u:100%25secret@h/s", "rtsp://***@h/s"),
        ("rtsp://secret@h/s", "rtsp://secret@h/s", "rtsp://***@h/s"),
        ("rtsp://h/path@x", "rtsp://h/path@x", "rtsp://h/path@x"),
        # Behind an IP address an @ is part of the path.
        (
            "rtsp://u:secret@10.0.0.9/s?n=a@b",
            "rtsp://u:secret@10.0.0.9/s?n=a@b",
            "rtsp://***@10.0.0.9/s?n=a@b",
        ),
        (
            "rtsp://u:se@c/ret@10.0.0.9:554/s",
            "rtsp://u:se%40c%2Fret@10.0.0.9:554/s",
            "rtsp://***@10.0.0.9:554/s",
        ),
        (
            "rtsp://u:secret@[fe80::1]/a@b",
            "rtsp://u:secret@[fe80::1]/a@b",
            "rtsp://***@[fe80::1]/a@b",
        ),
        ("RTSP://u:secret@h/s", "rtsp://u:secret@h/s", "rtsp://***@h/s"),
        ("rtsp://h:554/path@x", "rtsp://h:554/path@x", "rtsp://h:554/path@x"),
        (
            "rtsp://h/user=admin&password=secret&channel=1",
            "rtsp://h/user=admin&password=secret&channel=1",
            "rtsp://h/user=admin&password=***&channel=1",
        ),
    ],
)
def test_passwords_as_they_are_typed_are_opened_and_never_shown(text, opened, shown):
    uri = CameraUri.parse(f"{text}#timeout=5")

    assert (uri.target, uri.label) == (opened, shown)
    for said in (str(uri), repr(uri), f"{uri}", uri.label):
        assert "secret" not in said
        assert "ret" not in said.replace("secret", "")


@pytest.mark.parametrize(
    "text",
    [
        "rtsp:u:secret@h",
        "//u:secret@h/s",
        "rtsp://u:secret@h#timeout",
        "rtsp://u:secret@",
        "rtsp://u:secret",
        "rtsp://u:secret/stream",
        "rtsp://u:secret h/s",
    ],
)
def test_refusals_show_no_password(text):
    try:
        uri = CameraUri.parse(text)
        said = f"{uri} {uri.label}"
    except ConfigurationError as error:
        said = str(error)
    assert "secret" not in said


@pytest.mark.parametrize(
    ("convert", "text", "value"),
    [
        (flag, "1", True),
        (flag, "no", False),
        (integer(0, 9), "7", 7),
        (number(0, 1), "0.25", 0.25),
    ],
)
def test_option_values(convert, text, value):
    assert CameraUri("x", "y", {"o": text}).read_options({"o": convert}) == {"o": value}


@pytest.mark.parametrize(
    ("convert", "text", "message"),
    [
        (flag, "maybe", "must be 1 or 0"),
        (integer(1, 9), "0", "whole number in 1..9"),
        (integer(1, 9), "1.5", "whole number"),
        (integer(1, 9), "٣", "whole number"),
        (number(0, 1), "nan", "a number in 0..1"),
        (number(0, 1), "", "a number in 0..1"),
    ],
)
def test_option_values_that_are_not_allowed(convert, text, message):
    with pytest.raises(ConfigurationError, match=f"x:y: option o='{text}': .*{message}"):
        CameraUri("x", "y", {"o": text}).read_options({"o": convert})


def test_unknown_options_are_answered_with_the_known():
    with pytest.raises(ConfigurationError, match="option 'lop' is unknown; allowed: loop, rate"):
        CameraUri.parse("images:x?lop=1").read_options({"rate": number(0, 1), "loop": flag})


def test_an_unknown_scheme_is_answered_with_the_known():
    with pytest.raises(ConfigurationError, match=r"scheme 'ftp' is unknown; allowed: csi, device"):
        open_camera("ftp:somewhere")
    assert {"images", "file", "device", "rtsp", "csi", "sim"} <= set(schemes())


def test_a_registered_scheme_opens_with_the_clock(monkeypatch):
    monkeypatch.setattr(registry, "_openers", {})
    register("box", lambda uri, clock_ns: FakeCamera(int(uri.target), 2, clock_ns=clock_ns))

    source = open_camera("box:7", lambda: 42)

    shot = source.read()
    assert shot is not None
    assert (shot.image.shape, shot.stamp_ns) == ((2, 7, 3), 42)
    assert "box" in schemes()


@pytest.mark.parametrize(
    ("text", "target", "options"),
    [
        ("file:///home/me/a%20b.mp4", "/home/me/a b.mp4", {}),
        ("file:///v.mp4?loop=1&rate=max", "/v.mp4", {"loop": "1", "rate": "max"}),
        ("file://localhost/v.mp4", "/v.mp4", {}),
        ("images:///photos?rate=2", "/photos", {"rate": "2"}),
        ("device:///dev/video0", "/dev/video0", {}),
        ("file:/v.mp4", "/v.mp4", {}),
        ('file:it\'s "here" $HOME.mp4', 'it\'s "here" $HOME.mp4', {}),
    ],
)
def test_paths_as_file_managers_write_them(text, target, options):
    uri = CameraUri.parse(text)

    assert (uri.target, dict(uri.options)) == (target, options)
    assert CameraUri.parse(uri.reveal()) == uri


@pytest.mark.parametrize("text", ["file://nas/v.mp4", "file://v.mp4", "images://nas/photos"])
def test_files_of_other_hosts_are_refused(text):
    with pytest.raises(ConfigurationError, match="only files of this machine can be read"):
        CameraUri.parse(text)


def test_a_stream_of_this_host_stays_a_stream():
    assert CameraUri.parse("rtsp://localhost/a").target == "rtsp://localhost/a"
