"""The images: their files name what exists, build where no board is, and start what they should."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from container_files import DOCKER, DOCKERFILES, ROOT, WORKSPACE, instructions


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_dockerfile_is_clean(dockerfile: Path) -> None:
    if (hadolint := shutil.which("hadolint", path=str(Path(sys.executable).parent))) is None:
        pytest.skip("hadolint is missing: PyPI has it for x86-64 only")
    done = subprocess.run([hadolint, dockerfile], capture_output=True, text=True, check=False)
    assert done.stdout == ""


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_dockerfile_copies_what_exists(dockerfile: Path) -> None:
    copied = [
        name
        for arguments in instructions(dockerfile, "COPY")
        if "--from" not in arguments
        for name in arguments.split()[:-1]
        if not name.startswith("--")
    ]
    assert len(copied) > 10
    assert [name for name in copied if not (ROOT / name).exists()] == []
    packages = {path.parent.name for path in ROOT.glob("*/package.xml")}
    assert packages <= set(copied), "every package is built"
    assert "Makefile" in copied
    targets = re.findall(r"\bmake (setup|build)\b", "\n".join(instructions(dockerfile, "RUN")))
    assert set(targets) == {"setup", "build"}
    for target in targets:
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M), target


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_no_build_step_imports_what_only_a_board_has(dockerfile: Path) -> None:
    """While an image is built, the driver's libraries are empty files: such an import fails."""
    steps = instructions(dockerfile, "RUN")
    assert steps
    of_the_gpu = r"\b(?:import|from)\s+(?:[\w.]+\s*,\s*)*(?:tensorrt|cuda|pycuda|torch)\b"
    assert [step for step in steps if re.search(of_the_gpu, step)] == []


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_no_image_leaves_volumes_without_a_name(dockerfile: Path) -> None:
    assert instructions(dockerfile, "VOLUME") == []


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_no_base_image_is_past_its_end(dockerfile: Path) -> None:
    bases = dict(re.findall(r"^ARG (\w+IMAGE)=(\S+)$", dockerfile.read_text(), re.M))
    assert bases
    ended = r"bullseye|buster|stretch|focal|bionic|debian:1[01]|ubuntu:(?:18|20)\.|manylinux2014"
    assert [base for base in bases.values() if re.search(ended, base)] == []


def test_the_development_image_needs_no_ros_archive_and_no_rust() -> None:
    (dockerfile,) = [path for path in DOCKERFILES if path.parent.name == "development"]
    text = "\n".join(instructions(dockerfile, "(?:FROM|ADD|RUN|COPY)"))
    assert instructions(dockerfile, "FROM") == ["${BASE_IMAGE}"]
    assert re.search(r"https?://|ros-\w+-|rust|cargo", text) is None


@pytest.mark.parametrize("distribution", ["", "humble"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ros2", "run", "a_pkg", "program", "x:=1", "two words"], "program x:=1|two words"),
        (["ros2", "run", "a_pkg", "unknown", "x:=1"], "ros2 run|a_pkg|unknown|x:=1"),
        (["ros2", "launch", "a_pkg", "robot.launch.yaml"], "ros2 launch|a_pkg|robot.launch.yaml"),
        (["echo", "plain"], "plain"),
    ],
)
def test_the_program_itself_is_the_main_process(
    tmp_path: Path, words: list[str], said: str, distribution: str
) -> None:
    """`ros2 run` ends at SIGTERM and leaves its program running: it is not in between."""
    text = (DOCKER / "entrypoint.sh").read_text()
    text = text.replace(WORKSPACE, str(tmp_path)).replace("/opt/ros", str(tmp_path / "ros"))
    venv = f".venv-{distribution}" if distribution else ".venv"
    programs = {"install/a_pkg/lib/a_pkg/program": "program", f"{venv}/bin/ros2": "ros2"}
    for path, name in programs.items():
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(f'#!/bin/bash\nIFS="|"\necho "{name} $*"\necho $$\n')
        (tmp_path / path).chmod(0o755)
    (tmp_path / "install/local_setup.bash").touch()
    if distribution:
        (tmp_path / "ros/humble").mkdir(parents=True)
        (tmp_path / "ros/humble/setup.bash").touch()
    else:
        (tmp_path / ".venv/local_setup.bash").write_text(f'PATH="{tmp_path}/.venv/bin:$PATH"\n')
    environment = {"PATH": os.environ["PATH"], "ROS_DISTRO": distribution}
    with subprocess.Popen(
        ["bash", "-c", text, "entrypoint", *words],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        output, _ = process.communicate()
    assert output.splitlines()[0] == said
    if said != "plain":
        assert output.splitlines()[1] == str(process.pid)


@pytest.mark.skipif(
    shutil.which("rsync") is None,
    reason="rsync is missing: a Debian package, only the images need it",
)
def test_sources_are_taken_up_and_what_the_host_compiled_is_not(tmp_path: Path) -> None:
    """A file that is the same is left alone, so that nothing is compiled anew for it."""
    text = (DOCKER / "development" / "with_sources.sh").read_text()
    text = text.replace(WORKSPACE, str(tmp_path / "image")).replace(
        "/sources", str(tmp_path / "host")
    )
    for name in ("make", "entrypoint"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (tmp_path / name).chmod(0o755)
    (names,) = re.findall(r"^sources=\(([^)]*)\)", text, re.M | re.S)
    compiled = "semantic_detection_pkg/src/kernels/compiled"
    files = {
        "image": {
            f"{compiled}/masks.so": "of the image",
            f"{compiled}/masks.c": "generated",
            f"{compiled}/masks.pyx": "old",
            "launch/same": "same",
            "launch/gone": "",
            "tools/setup/x.sh": "of the image",
            "semantic_detection_pkg/src/x.egg-info/PKG-INFO": "",
            "install/x": "",
        },
        "host": {
            f"{compiled}/masks.so": "of the host",
            f"{compiled}/new.so": "of the host",
            f"{compiled}/masks.c": "of the host",
            f"{compiled}/masks.pyx": "new",
            "launch/same": "same",
            "tools/setup/x.sh": "of the host",
            "tools/new.c": "",
            "tools/__pycache__/x.pyc": "",
            ".venv/x": "",
        },
    }
    for side, content in files.items():
        for name in names.split():
            (tmp_path / side / name).mkdir(parents=True, exist_ok=True)
        for name, line in content.items():
            (tmp_path / side / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / side / name).write_text(line)
    os.utime(tmp_path / "image/launch/same", (1, 1))
    done = subprocess.run(
        ["bash", "-c", text, "with_sources", "ros2", "run"],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "make build\nentrypoint ros2 run\n"
    image = tmp_path / "image"
    found = {
        str(path.relative_to(image)): path.read_text()
        for path in image.rglob("*")
        if path.is_file()
    }
    expected = {**files["image"], f"{compiled}/masks.pyx": "new", "tools/new.c": ""}
    del expected["launch/gone"]
    assert found == expected
    assert (image / "launch/same").stat().st_mtime == 1


def test_every_package_and_folder_of_the_image_is_taken_up() -> None:
    text = (DOCKER / "development" / "with_sources.sh").read_text()
    (names,) = re.findall(r"^sources=\(([^)]*)\)", text, re.M | re.S)
    copied = {
        arguments.split()[-1]
        for arguments in instructions(DOCKER / "development" / "Dockerfile", "COPY")
        if "--chown" in arguments and len(arguments.split()) == 3
    }
    assert copied - {"requirements", "tools/setup"} == set(names.split())
