"""Single messages of finished segments, found by topic and time through the file's index.

Chunks that hold none of them are not read. What is wrong with a file is said in one line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from mcap.reader import make_reader

from semantic_detection_pkg.common.core.serialised import stamp_of
from semantic_detection_pkg.errors import ConfigurationError


@dataclass(frozen=True)
class FoundMessage:
    """One message as it was recorded.

    Attributes:
        type_name: "interfaces_pkg/msg/Finding".
        definition: of the type, with those it needs, as MCAP's encoding "ros2msg" has it.
        received_ns: [ns] since the epoch.
        data: CDR.
    """

    type_name: str
    definition: str
    received_ns: int
    data: bytes

    @property
    def stamp_ns(self) -> int:
        """[ns] since the epoch, of a message that begins with a header; 0: it is too short."""
        return stamp_of(self.data)

    def read(self) -> Any:
        """Return the message as an object with the fields of its type, as the file defines it.

        Raises:
            ConfigurationError: its bytes are no such message.
        """
        try:
            store = _types_of(self.definition, self.type_name)
            return store.deserialize_cdr(self.data, self.type_name)
        except Exception as error:  # whatever the library stumbles over in damaged bytes
            raise ConfigurationError(f"a message is no {self.type_name}: {error!r}") from error


def messages_in(
    path: Path, topics: Collection[str], start_ns: int | None = None, stop_ns: int | None = None
) -> Iterator[FoundMessage]:
    """Yield the messages of topics in a segment, in the order of receiving.

    Args:
        topics: full names.
        start_ns, stop_ns: [ns] receive time, from the one and before the other; None: no limit.

    Raises:
        ConfigurationError: the file cannot be read, or is damaged.
    """
    try:
        with path.open("rb") as file:
            found = make_reader(file).iter_messages(
                list(topics), starting_at=start_ns, ending_before=stop_ns
            )
            for schema, _, message in found:
                if schema is not None:
                    definition = schema.data.decode()
                    yield FoundMessage(schema.name, definition, message.log_time, message.data)
    except OSError as error:
        raise ConfigurationError(f"segment {path}: {error.strerror or error}") from error
    except Exception as error:
        raise ConfigurationError(f"segment {path} is damaged: {error!r}") from error


@lru_cache(maxsize=16)
def _types_of(definition: str, type_name: str) -> Any:
    # Takes long to import; who has no recording needs none of it.
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.EMPTY)
    store.register(get_types_from_msg(definition, type_name))
    return store
