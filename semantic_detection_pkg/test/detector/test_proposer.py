"""Proposals: what is odd, what has a colour, how many, and what is refused."""

import colorsys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_versions import compiled, needs_compiled, twin

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.detector.core.colour_range import (
    KNOWN_COLOURS,
    ColourRange,
    Tolerance,
    colour_table,
    like_pixel,
    parse_colours,
)
from semantic_detection_pkg.detector.core.proposal_settings import ProposalSettings
from semantic_detection_pkg.detector.core.proposer import Proposer, with_proposals
from semantic_detection_pkg.errors import ConfigurationError, FrameError

TOLERANCE = Tolerance(12.0, 0.25, 0.35)
MAGENTA, YELLOW, WHITE = (190, 40, 225), (30, 200, 240), (250, 250, 250)


def meadow(width: int = 1920, height: int = 1080, seed: int = 0) -> np.ndarray:
    """Grass and sand, half and half, with grain as a camera has it."""
    grain = np.random.default_rng(seed).normal(0.0, 6.0, (height, width, 3))
    picture = grain + np.array((50, 110, 70))
    picture[:, width // 2 :] += np.array((60, 50, 110))
    return np.clip(picture, 0, 255).astype(np.uint8)


def with_things(picture: np.ndarray, *things: tuple[tuple[int, ...], tuple[int, ...]]):
    for (x0, y0, x1, y1), colour in things:
        picture[y0:y1, x0:x1] = colour
    return picture


def overlap(box: np.ndarray, other: tuple[int, ...]) -> float:
    """Intersection over union."""
    x = min(box[2], other[2]) - max(box[0], other[0])
    y = min(box[3], other[3]) - max(box[1], other[1])
    both = max(x, 0) * max(y, 0)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
    return both / (sum(areas) - both)


def anomalies(**changed) -> Proposer:
    return Proposer(ProposalSettings(propose_anomalies=True, **changed))


def test_nothing_is_proposed_unless_it_is_asked_for():
    found = Proposer().propose(with_things(meadow(), ((300, 300, 340, 340), MAGENTA)))

    assert len(found) == 0
    assert found.class_names == ()


@pytest.mark.parametrize("side", [16, 40, 110, 280])
@pytest.mark.parametrize("at", [(300, 300), (940, 500), (1600, 780)])
def test_what_does_not_belong_is_proposed(side, at):
    """As small as a far rucksack, as large as in a close view; on the border of two fields, too."""
    thing = (*at, at[0] + side, at[1] + side)

    found = anomalies().propose(with_things(meadow(), (thing, MAGENTA)))

    assert [found.class_names[one] for one in found.class_ids] == ["anomaly"]
    # On the border half of what is around is the other field, whose edge is odd, too.
    assert overlap(found.boxes_xyxy[0], thing) > (0.3 if at == (940, 500) else 0.5)
    assert 0.5 <= found.scores[0] <= 1.0


@pytest.mark.parametrize("seed", range(3))
def test_two_fields_are_no_anomalies_of_each_other(seed):
    assert len(anomalies().propose(meadow(seed=seed))) == 0


def test_a_frame_gives_few_proposals_and_the_oddest_first():
    picture = meadow()
    for index in range(12):
        x = 60 + 150 * index
        colour = (50 + 12 * index, 110 - 6 * index, 70 + 13 * index)
        with_things(picture, ((x, 400, x + 30, 430), colour))

    all_of_them = anomalies(max_proposals=20, anomaly_threshold=5.0).propose(picture)
    few = anomalies(anomaly_threshold=5.0).propose(picture)

    assert len(all_of_them) > 3
    assert len(few) == 3
    np.testing.assert_array_equal(few.scores, np.sort(all_of_them.scores)[::-1][:3])


@pytest.mark.parametrize("name", [one for one in KNOWN_COLOURS if one not in ("white", "black")])
def test_the_known_colours_are_proposed_by_name(name):
    """The middle of the range, in saturated paint; of the others none is meant."""
    one = parse_colours([name], TOLERANCE)[0]
    low, high = one.hue_deg
    hue = (low + (high - low) % 360.0 / 2.0) % 360.0
    rgb = colorsys.hsv_to_rgb(hue / 360.0, 0.85, 0.85)
    bgr = tuple(round(255 * part) for part in reversed(rgb))
    picture = with_things(np.full((720, 1280, 3), 120, np.uint8), ((400, 300, 440, 360), bgr))

    found = Proposer(ProposalSettings(propose_colours=KNOWN_COLOURS[:8])).propose(picture)

    assert [found.class_names[index] for index in found.class_ids] == [name]
    assert overlap(found.boxes_xyxy[0], (400, 300, 440, 360)) > 0.9


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_like_this_pixel_holds_the_pixel_itself(bgr):
    """Of any colour, grey and black ones too."""
    rgb = [level / 255 for level in reversed(bgr)]
    hue, saturation, value = colorsys.rgb_to_hsv(*rgb)
    hsv = np.array([[360.0 * hue, saturation, value]], np.float32)

    assert like_pixel("this", bgr, TOLERANCE).closeness(hsv)[0] > 0.0


def test_the_table_says_what_the_ranges_say():
    ranges = parse_colours(["red", "yellow", "x=#2040c0"], TOLERANCE)
    table = colour_table(ranges)
    bgr = np.random.default_rng(0).integers(0, 64, (500, 3))
    said = table[(bgr[:, 0] * 64 + bgr[:, 1]) * 64 + bgr[:, 2]]

    for one, (blue, green, red) in zip(said.tolist(), (4 * bgr + 1.5) / 255, strict=True):
        hue, *rest = colorsys.rgb_to_hsv(red, green, blue)
        hsv = np.array([[360.0 * hue, *rest]], np.float32)
        closeness = [float(each.closeness(hsv)[0]) for each in ranges]
        if max(closeness) < -1e-4:
            assert one == 0
        elif max(closeness) > 1e-4:
            assert one >> 8 == 1 + int(np.argmax(closeness))
            assert (one & 255) / 255 == pytest.approx(max(closeness), abs=0.01)


def test_a_pixel_of_the_picture_finds_what_is_like_it():
    picture = with_things(
        meadow(), ((500, 500, 530, 540), YELLOW), ((1500, 200, 1530, 240), YELLOW)
    )
    blue, green, red = picture[520, 515].tolist()

    colour = f"raincoat=#{red:02x}{green:02x}{blue:02x}"
    found = Proposer(ProposalSettings(propose_colours=(colour,))).propose(picture)

    assert [found.class_names[one] for one in found.class_ids] == ["raincoat"] * 2


def test_a_colour_comes_before_what_is_only_odd_and_counts_once():
    picture = with_things(
        meadow(), ((500, 500, 530, 540), YELLOW), ((1200, 300, 1240, 340), MAGENTA)
    )
    proposer = Proposer(ProposalSettings(propose_anomalies=True, propose_colours=("yellow",)))

    found = proposer.propose(picture)

    assert [found.class_names[one] for one in found.class_ids] == ["yellow", "anomaly"]


def test_fields_and_specks_of_a_colour_are_not_proposed():
    picture = with_things(meadow(), ((0, 0, 1000, 500), YELLOW), ((1500, 200, 1503, 203), YELLOW))

    assert len(Proposer(ProposalSettings(propose_colours=("yellow",))).propose(picture)) == 0


def test_what_the_model_names_surely_comes_last():
    boxes = [(200 + 200 * index, 500, 240 + 200 * index, 540) for index in range(4)]
    picture = with_things(meadow(), *((box, MAGENTA) for box in boxes))
    sure = Detections(1920, 1080, [0, 0, 0], [0.95, 0.6, 0.4], [boxes[0], boxes[1], boxes[2]])

    found = anomalies().propose(picture, sure)

    order = [int((box[0] - 200 + 100) // 200) for box in found.boxes_xyxy]
    assert sorted(order[:2]) == [2, 3]  # named by nobody, or hardly
    assert order[2] == 1  # less surely than the first


def test_proposals_among_detections_keep_the_order_and_the_masks():
    detections = Detections(1920, 1080, [0, 1], [0.95, 0.3], [(0, 0, 9, 9), (20, 20, 40, 40)])
    found = anomalies().propose(with_things(meadow(), ((300, 300, 340, 340), MAGENTA)))

    both, words = with_proposals(detections, ("person", "tent"), found)

    assert words == ("person", "tent", "anomaly")
    assert both.class_ids.tolist() == [0, 2, 1]
    assert (np.diff(both.scores) <= 0).all()
    assert len(both.masks) == 3
    none = Proposer().propose(meadow(64, 64))
    assert with_proposals(detections, ("person", "tent"), none) == (detections, ("person", "tent"))


BOTH = ProposalSettings(
    propose_anomalies=True,
    propose_colours=("white", "black", "red"),
    anomaly_threshold=2.0,
    min_proposal_px=1.0,
    max_proposal_share=1.0,
    max_proposals=20,
)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (3, 1), (2, 5000), (9000, 2), (31, 31)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_frames_of_one_colour_and_of_any_size(shape, level):
    image = np.full((*shape, 3), level, np.uint8)

    found = Proposer(BOTH).propose(image)

    assert all(found.class_names[one] != "anomaly" for one in found.class_ids)
    assert (found.boxes_xyxy <= (shape[1], shape[0], shape[1], shape[0])).all()


def test_a_grey_frame_has_anomalies_of_brightness_only():
    grey = np.random.default_rng(1).normal(90.0, 5.0, (540, 960, 1)).repeat(3, 2)
    picture = np.clip(grey, 0, 255).astype(np.uint8)

    assert len(anomalies().propose(picture)) == 0
    found = anomalies(anomaly_threshold=5.0).propose(
        with_things(picture, ((300, 300, 320, 320), WHITE))
    )
    assert overlap(found.boxes_xyxy[0], (300, 300, 320, 320)) > 0.5


@st.composite
def odd_frames(draw) -> np.ndarray:
    """Noise, stripes and patches; views of other memory, too."""
    height, width = draw(st.integers(1, 80)), draw(st.integers(1, 80))
    random = np.random.default_rng(draw(st.integers(0, 9999)))
    kind = draw(st.sampled_from(["noise", "stripes", "patches", "view"]))
    image = random.integers(0, 256, (height, width, 3)).astype(np.uint8)
    if kind == "stripes":
        image[:] = image[:, :1]
    if kind == "patches":
        image[:] = image[0, 0]
        image[: height // 3, : width // 4] = random.integers(0, 256, 3)
    return image[::-1, ::-1, ::-1] if kind == "view" else image


@needs_compiled
@settings(deadline=None, max_examples=40)
@given(odd_frames(), st.booleans())
def test_any_frame_gives_few_proposals_inside_it_alike_by_both_kernels(image, has_colours):
    wanted = BOTH if has_colours else ProposalSettings(propose_anomalies=True)
    before = image.copy()

    ours = Proposer(wanted, compiled("proposals")).propose(image)
    theirs = Proposer(wanted, twin("proposals")).propose(image)

    for name in ("class_ids", "scores", "boxes_xyxy"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    np.testing.assert_array_equal(image, before)
    height, width = image.shape[:2]
    assert len(ours) <= wanted.max_proposals
    x0, y0, x1, y1 = ours.boxes_xyxy.T
    assert ((x0 >= 0) & (y0 >= 0) & (x0 < x1) & (y0 < y1) & (x1 <= width) & (y1 <= height)).all()
    Detections(width, height, ours.class_ids, ours.scores, ours.boxes_xyxy)


def test_the_same_frame_gives_the_same_whatever_came_before():
    picture = with_things(meadow(), ((300, 300, 340, 340), MAGENTA))
    proposer = anomalies()
    first = proposer.propose(picture)
    proposer.propose(meadow(640, 480, 3))
    proposer.propose(np.zeros((1, 1, 3), np.uint8))

    again = proposer.propose(picture)

    np.testing.assert_array_equal(first.boxes_xyxy, again.boxes_xyxy)
    np.testing.assert_array_equal(first.scores, again.scores)


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4, 3))]
)
def test_what_is_no_picture_is_refused(image):
    with pytest.raises(FrameError, match=r"image: .* must be uint8"):
        anomalies().propose(image)


@pytest.mark.parametrize(
    ("colour", "what"),
    [
        ("mauve", r"colour 'mauve': known are red, orange.*white, black; allowed is a known name"),
        ("", r"colour '': known are"),
        ("=#ffffff", r"colour '=#ffffff': a name of 1 to 40 letters"),
        ("x=", r"colour 'x=': allowed is a known name, NAME=#rrggbb"),
        ("x=#fff", r"colour 'x=#fff': allowed is"),
        ("x=#gg0000", r"colour 'x=#gg0000': allowed is"),
        ("x=10..20", r"colour 'x=10..20': allowed is"),
        ("x=10..20,0..1,0..1,0..1", r"allowed is"),
        ("x=nan..20,0..1,0..1", r"colour 'x=nan..20,0..1,0..1': allowed is"),
        ("x=0..inf,0..1,0..1", r"allowed is"),
        ("x=0..20,0.9..0.2,0..1", r"saturation 0.9..0.2 is inverted, the least comes first"),
        ("x=0..20,0..1,1..0", r"value 1..0 is inverted, the least comes first"),
        ("x=0..400,0..1,0..1", r"hue 0..400 must lie in 0..360"),
        ("x=-10..20,0..1,0..1", r"hue -10..20 must lie in 0..360"),
        ("x=0..20,0..255,0..1", r"saturation 0..255 must lie in 0..1"),
        ("anomaly=#ff0000", r"'anomaly' is the class of what has no name"),
        (f"{'x' * 41}=#ff0000", r"a name of 1 to 40 letters"),
        ("a\nb=#ff0000", r"a name of 1 to 40 letters"),
    ],
)
def test_what_is_no_colour_is_refused_in_one_line(colour, what):
    with pytest.raises(ConfigurationError, match=f"parameter 'propose_colours': .*{what}") as error:
        ProposalSettings(propose_colours=(colour,))

    assert "\n" not in str(error.value)


def test_two_of_one_name_and_too_many_are_refused():
    with pytest.raises(ConfigurationError, match="colour 'red': it is given twice"):
        ProposalSettings(propose_colours=("red", "red=#ff0000"))
    with pytest.raises(ConfigurationError, match="9 are given, at most 8"):
        ProposalSettings(propose_colours=tuple(f"c{i}=#ff0000" for i in range(9)))


@given(st.text(max_size=60) | st.from_regex(r"[a-z]{1,3}=[-0-9.,#ef]{0,30}", fullmatch=True))
def test_any_text_is_a_colour_or_one_line(text):
    said = ""
    try:
        parse_colours([text], TOLERANCE)
    except ConfigurationError as error:
        said = str(error)

    assert len(said.splitlines()) <= 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("anomaly_threshold", float("nan")),
        ("anomaly_threshold", 1.0),
        ("hue_tolerance_deg", 0.0),
        ("saturation_tolerance", float("inf")),
        ("value_tolerance", -0.1),
        ("max_proposals", 0),
        ("min_proposal_px", float("nan")),
        ("max_proposal_share", 0.0),
        ("proposal_frame_px", 8),
    ],
)
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(ConfigurationError, match=f"parameter '{name}' is .*, allowed is"):
        ProposalSettings(**{name: value})


