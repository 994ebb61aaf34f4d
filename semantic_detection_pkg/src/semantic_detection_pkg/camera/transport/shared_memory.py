"""Frames in shared memory over iceoryx2: pictures are written once and viewed by every reader.

A service holds the pixels (publish/subscribe, one writer), another one of the same name wakes the
readers (event). A reader's queue overflows to the newest; its own crash or the writer's costs
nobody else anything: whoever starts next removes what dead processes left. Each ROS domain has
files of its own, in `/dev/shm` and `ROOT` below it, that carry its number in their names.

All processes must have the same user id (the files are private to it). What is not memory lies in
`/dev/shm`, too: containers that share the one share the other, so a container that follows another
one finds what that left there, and whoever restarts the machine begins with neither.
"""

from __future__ import annotations

import ctypes
import os
import time
import weakref
from typing import Any

import iceoryx2 as iox
import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.camera.core.settings import FRAMES_HELD_MAX
from semantic_detection_pkg.common.core.frame import Frame
from semantic_detection_pkg.errors import ConfigurationError, FrameError

_MEMORY = "/dev/shm"
#: Where iceoryx2 keeps the files that are not memory, of this user.
ROOT = f"{_MEMORY}/iceoryx2-{os.getuid()}/"

_READERS_MAX = 8
_QUEUE = 2  # frames that wait for a reader; more would only be older
_BORROWED_MAX = FRAMES_HELD_MAX + 2  # the one at work, and the newer one that replaces it
#: The camera's thread writes one picture, the newest waits, one is being sent, one is dropped.
_LOANED_MAX = 5
#: Slots are used last in, first out: those never needed never take memory.
_SLOTS = _LOANED_MAX + FRAMES_HELD_MAX + 2 * _READERS_MAX * _QUEUE
#: What camera, detector and the frames that it keeps for a closer look take at once.
_SLOTS_IN_USE = 24
_FIRST_PICTURE_BYTES = 1920 * 1080 * 3  # larger ones are made room for when they come
_FRAME_ID_BYTES = 128

_IOX_ERRORS = (
    iox.NodeCreationFailure,
    iox.PublishSubscribeOpenOrCreateError,
    iox.EventOpenOrCreateError,
    iox.PublisherCreateError,
    iox.SubscriberCreateError,
    iox.ListenerCreateError,
    iox.NotifierCreateError,
    iox.SemanticStringError,
)

#: What iceoryx2 says of a wait that ended by EINTR; unlike Python, it does not wait on.
_INTERRUPTED = "InterruptSignal"

iox.set_log_level(iox.LogLevel.Fatal)  # what fails is raised, and our own line says it


class _Header(ctypes.Structure):
    """What goes with the pixels of a frame; BGR rows without gaps follow."""

    _fields_ = (
        ("stamp_ns", ctypes.c_uint64),
        ("captured_ns", ctypes.c_uint64),
        ("sequence", ctypes.c_uint64),
        ("height", ctypes.c_uint32),
        ("width", ctypes.c_uint32),
        ("frame_id", ctypes.c_char * _FRAME_ID_BYTES),
    )


class _Loan:
    """Memory that iceoryx2 lent for one picture; goes back when nobody refers to it."""

    def __init__(self, sample: Any) -> None:
        self.sample = sample
        self.address: int = sample.payload_ptr


class _Service:
    """What writer and readers of a topic share."""

    def __init__(self, domain_id: int, topic: str) -> None:
        config = iox.config.default()
        config.global_cfg.prefix = iox.FileName.new(f"frames{domain_id}_")
        config.global_cfg.root_path = iox.Path.new(ROOT)
        self.topic = topic
        name = iox.ServiceName.new(topic)
        self._node = (
            iox.NodeBuilder.new()
            .config(config)
            # Signals belong to the process, not to a library.
            .signal_handling_mode(iox.SignalHandlingMode.Disabled)
            .create(iox.ServiceType.Ipc)
        )
        self.frames = (
            self._node.service_builder(name)
            .publish_subscribe(iox.Slice[ctypes.c_uint8])
            .user_header(_Header)
            .max_publishers(1)
            .max_subscribers(_READERS_MAX)
            .max_nodes(2 * _READERS_MAX)
            .subscriber_max_buffer_size(_QUEUE)
            .subscriber_max_borrowed_samples(_BORROWED_MAX)
            .enable_safe_overflow(True)
            .history_size(1)  # keeps a sent frame readable for its sender until the next one
            .open_or_create()
        )
        self.news = (
            self._node.service_builder(name)
            .event()
            .max_notifiers(2 * _READERS_MAX)
            .max_listeners(_READERS_MAX)
            .max_nodes(2 * _READERS_MAX)
            .open_or_create()
        )


