"""Run the campaign: `make faults`, or `make faults ARGS="--only kill,stop --rounds 2"`."""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ros_graph import GraphProbe, isolated_domain
from step_clock import StepClock

from faults import parts, trials
from faults.report import RECOVERY_P95_S, Outcome, table, too_slow
from faults.robot import Robot, hold

_SLOW_SOURCE = "sim:7?width=640&height=360&rate=0.5"
#: What the configuration keeps free, and gives to events, and some minutes of the recording.
_DISK_MB = 1300
#: Who shares a process; each part of the campaign is done to a robot of each layout.
_LAYOUTS = ("each", "few")
Tell = Callable[[Outcome], None]


@contextmanager
def _place() -> Iterator[tuple[Path, GraphProbe]]:
    """A folder and a domain of their own."""
    with tempfile.TemporaryDirectory(prefix="faults") as folder, isolated_domain() as variables:
        os.environ.update(variables)
        probe = GraphProbe(int(variables["ROS_DOMAIN_ID"]))
        try:
            yield Path(folder), probe
        finally:
            probe.close()


def _processes(options: argparse.Namespace, tell: Tell, kind: str) -> None:
    do = trials.kill if "kill" in kind else trials.stop
    with _place() as (folder, probe), Robot(folder, probe, processes=options.layout) as robot:
        for nodes in trials.targets(robot, options.rounds, do_pairs="pairs" in kind):
            tell(do(robot, nodes))


def _power(options: argparse.Namespace, tell: Tell, _: str) -> None:
    with _place() as (folder, probe), Robot(folder, probe, processes=options.layout) as robot:
        for _round in range(options.rounds):
            tell(trials.cut_off(robot))


def _clock(options: argparse.Namespace, tell: Tell, _: str) -> None:
    with _place() as (folder, probe):
        clock = StepClock(folder)
        with Robot(folder, probe, environment=clock.environment, processes=options.layout) as robot:
            for offset_s in trials.CLOCK_STEPS_S * options.rounds:
                tell(trials.step_clock(robot, clock.set, offset_s))


def _disk(options: argparse.Namespace, tell: Tell, _: str) -> None:
    """The recordings lie on a small file system that only the robot's processes see mounted."""
    with _place() as (folder, probe):
        (folder / "recordings").mkdir()
        mount = f'mount -t tmpfs -o size={_DISK_MB}m none {folder}/recordings && exec "$@"'
        command = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh")
        with Robot(folder, probe, command=command, processes=options.layout) as robot:
            robot.ring_bytes = 0  # the disk is full before the recording is
            robot.recordings = Path(f"/proc/{robot.pid('recorder')}/root{folder}/recordings")
            for _round in range(options.rounds):
                tell(trials.fill_disk(robot, robot.recordings))


def _slow_camera(options: argparse.Namespace, tell: Tell, _: str) -> None:
    with (
        _place() as (folder, probe),
        Robot(folder, probe, source=_SLOW_SOURCE, processes=options.layout) as robot,
    ):
        seconds = 60.0 * options.minutes / 4.0
        tell(trials.last(robot, "slow camera", "a frame in 2 s", seconds))


def _two_robots(options: argparse.Namespace, tell: Tell, _: str) -> None:
    """Side by side on one host: with the folders that both have by default, then with one lock.

    By default their folders are apart by namespace. Where somebody gave both the same, nothing but
    the lock's signature tells an arbiter that the holder is not its own; the language model, of
    which each has its own, is then not found.
    """
    source = "sim:7?width=320&height=180&rate=2"
    layout = options.layout
    for what in ("", ", one lock"):
        with _place() as (folder, probe):
            shared = folder / "one" if what else None
            with (
                Robot(folder, probe, source, "r1", processes=layout, shared_dir=shared) as first,
                Robot(folder, probe, source, "r2", processes=layout, shared_dir=shared) as second,
            ):
                seconds = 60.0 * options.minutes / 2.0
                # With one lock a detector waits until the other's is off the GPU.
                tell(
                    trials.last(
                        second, "two robots", f"side by side{what}", seconds, may_grow=bool(what)
                    )
                )
                for robot, name in ((first, "r1"), (second, "r2")):
                    count = robot.deaths()  # while the other began, too
                    lost = [f"{count} processes have ended since its start"] if count else []
                    tell(Outcome("two robots", f"{name}{what}", 0.0, lost))


