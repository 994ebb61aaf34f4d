"""Work that other threads hand to a node's executor.

A callback that waits for another thread would hold the executor's; as a coroutine it awaits a
`Future` instead, which the executor itself completes:

    async def answer(self, request, response):
        future = Future()
        begin(request, lambda found: self._jobs.put(lambda: future.set_result(found)))
        response.message = await future
        return response

So one thread is enough for a node. With several, rclpy's `MultiThreadedExecutor` turns in circles
while a message waits for a thread: on Fast DDS the subscription's events, which stay in its set of
things to wait for, are triggered by the same message (ros2/rclpy#1223).
"""

from collections import deque
from collections.abc import Callable

from rclpy.node import Node


class ExecutorJobs:
    """A queue into the executor of a node."""

    def __init__(self, node: Node) -> None:
        self._jobs: deque[Callable[[], object]] = deque()
        # Of the node, so that it is there as long as the node, unlike the executor's own.
        self._wake = node.create_guard_condition(self._work)

    def put(self, job: Callable[[], object]) -> None:
        """Have the executor call `job` soon, in their order; any thread may call this."""
        self._jobs.append(job)
        self._wake.trigger()

    def _work(self) -> None:
        while self._jobs:
            self._jobs.popleft()()
