"""How the interfaces are built: with ROS from wheels only what Python needs, and that quickly."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "interfaces_pkg"
BUILD = ROOT / "build" / "interfaces_pkg"
GENERATE = PACKAGE / "cmake" / "generate_ahead.py"

#: A generator of rosidl as `generate_ahead.py` knows it: a program with this option.
GENERATOR = """
import json, sys
from pathlib import Path
from rosidl_parser import definition, parser
name, option, file, *options = sys.argv
assert option == "--generator-arguments-file", sys.argv
for entry in json.loads(Path(file).read_text())["idl_tuples"]:
    content = parser.parse_idl_file(definition.IdlLocator(*entry.rsplit(":", 1))).content
messages = content.get_elements_of_type(definition.Message)
said = {
    "options": options,
    "found": [str(message.structure.namespaced_type.name) for message in messages],
    "parsed": parser.get_ast_from_idl_string.cache_info().misses,
    "before": sorted(path.stem for path in Path().glob("*.said")),
}
Path(name).with_suffix(".said").write_text(json.dumps(said))
"""


def parts(build: Path) -> set[str]:
    """The parts of the interfaces that a build makes."""
    targets = subprocess.run(
        ["cmake", "--build", build, "--target", "help"], check=True, capture_output=True, text=True
    ).stdout
    return set(re.findall(r"\binterfaces_pkg__rosidl_(\w+)$", targets, re.MULTILINE))


@pytest.mark.skipif(
    "ROS_DISTRO" in os.environ,
    reason="a sourced ROS is left as it is: the lighter build is for wheels",
)
@pytest.mark.skipif(
    not BUILD.exists(), reason="the workspace's build folder is missing: make build makes it"
)
def test_wheels_generate_for_python_only() -> None:
    """C++ was two thirds of a cold build, and nothing links it."""
    assert parts(BUILD) == {
        *("generator_type_description", "generator_c", "generator_py", "typesupport_c"),
        *("typesupport_fastrtps_c", "typesupport_introspection_c"),
    }


@pytest.mark.long
def test_a_sourced_ros_generates_for_cpp_too(tmp_path: Path) -> None:
    options = ("-DINTERFACES_FOR_PYTHON=OFF", "-DBUILD_TESTING=OFF")
    subprocess.run(
        ["cmake", "-S", PACKAGE, "-B", tmp_path, *options], check=True, capture_output=True
    )
    in_cpp = {"typesupport_cpp", "typesupport_fastrtps_cpp", "typesupport_introspection_cpp"}
    assert parts(tmp_path) >= in_cpp


def generate(folder: Path, *generators: str) -> subprocess.CompletedProcess[str]:
    """Run generators over one message; "bad" is one that fails."""
    (folder / "msg").mkdir()
    text = "module p { module msg { struct Thing { int32 number; }; }; };"
    (folder / "msg" / "Thing.idl").write_text(text)
    for generator in generators:
        program = folder / generator.partition(",")[0]
        program.write_text("raise SystemExit(3)" if program.name == "bad" else GENERATOR)
        arguments = json.dumps({"idl_tuples": [f"{folder}:msg/Thing.idl"]})
        (folder / f"{program.name}__arguments.json").write_text(arguments)
    return subprocess.run(
        [sys.executable, GENERATE, folder, *(str(folder / one) for one in generators)],
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_generators_run_with_their_options_and_parse_nothing_again(tmp_path: Path) -> None:
    result = generate(tmp_path, "first", "second,--kinds,a;b", "third,--kinds,a,b")
    assert (result.returncode, result.stderr) == (0, "")
    said = {path.stem: json.loads(path.read_text()) for path in tmp_path.glob("*.said")}
    assert {name: one["options"] for name, one in said.items()} == {
        "first": [],
        "second": ["--kinds", "a;b"],
        "third": ["--kinds", "a", "b"],
    }
    assert all((one["found"], one["parsed"]) == (["Thing"], 1) for one in said.values())


def test_the_first_generator_has_ended_before_the_others_begin(tmp_path: Path) -> None:
    generate(tmp_path, "first", "second", "third")
    said = {path.stem: json.loads(path.read_text()) for path in tmp_path.glob("*.said")}
    assert said["first"]["before"] == []
    assert "first" in said["second"]["before"]
    assert "first" in said["third"]["before"]


def test_a_generator_that_fails_is_seen(tmp_path: Path) -> None:
    assert generate(tmp_path, "first", "bad", "third").returncode == 1
    assert (tmp_path / "third.said").exists()


def test_nothing_is_made_of_what_was_not(tmp_path: Path) -> None:
    assert generate(tmp_path, "bad", "second").returncode == 1
    assert not (tmp_path / "second.said").exists()
