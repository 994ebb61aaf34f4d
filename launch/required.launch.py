"""Required processes under `ros2 launch`: the end of one is the end of all, with its exit status.

The YAML frontend of Humble has no attribute for it, so such a process carries
LAUNCH_ON_EXIT=shutdown in its environment (`set_env`, `env`). The status goes to
$TMPDIR/exit_status, from where `bringup` takes it: `ros2 launch` itself ends with 0 after a
shutdown. The workspace's own runner does both by itself and does not read this file.
"""

import os
from pathlib import Path

from launch.actions import EmitEvent, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.events.process import ProcessExited

from launch import LaunchContext, LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Return the handler; it counts for whatever the including file starts."""
    return LaunchDescription([RegisterEventHandler(OnProcessExit(on_exit=_end_if_required))])


def _end_if_required(event: ProcessExited, context: LaunchContext) -> list[EmitEvent] | None:
    marked = (event.env or {}).get("LAUNCH_ON_EXIT") == "shutdown"
    if not marked or context.is_shutdown:
        return None
    code = event.returncode
    folder = os.environ.get("TMPDIR")
    if folder:
        (Path(folder) / "exit_status").write_text(f"{128 - code if code < 0 else code}\n")
    return [EmitEvent(event=Shutdown(reason=f"{event.process_name} has ended"))]