def test_hues_go_over_zero_and_an_inverted_hue_is_that():
    red = ColourRange("red", (345.0, 15.0), (0.0, 1.0), (0.0, 1.0))
    hues = np.array([[0, 1, 1], [350, 1, 1], [14, 1, 1], [344, 1, 1], [180, 1, 1]], np.float32)

    assert (red.closeness(hues) >= 0.0).tolist() == [True, True, True, False, False]
    assert red.closeness(hues)[0] == pytest.approx(1.0)


def test_a_name_that_is_a_word_of_the_model_is_refused():
    wanted = ProposalSettings(propose_anomalies=True, propose_colours=("red",))

    wanted.check_words(("person", "tent"))
    with pytest.raises(ConfigurationError, match="word 'red' is the name of a proposal, too"):
        wanted.check_words(("person", "red"))


def test_settings_come_back_from_a_recording():
    wanted = ProposalSettings(
        propose_anomalies=True, propose_colours=("red", "x=#102030"), anomaly_threshold=7.5
    )

    assert ProposalSettings.from_text(wanted.as_text()) == wanted
    assert ProposalSettings().as_text() == ""
    assert ProposalSettings.from_text("") == ProposalSettings()


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "[]",
        '{"a": 1}',
        '{"max_proposals": "3"}',
        '{"max_proposals": null}',
        '{"max_proposals": 99}',
        '{"propose_colours": ["mauve"]}',
        '{"propose_colours": [1]}',
        '{"propose_anomalies": 1}',
    ],
)
def test_other_texts_of_a_recording_are_refused_in_one_line(text):
    with pytest.raises(ConfigurationError) as error:
        ProposalSettings.from_text(text)

    assert "\n" not in str(error.value)
