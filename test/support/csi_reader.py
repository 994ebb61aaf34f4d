"""Read `csi:` where there is no Jetson: OpenCV's GStreamer is real, NVIDIA's end of it is replaced.

    python3 csi_reader.py URI GSTREAMER_SOURCE

Run by a Python whose OpenCV has GStreamer. What stands before the last conversion in the pipeline
of `csi:` becomes GSTREAMER_SOURCE. Answers each line on standard input:

    frame      the size of a frame that is captured from now on, or `none`
    status     whether it is connected, and the newest reason
"""

import sys

from semantic_detection_pkg.camera.reader import LatestFrameReader
from semantic_detection_pkg.camera.sources import csi
from semantic_detection_pkg.camera.sources.registry import open_camera


def main() -> int:
    uri, source = sys.argv[1:]
    whole = csi.pipeline

    def pipeline(parsed: object) -> str:
        nvidia, separator, rest = whole(parsed).partition("! videoconvert")  # type: ignore[arg-type]
        assert nvidia.startswith("nvarguscamerasrc ")
        return f"{source} {separator}{rest}"

    csi.pipeline = pipeline
    with LatestFrameReader(lambda: open_camera(uri)) as reader:
        for line in sys.stdin:
            if line.strip() == "frame":
                while reader.next_frame(0.0) is not None:
                    pass
                frame = reader.next_frame(10.0)
                answer = "none" if frame is None else f"{frame.width}x{frame.height}"
            else:
                answer = f"{reader.status.is_connected} {reader.status.last_error}"
            print(answer, flush=True)  # noqa: T201 - how it answers
    return 0


if __name__ == "__main__":
    sys.exit(main())
