"""Exact simplifications of a graph, and the order in which they run."""

from __future__ import annotations

from hwaccel.ir import Graph
from hwaccel.passes.base import Chapter, Observer, Pass, Pipeline, run_passes
from hwaccel.passes.drop_dead import DropDead
from hwaccel.passes.fold_batchnorm import FoldBatchnorm
from hwaccel.passes.fuse_requant import FuseRequant
from hwaccel.passes.merge_equal import MergeEqual
from hwaccel.passes.merge_gathers import MergeGathers
from hwaccel.passes.narrow_types import NarrowTypes
from hwaccel.passes.prune_channels import PruneChannels
from hwaccel.passes.stream_flatten import StreamFlatten
from hwaccel.passes.trim_kernels import TrimKernels

PIPELINE = Pipeline(
    (
        Chapter(
            "clean",
            (
                # First: whatever is dead has readers that hold back every later pass.
                DropDead(),
                # Before fuse, which matches values that one node reads.
                MergeEqual(),
                # Before fuse, which does not look through what only moves elements.
                MergeGathers(),
            ),
        ),
        Chapter(
            "fuse",
            (
                # Before requants merge: a scale between dense and requant hides the one from
                # the other.
                FoldBatchnorm(),
                FuseRequant(),
            ),
        ),
        Chapter(
            "narrow",
            (
                # Before narrow_types: the channels that go may be the widest.
                PruneChannels(),
                # Behind prune_channels, which may take the last weight of a row.
                TrimKernels(),
                NarrowTypes(),
                # Behind narrow_types, which turns clips into identities; before stream_flatten,
                # which looks only through what is left between flatten and dense.
                FuseRequant(),
                StreamFlatten(),
            ),
        ),
    )
)


def optimize(graph: Graph, observer: Observer | None = None) -> Graph:
    """Return ``graph`` simplified by ``PIPELINE``, the same in every bit of every output.

    ``observer`` is called with the number of the change, the name of the pass and the graph;
    first with 0, ``input`` and the graph as given.

    Raises:
        VerifyError: the graph, or a pass, breaks a rule of the IR.
    """
    return PIPELINE.run(graph, observer=observer)


__all__ = ["PIPELINE", "Chapter", "Observer", "Pass", "Pipeline", "optimize", "run_passes"]
