"""A photograph as the world: where its pixels come out, its labels, and what is refused."""

import logging
import math

import cv2
import numpy as np
import pytest

from semantic_detection_pkg.camera.core.uri import CameraUri
from semantic_detection_pkg.camera.sources.registry import open_camera
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.errors import ConfigurationError
from simulation_pkg.core.photo.labels import (
    Label,
    LabelError,
    Labels,
    is_visdrone,
    names_of,
    read_coco,
    read_visdrone,
    read_yolo,
)
from simulation_pkg.core.photo.render import PhotoEffects, PhotoRenderer, Projection
from simulation_pkg.core.world.geometry import CameraPose, Lens
from simulation_pkg.photo_camera import open_source
from simulation_pkg.photo_files import find_labels

LENS = Lens(320, 180, math.radians(40.0), readout_s=0.0)
CLEAN = PhotoEffects(0.0, 0.0)
FLAT, ROUND = Projection.FLAT, Projection.EQUIRECTANGULAR


def spot(size=(800, 400), at=(500, 150), radius=6) -> np.ndarray:
    image = np.full((size[1], size[0], 3), 40, np.uint8)
    cv2.circle(image, at, radius, (255, 255, 255), -1)
    return image


def middle(picture: np.ndarray) -> np.ndarray:
    y, x = np.nonzero(picture[..., 0] > 150)
    return np.array([x.mean() + 0.5, y.mean() + 0.5])


def renderer(image, hfov_deg, kind, labels=None, effects=CLEAN, lens=LENS):
    return PhotoRenderer(image, math.radians(hfov_deg), kind, lens, labels, effects)


@pytest.mark.parametrize(("kind", "hfov_deg"), [(FLAT, 60.0), (ROUND, 90.0), (ROUND, 360.0)])
@pytest.mark.parametrize("pose", [(0.0, 0.0, 1.0), (-0.15, -0.08, 1.0), (-0.12, -0.05, 2.5)])
def test_a_pixel_comes_out_where_the_truth_says(kind, hfov_deg, pose):
    """Turned, tilted and zoomed, in both projections."""
    yaw, pitch, zoom = pose
    if hfov_deg == 360.0:
        yaw, pitch = yaw / 2 - 0.68, pitch / 2 - 0.34
    box = (496.0, 146.0, 505.0, 155.0)
    photo = renderer(spot(at=(500, 150), radius=4), hfov_deg, kind, Labels((Label("dot", box),)))

    view = photo.render(CameraPose(yaw, pitch, 0.0, zoom))

    (seen,) = view.truth.objects
    found = middle(view.image)
    x0, y0, x1, y1 = seen.box_xyxy
    np.testing.assert_allclose(found, [(x0 + x1) / 2, (y0 + y1) / 2], atol=0.8)
    camera = CameraView(yaw, pitch, 0.0, LENS.hfov_rad(zoom), 320, 180)
    at = camera.project([(seen.yaw_rad, seen.pitch_rad)])[0]
    np.testing.assert_allclose(found, at, atol=0.8)
    back = photo.boxes_in_photo(np.array([[seen.yaw_rad, seen.pitch_rad]]))[0]
    np.testing.assert_allclose(back, [500.5, 150.5], atol=0.01)


def test_smaller_is_the_mean_over_areas():
    """A fine chequerboard becomes grey, not a pattern of its own."""
    y, x = np.mgrid[:1600, :3200]
    board = np.repeat((255 * ((x + y) % 2)).astype(np.uint8)[..., None], 3, 2)

    picture = renderer(board, 60.0, FLAT).render(CameraPose(0.0, 0.0)).image

    assert abs(float(picture[20:-20, 20:-20].mean()) - 127.5) < 2.0
    assert picture[20:-20, 20:-20].std() < 3.0


def test_at_its_own_scale_it_is_itself():
    random = np.random.default_rng(0)
    image = cv2.GaussianBlur(random.integers(0, 256, (180, 320, 3), np.uint8), (0, 0), 2.0)

    picture = renderer(image, 40.0, FLAT).render(CameraPose(0.0, 0.0)).image

    assert np.abs(picture[4:-4, 4:-4].astype(int) - image[4:-4, 4:-4]).max() <= 2


