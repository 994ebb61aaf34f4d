"""The nodes of a whole robot, as `robot.launch.yaml` names them."""

#: Its core; `tak` and `vehicle` are optional.
ROBOT_NODES = (
    "gimbal_driver",
    "camera",
    "detector",
    "gpu_arbiter",
    "vlm_bridge",
    "scan_controller",
    "recorder",
    "health_monitor",
    "dashboard",
)
