"""The demo detector: a small anchor-free segmentation network with a contrastive class head.

Outputs follow the raw layout of a YOLOE-seg export; class words are an input (see
`semantic_detection_pkg.detector.core.vocabulary` for the side file and the formula).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDES = (8, 16, 32)
MASK_CHANNELS = 32
EMBEDDING_SIZE = 64
CLASS_CHANNELS = 64  # before the last 1x1 convolution of the class branch
_MAX_LOG_SIDE = 4.5  # a side reaches at most e^4.5 = 90 strides from its anchor


class ConvUnit(nn.Sequential):
    """Convolution, batch normalisation, ReLU: runtimes on a CPU fuse all three."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class SplitBlock(nn.Module):
    """Half of the channels pass, the other half go through residual pairs of convolutions."""

    def __init__(self, inputs: int, outputs: int, pairs: int = 1) -> None:
        super().__init__()
        half = outputs // 2
        self.enter = ConvUnit(inputs, 2 * half, 1)
        self.pairs = nn.ModuleList(
            nn.Sequential(ConvUnit(half, half), ConvUnit(half, half)) for _ in range(pairs)
        )
        self.leave = ConvUnit((2 + pairs) * half, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        parts = list(self.enter(x).chunk(2, dim=1))
        for pair in self.pairs:
            parts.append(parts[-1] + pair(parts[-1]))
        return self.leave(torch.cat(parts, dim=1))


class PoolPyramid(nn.Module):
    """Wide context at the coarsest level: repeated 5x5 maxima side by side."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter = ConvUnit(channels, channels // 2, 1)
        self.leave = ConvUnit(2 * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        parts = [self.enter(x)]
        for _ in range(3):
            parts.append(functional.max_pool2d(parts[-1], 5, 1, 2))
        return self.leave(torch.cat(parts, dim=1))


class Backbone(nn.Module):
    """Picture to features at strides 8, 16, 32, merged down and up again."""

    channels = (64, 96, 128)

    def __init__(self) -> None:
        super().__init__()
        c3, c4, c5 = self.channels
        self.stem = nn.Sequential(ConvUnit(3, 16, 3, 2), ConvUnit(16, 32, 3, 2))
        self.down3 = nn.Sequential(ConvUnit(32, c3, 3, 2), SplitBlock(c3, c3))
        self.down4 = nn.Sequential(ConvUnit(c3, c4, 3, 2), SplitBlock(c4, c4, 2))
        self.down5 = nn.Sequential(ConvUnit(c4, c5, 3, 2), SplitBlock(c5, c5), PoolPyramid(c5))
        self.merge4 = SplitBlock(c5 + c4, c4)
        self.merge3 = SplitBlock(c4 + c3, c3)
        self.fall4 = ConvUnit(c3, c3, 3, 2)
        self.join4 = SplitBlock(c3 + c4, c4)
        self.fall5 = ConvUnit(c4, c4, 3, 2)
        self.join5 = SplitBlock(c4 + c5, c5)

    def forward(self, images: Tensor) -> list[Tensor]:
        p3 = self.down3(self.stem(images))
        p4 = self.down4(p3)
        p5 = self.down5(p4)
        p4 = self.merge4(torch.cat([_double(p5), p4], dim=1))
        p3 = self.merge3(torch.cat([_double(p4), p3], dim=1))
        p4 = self.join4(torch.cat([self.fall4(p3), p4], dim=1))
        p5 = self.join5(torch.cat([self.fall5(p4), p5], dim=1))
        return [p3, p4, p5]


class LevelHead(nn.Module):
    """Boxes, class features and mask coefficients of one level.

    `project`, `norm`, `log_gain` and `bias` are the contrastive part: they meet the embeddings in
    training, and are folded into the vocabulary's weights outside the exported graph.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.box = nn.Sequential(ConvUnit(channels, 32), nn.Conv2d(32, 4, 1))
        self.features = ConvUnit(channels, CLASS_CHANNELS)
        self.masks = nn.Sequential(ConvUnit(channels, 32), nn.Conv2d(32, MASK_CHANNELS, 1))
        self.project = nn.Conv2d(CLASS_CHANNELS, EMBEDDING_SIZE, 1)
        self.norm = nn.BatchNorm2d(EMBEDDING_SIZE)
        self.log_gain = nn.Parameter(torch.tensor(-1.0))
        self.bias = nn.Parameter(torch.tensor(-6.0))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(boxes (B, 4, n), class features (B, CLASS_CHANNELS, h, w), coefficients (B, 32, n))."""
        return self.box(x).flatten(2), self.features(x), self.masks(x).flatten(2)

    def similarity(self, features: Tensor, embeddings: Tensor) -> Tensor:
        """(B, K, n) logits of K embeddings (K, EMBEDDING_SIZE), for training."""
        described = self.norm(self.project(features)).flatten(2)
        return self.log_gain.exp() * torch.matmul(embeddings, described) + self.bias


class Detector(nn.Module):
    """Features, heads and mask prototypes."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.heads = nn.ModuleList(LevelHead(channels) for channels in Backbone.channels)
        c3 = Backbone.channels[0]
        self.proto_enter = ConvUnit(c3, 32)
        self.proto_leave = nn.Sequential(ConvUnit(32, 32), nn.Conv2d(32, MASK_CHANNELS, 1))

    def prototypes(self, p3: Tensor) -> Tensor:
        """(B, 32, H/4, W/4) mask prototypes."""
        return self.proto_leave(_double(self.proto_enter(p3)))

    def forward(self, images: Tensor, embeddings: Tensor) -> tuple[Tensor, ...]:
        """For training: (boxes (B, A, 4) x0 y0 x1 y1 in input pixels, logits (B, A, K),
        coefficients (B, A, 32), prototypes)."""
        levels = self.backbone(images)
        boxes, logits, coefficients = [], [], []
        for head, level, stride in zip(self.heads, levels, STRIDES, strict=True):
            raw, features, masks = head(level)
            points = anchor_points(level.shape[2], level.shape[3], stride)[None]
            boxes.append(decode_boxes(raw.float(), points, stride))
            logits.append(head.similarity(features, embeddings).float())
            coefficients.append(masks.float())
        corner_boxes = torch.cat(boxes, dim=2).transpose(1, 2)
        return (
            corner_boxes,
            torch.cat(logits, dim=2).transpose(1, 2),
            torch.cat(coefficients, dim=2).transpose(1, 2),
            self.prototypes(levels[0]).float(),
        )


class ExportedDetector(nn.Module):
    """The graph that is exported: the classes come in as `cls_w` and `cls_b`."""

    def __init__(self, detector: Detector, height: int, width: int) -> None:
        """height, width: [px] of the input; the anchors become constants of the graph."""
        super().__init__()
        self.detector = detector
        self.anchors = [anchor_points(height // s, width // s, s)[None] for s in STRIDES]

    def forward(self, images: Tensor, cls_w: Tensor, cls_b: Tensor) -> tuple[Tensor, Tensor]:
        """(output0 (1, 4 + N_max + 32, A), output1 (1, 32, H/4, W/4))."""
        levels = self.detector.backbone(images)
        outputs = []
        for index, (head, level) in enumerate(zip(self.detector.heads, levels, strict=True)):
            raw, features, masks = head(level)
            near, far = decode_boxes(raw, self.anchors[index], STRIDES[index]).split(2, dim=1)
            centre = torch.cat([(near + far) / 2, far - near], dim=1)
            logits = torch.matmul(cls_w[index], features.flatten(2)) + cls_b[index][:, None]
            outputs.append(torch.cat([centre, logits.sigmoid(), masks], dim=1))
        return torch.cat(outputs, dim=2), self.detector.prototypes(levels[0])


def anchor_points(height: int, width: int, stride: int) -> Tensor:
    """(2, height * width) x, y [px] of the middles of a level's cells, row by row."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return (torch.stack([x, y]).flatten(1) + 0.5) * stride


def decode_boxes(raw: Tensor, points: Tensor, stride: int) -> Tensor:
    """(B, 4, n) x0 y0 x1 y1 [px] from the logarithms of the four distances, in strides, to the
    anchors (1, 2, n) [px]."""
    reach = raw.clamp(-6.0, _MAX_LOG_SIDE).exp() * stride
    return torch.cat([points - reach[:, :2], points + reach[:, 2:]], dim=1)


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")
