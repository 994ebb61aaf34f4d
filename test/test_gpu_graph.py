"""One GPU in real processes: arbiter, detector, VLM bridge and VLM stub."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticArray
from gpu_graph import Gpu, Stub, write_launch_file
from handover_checks import check_handover
from launch_runner import LaunchSession
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from patience import patience
from ros_graph import GraphProbe

from interfaces_pkg.msg import GpuState, VlmAnswer
from interfaces_pkg.srv import AcquireGpu, ReleaseGpu
from ros_support_pkg.qos import EVENT
from semantic_detection_pkg.gpu.epoch_file import read_epoch
from semantic_detection_pkg.gpu.lock import holder_pid

pytestmark = pytest.mark.graph


@pytest.fixture
def gpu(request: pytest.FixtureRequest, probe: GraphProbe, tmp_path: Path) -> Iterator[Gpu]:
    stub = Stub(tmp_path)
    stub.start()
    path = write_launch_file(tmp_path, getattr(request, "param", "nothing"))
    with LaunchSession(path, timeout_s=60.0) as launch:
        gpu = Gpu(probe, launch, stub)
        gpu.wait_for_owner(GpuState.OWNER_DETECTOR)
        yield gpu
        stub.stop()


def wait_for_its_return(gpu: Gpu, told: int) -> None:
    """Wait until the detector was away and is back, in the states after the first `told`."""

    def is_back() -> bool:
        owners = [state.owner for state in gpu.states[told:]]
        return GpuState.OWNER_NOBODY in owners and owners[-1] == GpuState.OWNER_DETECTOR

    gpu.probe.wait_for(is_back, "a detector that was away and is back")
    assert gpu.is_detector_active()


def test_a_question_and_its_lease(gpu: Gpu, tmp_path: Path) -> None:
    """The arbiter brings the detector up, takes it out for the question, brings it back."""
    check_handover(gpu, tmp_path, gpu.launch.processes["detector-1"].pid)


@pytest.mark.long
def test_a_cancel_ends_the_work_and_the_lease(gpu: Gpu) -> None:
    gpu.stub.start("--piece-s", f"{patience(0.2):g}", "--answer", "yes " * 200)
    sent = gpu.send()
    gpu.wait_for_owner(GpuState.OWNER_LEASE)
    sent.cancel()
    status, answer = gpu.answer(sent)
    assert (status, answer.cause) == (GoalStatus.STATUS_CANCELED, "cancelled")
    gpu.wait_for_owner(GpuState.OWNER_DETECTOR)


@pytest.mark.long
def test_faults_of_the_service_are_uncertain_never_no(gpu: Gpu) -> None:
    for fault, causes in {
        "crash": {"cut_off"},
        "hang": {"timeout"},
        "rubbish": {"cut_off", "unreadable"},
        "stale": {"stale_epoch"},
    }.items():
        gpu.stub.start("--fault", fault)
        status, answer = gpu.answer(gpu.send(timeout_s=1.5 if fault == "hang" else None))
        assert status == GoalStatus.STATUS_SUCCEEDED
        verdict = VlmAnswer.VERDICT_UNSURE
        assert (answer.verdict, answer.cause in causes) == (verdict, True), (fault, answer.cause)
        if fault == "hang":
            assert gpu.stub.process is not None
            assert gpu.stub.process.wait(patience(20.0)) == -signal.SIGKILL, (
                "who does not leave is ended"
            )
        gpu.wait_for_owner(GpuState.OWNER_DETECTOR)
    gpu.stub.stop()
    assert gpu.answer(gpu.send())[1].cause == "no_service"


@pytest.mark.long
def test_a_service_without_eyes_is_uncertain_and_diagnostics_say_what_helps(gpu: Gpu) -> None:
    diagnostics = gpu.probe.listen(DiagnosticArray, "/diagnostics", EVENT)
    gpu.stub.start("--fault", "blind")
    status, answer = gpu.answer(gpu.send())
    assert status == GoalStatus.STATUS_SUCCEEDED
    assert (answer.verdict, answer.cause) == (VlmAnswer.VERDICT_UNSURE, "no_vision")
    assert answer.reason.startswith("image input is not supported")
    gpu.wait_for_owner(GpuState.OWNER_DETECTOR)

    def is_said() -> bool:
        return any(
            one.name == "vlm_bridge" and "--mmproj" in one.message
            for message in diagnostics
            for one in message.status
        )

    gpu.probe.wait_for(is_said, "the bridge to say what helps")


# As on the robot: it comes back inactive, as one that somebody has deactivated.
@pytest.mark.long
@pytest.mark.parametrize("gpu", ["nothing", "configure"], indirect=True)
def test_a_detector_that_died_is_brought_back(gpu: Gpu, tmp_path: Path) -> None:
    told = len(gpu.states)
    gpu.launch.send("detector", signal.SIGKILL)
    wait_for_its_return(gpu, told)
    assert holder_pid(tmp_path / "gpu.lock") == gpu.launch.processes["detector-1"].pid


def change(gpu: Gpu, transition: int) -> bool:
    request = ChangeState.Request(transition=Transition(id=transition))
    return bool(gpu.probe.call(ChangeState, "detector/change_state", request).success)


@pytest.mark.long
def test_an_operator_has_the_last_word(gpu: Gpu) -> None:
    """What was deactivated by hand stays so until it is activated by hand, whatever dies but it."""
    diagnostics = gpu.probe.listen(DiagnosticArray, "/diagnostics", EVENT)
    reason = "the detector was deactivated by an operator: activate it by hand"

    def says(name: str, text: str) -> bool:
        return any(
            one.name == name and text in one.message
            for message in diagnostics
            for one in message.status
        )

    assert change(gpu, Transition.TRANSITION_DEACTIVATE)
    gpu.probe.wait_for(lambda: gpu.states[-1].reason == reason, "the arbiter to say it")
    gpu.launch.wait_for_line(reason)
    gpu.probe.wait_for(
        lambda: (
            says("gpu_arbiter", reason)
            and says("detector", "deactivated by an operator: activate it by hand")
        ),
        "the diagnostics to say it",
    )
    acquire = AcquireGpu.Request(holder="test", duration_s=1.0, wait_s=600.0)
    assert gpu.probe.call(AcquireGpu, "gpu/acquire", acquire).reason == reason

    epoch = gpu.states[-1].epoch
    gpu.launch.send("gpu_arbiter", signal.SIGKILL)
    gpu.probe.wait_for(
        lambda: gpu.states[-1].epoch > epoch and gpu.states[-1].reason == reason,
        "the next arbiter to say it",
    )
    assert not gpu.is_detector_active()
    assert change(gpu, Transition.TRANSITION_ACTIVATE)
    gpu.wait_for_owner(GpuState.OWNER_DETECTOR)


@pytest.mark.long
def test_a_detector_begins_anew_without_an_operators_word(gpu: Gpu) -> None:
    """Who has its process started wants it to work."""
    assert change(gpu, Transition.TRANSITION_DEACTIVATE)
    gpu.wait_for_owner(GpuState.OWNER_NOBODY)
    told = len(gpu.states)
    gpu.launch.send("detector", signal.SIGKILL)
    gpu.probe.wait_for(
        lambda: [state.owner for state in gpu.states[told:]][-1:] == [GpuState.OWNER_DETECTOR],
        "the next detector's turn",
    )
    assert gpu.is_detector_active()


@pytest.mark.long
def test_a_shutdown_by_hand_ends_the_process_and_a_new_one_comes(gpu: Gpu) -> None:
    first, told = gpu.launch.processes["detector-1"].pid, len(gpu.states)
    assert change(gpu, Transition.TRANSITION_ACTIVE_SHUTDOWN)
    gpu.launch.wait_until(
        lambda: gpu.launch.processes["detector-1"].pid != first, "a new detector", timeout_s=30.0
    )
    wait_for_its_return(gpu, told)


@pytest.mark.long
def test_an_arbiter_that_died_makes_its_leases_void(gpu: Gpu, tmp_path: Path) -> None:
    acquire = AcquireGpu.Request(
        holder="test", purpose="test", duration_s=20.0, wait_s=patience(5.0)
    )
    lease = gpu.probe.call(AcquireGpu, "gpu/acquire", acquire)
    assert lease.granted, lease.reason
    assert not gpu.is_detector_active()
    gpu.launch.send("gpu_arbiter", signal.SIGKILL)
    gpu.probe.wait_for(
        lambda: (
            gpu.states[-1].epoch > lease.epoch and gpu.states[-1].owner == GpuState.OWNER_DETECTOR
        ),
        "the detector's turn",
    )
    assert gpu.is_detector_active()
    release = ReleaseGpu.Request(holder="test", epoch=lease.epoch)
    answer = gpu.probe.call(ReleaseGpu, "gpu/release", release)
    assert (answer.success, "nobody holds the GPU" in answer.message) == (False, True)
    assert read_epoch(tmp_path / "gpu.epoch") > lease.epoch


@pytest.mark.long
def test_bad_requests_say_what_is_allowed(gpu: Gpu) -> None:
    for request, reason in (
        (AcquireGpu.Request(duration_s=1.0), "holder is '', an instance id is needed"),
        (AcquireGpu.Request(holder="a"), "duration_s is 0, allowed is more than 0"),
        (
            AcquireGpu.Request(holder="a", duration_s=1.0, wait_s=-1.0),
            "wait_s is -1, allowed is 0 or more",
        ),
    ):
        assert gpu.probe.call(AcquireGpu, "gpu/acquire", request).reason == reason
    assert not gpu.send(timeout_s=0.0).accepted
    status, answer = gpu.answer(gpu.send(class_name=""))
    assert (status, answer.cause) == (GoalStatus.STATUS_ABORTED, "bad_request")
