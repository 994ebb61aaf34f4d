"""Ask the vision-language model whether something is in a picture.

python examples/ask_vlm.py PICTURE.jpg tent

The bridge gets the GPU for the question and gives it back, whatever happens: nothing to do here.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import rclpy
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from interfaces_pkg.action import AskVlm
from interfaces_pkg.msg import VlmAnswer

VERDICTS = {VlmAnswer.VERDICT_YES: "yes", VlmAnswer.VERDICT_NO: "no"}


def ask(node: Node, jpeg: bytes, class_name: str, timeout_s: float) -> VlmAnswer | None:
    """Put a question; return the answer, None where nobody takes questions."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    client = ActionClient(node, AskVlm, "vlm/ask")
    if not client.wait_for_server(timeout_s):
        return None
    goal = AskVlm.Goal(class_name=class_name, timeout_s=timeout_s)
    goal.crop.format, goal.crop.data = "jpeg", jpeg
    goal.crop.header.stamp = node.get_clock().now().to_msg()  # names the picture in the answer
    sent = client.send_goal_async(goal)
    executor.spin_until_future_complete(sent)
    if not sent.result().accepted:
        return None
    result = sent.result().get_result_async()
    executor.spin_until_future_complete(result)
    answer: VlmAnswer = result.result().result.answer
    return answer


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path, help="a JPEG file")
    parser.add_argument("class_name", help="what to look for, in a word or two")
    parser.add_argument("--timeout-s", type=float, default=60.0)
    options, ros_arguments = parser.parse_known_args()
    rclpy.init(args=ros_arguments)
    node = Node("picture_asker")
    try:
        answer = ask(node, options.picture.read_bytes(), options.class_name, options.timeout_s)
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    if answer is None:
        print("nobody takes questions on vlm/ask; is vlm_bridge running?", file=sys.stderr)
        return 1
    # Late, missing or unreadable answers are unsure, never "no"; `cause` says which.
    verdict = VERDICTS.get(answer.verdict, f"unsure ({answer.cause or 'so it said'})")
    print(f"{verdict}, confidence {answer.confidence:.2f}: {answer.reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
