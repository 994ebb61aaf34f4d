"""Jobs of other threads run in the executor's, in their order, and wake it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest
import rclpy
from patience import patience
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future
from ros_graph import destroy

from ros_support_pkg.executor_jobs import ExecutorJobs

_LIMIT_S = patience(30.0)


@pytest.fixture
def spun(ros_domain: dict[str, str]) -> Iterator[tuple[SingleThreadedExecutor, ExecutorJobs]]:
    """The executor of a node that has nothing else to do, so that nothing else wakes it."""
    context = Context()
    rclpy.init(context=context)
    node = Node("worker", context=context, start_parameter_services=False)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    jobs = ExecutorJobs(node)
    spinning = threading.Thread(target=executor.spin, name="spinning", daemon=True)
    spinning.start()
    yield executor, jobs
    executor.shutdown()
    spinning.join(_LIMIT_S)
    destroy(node)
    context.try_shutdown()


def test_jobs_run_in_the_executors_thread_and_in_order(
    spun: tuple[SingleThreadedExecutor, ExecutorJobs],
) -> None:
    _, jobs = spun
    done = threading.Event()
    ran: list[tuple[int, str]] = []
    for number in range(1000):
        jobs.put(partial(lambda job: ran.append((job, threading.current_thread().name)), number))
    jobs.put(done.set)
    assert done.wait(_LIMIT_S)
    assert ran == [(number, "spinning") for number in range(1000)]


def test_a_coroutine_goes_on_when_another_thread_has_an_answer(
    spun: tuple[SingleThreadedExecutor, ExecutorJobs],
) -> None:
    executor, jobs = spun
    answered, future = threading.Event(), Future()
    answers: list[str] = []

    async def ask() -> None:
        answers.append(await future)
        answered.set()

    executor.create_task(ask)
    waits = threading.Event()
    jobs.put(waits.set)  # the executor has nothing to do but to wait
    assert waits.wait(_LIMIT_S)
    assert not answers
    jobs.put(lambda: future.set_result("found"))
    assert answered.wait(_LIMIT_S)
    assert answers == ["found"]