def test_a_closed_panorama_has_no_seam():
    x = np.arange(1440)
    wave = (127 + 100 * np.cos(2 * np.pi * x / 1440)).astype(np.uint8)
    image = np.repeat(np.tile(wave, (400, 1))[..., None], 3, 2)

    picture = renderer(image, 360.0, ROUND).render(CameraPose(math.pi, 0.0)).image

    row = picture[90, :, 0].astype(int)
    assert row.min() > 195
    assert np.abs(np.diff(row)).max() <= 2


@pytest.mark.parametrize("kind", [FLAT, ROUND])
def test_beside_and_behind_it_is_grey(kind):
    photo = renderer(spot(), 60.0, kind, Labels((Label("dot", (492.0, 142.0, 509.0, 159.0)),)))

    view = photo.render(CameraPose(math.pi, 0.0))

    assert (view.image == 96).all()
    assert view.truth.objects == ()


def test_noise_blur_and_motion_are_those_of_a_camera():
    still, turning = CameraPose(-0.1, 0.0), CameraPose(-0.1, 0.0, yaw_rate_rad_s=2.0)
    photo = renderer(spot(radius=2), 60.0, FLAT)
    assert photo.render(turning).image.max() < photo.render(still).image.max() - 30
    noisy = renderer(spot(), 60.0, FLAT, effects=PhotoEffects(5.0, 1.0))
    first, again, other = (noisy.render(still, seed=seed).image for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


# --------------------------------------------------------------------------------- labels

VISDRONE = "10,20,30,40,1,1,0,0\n1,2,3,4,1,4,0,1,\n5,5,9,9,0,0,0,0\n\n7,7,0,9,1,4,0,0\n"


def test_labels_of_visdrone():
    labels = read_visdrone(VISDRONE)
    assert labels.things == (Label("person", (10, 20, 40, 60)), Label("car", (1, 2, 4, 6)))
    assert labels.ignored == ((5, 5, 14, 14),)


def test_labels_of_yolo():
    labels = read_yolo("1 0.5 0.5 0.2 0.4\n7 0.1 0.1 0.3 0.1 0.3 0.2\n", ("dog", "tent"), (100, 50))
    assert [one.class_name for one in labels.things] == ["tent", "class 7"]
    np.testing.assert_allclose(labels.things[0].box_xyxy, (40, 15, 60, 35))
    np.testing.assert_allclose(labels.things[1].box_xyxy, (10, 5, 30, 10), atol=1e-6)
    assert names_of({"names": {0: "a", 2: "b"}}) == ("a", "class 1", "b")


COCO = {
    "images": [{"id": 3, "file_name": "train/a.jpg"}],
    "categories": [{"id": 1, "name": "person"}],
    "annotations": [
        {"image_id": 3, "category_id": 1, "bbox": [1, 2, 3, 4]},
        {"image_id": 4, "category_id": 1, "bbox": [1, 2, 3, 4]},
        {"image_id": 3, "category_id": 1, "bbox": [9, 9, 3, 4], "iscrowd": 1},
    ],
}


def test_labels_of_coco():
    labels = read_coco(COCO, "a.jpg")
    assert labels == Labels((Label("person", (1, 2, 4, 6)),), ((9, 9, 12, 13),))
    assert read_coco(COCO, "b.jpg") is None


@pytest.mark.parametrize(
    "text", ["1,2,3", "a,b,c,d,e,f,g,h", "1,2,3,4,1,99,0,0", "1,2,3,4,1,-3,0,0"]
)
def test_lines_that_are_no_visdrone_are_named(text):
    with pytest.raises(LabelError, match="line 2 .* of VisDrone are needed"):
        read_visdrone(f"10,20,30,40,1,1,0,0\n{text}\n")


@pytest.mark.parametrize(
    "text", ["0 0.5 0.5", "x 0 0 1 1", "-1 0 0 1 1", "0 0 0 1 nan", "0 1 2 3 4 5"]
)
def test_lines_that_are_no_yolo_are_named(text):
    with pytest.raises(LabelError, match="line 1 .* of YOLO"):
        read_yolo(text, (), (10, 10))


@pytest.mark.parametrize("document", [[], {}, {"images": []}, {**COCO, "annotations": [{}]}, 3])
def test_documents_that_are_no_coco_are_named(document):
    with pytest.raises(LabelError, match="of COCO are needed"):
        read_coco(document, "a.jpg")


def test_labels_are_found_where_data_sets_have_them(tmp_path):
    for folder in ("images", "annotations", "labels"):
        (tmp_path / folder).mkdir()
    picture = tmp_path / "images" / "a.jpg"
    assert find_labels(picture, (100, 50)) is None
    (tmp_path / "labels" / "a.txt").write_text("0 0.5 0.5 0.2 0.4\n")
    (tmp_path / "data.yaml").write_text("names: [tent]\n")
    assert find_labels(picture, (100, 50)).things[0].class_name == "tent"
    (tmp_path / "annotations" / "a.txt").write_text(VISDRONE)
    assert find_labels(picture, (100, 50)).things[0].class_name == "person"
    (tmp_path / "annotations" / "a.txt").write_text("1,2\n")
    with pytest.raises(ConfigurationError, match=r"labels .*annotations/a\.txt: line 1"):
        find_labels(picture, (100, 50))
    assert is_visdrone(VISDRONE)
    assert not is_visdrone("0 0.5 0.5 0.2 0.4")


# --------------------------------------------------------------------------------- the camera


@pytest.fixture
def photo_file(tmp_path):
    path = tmp_path / "valley.png"
    cv2.imwrite(str(path), spot())
    return path


def test_the_camera_of_a_photo(photo_file):
    camera = open_camera(f"photo:{photo_file}?hfov=60&width=320&height=180&noise=0", lambda: 10**9)
    shot = camera.read()
    assert shot.image.shape == (180, 320, 3)
    assert shot.image.max() > 200


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("", "option hfov is missing"),
        ("?hfov=0", "hfov"),
        ("?hfov=400&projection=equirectangular", "hfov"),
        ("?hfov=200", "a flat picture shows at most 170 deg"),
        ("?hfov=60&projection=fisheye", "flat, equirectangular are allowed"),
        ("?hfov=60&seed=3", "seed"),
    ],
)
def test_what_a_photo_cannot_be_is_refused_in_one_line(photo_file, options, reason):
    with pytest.raises(ConfigurationError, match=reason) as raised:
        open_camera(f"photo:{photo_file}{options}")
    assert "\n" not in str(raised.value)


