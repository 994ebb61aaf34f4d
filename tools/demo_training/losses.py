"""Which anchors answer for which thing, and what a wrong answer costs.

Assignment: task-aligned (Feng et al. 2021, "TOOD"); boxes: complete IoU (Zheng et al. 2020);
masks: cross-entropy inside the box by prototypes (Bolya et al. 2019, "YOLACT").
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

_TOP_ANCHORS = 10
_SCORE_POWER, _OVERLAP_POWER = 0.5, 6.0
_BOX_WEIGHT, _CLASS_WEIGHT, _MASK_WEIGHT = 7.5, 0.7, 4.0
_MAX_MASKS = 128  # anchors whose masks are compared in one batch
_EPS = 1e-7


class Targets(NamedTuple):
    """Labels of a batch, padded to the same number n of things.

    Attributes:
        boxes: (B, n, 4) x0 y0 x1 y1 [px].
        classes: (B, n) int64.
        is_real: (B, n) bool, False for padding.
        masks: (B, H/4, W/4) uint8, 1 + index of the thing.
    """

    boxes: Tensor
    classes: Tensor
    is_real: Tensor
    masks: Tensor


class Assignment(NamedTuple):
    """What each anchor should say: index of its thing (B, A), -1 for none, and its score (B, A)."""

    owner: Tensor
    score: Tensor


def detection_loss(
    outputs: tuple[Tensor, ...], anchors: Tensor, targets: Targets, generator: torch.Generator
) -> tuple[Tensor, dict[str, float]]:
    """Loss of a batch, and its parts for the log. anchors: (A, 2) [px]."""
    boxes, logits, coefficients, prototypes = outputs
    with torch.no_grad():
        assigned = assign(boxes, logits.sigmoid(), anchors, targets)
    is_owned = assigned.owner >= 0
    wanted = torch.zeros_like(logits)
    batch, anchor = is_owned.nonzero(as_tuple=True)
    thing = assigned.owner[batch, anchor]
    weight = assigned.score[batch, anchor]
    wanted[batch, anchor, targets.classes[batch, thing]] = weight
    total = weight.sum().clamp(min=1.0)
    class_loss = (
        functional.binary_cross_entropy_with_logits(logits, wanted, reduction="sum") / total
    )
    if len(batch) == 0:
        return class_loss * _CLASS_WEIGHT, {"class": class_loss.item()}
    overlap = complete_iou(boxes[batch, anchor], targets.boxes[batch, thing])
    box_loss = ((1.0 - overlap) * weight).sum() / total
    chosen = torch.randperm(len(batch), generator=generator)[:_MAX_MASKS]
    mask_loss = _mask_loss(
        coefficients[batch[chosen], anchor[chosen]],
        prototypes,
        batch[chosen],
        thing[chosen],
        targets,
    )
    loss = _BOX_WEIGHT * box_loss + _CLASS_WEIGHT * class_loss + _MASK_WEIGHT * mask_loss
    parts = {"box": box_loss.item(), "class": class_loss.item(), "mask": mask_loss.item()}
    return loss, parts


def assign(boxes: Tensor, scores: Tensor, anchors: Tensor, targets: Targets) -> Assignment:
    """Give each thing its best anchors; an anchor wanted by several takes the best overlap."""
    count = targets.boxes.shape[1]
    x0, y0, x1, y1 = targets.boxes[:, :, None].unbind(-1)
    x, y = anchors[None, None].unbind(-1)
    is_inside = (x > x0) & (x < x1) & (y > y0) & (y < y1) & targets.is_real[..., None]
    # A thing smaller than a cell may hold no anchor: the nearest few then stand in.
    reach = (x - (x0 + x1) / 2).abs() + (y - (y0 + y1) / 2).abs()
    nearest = torch.zeros_like(is_inside).scatter_(2, reach.topk(2, largest=False).indices, True)
    has_few = is_inside.sum(-1, keepdim=True) < 2
    candidates = (is_inside | (nearest & has_few)) & targets.is_real[..., None]
    overlap = pairwise_iou(targets.boxes, boxes)
    by_class = scores.transpose(1, 2).gather(
        1, targets.classes[..., None].expand(-1, -1, scores.shape[1])
    )
    metric = (by_class.clamp(min=1e-4) ** _SCORE_POWER) * (overlap + 1e-4) ** _OVERLAP_POWER
    metric = metric * candidates
    best = metric.topk(min(_TOP_ANCHORS, metric.shape[2])).indices
    is_chosen = torch.zeros_like(candidates).scatter_(2, best, True) & candidates
    contested = torch.where(is_chosen, overlap + 1e-6, torch.zeros_like(overlap))
    strongest, owner = contested.max(dim=1)
    owner = torch.where(strongest > 0, owner, torch.full_like(owner, -1))
    is_kept = functional.one_hot(owner.clamp(min=0), count).bool().transpose(1, 2) & is_chosen
    is_kept &= (owner >= 0)[:, None]
    kept_metric = metric * is_kept
    top_metric = kept_metric.amax(dim=2, keepdim=True)
    top_overlap = (overlap * is_kept).amax(dim=2, keepdim=True)
    score = (kept_metric / (top_metric + 1e-12) * top_overlap).amax(dim=1)
    return Assignment(owner, score.clamp(0.0, 1.0))


def pairwise_iou(first: Tensor, second: Tensor) -> Tensor:
    """(B, n, A) IoU of (B, n, 4) and (B, A, 4) boxes."""
    low = torch.maximum(first[:, :, None, :2], second[:, None, :, :2])
    high = torch.minimum(first[:, :, None, 2:], second[:, None, :, 2:])
    inter = (high - low).clamp(min=0).prod(-1)
    area_first = (first[..., 2:] - first[..., :2]).clamp(min=0).prod(-1)
    area_second = (second[..., 2:] - second[..., :2]).clamp(min=0).prod(-1)
    return inter / (area_first[:, :, None] + area_second[:, None] - inter + _EPS)


def complete_iou(boxes: Tensor, wanted: Tensor) -> Tensor:
    """(n,) IoU less a penalty for distance and for another aspect ratio."""
    low = torch.maximum(boxes[:, :2], wanted[:, :2])
    high = torch.minimum(boxes[:, 2:], wanted[:, 2:])
    inter = (high - low).clamp(min=0).prod(-1)
    size, wanted_size = boxes[:, 2:] - boxes[:, :2], wanted[:, 2:] - wanted[:, :2]
    iou = inter / (size.prod(-1) + wanted_size.prod(-1) - inter + _EPS)
    hull = torch.maximum(boxes[:, 2:], wanted[:, 2:]) - torch.minimum(boxes[:, :2], wanted[:, :2])
    offset = (boxes[:, :2] + boxes[:, 2:] - wanted[:, :2] - wanted[:, 2:]) / 2
    distance = offset.square().sum(-1) / (hull.square().sum(-1) + _EPS)
    slant = torch.atan(wanted_size[:, 0] / (wanted_size[:, 1] + _EPS))
    aspect = (4 / math.pi**2) * (slant - torch.atan(size[:, 0] / (size[:, 1] + _EPS))).square()
    with torch.no_grad():
        trade = aspect / (1 - iou + aspect + _EPS)
    return iou - distance - trade * aspect


def _mask_loss(
    coefficients: Tensor, prototypes: Tensor, batch: Tensor, thing: Tensor, targets: Targets
) -> Tensor:
    """Cross-entropy of each anchor's mask inside its thing's box, every thing counting alike."""
    height, width = prototypes.shape[2:]
    # Image by image: gathering the prototypes of each anchor would copy them hundreds of times.
    order = batch.argsort(stable=True)
    coefficients, batch, thing = coefficients[order], batch[order], thing[order]
    counts = torch.bincount(batch, minlength=len(prototypes)).tolist()
    parts = [
        own @ image.flatten(1)
        for own, image in zip(coefficients.split(counts), prototypes, strict=True)
    ]
    logits = torch.cat(parts).view(-1, height, width)
    wanted = (targets.masks[batch] == (thing + 1)[:, None, None]).float()
    x0, y0, x1, y1 = (targets.boxes[batch, thing] / 4.0)[:, :, None, None].unbind(1)
    x = torch.arange(width) + 0.5
    y = (torch.arange(height) + 0.5)[:, None]
    # Half a cell of margin: a thing of a few pixels has an inside and an edge, too.
    is_inside = ((x > x0 - 0.5) & (x < x1 + 0.5) & (y > y0 - 0.5) & (y < y1 + 0.5)).float()
    loss = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    return ((loss * is_inside).sum((1, 2)) / is_inside.sum((1, 2)).clamp(min=1.0)).mean()
