"""Spanning trees of points, as skeletons and clouds of points are turned into."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.optics import Matrix

Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class SpanningTree:
    """The longest connected part of a graph of n points, without cycles.

    Attributes:
        points: (n, 2).
        neighbours: of each point, the indices of those next to it in the tree; empty for points
            that are not part of it.
    """

    points: Matrix
    neighbours: list[list[int]]

    def ends(self) -> list[int]:
        """Return the points with one neighbour."""
        return [index for index, near in enumerate(self.neighbours) if len(near) == 1]

    def branches(self) -> list[int]:
        """Return the points with three or more neighbours."""
        return [index for index, near in enumerate(self.neighbours) if len(near) >= 3]

    def chain(self, start: int, towards: int) -> list[int]:
        """Return the way from a point through its neighbour up to the next end or branch."""
        chain = [start, towards]
        while len(self.neighbours[chain[-1]]) == 2:
            first, second = self.neighbours[chain[-1]]
            chain.append(second if first == chain[-2] else first)
        return chain

    def chains(self) -> list[list[int]]:
        """Return all chains between ends and branches, each once."""
        knots = [*self.ends(), *self.branches()]
        chains = [self.chain(knot, near) for knot in knots for near in self.neighbours[knot]]
        return [chain for chain in chains if chain[0] < chain[-1]]

    def length(self, way: list[int]) -> float:
        """Return the length of a way."""
        steps = np.diff(self.points[way], axis=0)
        return float(np.hypot(steps[:, 0], steps[:, 1]).sum())

    def remove(self, dropped: set[int]) -> SpanningTree:
        """Return the tree without some of its points."""
        neighbours = [
            [] if index in dropped else [other for other in near if other not in dropped]
            for index, near in enumerate(self.neighbours)
        ]
        return SpanningTree(self.points, neighbours)

    def longest_way(self) -> list[int]:
        """Return the points of its longest way from end to end; empty without points.

        The farthest point from anywhere is an end of it, and the farthest from there is the other.
        """
        alive = [index for index, near in enumerate(self.neighbours) if near]
        if not alive:
            return []
        far = self._farthest(alive[0])[-1]
        return self._farthest(far)

    def _farthest(self, start: int) -> list[int]:
        """Return the way from a point to the farthest one."""
        points: list[list[float]] = self.points.tolist()
        before: dict[int, int] = {start: start}
        reach = {start: 0.0}
        stack = [start]
        while stack:
            here = stack.pop()
            for near in self.neighbours[here]:
                if near not in before:
                    before[near] = here
                    reach[near] = reach[here] + math.dist(points[here], points[near])
                    stack.append(near)
        way = [max(reach, key=lambda index: reach[index])]
        while way[-1] != start:
            way.append(before[way[-1]])
        return way[::-1]


def build_spanning_tree(points: Matrix, pairs: Indices) -> SpanningTree:
    """Return the longest part of the minimum spanning tree of points (n, 2), edges (k, 2)."""
    from scipy.sparse import coo_matrix  # see `scan.preloading`
    from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

    count = len(points)
    steps = points[pairs[:, 0]] - points[pairs[:, 1]]
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    graph = coo_matrix((lengths, (pairs[:, 0], pairs[:, 1])), (count, count)).tocsr()
    tree = minimum_spanning_tree(graph).tocoo()
    parts, labels = connected_components(tree, directed=False)
    neighbours: list[list[int]] = [[] for _ in range(count)]
    if len(tree.data):
        sums = np.bincount(labels[tree.row], tree.data, parts)
        kept = labels[tree.row] == int(sums.argmax())
        for first, second in zip(tree.row[kept].tolist(), tree.col[kept].tolist(), strict=True):
            neighbours[first].append(second)
            neighbours[second].append(first)
    return SpanningTree(points, neighbours)
