"""Exact simplifications of a graph, and the order in which they run."""

from __future__ import annotations

from hwaccel.ir import Graph
from hwaccel.passes.base import Chapter, Observer, Pass, Pipeline, run_passes
from hwaccel.passes.drop_dead import DropDead
from hwaccel.passes.fold_batchnorm import FoldBatchnorm
from hwaccel.passes.fuse_requant import FuseRequant
from hwaccel.passes.merge_equal import MergeEqual
from hwaccel.passes.narrow_types import NarrowTypes
from hwaccel.passes.prune_channels import PruneChannels
from hwaccel.passes.stream_flatten import StreamFlatten

PIPELINE = Pipeline(
    (
        Chapter("clean", (DropDead(), MergeEqual())),
        Chapter("fuse", (FoldBatchnorm(), FuseRequant())),
        Chapter(
            "narrow", (PruneChannels(), NarrowTypes(), FuseRequant(), StreamFlatten(), MergeEqual())
        ),
    )
)


def optimize(graph: Graph, observer: Observer | None = None) -> Graph:
    """Run the pipeline; see ``Pipeline.run``."""
    return PIPELINE.run(graph, observer=observer)


__all__ = ["PIPELINE", "Chapter", "Observer", "Pass", "Pipeline", "optimize", "run_passes"]