def test_where_a_photo_lies_is_said_and_who_looks_beside_it_is_warned_once(photo_file, caplog):
    """800x400 at 60 deg: 2 atan(tan(30 deg) / 2) = 32.2 deg high."""
    area = (
        "area_yaw_min_deg: -30.0, area_yaw_max_deg: 30.0, "
        "area_pitch_min_deg: -16.1, area_pitch_max_deg: 16.1"
    )
    poses = [CameraPose(0.5, 0.2), CameraPose(0.3, 0.5), CameraPose(1.0, 0.0)]
    uri = CameraUri.parse(f"photo:{photo_file}?hfov=60&width=320&height=180")
    times = iter(range(10**9, 2 * 10**9, 10**8))
    with caplog.at_level(logging.INFO):
        camera = open_source(uri, lambda: next(times), lambda _: poses.pop(0))
        (line,) = caplog.records
        assert line.levelno == logging.INFO
        assert area in line.getMessage()
        caplog.clear()
        camera.read()
        assert caplog.records == []
        camera.read()
        camera.read()
    (line,) = caplog.records
    assert line.levelno == logging.WARNING
    assert "beside the picture, at yaw 17, pitch 29 deg" in line.getMessage()
    assert area in line.getMessage()


@pytest.mark.parametrize(
    ("kind", "hfov_deg", "pose", "is_shown"),
    [
        (FLAT, 60.0, (0.0, 0.0), True),
        (FLAT, 60.0, (math.pi, 0.0), False),
        (FLAT, 60.0, (0.0, -0.3), False),
        (ROUND, 90.0, (0.7, 0.35), True),
        (ROUND, 90.0, (0.8, 0.0), False),
        (ROUND, 360.0, (3.5, 0.0), True),
        (ROUND, 360.0, (-3.5, 1.5), True),
    ],
)
def test_whether_the_camera_looks_at_the_photo(kind, hfov_deg, pose, is_shown):
    assert renderer(spot(), hfov_deg, kind).shows(CameraPose(*pose)) == is_shown


