"""The demo's second look: the row that finds things, the network that says how alike two cuts are.

The row is a word without a name, fitted to the frozen detector's features. The network is trained
on cuts of made-up kinds: those of one kind shall be alike, all others and the ground shall not
(supervised contrastive loss, Khosla et al. 2020, arXiv:2004.11362, equation 2).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import onnx
import torch
from model_export.onnx_file import export_onnx
from model_export.text_files import write_network
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from demo_training.example_samples import CUT_MARGIN, CUT_PX
from demo_training.files import DETECTOR_FILE
from demo_training.network import EMBEDDING_SIZE, ConvUnit
from demo_training.open_export import CHECKPOINT
from semantic_detection_pkg.detector.backends.example_encoder import SUFFIX
from semantic_detection_pkg.detector.core.shown_words import LIKENESS, THING
from semantic_detection_pkg.detector.core.vocabulary import SIDE_FILE_SUFFIX

_WIDTHS = (16, 32, 64, 96)
_EDGE = 2  # cells of the second layer that are not looked at for colour: surroundings
_TEMPERATURE = 0.08
_KINDS, _CUTS_OF_KIND, _GROUND = 32, 4, 40  # in a batch
_PEAK_RATE, _WEIGHT_DECAY, _WARM_STEPS = 2e-3, 1e-3, 50
_LEAST_CUTS = 4  # of a kind that is trained with
_SHIFT_PX, _SMALLEST_PX = 1.5, 16
_SHRINK = 1e-4  # of the row that finds things
_CALIBRATION_SEED = 7
_TOLD_STEPS = 100


class LookNetwork(nn.Module):
    """From cuts (n, 3, CUT_PX, CUT_PX), RGB 0..1, to embeddings (n, EMBEDDING_SIZE) of length 1."""

    def __init__(self) -> None:
        super().__init__()
        first, second, third, last = _WIDTHS
        self.fine = nn.Sequential(
            ConvUnit(3, first, 3, 2), ConvUnit(first, second, 3, 2), _Pair(second)
        )
        self.coarse = nn.Sequential(
            ConvUnit(second, third, 3, 2), _Pair(third), ConvUnit(third, last, 3, 2), _Pair(last)
        )
        self.surface = nn.Linear(2 * second, last)
        self.leave = nn.Linear(3 * last, EMBEDDING_SIZE)

    def forward(self, cuts: Tensor) -> Tensor:
        fine = self.fine(cuts)
        coarse = self.coarse(fine)
        # Mean and spread of the first layers: what a thing's surface is like, wherever.
        inner = fine[:, :, _EDGE:-_EDGE, _EDGE:-_EDGE].flatten(2)
        mean = inner.mean(dim=2)
        spread = ((inner - mean[:, :, None]) ** 2).mean(dim=2).add(1e-6).sqrt()
        surface = functional.relu(self.surface(torch.cat([mean, spread], dim=1)))
        both = torch.cat([coarse.mean(dim=(2, 3)), coarse.amax(dim=(2, 3)), surface], dim=1)
        return functional.normalize(self.leave(both), dim=1)


class _Pair(nn.Module):
    """Two convolutions, and what went in added."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter = ConvUnit(channels, channels)
        self.leave = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.leave(self.enter(x)))


class Cuts(NamedTuple):
    """Of several worlds: cuts (n, CUT_PX, CUT_PX, 3) uint8 BGR, their kinds' names (n,), the worlds
    (n,) that they are of, and ground (m, CUT_PX, CUT_PX, 3)."""

    cuts: NDArray[np.uint8]
    names: NDArray[np.str_]
    worlds: NDArray[np.int64]
    ground: NDArray[np.uint8]


def read_cuts(paths: Sequence[Path]) -> Cuts:
    """Read what `example_samples` wrote."""
    files = [np.load(path) for path in paths]
    worlds = [np.full(len(file["names"]), int(file["seed"])) for file in files]
    parts = ("cuts", "names", "ground")
    cuts, names, ground = (np.concatenate([file[part] for file in files]) for part in parts)
    return Cuts(cuts, names, np.concatenate(worlds), ground)