def _soak(options: argparse.Namespace, tell: Tell, _: str) -> None:
    with _place() as (folder, probe), Robot(folder, probe, processes=options.layout) as robot:
        hold(30.0)  # what is made once has been made
        tell(trials.last(robot, "soak", f"{options.minutes:g} minutes", 60.0 * options.minutes))


def _recorder(options: argparse.Namespace, tell: Tell, _: str) -> None:
    with _place() as (folder, _probe):
        tell(parts.recorder(folder, parts.RECORDER_ROUNDS * options.rounds))


def _gpu(options: argparse.Namespace, tell: Tell, _: str) -> None:
    tell(parts.gpu(parts.GPU_ROUNDS * options.rounds))


_CAMPAIGN: dict[str, Callable[[argparse.Namespace, Tell, str], None]] = {
    "kill": _processes,
    "stop": _processes,
    "kill pairs": _processes,
    "stop pairs": _processes,
    "power": _power,
    "clock": _clock,
    "disk": _disk,
    "slow camera": _slow_camera,
    "two robots": _two_robots,
    "soak": _soak,
    "recorder": _recorder,
    "gpu": _gpu,
}
#: Without a robot around it: once, whoever shares a process.
_PARTS = ("recorder", "gpu")


def main(words: Sequence[str] | None = None) -> int:
    """Run what was asked for.

    Returns:
        The exit status: 1 where something did not survive, or on a quiet machine was too slow.
    """
    parser = argparse.ArgumentParser(prog="faults", description="A campaign of faults.")
    every = ",".join(_CAMPAIGN)
    parser.add_argument("--only", default=every, help=f"some of: {every}")
    parser.add_argument(
        "--rounds",
        type=int,
        default=10,
        help=f"of each fault; {parts.RECORDER_ROUNDS} times as many of the recorder, "
        f"{parts.GPU_ROUNDS} times of the GPU",
    )
    parser.add_argument("--minutes", type=float, default=20.0, help="of the soak")
    parser.add_argument(
        "--processes", default=",".join(_LAYOUTS), help=f"some of: {','.join(_LAYOUTS)},one"
    )
    parser.add_argument(
        "--quiet-machine",
        action="store_true",
        help="nothing else runs here: a recovery that is too slow fails, too",
    )
    options = parser.parse_args(words)
    kinds = [kind.strip() for kind in options.only.split(",")]
    if unknown := sorted(set(kinds) - set(_CAMPAIGN)):
        parser.error(f"--only: unknown are {', '.join(unknown)}; allowed are {every}")
    layouts = [layout.strip() for layout in options.processes.split(",")]
    if unknown := sorted(set(layouts) - {*_LAYOUTS, "one"}):
        parser.error(f"--processes: unknown are {', '.join(unknown)}; allowed are each, few, one")
    outcomes: list[Outcome] = []

    def tell(outcome: Outcome) -> None:
        outcomes.append(outcome)
        print(outcome.line(), flush=True)

    is_whole = True
    try:
        for options.layout, kind in itertools.product(layouts, kinds):
            if kind in _PARTS and options.layout != layouts[0]:
                continue
            print(f"processes: {'-' if kind in _PARTS else options.layout}", flush=True)
            try:
                _CAMPAIGN[kind](options, tell, kind)
            except AssertionError as error:
                what = "it broke off" if kind in _PARTS else "the robot did not start"
                tell(Outcome(kind, what, None, remark=str(error)))
    except KeyboardInterrupt:
        is_whole = False
    print(table(outcomes))
    print(
        f"goal: nothing lost, p95 of the recovery at most {RECOVERY_P95_S:g} s on a quiet machine"
    )
    slow = too_slow(outcomes) if options.quiet_machine else []
    print("\n".join(slow), end="\n" if slow else "")
    if not is_whole:
        print("faults: interrupted; the table holds what was tried until then")
        return 130
    return 0 if all(outcome.has_survived for outcome in outcomes) and not slow else 1


if __name__ == "__main__":
    sys.exit(main())