def test_the_lens_of_a_photos_camera_has_a_name_of_its_own(photo_file):
    narrow = f"photo:{photo_file}?hfov=60&lens_hfov_deg=10&yaw_deg=-8&pitch_deg=-4&noise=0"
    wide = f"photo:{photo_file}?hfov=60&yaw_deg=-8&pitch_deg=-4&noise=0"
    lit = [(open_camera(uri, lambda: 10**9).read().image > 150).mean() for uri in (narrow, wide)]
    assert lit[0] > 10 * lit[1] > 0
    with pytest.raises(ConfigurationError, match="option hfov_deg is lens_hfov_deg for a photog"):
        open_camera(f"photo:{photo_file}?hfov=60&hfov_deg=10")


@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_a_file_that_is_no_picture_is_named(tmp_path, content):
    path = tmp_path / "x.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"x\.jpg"):
        open_camera(f"photo:{path}?hfov=60")


def test_an_odd_picture_is_a_world_too():
    photo = renderer(np.full((1, 3000, 3), 200, np.uint8), 60.0, FLAT)
    assert photo.render(CameraPose(0.0, 0.0)).image.shape == (180, 320, 3)


@pytest.mark.parametrize("size", [(40_000, 20), (20, 40_000), (70_000, 3)])
@pytest.mark.parametrize("kind", [FLAT, ROUND])
def test_a_strip_longer_than_opencv_takes_is_shown(size, kind):
    """Nothing of it was left to show: it was halved only while its short side was long enough."""
    picture = np.full((size[1], size[0], 3), 200, np.uint8)

    view = renderer(picture, 60.0, kind).render(CameraPose(0.0, 0.0, zoom=2000.0))

    assert view.image[LENS.height // 2, LENS.width // 2].tolist() == [200, 200, 200]


def test_a_picture_that_begins_with_a_half_is_as_sharp_as_it_can_be():
    """At a zoom that shows its first level one to one no other level is taken."""
    picture = np.zeros((256, 33_000, 3), np.uint8)
    picture[:, ::4] = picture[:, 1::4] = 255  # columns of the first level, 16,500 px wide, in turn
    first_px = 0.999 * 16_500
    hfov = 2 * math.atan(math.tan(0.5) * LENS.width / first_px)
    lens = Lens(LENS.width, LENS.height, hfov, readout_s=0.0)

    view = PhotoRenderer(picture, 1.0, FLAT, lens, None, CLEAN).render(CameraPose(0.0, 0.0))

    assert np.ptp(view.image[LENS.height // 2, 100:200, 0]) > 150


def _labels(folder, name, content, **others):
    cv2.imwrite(str(folder / "a.png"), np.zeros((48, 64, 3), np.uint8))
    for file, data in {name: content, **others}.items():
        path = folder / file.replace("_yaml", ".yaml").replace("_txt", ".txt")
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return find_labels(folder / "a.png", (64, 48))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", "-5,10,10,9,1,1,0,0\n60,40,900,900,1,4,0,0\n900,9,10,10,1,1,0,0\n"),
        ("a.txt", "0 0 0.302 0.156 0.1875\n1 1.4375 1.4375 1 1.208333333333\n1 2 .5 .1 .1\n"),
        (
            "a.json",
            '{"images": [{"id": 1, "file_name": "a.png"}], "categories": [{"id": 1, "name": "x"}],'
            '"annotations": [{"image_id": 1, "category_id": 1, "bbox": [-5, 10, 10, 9]},'
            '{"image_id": 1, "category_id": 1, "bbox": [60, 40, 1e308, 1e308]},'
            '{"image_id": 1, "category_id": 1, "bbox": [-900, 0, 10, 10]}]}',
        ),
    ],
)
def test_boxes_are_cut_at_the_picture_and_those_beyond_are_counted(tmp_path, caplog, name, content):
    labels = _labels(tmp_path, name, content)

    boxes = [thing.box_xyxy for thing in labels.things]
    np.testing.assert_allclose(boxes, [(0, 10, 5, 19), (60, 40, 64, 48)], atol=0.01)
    assert "1 of 3 boxes lie beyond the picture of 64x48" in caplog.text


COCO_TEXT = (
    '{"images": [{"id": 1, "file_name": "a.png"}], "categories": [{"id": %s, "name": "x"}],'
    '"annotations": [{"image_id": 1, "category_id": %s, "bbox": %s}]}'
)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.txt", f"{'9' * 400},1,1,1,1,1,0,0", "line 1 '999"),
        ("a.txt", "0 1e308 0.5 1e308 0.2", "line 1 '0 1e308"),
        ("a.txt", "0 100 100 50 50", "0..1, are needed"),
        ("a.txt", "1,1,1,1,1,1,0,0".encode("utf-16"), "is not UTF-8 text, at byte 0"),
        ("a.json", COCO_TEXT % ("Infinity", 1, "[1, 1, 1, 1]"), "categories .* of COCO are needed"),
        ("a.json", COCO_TEXT % (1, 1, f"[{10**400}, 1, 1, 1]"), "annotation 0 .* are needed"),
        ("a.json", COCO_TEXT % (1, 7, "[1, 1, 1, 1]"), "annotation 0 .*'category_id': 7"),
        ("a.json", COCO_TEXT % (1, 1, "[1, 1]"), "annotation 0 .*bbox .* of COCO are needed"),
    ],
)
def test_labels_that_are_none_are_refused_by_file_and_place(tmp_path, name, content, what):
    with pytest.raises(ConfigurationError, match=f"labels {tmp_path}/{name}: .*{what}"):
        _labels(tmp_path, name, content)


