"""Real processes in the middle of missions, killed at any moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import mission_victim
import pytest
from mission_life import head_of, kept
from patience import wait_until

from semantic_detection_pkg.scan.adapters.checkpoint_file import FOLDER

ROUNDS = 25


@pytest.mark.long
def test_killed_at_any_moment_nothing_told_is_lost(tmp_path: Path) -> None:
    """`kill -9`, the thread that writes at work: what was told is in the checkpoint."""
    randomly = random.Random(7)
    told_file = tmp_path / mission_victim.TOLD
    told_file.touch()
    found: dict[str, dict[str, int]] = {}
    goals: dict[str, str] = {}  # of each finding
    over: set[str] = set()
    lines: list[str] = []
    resumed_with_findings = 0
    with subprocess.Popen(
        [sys.executable, mission_victim.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        for _ in range(ROUNDS):
            server.stdin.write(f"{tmp_path}\n")
            server.stdin.flush()
            pid = int(server.stdout.readline())
            count = len(lines) + randomly.randrange(1, 6)
            wait_until(lambda n=count: len(told_file.read_text().splitlines()) >= n, "findings")
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda gone=pid: not Path(f"/proc/{gone}").exists(), "the end of a process")
            lines = told_file.read_text().splitlines()
            for kind, goal, *finding in map(str.split, lines):
                if kind == "over":
                    over.add(goal)
                else:
                    name, revision = finding
                    found.setdefault(goals.setdefault(name, goal), {})[name] = int(revision)
            checkpoint = kept(tmp_path / FOLDER)
            goal = "" if checkpoint is None else checkpoint.mission.goal.goal_id
            assert goal not in over, "a goal whose end was told would go on"
            head = head_of(tmp_path / FOLDER)
            untold = set() if head is None else {one.finding_id for one in head.untold}
            revisions = (
                {}
                if checkpoint is None
                else {one.finding_id: one.revision for one in checkpoint.findings}
            )
            for name, revision in found.get(goal, {}).items():
                assert revisions.get(name, 0) >= revision, "a finding that was told is lost"
            # Killed between the end and its telling: the goal is gone, all that was found is not.
            for ended in set(found) - {goal, "-"}:
                known = set(found[ended]) | set(found.get("-", ())) | untold
                assert len(known) >= len(mission_victim.SURENESSES), "a finding is lost"
            resumed_with_findings += bool(revisions)
        server.stdin.close()
    assert resumed_with_findings > ROUNDS // 3
    assert over, "some missions came to their end"
