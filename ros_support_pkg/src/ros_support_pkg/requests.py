"""Requests to other nodes that end in any case: with an answer, or given up after a while.

An answer may never come: the server has died, or its middleware dropped the answer (Fast DDS does
so to a client whose reader it has not discovered within 100 ms). rclpy waits for it for ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.action import ActionClient
from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future

from ros_support_pkg.core.message_rules import check_message
from ros_support_pkg.edge import refuse
from ros_support_pkg.timers import every

_PERIOD_S = 0.1  # how late a request may be given up

Take = Callable[[Any], None]
GiveUp = Callable[[str], None]


@dataclass(eq=False)
class _Open:
    """A request without an answer; times are on the monotonic clock."""

    name: str
    timeout_s: float
    until_s: float
    give_up: GiveUp
    send_again: Callable[[], None] | None = None
    again_s: float = 0.0


class Requests:
    """The requests of one node. All calls, and all callbacks, belong to its executor's thread.

    To that thread alone: rclpy's action client sends a goal before it notes that it did, and throws
    away an answer that another thread handles in between (ros2/rclpy#1123).
    """

    def __init__(self, node: Node) -> None:
        """Wait for nothing yet."""
        self._node = node
        self._open: set[_Open] = set()
        self._timer = every(node, _PERIOD_S, self._look)
        self._timer.cancel()  # runs only while something is open

    @property
    def count(self) -> int:
        """How many requests have no answer yet."""
        return len(self._open)

    def call(
        self,
        client: Client,
        request: Any,
        timeout_s: float,
        take: Take,
        give_up: GiveUp,
        *,
        is_repeatable: bool = False,
    ) -> None:
        """Call a service: `take` gets the answer or `give_up`, after `timeout_s`, the reason.

        An answer that holds what it may not, or that `take` refuses by a ValueError, is given up.
        What was given up is forgotten; the server may still carry it out.

        Args:
            is_repeatable: the server may carry it out twice; after half of the time it is sent
                again, and the answer that comes first counts.
        """
        futures: list[Future] = []

        def forget(reason: str) -> None:
            for future in futures:
                future.cancel()
            give_up(reason)

        def answered(future: Future) -> None:
            if future.cancelled() or one not in self._open:
                return
            self._open.remove(one)
            for other in futures:
                other.cancel()
            self._hand_over(client.srv_name, future.result(), take, give_up)

        def send() -> None:
            futures.append(client.call_async(request))
            futures[-1].add_done_callback(answered)

        one = self._watch(client.srv_name, timeout_s, forget)
        if is_repeatable:
            one.send_again, one.again_s = send, time.monotonic() + timeout_s / 2
        send()

    def send_goal(
        self,
        client: ActionClient,
        name: str,
        goal: Any,
        timeout_s: float,
        take: Take,
        give_up: GiveUp,
    ) -> None:
        """Send a goal: `take` gets its handle, accepted or not, or `give_up` the reason.

        A goal that is accepted after it was given up is cancelled.
        """
        future = client.send_goal_async(goal)
        one = self._watch(name, timeout_s, give_up)

        def answered(_: Future) -> None:
            handle = future.result()
            if one in self._open:
                self._open.remove(one)
                take(handle)
            elif handle is not None and handle.accepted:
                handle.cancel_goal_async()

        future.add_done_callback(answered)

    def _hand_over(self, name: str, answer: Any, take: Take, give_up: GiveUp) -> None:
        try:
            check_message(answer)
            take(answer)
        except (ValueError, OverflowError) as error:
            refuse(self._node, name, str(error))
            give_up(f"{name}: {error}")

    def _watch(self, name: str, timeout_s: float, give_up: GiveUp) -> _Open:
        if not self._open:
            self._timer.reset()
        one = _Open(name, timeout_s, time.monotonic() + timeout_s, give_up)
        self._open.add(one)
        return one

    def _look(self) -> None:
        now_s = time.monotonic()
        for one in list(self._open):
            if now_s >= one.until_s:
                self._open.discard(one)
                one.give_up(f"{one.name}: no answer within {one.timeout_s:g} s")
            elif one.send_again is not None and now_s >= one.again_s:
                send, one.send_again = one.send_again, None
                send()
        if not self._open:
            self._timer.cancel()