@pytest.mark.parametrize(
    ("file", "content", "what"),
    [
        ("data_yaml", "names: person", "as a list, or a table"),
        ("data_yaml", "names: {.inf: a}", "ids 0..65535"),
        ("data_yaml", "names: {99999999999: a}", "ids 0..65535"),
        ("data_yaml", "names: {-1: a, 0: b}", "ids 0..65535"),
        ("data_yaml", "names: " + "[" * 1000, "recursion|expected"),
        ("classes_txt", b"caf\xe9", "is not UTF-8 text, at byte 3"),
    ],
)
def test_class_names_that_are_none_are_refused(tmp_path, file, content, what):
    path = f"{tmp_path}/{file.replace('_', '.')}"
    with pytest.raises(ConfigurationError, match=f"^class names {path}: .*({what})"):
        _labels(tmp_path, "a.txt", "0 .5 .5 .2 .2", **{file: content})


def test_a_data_set_without_names_has_numbers(tmp_path):
    labels = _labels(tmp_path, "a.txt", "3 .5 .5 .2 .2", data_yaml="path: x")

    assert [thing.class_name for thing in labels.things] == ["class 3"]


def test_what_lies_beyond_straight_up_and_down_is_neither_shown_nor_true():
    """A picture whose height cannot be: 360 degrees wide and as many high."""
    boxes = [(40.0, 2.0, 50.0, 8.0), (40.0, 45.0, 50.0, 55.0)]
    photo = renderer(
        np.zeros((100, 100, 3), np.uint8), 360.0, ROUND, Labels(tuple(Label("x", b) for b in boxes))
    )

    assert [round(math.degrees(thing.pitch_rad)) for thing in photo.things] == [0]