class SharedMemoryWriter:
    """A `FrameWriter`."""

    def __init__(self, domain_id: int, topic: str) -> None:
        """Become the one writer of a topic.

        Raises:
            ConfigurationError: there is another one, or shared memory cannot be used.
        """
        try:
            self._service: _Service | None = _Service(domain_id, topic)
            self._publisher = (
                self._service.frames.publisher_builder()
                .initial_max_slice_len(_FIRST_PICTURE_BYTES)
                .allocation_strategy(iox.AllocationStrategy.PowerOfTwo)
                .max_loaned_samples(_LOANED_MAX)
                .override_sample_preallocation(_SLOTS)
                .backpressure_strategy(iox.BackpressureStrategy.DiscardData)
                .create()
            )
            self._notifier = self._service.news.notifier_builder().create()
        except _IOX_ERRORS as error:
            raise _refusal(topic, error) from error
        self._topic = topic
        self._loans: weakref.WeakValueDictionary[int, _Loan] = weakref.WeakValueDictionary()
        self._slots: dict[int, int] = {}
        self._checked_bytes = 0

    def allocate(self, height: int, width: int) -> NDArray[np.uint8]:
        """See `FrameWriter`. Without shared memory to spare it is ordinary memory."""
        try:
            return self._lend(height, width)
        except FrameError:
            return np.empty((height, width, 3), np.uint8)

    def send(self, frame: Frame) -> int:
        """See `FrameWriter`."""
        frame_id = frame.frame_id.encode()
        if len(frame_id) >= _FRAME_ID_BYTES:
            raise FrameError(
                f"frame id of {len(frame_id)} bytes, at most {_FRAME_ID_BYTES - 1} are allowed"
            )
        loan = self._loan_of(frame.image)
        if loan is None:
            memory = self._lend(frame.height, frame.width)
            np.copyto(memory, frame.image)
            loan = self._loans[_address(memory)]
        sample, loan.sample = loan.sample.assume_init(), None
        header = sample.user_header().contents
        header.stamp_ns, header.sequence = frame.stamp_ns, frame.sequence
        header.captured_ns = frame.captured_ns
        header.height, header.width, header.frame_id = frame.height, frame.width, frame_id
        try:
            sample.send()
            self._notifier.notify()
        except (iox.SendError, iox.NotifierNotifyError) as error:
            raise FrameError(
                f"{self._topic}: frame {frame.stamp_ns} ns not sent: {error}"
            ) from None
        return self._slots.setdefault(loan.address, len(self._slots))

    def close(self) -> None:
        """See `FrameWriter`."""
        if self._service is not None:
            self._publisher.delete()
            self._notifier.delete()
            self._service = None

    def _lend(self, height: int, width: int) -> NDArray[np.uint8]:
        size = height * width * 3
        self._check_room(size)
        try:
            loan = _Loan(self._publisher.loan_slice_uninit(size))
        except iox.LoanError as error:
            raise FrameError(f"{self._topic}: no memory for a picture: {error}") from None
        self._loans[loan.address] = loan
        return _picture(loan.address, height, width, loan)

    def _loan_of(self, image: NDArray[np.uint8]) -> _Loan | None:
        """Return the loan that is exactly this picture, if it was not sent before."""
        loan = self._loans.get(_address(image))
        if loan is None or loan.sample is None or not image.flags.c_contiguous:
            return None
        return loan if loan.sample.payload().len() == image.size else None

    def _check_room(self, size: int) -> None:
        """Refuse what goes beyond the file system's end: it would end the process by SIGBUS."""
        if size <= self._checked_bytes:
            return
        room = os.statvfs(_MEMORY)
        free, needed = room.f_bavail * room.f_frsize, size * _SLOTS_IN_USE
        if free < needed:
            raise FrameError(
                f"{_MEMORY} has {free // 10**6} MB free, pictures of {size} bytes need "
                f"{needed // 10**6} MB; a container's is set by shm_size or ipc: host"
            )
        self._checked_bytes = size


