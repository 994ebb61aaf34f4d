"""How a node gets frames: the newest, in its executor, whatever goes wrong with the transport."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from patience import patience

pytest.importorskip(
    "rclpy", reason="rclpy is missing: make setup has it from wheels, a sourced ROS brings its own"
)

import rclpy
from fake_transport import FakeTransport
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from spinning import Spinning

from semantic_detection_pkg.camera.ros.frames import ReaderSubscription
from semantic_detection_pkg.common.core.frame import Frame
from semantic_detection_pkg.errors import FrameError

TIMEOUT_S = patience(10.0)


class Consumer:
    """A node with a subscription, and what it was given; `is_free` cleared keeps it busy."""

    def __init__(self, domain_id: int) -> None:
        self.transport = FakeTransport()
        self.frames: list[Frame] = []
        self.errors: list[Exception] = []
        self.is_free = threading.Event()
        self.is_free.set()
        self._happened = threading.Condition()
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain_id)
        self.node = Node("consumer", context=self._context, use_global_arguments=False)
        self.subscription = ReaderSubscription(
            self.node, self.transport, self._on_frame, self._on_error
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._spinning = Spinning(self._executor)

    def close(self) -> None:
        self.is_free.set()
        self._spinning.close()
        self.subscription.destroy()
        self.node.destroy_node()
        self._context.try_shutdown()

    def wait_for(self, condition) -> None:
        with self._happened:
            assert self._happened.wait_for(condition, TIMEOUT_S)

    def _on_frame(self, frame: Frame) -> None:
        self._note(self.frames, frame)
        assert self.is_free.wait(TIMEOUT_S)

    def _on_error(self, error: Exception) -> None:
        self._note(self.errors, error)

    def _note(self, notes: list, note: object) -> None:
        with self._happened:
            notes.append(note)
            self._happened.notify_all()


@pytest.fixture
def consumer(ros_domain: dict[str, str]) -> Iterator[Consumer]:
    consumer = Consumer(int(ros_domain["ROS_DOMAIN_ID"]))
    yield consumer
    consumer.close()


def frame(number: int) -> Frame:
    return Frame(1 + number, number, np.zeros((2, 2, 3), np.uint8))


def test_a_busy_node_gets_the_newest_and_never_a_queue(consumer: Consumer) -> None:
    consumer.is_free.clear()
    consumer.transport.send(frame(0))
    consumer.wait_for(lambda: len(consumer.frames) == 1)
    for number in range(1, 20):
        consumer.transport.send(frame(number))
    consumer.is_free.set()
    consumer.wait_for(lambda: consumer.frames[-1].sequence == 19)
    assert len(consumer.frames) <= 3  # one may have been on its way
    assert len(consumer.frames) + consumer.subscription.dropped == 20


def test_bad_frames_are_reported_and_good_ones_follow(consumer: Consumer) -> None:
    consumer.transport.is_bad = True
    consumer.transport.send(frame(0))
    consumer.wait_for(lambda: consumer.errors)
    consumer.transport.is_bad = False
    consumer.transport.send(frame(1))
    consumer.wait_for(lambda: consumer.frames)
    assert [type(error) for error in consumer.errors] == [FrameError]
    assert [one.sequence for one in consumer.frames] == [1]


def test_nothing_is_delivered_after_destroy(consumer: Consumer) -> None:
    consumer.transport.send(frame(0))
    consumer.wait_for(lambda: consumer.frames)
    consumer.subscription.destroy()
    consumer.transport.send(frame(1))
    consumer.node.executor.wake()
    consumer.subscription.destroy()
    assert [one.sequence for one in consumer.frames] == [0]
