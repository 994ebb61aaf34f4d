"""The detection curves of the model that is loaded, told to whoever computes with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rclpy.node import Node
from std_msgs.msg import Header

from interfaces_pkg.msg import DetectionCurves
from ros_support_pkg.edge import advertise
from ros_support_pkg.qos import STATE
from semantic_detection_pkg.common.core import detection_curve
from semantic_detection_pkg.common.core.looks import WayOfLooking
from semantic_detection_pkg.detector.backends.curve_file import read_curves
from semantic_detection_pkg.errors import ConfigurationError


class CurvePublisher:
    """Publishes the curves beside a model, at the threshold in force; none: that there are none."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._publisher = advertise(node, DetectionCurves, "detector/curves", STATE)
        self._model = Path()
        self._confidence = -1.0
        self._curves = detection_curve.assumed_curves()
        self._ways: tuple[WayOfLooking, ...] = ()

    def tell(self, model: Path, confidence: float) -> None:
        """Read and publish the curves of a model.

        Raises:
            ConfigurationError: see `read_curves`.
        """
        curves = read_curves(model, confidence)
        self._model, self._confidence = model, confidence
        if curves is None:
            self._node.get_logger().info(
                f"{model.name}: no detection curves beside it, POD is assumed; "
                "python tools/measure_detector measures them"
            )
        self._publish(curves or detection_curve.assumed_curves(model.name, confidence))

    def retell(self, confidence: float) -> None:
        """Publish the curves at another threshold, where it is another one."""
        if confidence == self._confidence:
            return
        try:
            self.tell(self._model, confidence)
        except ConfigurationError as error:  # the file was changed since the model was loaded
            self._node.get_logger().error(str(error))
            self._confidence = confidence
            self._publish(detection_curve.assumed_curves(self._model.name, confidence))

    def offer(self, ways: tuple[WayOfLooking, ...]) -> None:
        """Publish the ways of looking that can be asked for, where they are others than before."""
        if ways != self._ways:
            self._ways = ways
            self._publish(self._curves)

    def _publish(self, curves: detection_curve.DetectionCurves) -> None:
        self._curves = curves
        told = replace(curves, ways=self._ways)
        stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(to_detection_curves(told, Header(stamp=stamp)))


def to_detection_curves(curves: detection_curve.DetectionCurves, header: Header) -> DetectionCurves:
    """Return the curves that were measured as a message."""
    measured = [one for one in curves.classes if one.is_measured]
    return DetectionCurves(
        header=header,
        model=curves.model,
        confidence=curves.confidence,
        is_dependence_measured=curves.is_dependence_measured,
        within=curves.dependence.within,
        between=curves.dependence.between,
        group_s=curves.dependence.group_s,
        class_names=[one.class_name for one in measured],
        p_max=[one.curve.p_max for one in measured],
        size_50_px=[one.curve.size_50_px for one in measured],
        width=[one.curve.width for one in measured],
        ceiling=[one.curve.ceiling for one in measured],
        blur_px=[one.curve.blur_px for one in measured],
        things=[one.things for one in measured],
        false_alarms_per_look=[one.false_alarms_per_look for one in measured],
        way_names=[one.name for one in curves.ways],
        way_gains=[one.gain for one in curves.ways],
        way_whole_gains=[one.whole_gain for one in curves.ways],
        way_shares=[one.share for one in curves.ways],
        way_frame_s=[one.frame_s for one in curves.ways],
    )