def fit_thing(paths: Sequence[Path], vocabulary: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Return the embedding (D) whose score tells things from ground: logistic regression.

    Args:
        paths: of features.
        vocabulary: arrays of the frozen detector's side file.
    """
    files = [np.load(path) for path in paths]
    parts = ("thing_features", "ground_features", "thing_levels", "ground_levels")
    things, ground, *levels = (np.concatenate([file[part] for file in files]) for part in parts)
    features = torch.from_numpy(np.concatenate([things, ground]))
    level = torch.from_numpy(np.concatenate(levels))
    is_thing = torch.cat([torch.ones(len(things)), torch.zeros(len(ground))])
    weight = torch.where(is_thing > 0, 1.0 / len(things), 1.0 / len(ground)) * len(is_thing) / 2.0
    fold_w, fold_b, gain, bias = (
        torch.from_numpy(vocabulary[name]) for name in ("fold_w", "fold_b", "gain", "bias")
    )
    embedding = torch.zeros(len(fold_b[0]), requires_grad=True)
    solver = torch.optim.LBFGS([embedding], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        rows = gain[:, None] * (embedding @ fold_w)
        offsets = gain * (fold_b @ embedding) + bias
        logits = (features * rows[level]).sum(dim=1) + offsets[level]
        miss = functional.binary_cross_entropy_with_logits(logits, is_thing, reduction="none")
        value = (miss * weight).mean() + _SHRINK * (embedding**2).sum()
        value.backward()
        return value

    solver.step(loss)
    return embedding.detach().numpy()


def fold_thing(
    thing: NDArray[np.float32], vocabulary: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[np.float32]]:
    """Return the row's "w" (L, C) and "b" (L,), as the product folds a word."""
    gain = vocabulary["gain"]
    return {
        "w": gain[:, None] * (thing @ vocabulary["fold_w"]),
        "b": gain * (vocabulary["fold_b"] @ thing) + vocabulary["bias"],
    }


def train_look(cuts: Cuts, steps: int, seed: int) -> LookNetwork:
    """Return the network after so many batches."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = LookNetwork()
    optimizer = torch.optim.AdamW(network.parameters(), _PEAK_RATE, weight_decay=_WEIGHT_DECAY)
    rows = {name: np.flatnonzero(cuts.names == name) for name in np.unique(cuts.names)}
    kinds = [some for some in rows.values() if len(some) >= _LEAST_CUTS]
    began, mean_loss = time.monotonic(), 0.0
    for step in range(steps):
        wave = 0.5 * (1 + np.cos(np.pi * step / steps)) + 0.01
        for group in optimizer.param_groups:
            group["lr"] = _PEAK_RATE * wave * min(1.0, (step + 1) / _WARM_STEPS)
        chosen = rng.choice(len(kinds), _KINDS, replace=False)
        things = np.concatenate([_of_kind(kinds[kind], cuts.worlds, rng) for kind in chosen])
        ground = rng.choice(len(cuts.ground), _GROUND, replace=False)
        batch = np.concatenate([cuts.cuts[things], cuts.ground[ground]])
        of_kinds = np.repeat(np.arange(_KINDS), _CUTS_OF_KIND)
        labels = np.concatenate([of_kinds, -1 - np.arange(_GROUND)])
        loss = _contrast(network(_varied(batch, rng)), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        mean_loss += loss.item()
        if (step + 1) % _TOLD_STEPS == 0:
            seconds = time.monotonic() - began
            mean = mean_loss / _TOLD_STEPS
            print(f"batch {step + 1}/{steps}  loss {mean:.3f}  {seconds:.0f} s", flush=True)
            mean_loss = 0.0
    return network.eval()


def embed(network: LookNetwork, cuts: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (n, EMBEDDING_SIZE) of cuts as they are."""
    with torch.no_grad():
        parts = [network(_tensor(cuts[at : at + 256] / 255.0)) for at in range(0, len(cuts), 256)]
    return torch.cat(parts).numpy()


def fit_likeness(network: LookNetwork, cuts: Cuts) -> tuple[float, float]:
    """Return gain and offset: how likely a cut of the same worlds is of an example's kind.

    Args:
        cuts: of kinds that the network was not trained with.
    """
    rng = np.random.default_rng(_CALIBRATION_SEED)
    things, ground = embed(network, cuts.cuts), embed(network, cuts.ground)
    products, same = [], []
    for name in np.unique(cuts.names):
        own = np.flatnonzero(cuts.names == name)
        for example in rng.permutation(own)[:4] if len(own) >= _LEAST_CUTS else ():
            others = np.arange(len(things)) != example
            products += [things[others] @ things[example], ground @ things[example]]
            same += [(cuts.names == name)[others], np.zeros(len(ground), bool)]
    x = torch.from_numpy(np.concatenate(products))
    y = torch.from_numpy(np.concatenate(same)).float()
    found = torch.tensor([10.0, 0.7], requires_grad=True)
    solver = torch.optim.LBFGS([found], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        value = functional.binary_cross_entropy_with_logits(found[0] * (x - found[1]), y)
        value.backward()
        return value

    solver.step(loss)
    gain, offset = found.detach().tolist()
    return gain, offset


def write_thing(thing: NDArray[np.float32], folder: Path) -> None:
    """Write the row into the vocabulary."""
    _add_to_vocabulary(folder, {THING: thing})


def export_look(network: LookNetwork, likeness: tuple[float, float], folder: Path) -> Path:
    """Write the network beside the detector, its hash into the vocabulary; returns its path."""
    path = (folder / DETECTOR_FILE).with_suffix("").with_suffix(SUFFIX)
    draft = folder / ".look.onnx"
    names = (("crops",), ("embeddings",))
    cuts = torch.rand(2, 3, CUT_PX, CUT_PX)
    export_onnx(network.eval(), (cuts,), names, draft, {}, open_batch=("crops", "embeddings"))
    metadata = {
        "author": "semantic detection maintainers",
        "description": "Second look of the demo: how alike two cuts are",
        "license": "Apache-2.0",
        "prompt_model": CHECKPOINT,
        "kind": "look",
        "crop_margin": CUT_MARGIN,
    }
    digest = write_network(path, onnx.load(str(draft)), metadata)
    draft.unlink()
    numbers = np.array(likeness, np.float32)
    _add_to_vocabulary(folder, {LIKENESS: numbers, "example_encoder": np.array(digest)})
    return path


def read_vocabulary(folder: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of the demo detector's side file."""
    with np.load(_vocabulary(folder)) as file:
        return {name: file[name] for name in file.files}


def _add_to_vocabulary(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    np.savez(_vocabulary(folder), **{**read_vocabulary(folder), **arrays})


def _vocabulary(folder: Path) -> Path:
    model = folder / DETECTOR_FILE
    return model.with_name(model.stem + SIDE_FILE_SUFFIX)


def _of_kind(
    rows: NDArray[np.intp], worlds: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.intp]:
    """Return some cuts of a kind, of several worlds where there are."""
    taken: list[int] = []
    for world in rng.permutation(np.unique(worlds[rows]))[:_CUTS_OF_KIND]:
        taken.append(int(rng.choice(rows[worlds[rows] == world])))
    while len(taken) < _CUTS_OF_KIND:
        taken.append(int(rng.choice(rows)))
    return np.array(taken, np.intp)


def _contrast(embeddings: Tensor, labels: NDArray[np.int64]) -> Tensor:
    """Return the loss; labels below 0 are ground, which is like nothing."""
    count = len(labels)
    alike = embeddings @ embeddings.T / _TEMPERATURE - 1e9 * torch.eye(count)
    shares = alike - torch.logsumexp(alike, dim=1, keepdim=True)
    is_same = (labels[:, None] == labels[None]) & ~np.eye(count, dtype=bool)
    same = torch.from_numpy(is_same[labels >= 0])
    mine = shares[torch.from_numpy(labels >= 0)]
    return -((mine * same).sum(dim=1) / same.sum(dim=1)).mean()


def _varied(cuts: NDArray[np.uint8], rng: np.random.Generator) -> Tensor:
    """Return cuts mirrored, shifted, scaled, blurred and in other light."""
    varied = np.empty(cuts.shape, np.float32)
    middle = CUT_PX / 2.0
    for row, cut in enumerate(cuts):
        scale = np.exp(rng.normal(0, 0.08))
        across = scale * rng.choice([-1.0, 1.0])
        shift = rng.normal(0, _SHIFT_PX, 2)
        matrix = np.array(
            [
                [across, 0, middle * (1 - across) + shift[0]],
                [0, scale, middle * (1 - scale) + shift[1]],
            ]
        )
        size = (CUT_PX, CUT_PX)
        cut = cv2.warpAffine(cut, matrix, size, borderMode=cv2.BORDER_REFLECT_101)
        if rng.random() < 0.45:
            small = int(rng.integers(_SMALLEST_PX, CUT_PX))
            shrunk = cv2.resize(cut, (small, small), interpolation=cv2.INTER_AREA)
            cut = cv2.resize(shrunk, size, interpolation=cv2.INTER_LINEAR)
        light = np.exp(rng.normal(0, 0.08)) * np.exp(rng.normal(0, 0.03, 3))
        noise = rng.normal(0, rng.uniform(0, 5), cut.shape) + rng.normal(0, 4, 3)
        varied[row] = cut * light + noise
    return _tensor(np.clip(varied, 0, 255) / 255.0)


def _tensor(cuts: NDArray[np.floating]) -> Tensor:
    """Return BGR cuts (n, h, w, 3), 0..1, as RGB (n, 3, h, w)."""
    planes = cuts[..., ::-1].transpose(0, 3, 1, 2)
    return torch.from_numpy(np.ascontiguousarray(planes, np.float32))
