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


NEEDS_RSYNC = pytest.mark.skipif(
    shutil.which("rsync") is None,
    reason="rsync is missing: a Debian package, only the images need it",
)


class DevelopmentImage:
    """The script that takes sources up, with folders of a test for the host's and the image's."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.image, self.host = folder, folder / "image", folder / "host"
        text = (DOCKER / "development" / "with_sources.sh").read_text()
        (names,) = re.findall(r"^sources=\(([^)]*)\)", text, re.M | re.S)
        (others,) = re.findall(r"^of_the_image=\(([^)]*)\)", text, re.M | re.S)
        self.names, self.of_the_image = names.split(), others.split()
        for old, new in (
            (WORKSPACE, self.image),
            ("/sources", self.host),
            ("/usr/local/bin", folder / "bin"),
        ):
            text = text.replace(old, str(new))
        self.text = text
        for side in (self.image, self.host):
            for name in self.names:
                (side / name).mkdir(parents=True)
        for name in self.of_the_image:
            inside = "x" if (ROOT / name).is_dir() else ""
            is_script = name.startswith("docker/")
            here = folder / "bin" / Path(name).stem if is_script else self.image / name
            self.write(self.host / name / inside)
            self.write(here / inside)
        self.command("make")
        self.command("entrypoint")

    def write(self, path: Path, text: str = "") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def command(self, name: str, then: str = "") -> None:
        """Make a command that says its words; `then` is what it does after."""
        self.write(self.folder / name, f'#!/bin/sh\necho {name} "$@"\n{then}\n')
        (self.folder / name).chmod(0o755)

    def start(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", self.text, "with_sources", "ros2", "run"],
            env={"PATH": f"{self.folder}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def development(tmp_path: Path) -> DevelopmentImage:
    return DevelopmentImage(tmp_path)


@NEEDS_RSYNC
def test_sources_are_taken_up_and_what_the_host_compiled_is_not(
    development: DevelopmentImage,
) -> None:
    """A file that is the same is left alone, so that nothing is compiled anew for it."""
    image = development.image
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
    before = contents(image)
    for side, content in files.items():
        for name, line in content.items():
            development.write(development.folder / side / name, line)
    os.utime(image / "launch/same", (1, 1))
    done = development.start()
    assert (done.returncode, done.stdout) == (0, "make build\nentrypoint ros2 run\n")
    assert "warn: the image is of another tools/setup:" in done.stderr
    expected = {**before, **files["image"], f"{compiled}/masks.pyx": "new", "tools/new.c": ""}
    del expected["launch/gone"]
    assert contents(image) == expected
    assert (image / "launch/same").stat().st_mtime == 1


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


@NEEDS_RSYNC
def test_of_a_build_that_was_killed_nothing_is_left(development: DevelopmentImage) -> None:
    """Half a file is newer than its source, and no compiler would write it again."""
    image = development.image
    half = ["build/x/half.o", "install/x/half.py", "semantic_detection_pkg/src/k/compiled/half.so"]
    half += ["semantic_detection_pkg/src/k/compiled/half.c"]
    whole = ["build/x/whole.o", "semantic_detection_pkg/src/k/compiled/whole.so"]
    for name in (*whole, half[1]):
        development.write(image / name, "whole")
        os.utime(image / name, (1, 1))
    development.write(development.host / "semantic_detection_pkg/src/changed.py", "new")
    before = contents(image)
    dies = "\n".join(f"mkdir -p $(dirname {name}); echo half > {name}" for name in half)
    development.command("make", then=f"{dies}\nkill -9 $PPID")
    assert development.start().returncode == -9
    assert set(half) < set(contents(image))
    development.command("make")
    assert development.start().returncode == 0
    del before[half[1]]
    assert contents(image) == {**before, "semantic_detection_pkg/src/changed.py": "new"}
    development.write(image / half[0], "of a build that ended")
    assert development.start().returncode == 0
    assert half[0] in contents(image)


@NEEDS_RSYNC
def test_an_image_of_another_environment_is_named(development: DevelopmentImage) -> None:
    assert development.start().stderr == ""
    for name in development.of_the_image:
        path = development.host / name
        path = path / "x" if path.is_dir() else path
        path.write_text("other")
        done = development.start()
        assert done.stderr == (
            f"warn: the image is of another {name}: "
            "docker compose -f docker/compose.dev.yaml up --build\n"
        )
        assert done.stdout.endswith("entrypoint ros2 run\n"), "it starts all the same"
        path.write_text("")


@pytest.mark.parametrize("what", ["empty", "file", "closed", "without one"])
def test_sources_that_cannot_be_read_are_one_line(development: DevelopmentImage, what: str) -> None:
    host = development.host
    before = contents(development.image)
    if what == "closed":
        if os.geteuid() == 0:
            pytest.skip("another user than root is missing: nothing is closed to this one")
        host.joinpath("config").chmod(0)
    elif what == "without one":
        shutil.rmtree(host / development.names[-1])
    else:
        shutil.rmtree(host)
        host.mkdir() if what == "empty" else host.write_text("")
    done = development.start()
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(
        r"error: \S+ is no folder that user \d+ can read: mount a checkout at .*\n", done.stderr
    )
    assert contents(development.image) == before


def test_without_sources_the_images_own_run(development: DevelopmentImage) -> None:
    shutil.rmtree(development.host)
    done = development.start()
    assert (done.stdout, done.stderr) == ("entrypoint ros2 run\n", "")


def test_every_package_and_folder_of_the_image_is_taken_up(development: DevelopmentImage) -> None:
    copied = {
        arguments.split()[-1]
        for arguments in instructions(DOCKER / "development" / "Dockerfile", "COPY")
        if "--chown" in arguments and len(arguments.split()) == 3
    }
    assert copied - set(development.of_the_image) == set(development.names)
    for arguments in instructions(DOCKER / "development" / "Dockerfile", "COPY"):
        for name in arguments.split()[:-1]:
            is_known = name in {*development.names, *development.of_the_image}
            assert name.startswith("--") or is_known, f"{name}: its changes are seen nowhere"