class SharedMemoryReader:
    """A `FrameReader`."""

    def __init__(self, domain_id: int, topic: str) -> None:
        """Listen to a topic, whether its writer is there or not.

        Raises:
            ConfigurationError: shared memory cannot be used, or there are too many readers.
        """
        try:
            self._service: _Service | None = _Service(domain_id, topic)
            self._subscriber = (
                self._service.frames.subscriber_builder()
                .buffer_size(_QUEUE)
                .history_request(0)  # what was sent before is stale
                .create()
            )
            self._listener = self._service.news.listener_builder().create()
            self._interrupter = self._service.news.notifier_builder().create()
        except _IOX_ERRORS as error:
            raise _refusal(topic, error) from error
        self.dropped = 0
        self._next_sequence: int | None = None
        self._is_interrupted = False

    def receive(self, timeout_s: float) -> Frame | None:
        """See `FrameReader`."""
        end_s = time.monotonic() + timeout_s
        while not self._is_interrupted:
            # Every frame is followed by a wake-up, so none is missed by waiting first.
            left_s = end_s - time.monotonic()
            if left_s > 0.0:
                self._wait(left_s)
            sample = self._newest()
            if sample is not None:
                return self._frame(sample)
            if left_s <= 0.0:
                return None
        return None

    def interrupt(self) -> None:
        """See `FrameReader`."""
        self._is_interrupted = True
        self._interrupter.notify()  # wakes the other readers, too: they find nothing and wait on

    def close(self) -> None:
        """See `FrameReader`."""
        if self._service is not None:
            self._subscriber.delete()
            self._listener.delete()
            self._interrupter.delete()
            self._service = None

    def _wait(self, timeout_s: float) -> None:
        """Wait for news. A signal, or a stop and continue of the process, may end it early."""
        try:
            self._listener.timed_wait(iox.Duration.from_secs_f64(timeout_s))
        except iox.ListenerWaitError as error:
            if str(error) != _INTERRUPTED:
                raise

    def _newest(self) -> Any:
        newest = None
        try:
            while (sample := self._subscriber.receive()) is not None:
                newest = sample
        except iox.ReceiveError as error:
            if newest is None:
                raise FrameError(
                    f"no frame can be taken while {FRAMES_HELD_MAX} or more are kept: {error}"
                ) from None
        return newest

    def _frame(self, sample: Any) -> Frame:
        header = sample.user_header().contents
        height, width, size = header.height, header.width, sample.payload().len()
        if height * width * 3 != size:
            raise FrameError(f"frame of {width}x{height} BGR has {size} bytes")
        image = _picture(sample.payload_ptr, height, width, sample)
        image.flags.writeable = False
        expected = self._next_sequence
        if expected is not None and header.sequence > expected:
            self.dropped += header.sequence - expected
        self._next_sequence = header.sequence + 1
        try:
            frame_id = header.frame_id.decode()
            return Frame(
                header.stamp_ns, header.sequence, image, frame_id, captured_ns=header.captured_ns
            )
        except ValueError as error:
            raise FrameError(str(error)) from error


def _picture(address: int, height: int, width: int, owner: object) -> NDArray[np.uint8]:
    """Return a view of memory that keeps `owner`, whose memory it is, alive."""
    memory: Any = (ctypes.c_uint8 * (height * width * 3)).from_address(address)
    memory.owner = owner
    return np.frombuffer(memory, np.uint8).reshape(height, width, 3)


def _address(image: NDArray[np.uint8]) -> int:
    address: int = image.__array_interface__["data"][0]
    return address


def _refusal(topic: str, error: Exception) -> ConfigurationError:
    if "ExceedsMaxSupportedPublishers" in str(error):
        return ConfigurationError(f"{topic}: another camera sends there; one is allowed")
    return ConfigurationError(
        f"{topic}: frames cannot go by shared memory ({error}; {_MEMORY} and {ROOT} must belong "
        "to this user); frame_transport 'image' works without"
    )
