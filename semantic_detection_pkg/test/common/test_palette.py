"""One table of colours for rviz2, the mission report and the page."""

import re
from enum import Enum
from pathlib import Path

import numpy as np
import pytest
from std_msgs.msg import Header

import semantic_detection_pkg
from ros_support_pkg.core.words import CellResult, FindingState, TrackState
from semantic_detection_pkg.common.core import palette
from semantic_detection_pkg.recorder.evidence import drawings
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.coverage import CoverageMap
from semantic_detection_pkg.scan.ros import markers

PAGE = Path(semantic_detection_pkg.__file__).parent / "dashboard/static/js"


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        (palette.CELL_COLOURS, CellResult),
        (palette.FINDING_COLOURS, FindingState),
        (palette.TRACK_COLOURS, TrackState),
    ],
)
def test_every_member_has_a_colour(table: dict[Enum, int], kind: type[Enum]) -> None:
    assert list(table) == list(kind)
    assert all(re.fullmatch(r"#[0-9a-f]{6}", palette.css(colour)) for colour in table.values())


def test_what_means_different_things_has_different_colours() -> None:
    assert len(set(palette.CELL_COLOURS.values())) == len(CellResult)
    assert len(set(palette.FINDING_COLOURS.values())) == len(FindingState)


def test_rviz_and_the_report_draw_cells_in_it() -> None:
    coverage = CoverageMap(Area(0.0, 0.5, 0.0, 0.1), 0.1)
    coverage.results[0] = list(CellResult)
    coverage.last_seen_s[:] = 0.0
    marker = markers._coverage(Header(), coverage, 0.0)
    drawn = {tuple(round(255 * part) for part in (c.r, c.g, c.b)) for c in marker.colors}
    seen = [result for result in CellResult if result is not CellResult.UNSEEN]
    assert drawn >= {palette.rgb(palette.CELL_COLOURS[result]) for result in seen}
    bgr = np.array(drawings._RESULT_BGR)[:, ::-1].tolist()
    assert bgr == [list(palette.rgb(palette.CELL_COLOURS[result])) for result in CellResult]


def test_the_page_has_it_from_its_generated_module() -> None:
    words = (PAGE / "words.js").read_text()
    assert f'"finding": "{palette.css(palette.CELL_COLOURS[CellResult.FINDING])}"' in words
    panorama = (PAGE / "panorama.js").read_text()
    for colour in {*palette.CELL_COLOURS.values(), *palette.FINDING_COLOURS.values()}:
        assert palette.css(colour) not in panorama
