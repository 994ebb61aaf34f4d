"""Files of a run: with nobody's lock they are gone at the next start, and only then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from patience import patience

from semantic_detection_pkg.cli.bringup import main
from semantic_detection_pkg.common.configuration.run_folder import make_run_folder

CONFIG = Path(__file__).parents[3] / "config" / "config.yaml"
#: In the place of `ros2 launch`: shows what it was given, and lives on.
ROS2 = """#!/bin/sh
echo "$@"; echo "TMPDIR $TMPDIR"; : > "$TMPDIR/launch_params_x"; exec sleep 3600
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    for name in ("bin", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "bin/ros2").write_text(ROS2)
    (tmp_path / "bin/ros2").chmod(0o755)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "TMPDIR": str(tmp_path / "tmp")}


@contextmanager
def bringup(environment: dict[str, str], *words: str) -> Iterator[tuple[Path, int]]:
    """Start it; give the parameter file that `ros2 launch` gets, and the process id."""
    command = [sys.executable, "-m", "semantic_detection_pkg.cli.bringup", "--config", str(CONFIG)]
    with subprocess.Popen(
        [*command, *words], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(3)]
        (path,) = [w[13:] for w in said[1].split() if w.startswith("params_file:=")]
        assert said[2] == f"TMPDIR {Path(path).parent}\n"
        yield Path(path), process.pid
        process.send_signal(signal.SIGKILL)
        process.wait(patience(20.0))


def test_what_a_killed_run_left_is_gone_with_the_next(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with bringup(environment) as (first, _), bringup(environment) as (second, _):
        assert first != second
        assert first.exists(), "another start leaves alone what is in use"
        nodes = yaml.safe_load(first.read_text())
        assert "/**/gimbal_driver" in nodes
    assert first.exists(), "nobody was there to remove it"
    with bringup(environment) as (third, _):
        assert not first.exists()
        assert not second.exists()
        assert list((tmp_path / "tmp").glob("*/*/params.yaml")) == [third]
    assert [path.name for path in (tmp_path / "tmp").iterdir()] == [
        f"semantic_detection-{os.getuid()}"
    ]


def test_a_parameter_file_that_is_typed_wins_over_the_config_and_keeps_the_rest(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """All of config.yaml that is no argument was lost."""
    typed = tmp_path / "typed.yaml"
    values = {"protocol": "viewpro", "max_rate_deg_s": 5.0}
    typed.write_text(
        yaml.safe_dump(
            {
                "/**/gimbal_driver": {"ros__parameters": values},
                "/camera": {"ros__parameters": {"jpeg_quality": 3}},
            }
        )
    )
    with bringup(environment, f"params_file:={typed}") as (path, _):
        nodes = yaml.safe_load(path.read_text())
    driver = nodes["/**/gimbal_driver"]["ros__parameters"]
    assert driver == {"serial_device": "/dev/ttyTHS1", **values}
    assert nodes["/camera"]["ros__parameters"] == {"jpeg_quality": 3}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "No such file or directory"),
        ("a: [", "while parsing"),
        ("camera: {source: x}", "'node: ros__parameters: name: value' is allowed"),
        ("[1]", "'node: ros__parameters: name: value' is allowed"),
    ],
)
def test_a_typed_parameter_file_that_is_none(
    text: str | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "typed.yaml"
    if text is not None:
        path.write_text(text)
    assert main(["--config", str(CONFIG), "--check", f"params_file:={path}"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith(f"error: params_file {path}: ")
    assert said in error


def test_a_folder_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    (tmp_path / f"semantic_detection-{os.getuid()}").symlink_to(tmp_path)
    with pytest.raises(FileExistsError, match="is not a folder of this user"):
        make_run_folder(tmp_path)
