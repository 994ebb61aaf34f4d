"""What must hold of one question to the model: the GPU goes to it and comes back.

Shared by `test/test_gpu_graph.py` and `test/launch/handover_test.py`; the model is the stub.
"""

from __future__ import annotations

from pathlib import Path

from action_msgs.msg import GoalStatus
from gpu_graph import GpuView
from patience import patience

from interfaces_pkg.msg import GpuState, VlmAnswer
from semantic_detection_pkg.gpu.epoch_file import read_epoch
from semantic_detection_pkg.gpu.lock import holder_pid


def check_handover(gpu: GpuView, folder: Path, detector_pid: int) -> None:
    """The detector has the GPU, is taken out for the question, and has it again.

    Args:
        folder: shared by the two containers.
    """
    assert gpu.is_detector_active()
    assert holder_pid(folder / "gpu.lock") == detector_pid
    status, answer = gpu.answer(gpu.send())
    assert (status, answer.verdict, answer.cause) == (
        GoalStatus.STATUS_SUCCEEDED,
        VlmAnswer.VERDICT_YES,
        "",
    )
    assert (answer.text, answer.reason, answer.model) == ("yes\nit is there", "it is there", "stub")
    assert (answer.question, answer.prompt_id) == (
        'Is there "tent" in this picture?',
        "is_there.1",
    )
    assert answer.frame.sec == 7
    assert 0.0 < answer.latency_s < patience(10.0)
    gpu.wait_for_owner(GpuState.OWNER_DETECTOR)
    assert gpu.is_detector_active()
    leased = [s for s in gpu.states if s.owner == GpuState.OWNER_LEASE]
    assert {s.epoch for s in leased} == {answer.lease_epoch}
    epochs = [s.epoch for s in gpu.states]
    assert epochs == sorted(epochs)
    assert read_epoch(folder / "gpu.epoch") > answer.lease_epoch, "the lease is void"
