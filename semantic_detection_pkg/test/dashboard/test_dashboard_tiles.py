"""Map tiles of a file: MBTiles and PMTiles are read, what is none of them is refused in a line."""

from __future__ import annotations

import gzip
import logging
import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from dashboard_client import TOKEN, Served, serve
from map_tiles import make_mbtiles, make_pmtiles, picture, tile_of
from patience import wait_until
from pmtiles.tile import TileType

from semantic_detection_pkg.dashboard.core.tiles import bounds_of, is_tile, media_type, plain_text
from semantic_detection_pkg.dashboard.tile_files.opening import open_tiles
from semantic_detection_pkg.errors import ConfigurationError

HERE = (47.3702941, 8.5421234)
MAKERS = {"MBTiles": make_mbtiles, "PMTiles": make_pmtiles}


@pytest.fixture(params=MAKERS)
def tiles(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A whole file of each kind; its name does not tell which."""
    path = tmp_path / "a map?#.bin"
    MAKERS[request.param](path, HERE)
    return path


def test_tiles_are_those_that_were_written(tiles: Path) -> None:
    found = open_tiles(tiles)
    for zoom in (10, 14, 17):
        column, row = tile_of(zoom, *HERE)
        assert found.tile(zoom, column, row) == picture(zoom, column, row)
        assert found.tile(zoom, column, row - 1) == picture(zoom, column, row - 1)
        assert found.tile(zoom, column + 5, row) is None
    assert found.tile(18, *tile_of(18, *HERE)) is None
    assert found.tile_set.zoom_min == 10
    assert found.tile_set.zoom_max == 17
    assert (found.tile_set.name, found.tile_set.attribution) == ("test", "© Nobody")
    found.close()


def test_the_row_of_a_place_is_counted_as_the_standards_have_it() -> None:
    """Zurich at zoom 8, as osm.org has it; MBTiles counts from the south."""
    assert tile_of(8, 47.37, 8.54) == (134, 89)


def test_zooms_are_found_where_the_file_does_not_tell_them(tmp_path: Path) -> None:
    make_mbtiles(tmp_path / "map", HERE, zooms=range(3, 6), metadata={"bounds": "7,46,9,48"})
    found = open_tiles(tmp_path / "map").tile_set
    assert (found.zoom_min, found.zoom_max, found.bounds) == (3, 5, (7.0, 46.0, 9.0, 48.0))


def test_bounds_are_those_of_the_coarsest_tiles_where_the_file_does_not_tell_them(
    tmp_path: Path,
) -> None:
    make_mbtiles(tmp_path / "map", HERE, zooms=range(3, 6))
    west, south, east, north = open_tiles(tmp_path / "map").tile_set.bounds or (0.0,) * 4
    assert (west, east) == (-45.0, 90.0)  # columns 3 to 5 of 8
    assert (south, north) == (pytest.approx(0.0), pytest.approx(79.1713346))  # rows 1 to 3


@pytest.mark.long
def test_leaf_directories_are_followed(tmp_path: Path) -> None:
    """Of so many tiles that a PMTiles file has directories below the first."""
    make_pmtiles(tmp_path / "map", HERE, zooms=range(7, 18), reach=12)
    found = open_tiles(tmp_path / "map")
    column, row = tile_of(17, *HERE)
    for off in (-12, 0, 12):
        assert found.tile(17, column + off, row) == picture(17, column + off, row)


def cut(path: Path, share: float) -> None:
    os.truncate(path, int(path.stat().st_size * share))


@pytest.mark.parametrize("share", [0.0, 0.00005, 0.001, 0.02, 0.5, 0.97])
def test_a_file_that_is_cut_off_is_refused(tiles: Path, share: float) -> None:
    cut(tiles, share)
    with pytest.raises(ConfigurationError) as caught:
        open_tiles(tiles)
    assert "\n" not in str(caught.value)
    if share >= 0.001:
        assert "cut off" in str(caught.value)


def test_what_is_no_file_of_tiles_is_refused_in_a_line(tmp_path: Path) -> None:
    text, vector, other, empty = (tmp_path / name for name in ("a.txt", "b", "c", "d"))
    text.write_text("no such thing\n")
    sqlite3.connect(other).execute("CREATE TABLE people (name TEXT)").connection.close()
    make_mbtiles(vector, HERE, zooms=range(1, 2))
    with sqlite3.connect(vector) as base:
        base.execute("UPDATE tiles SET tile_data = ?", (gzip.compress(b"roads"),))
    base.close()
    make_mbtiles(empty, HERE, zooms=range(1, 2))
    with sqlite3.connect(empty) as base:
        base.execute("DELETE FROM tiles")
    base.close()
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for path, told in (
        (text, "no file of tiles, it begins with b'no such thing"),
        (tmp_path / "missing", "No such file or directory"),
        (tmp_path, "it is no file"),
        (other, "no such table: metadata"),
        (vector, "it holds vector tiles: raster tiles (PNG, JPEG, WebP) are needed"),
        (empty, "it holds no tiles"),
        (loop, "symbolic links"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            open_tiles(path)
        assert told in str(caught.value), path
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("at", [*range(0, 127, 9), 127, 135, 150])
def test_damaged_archives_are_refused_or_have_no_tile(tmp_path: Path, at: int) -> None:
    path = tmp_path / "map"
    make_pmtiles(path, HERE, zooms=range(10, 12))
    data = bytearray(path.read_bytes())
    data[at : at + 8] = b"\xff" * 8
    path.write_bytes(data)
    told = ""
    try:
        found = open_tiles(path)
        found.tile(10, *tile_of(10, *HERE))
    except ConfigurationError as error:  # nothing else is raised
        told = str(error)
    assert "\n" not in told


def test_a_file_without_an_index_ends_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("semantic_detection_pkg.dashboard.tile_files.mbtiles._QUERY_S", 0.05)
    monkeypatch.setattr("semantic_detection_pkg.dashboard.tile_files.mbtiles._STEPS", 100)
    path = tmp_path / "map"
    said = {"minzoom": "1", "maxzoom": "1", "bounds": "-180,-85,180,85"}
    make_mbtiles(path, HERE, zooms=range(1, 2), metadata=said)
    with sqlite3.connect(path) as base:
        base.execute("ALTER TABLE tiles RENAME TO kept")
        base.execute(
            "CREATE VIEW tiles AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n) "
            "SELECT 1 AS zoom_level, i % 2 AS tile_column, i % 3 - 5 AS tile_row, "
            "(SELECT tile_data FROM kept) AS tile_data FROM n"
        )
    base.close()
    found = open_tiles(path)
    with pytest.raises(ConfigurationError, match="within 0.05 s"):
        found.tile(1, 0, 0)


@pytest.mark.parametrize(
    ("zoom", "column", "row", "is_one"),
    [(0, 0, 0, True), (0, 1, 0, False), (3, 7, 7, True), (3, 8, 0, False), (25, 0, 0, False)],
)
def test_tiles_of_the_world(zoom: int, column: int, row: int, is_one: bool) -> None:
    assert is_tile(zoom, column, row) is is_one


def test_pictures_are_told_by_how_they_begin() -> None:
    assert media_type(picture(1, 0, 0, ".png")) == "image/png"
    assert media_type(picture(1, 0, 0, ".jpg")) == "image/jpeg"
    assert media_type(picture(1, 0, 0, ".webp")) == "image/webp"
    assert media_type(b"") is None
    assert media_type(b"<svg onload=alert(1)>") is None


def test_texts_of_a_file_have_no_markup() -> None:
    assert plain_text('<a href="x">&copy; OSM</a> <script>x</script>\n') == "© OSM x"
    assert plain_text(7) == ""
    assert len(plain_text("x" * 10_000)) == 200
    assert bounds_of("1,2,3") is None
    assert bounds_of("nan,0,1,1") is None
    assert bounds_of([5.0, 45.0, 11.0, 48.0]) == (5.0, 45.0, 11.0, 48.0)


def tile_path(zoom: int = 14, place: tuple[float, float] = HERE) -> str:
    column, row = tile_of(zoom, *place)
    return f"/api/map/tiles/{zoom}/{column}/{row}"


def ready(served: Served) -> dict:
    board = served.dashboard.board
    assert wait_until(lambda: board.get("tiles") is not None, "the tiles")
    return board.get("tiles")


def test_tiles_come_over_http(tiles: Path, tmp_path: Path) -> None:
    with serve(tmp_path, map_tiles_file=str(tiles)) as served:
        told = ready(served)
        assert (told["is_ready"], told["told"], told["zoom_max"]) == (True, "", 17)
        reply = served.get(tile_path())
        assert (reply.status, reply.headers["content-type"]) == (200, "image/png")
        assert reply.body == picture(14, *tile_of(14, *HERE))
        assert "max-age" in reply.headers["cache-control"]
        for path, status, words in (
            ("/api/map/tiles/14/0/0", 404, "the file has no such tile"),
            ("/api/map/tiles/3/8/0", 404, "there is no such tile: at zoom 3 columns and rows"),
            ("/api/map/tiles/25/0/0", 422, "path.zoom"),
            ("/api/map/tiles/3/-1/0", 422, "path.column"),
            ("/api/map/tiles/3/1.5/0", 422, "path.column"),
            ("/api/map/tiles/a/b/c", 422, "path.zoom"),
            (f"/api/map/tiles/3/{'9' * 40}/0", 404, "there is no such tile"),
            (f"/api/map/tiles/3/{'9' * 5000}/0", 422, "path.column"),
        ):
            reply = served.get(path)
            assert (reply.status, "\n" in reply.json["detail"]) == (status, False)
            assert words in reply.json["detail"]


def test_jpegs_have_their_type(tmp_path: Path) -> None:
    make_pmtiles(tmp_path / "map", HERE, zooms=range(14, 15), tile_type=TileType.JPEG)
    with serve(tmp_path, map_tiles_file=str(tmp_path / "map")) as served:
        ready(served)
        assert served.get(tile_path()).headers["content-type"] == "image/jpeg"


def test_tiles_need_the_token(tmp_path: Path) -> None:
    make_mbtiles(tmp_path / "map", HERE)
    with serve(tmp_path, token=TOKEN, map_tiles_file=str(tmp_path / "map")) as served:
        ready(served)
        for path in (tile_path(), "/api/map/cells", "/api/map/findings"):
            assert served.get(path).status == 401
        assert served.post("/api/map/places", {}).status == 401
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert served.get(tile_path(), **bearer).status == 200


@pytest.mark.parametrize("name", ["text", "missing"])
def test_no_tiles_is_one_line_in_the_log_and_on_the_board(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / name
    if name == "text":
        path.write_text("no tiles")
    caplog.set_level(logging.WARNING)
    with serve(tmp_path, map_tiles_file=str(path)) as served:
        told = ready(served)
        assert told["is_ready"] is False
        assert told["told"].startswith(f"parameter 'map_tiles_file' is '{path}': ")
        assert "The map has a grid instead" in told["told"]
        reply = served.get(tile_path())
        assert (reply.status, reply.json["detail"]) == (404, told["told"])
        for _ in range(3):
            served.dashboard.tiles.look()
        lines = [one for one in caplog.messages if "map_tiles_file" in one]
        assert lines == [told["told"]]
        make_mbtiles(tmp_path / "made", HERE)  # a file that comes later is taken
        (tmp_path / "made").replace(path)
        served.dashboard.tiles.look()
        assert ready(served)["is_ready"] is True
        assert served.get(tile_path()).status == 200


def test_another_file_as_large_and_as_old_is_taken(tmp_path: Path) -> None:
    """Copies keep the time; tiles of one colour are as long as those of another."""
    path, other = tmp_path / "map", tmp_path / "other"
    make_mbtiles(path, HERE)
    other.write_bytes(path.read_bytes())
    shutil.copystat(path, other)
    with serve(tmp_path, map_tiles_file=str(path)) as served:
        before = ready(served)["version"]
        served.dashboard.tiles.look()
        assert ready(served)["version"] == before
        other.replace(path)
        served.dashboard.tiles.look()
        assert ready(served)["version"] != before  # the browser asks for its tiles anew
        assert served.get(tile_path()).status == 200


def test_without_the_parameter_there_is_no_file(tmp_path: Path) -> None:
    with serve(tmp_path) as served:
        reply = served.get(tile_path())
        assert (reply.status, reply.json["detail"]) == (404, "there is no file of tiles")


def test_a_file_that_is_cut_while_it_is_read_is_given_up(
    tiles: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serve(tmp_path, map_tiles_file=str(tiles)) as served:
        ready(served)
        assert served.get(tile_path(10)).status == 200
        cut(tiles, 0.4)
        zoom = 17
        column, row = tile_of(zoom, *HERE)
        for right in (-1, 0, 1):
            for down in (-1, 0, 1):
                served.get(f"/api/map/tiles/{zoom}/{column + right}/{row + down}")
        served.dashboard.tiles.look()
        assert ready(served)["is_ready"] is False
        assert served.get(tile_path(10)).status == 404
        assert served.get("/api/state/robot").status == 200
        assert 1 <= sum("map_tiles_file" in one for one in caplog.messages) <= 2
