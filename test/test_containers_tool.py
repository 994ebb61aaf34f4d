"""What `make containers` stands on: it says what is missing, keeps to its folder, and goes on."""

import subprocess
import sys
from pathlib import Path

import pytest
from containers import engine, images
from containers.engine import ContainerError, Engine
from containers.report import Report

ROOT = Path(__file__).resolve().parent.parent


def test_what_is_missing_is_named_by_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.shutil, "which", lambda name: None if "netavark" in name else name)
    monkeypatch.setattr(engine.os, "geteuid", lambda: 0)
    assert engine.missing() == ["netavark"]
    monkeypatch.setattr(engine.os, "geteuid", lambda: 1000)
    assert engine.missing() == ["root", "netavark"]


def test_without_an_engine_one_line_says_what_to_install(tmp_path: Path) -> None:
    """Where nothing of it is installed: no traceback, nothing made."""
    done = subprocess.run(
        [sys.executable, "-m", "containers", "--folder", str(tmp_path / "made")],
        env={"PATH": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "podman" in done.stderr
    assert not (tmp_path / "made").exists()


def test_an_engine_keeps_all_in_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    one = Engine(folder)
    shown = one.run("sh", "-c", 'cat "$CONTAINERS_CONF" "$CONTAINERS_STORAGE_CONF"').stdout
    places = [
        line.split("=")[1].strip(' "')
        for line in shown.splitlines()
        if line.startswith(("graphroot", "runroot", "tmp_dir", "network_config_dir"))
    ]
    assert len(places) == 4
    assert all(Path(place).is_relative_to(folder) for place in places)
    assert 'lock_type = "file"' in shown, "or it shares the locks of this machine's own containers"


def test_a_command_that_fails_or_hangs_is_one_line(tmp_path: Path) -> None:
    one = Engine(tmp_path)
    with pytest.raises(ContainerError, match=r"^sh -c: status 3: a \| b$"):
        one.run("sh", "-c", "printf 'a\\nb\\n' >&2; exit 3")
    with pytest.raises(ContainerError, match=r"^sleep 60: no end in 0 s$"):
        one.run("sleep", "60", timeout_s=0.1)


def test_a_fault_is_counted_and_the_rest_is_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report()
    with report.check("first") as said:
        said.figures += ["1.0 s"]
        raise AssertionError("not  as\npromised")
    with report.check("second") as said:
        said.figures += ["2.0 s"]
    with (
        pytest.raises(ContainerError, match=r"^third: no image$"),
        report.check("third", is_vital=True),
    ):
        raise ContainerError("no image")
    assert report.faults == 2
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == ["BAD first 1.0 s, not as promised", "ok second 2.0 s", "BAD third no image"]


def test_the_sources_are_those_of_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree, copy = tmp_path / "tree", tmp_path / "copy"
    files = {".gitignore": "*.so\n", "a/b.py": "1", "a/gone.py": "", "a/x.so": "", "new.py": "2"}
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    for words in (["init", "-q"], ["add", "a/b.py", "a/gone.py"]):
        subprocess.run(["git", "-C", tree, *words], check=True)
    (tree / "a/gone.py").unlink()
    monkeypatch.setattr(images, "ROOT", tree)
    images.copy_sources(copy)
    found = {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()}
    assert found == {".gitignore", "a/b.py", "new.py"}
