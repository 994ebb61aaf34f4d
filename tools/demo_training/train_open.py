"""Trains the open branch behind the frozen detector, by episodes of many made-up kinds.

A batch has windows of pictures, of some kinds two or more each. Every thing that is whole in its
window is shown as an example, and so is the mean of several of a kind; each is looked for in all
windows but its own. What is like it from afar, the decoy of a thing, is neither right nor wrong.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from demo_training.frozen import TENSORS
from demo_training.kind_pictures import Features, Picture
from demo_training.network import STRIDES
from demo_training.open_branch import SIZE, OpenBranch, class_embeddings
from demo_training.samples import INPUT_HEIGHT, INPUT_WIDTH
from simulation_pkg.core.world.things import DECOY_NAMES

WINDOW = 320  # [px] of a picture's width
EXAMPLE_PX = 14.0  # longer side of an example's box, at least
UNASKED = frozenset({"tree", "fir"})  # the frozen boxes of them are no good
_KINDS, _WINDOWS_OF_KIND = 8, 2
_PER_KIND, _MOST_EXAMPLES, _MOST_MEANS = 4, 64, 24
_HARD, _RANDOM = 120, 120  # anchors of nothing, of each window
_PEAK_RATE = 4e-3
_SHARPNESS = 12.0  # of the comparison with the kinds' own vectors
_SURE_IOU = 0.4  # from which an anchor surely shows a thing
_MASK_STRIDE = 8


class _Example(NamedTuple):
    window: int
    kind: str
    box: NDArray[np.float32]  # in the window [px]


class _Batch(NamedTuple):
    """Windows: tensors of the frozen detector, and what their A' anchors show.

    Attributes:
        owner_kind: (B, A') index into `kinds`, -1: nothing.
        numbers: (K) of `kinds` among all.
        quality: (B, A').
    """

    tensors: dict[str, Tensor]
    owner_kind: NDArray[np.int64]
    quality: NDArray[np.float32]
    kinds: list[str]
    numbers: Tensor
    examples: list[_Example]


def train_open(
    pictures: Sequence[Picture],
    features: Features,
    bias: NDArray[np.float32],
    steps: int,
    seed: int,
) -> OpenBranch:
    """Return the branch after `steps` episodes.

    Args:
        pictures, features: what the detector makes of pictures.
        bias: (L) of the detector's head, from its vocabulary.
        steps: episodes.
        seed: of everything drawn by lot.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    branch = OpenBranch()
    branch.bias.copy_(torch.from_numpy(bias))
    shelf = Shelf(pictures, features)
    proxies = nn.Parameter(functional.normalize(torch.randn(len(shelf.kinds), SIZE), dim=1))
    kernels = [p for p in branch.parameters() if p.ndim > 1]
    others = [proxies, *(p for p in branch.parameters() if p.ndim <= 1)]
    groups = [{"params": kernels, "weight_decay": 0.02}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=_PEAK_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, _PEAK_RATE, total_steps=steps, pct_start=0.1
    )
    began, told = time.monotonic(), []
    for step in range(1, steps + 1):
        loss = _loss(branch, proxies, shelf.batch(rng), rng)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(branch.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        told.append(loss.item())
        if step % 50 == 0:
            seconds = time.monotonic() - began
            print(f"{step}/{steps}  loss {np.mean(told[-50:]):.3f}  {seconds:.0f} s", flush=True)
    return branch.eval()


class Shelf:
    """Pictures, and where the things of each kind are."""

    def __init__(self, pictures: Sequence[Picture], features: Features) -> None:
        self.pictures, self.features = pictures, features
        self.kinds = sorted({kind for picture in pictures for kind in picture.kinds})
        self._numbers = {kind: number for number, kind in enumerate(self.kinds)}
        self.places: dict[str, list[tuple[int, int]]] = {}
        for number, picture in enumerate(pictures):
            sides = (picture.boxes[:, 2:] - picture.boxes[:, :2]).max(1, initial=0.0)
            for thing, kind in enumerate(picture.kinds):
                if sides[thing] >= EXAMPLE_PX and kind not in UNASKED:
                    self.places.setdefault(kind, []).append((number, thing))
        self.made = [k for k, of in self.places.items() if len(of) > 1 and k.startswith("made_up")]
        self.known = [k for k, of in self.places.items() if len(of) > 1 and k not in self.made]

    def batch(self, rng: np.random.Generator) -> _Batch:
        """Return windows around things of some kinds, mostly made-up ones."""
        chosen = [str(k) for k in rng.choice(self.made, _KINDS - 1, replace=False)]
        chosen.append(str(rng.choice(self.known)))
        windows = []
        for kind in chosen:
            places = self.places[kind]
            for index in rng.choice(len(places), _WINDOWS_OF_KIND, replace=False):
                number, thing = places[int(index)]
                box = self.pictures[number].boxes[thing]
                middle = (box[0] + box[2]) / 2 + rng.uniform(-0.35, 0.35) * WINDOW
                left = int(np.clip(middle - WINDOW / 2, 0, INPUT_WIDTH - WINDOW)) // 32 * 32
                if box[0] < left or box[2] > left + WINDOW:
                    middle = (box[0] + box[2]) / 2
                    left = int(np.clip(middle - WINDOW / 2, 0, INPUT_WIDTH - WINDOW)) // 32 * 32
                windows.append((number, left))
        return self._windows(windows, chosen, rng)

    def _windows(
        self, windows: list[tuple[int, int]], chosen: list[str], rng: np.random.Generator
    ) -> _Batch:
        kinds = sorted({k for number, _ in windows for k in self.pictures[number].kinds})
        code = {kind: index for index, kind in enumerate(kinds)}
        owners, qualities, examples = [], [], []
        for row, (number, left) in enumerate(windows):
            picture = self.pictures[number]
            codes = np.array([*(code[kind] for kind in picture.kinds), -1], np.int64)
            owner, quality = _cut(picture.owner, left), _cut(picture.quality, left)
            owners.append(codes[owner])
            qualities.append(quality)
            for kind, box in zip(picture.kinds, picture.boxes, strict=True):
                own = box - np.array((left, 0, left, 0), np.float32)
                side = (box[2:] - box[:2]).max()
                is_whole = own[0] >= -4 and own[2] <= WINDOW + 4
                if is_whole and side >= EXAMPLE_PX and kind not in UNASKED:
                    examples.append(_Example(row, kind, own))
        tensors = [self.features.window(number, left, WINDOW) for number, left in windows]
        stacked = {
            name: torch.from_numpy(np.stack([one[name] for one in tensors])).float()
            for name in TENSORS
        }
        taken = _spread(examples, chosen, rng)
        numbers = torch.tensor([self._numbers[kind] for kind in kinds])
        return _Batch(stacked, np.stack(owners), np.stack(qualities), kinds, numbers, taken)


def _spread(
    examples: list[_Example], chosen: list[str], rng: np.random.Generator
) -> list[_Example]:
    """Return some examples: few of each kind, the chosen kinds first."""
    counts: dict[str, int] = {}
    taken = []
    order = sorted(rng.permutation(len(examples)), key=lambda i: examples[i].kind not in chosen)
    for index in order:
        one = examples[index]
        counts[one.kind] = counts.get(one.kind, 0) + 1
        if counts[one.kind] <= _PER_KIND:
            taken.append(one)
    return taken[:_MOST_EXAMPLES]


def _cut(values: NDArray, left: int) -> NDArray:
    """Return the anchors' values of a window."""
    parts, start = [], 0
    for stride in STRIDES:
        rows, columns = INPUT_HEIGHT // stride, INPUT_WIDTH // stride
        grid = values[start : start + rows * columns].reshape(rows, columns)
        parts.append(grid[:, left // stride : (left + WINDOW) // stride].ravel())
        start += rows * columns
    return np.concatenate(parts)


def box_mask(box: NDArray[np.floating], width: int) -> NDArray[np.float32]:
    """Return (H/8, width/8), as `detector.core.example_view` makes it."""
    rows, columns = INPUT_HEIGHT // _MASK_STRIDE, width // _MASK_STRIDE
    x0, y0, x1, y1 = (float(value) / _MASK_STRIDE for value in box)
    across, down = np.arange(columns), np.arange(rows)
    inside_x = (across >= x0) & (across < x1)
    inside_y = (down >= y0) & (down < y1)
    if not inside_x.any():
        inside_x[int(np.clip((x0 + x1) / 2, 0, columns - 1))] = True
    if not inside_y.any():
        inside_y[int(np.clip((y0 + y1) / 2, 0, rows - 1))] = True
    return (inside_y[:, None] & inside_x).astype(np.float32)


def example_vectors(branch: OpenBranch, mixed: list[Tensor], examples: list[_Example]) -> Tensor:
    """Return (n, SIZE) of length 1."""
    count = [0] * len(mixed[0])
    places = []
    for one in examples:
        places.append((one.window, count[one.window]))
        count[one.window] += 1
    masks = np.zeros((len(count), max(count), INPUT_HEIGHT // 8, WINDOW // 8), np.float32)
    for place, one in zip(places, examples, strict=True):
        masks[place] = box_mask(one.box, WINDOW)
    windows, numbers = torch.tensor(places).unbind(dim=1)
    return branch.pool(mixed, torch.from_numpy(masks))[windows, numbers]


def _loss(branch: OpenBranch, proxies: Tensor, batch: _Batch, rng: np.random.Generator) -> Tensor:
    mixed = branch.mix(batch.tensors)
    described = torch.cat([one.flatten(2) for one in branch.describe(mixed)], dim=2)
    level = torch.repeat_interleave(
        torch.arange(len(STRIDES)), torch.tensor([one.shape[2] * one.shape[3] for one in mixed])
    )
    vectors = example_vectors(branch, mixed, batch.examples)
    asked, sources, kinds = _columns(vectors, batch, rng)
    offsets = branch.offsets[level]
    with torch.no_grad():
        whole = torch.einsum("bsa,ks->bak", described, asked[:, :-1]) + offsets[None, :, None]
        chosen = _chosen(whole.amax(dim=2), torch.from_numpy(batch.owner_kind), rng)
    window, anchor = chosen
    own = described[window, :, anchor]
    reached = torch.cat([own, branch.against_constant()[level[anchor]][:, None]], dim=1)
    logits = reached @ asked.T + branch.bias[level[anchor]][:, None]
    owner = torch.from_numpy(batch.owner_kind)[window, anchor]
    quality = torch.from_numpy(batch.quality)[window, anchor]
    target = torch.where(owner[:, None] == kinds[None], quality[:, None], 0.0)
    weight = 1.0 - sources[:, window].T.float()
    weight = weight * (1.0 - _alike(batch.kinds)[owner][:, kinds] * (owner >= 0)[:, None])
    # As "varifocal" (Zhang et al. 2021): what is surely nothing counts little.
    score = logits.detach().sigmoid()
    focus = torch.where(target > 0, 0.5 + target, score.pow(1.5))
    each = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    episode = (each * weight * focus).sum() / (target * weight).sum().clamp(min=1.0)
    shown = torch.tensor([batch.kinds.index(one.kind) for one in batch.examples])
    is_sure = quality >= _SURE_IOU
    return (
        episode
        + _against_proxies(own[is_sure], batch.numbers[owner[is_sure]], proxies)
        + _against_proxies(vectors, batch.numbers[shown], proxies)
    )


def _against_proxies(vectors: Tensor, numbers: Tensor, proxies: Tensor) -> Tensor:
    """Return how badly vectors tell their kinds from all others, by each kind's own vector.

    It gives every anchor something to learn from in each step, and both sides, anchors and
    examples, the same aims (Movshovitz-Attias et al. 2017, "No fuss distance metric learning").
    """
    units = functional.normalize(vectors, dim=1), functional.normalize(proxies, dim=1)
    return functional.cross_entropy(_SHARPNESS * units[0] @ units[1].T, numbers)


def _columns(
    vectors: Tensor, batch: _Batch, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what is asked for.

    Returns:
        Embeddings (K, SIZE + 1), whether a window was their source (K, B), kinds (K).
    """
    code = {kind: index for index, kind in enumerate(batch.kinds)}
    groups = [[index] for index in range(len(batch.examples))]
    by_kind: dict[str, list[int]] = {}
    for index, one in enumerate(batch.examples):
        by_kind.setdefault(one.kind, []).append(index)
    several = [of for of in by_kind.values() if len(of) > 1]
    for _ in range(_MOST_MEANS if several else 0):
        of = several[int(rng.integers(len(several)))]
        count = min(int(rng.integers(2, 4)), len(of))
        groups.append([int(i) for i in rng.choice(of, count, replace=False)])
    mixture = torch.zeros(len(groups), len(vectors))
    sources = torch.zeros(len(groups), len(batch.owner_kind), dtype=torch.bool)
    for row, group in enumerate(groups):
        mixture[row, group] = 1.0 / len(group)
        sources[row, [batch.examples[i].window for i in group]] = True
    kinds = torch.tensor([code[batch.examples[group[0]].kind] for group in groups])
    return class_embeddings(vectors, mixture), sources, kinds


def _chosen(best: Tensor, owner: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return windows and anchors: all that show a thing, the worst others, some at random."""
    is_chosen = owner >= 0
    free = best.masked_fill(is_chosen, -torch.inf)
    is_chosen.scatter_(1, free.topk(_HARD, dim=1).indices, True)
    rows, anchors = best.shape
    some = torch.from_numpy(rng.integers(0, anchors, (rows, _RANDOM)))
    is_chosen.scatter_(1, some, True)
    window, anchor = is_chosen.nonzero(as_tuple=True)
    return window, anchor


def _alike(kinds: list[str]) -> Tensor:
    """Return (n + 1, n) 1 where a kind is the decoy of another; the last row is nothing."""
    found = torch.zeros(len(kinds) + 1, len(kinds))
    code = {kind: index for index, kind in enumerate(kinds)}
    for pair in DECOY_NAMES.items():
        if pair[0] in code and pair[1] in code:
            found[code[pair[0]], code[pair[1]]] = found[code[pair[1]], code[pair[0]]] = 1.0
    return found
