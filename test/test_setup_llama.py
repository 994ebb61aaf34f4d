"""What `make vlm-check` builds: locked, and said by name what it lacks."""

import os
import re
import subprocess
import sys
from pathlib import Path

import llama

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "tools" / "setup" / "llama_server.sh"
REQUIREMENTS = ROOT / "requirements"


def test_the_lock_is_of_what_is_asked_for():
    pattern = re.compile(r"^([\w-]+==[\w.]+)", re.MULTILINE)
    wanted = pattern.findall((REQUIREMENTS / "llama.in").read_text())
    assert sorted(pattern.findall((REQUIREMENTS / "llama.lock").read_text())) == sorted(wanted)
    environment = (ROOT / "requirements.lock").read_text()
    assert not any(f"\n{name} " in environment for name in wanted), "it is none of the environment"


def test_without_a_compiler_nothing_is_fetched(tmp_path):
    """A machine with a shell and nothing else."""
    (tmp_path / "sh").symlink_to("/bin/sh")
    (tmp_path / "dirname").symlink_to("/usr/bin/dirname")
    done = subprocess.run(
        [SCRIPT, Path(sys.prefix), tmp_path / "llama"],
        capture_output=True,
        text=True,
        env={"PATH": str(tmp_path)},
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "no C++ compiler (c++): llama-server is built from source\n"
    assert not (tmp_path / "llama").exists()


def test_it_is_kept_out_of_repository_and_image():
    for name in (".gitignore", ".dockerignore"):
        assert re.search(r"^\.llama/?$", (ROOT / name).read_text(), re.MULTILINE), name
    assert os.access(SCRIPT, os.X_OK)


def test_the_line_that_starts_it_is_the_one_that_is_tried():
    text = (ROOT / "docs" / "vlm_protocol.md").read_text()
    assert f"\n{' '.join(llama.GUARD)} /run/tier3/vlm.sock.lock sh -c 'rm -f " in text
