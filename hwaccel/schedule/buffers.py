"""Size rings and FIFOs: start from the least that works, grow only where time is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from hwaccel.errors import ScheduleError
from hwaccel.schedule.blocks import Block, Fork, Reorder, Segment
from hwaccel.schedule.plan import Plan
from hwaccel.schedule.timing import Timing, run_timing

# Each trial runs the timing of the whole design. Above so many blocks there are too many buffers
# to try one by one, and as many as may change together are looked for by bisection.
_LARGE = 512
# Frames that are run to size buffers: at least, at most, and at most of those that are only short.
_FRAMES, _MOST_FRAMES, _MOST_SHORT = 4, 32, 256


def size_buffers(plan: Plan, frames: int = _FRAMES) -> Plan:
    """Return the plan with rings, skip buffers and FIFOs sized for the bottleneck's interval.

    Every ring gets the smallest depth at which its segment alone keeps up with the slowest one;
    the copies of a forked stream get a FIFO where a later join would otherwise deadlock or lose
    time. In the end no ring and no FIFO has a place without which all of ``frames_run`` frames
    leave as early, except in designs of more than 512 blocks: these are sized by what they hold.
    """
    if not plan.segments:
        return plan
    plan = _size_rings_alone(plan)
    run = frames_run(plan, frames)
    if run > frames:
        plan = _size_deep(plan, run)
    else:
        plan = _trim_forks(_grow_rings(_size_forks(plan, frames), frames), frames)
    return plan if len(plan.blocks) > _LARGE else _trim(plan, run)


def frames_run(plan: Plan, frames: int = _FRAMES) -> int:
    """Return how many frames are run to size buffers: more than are under way at once.

    Fewer would say of a FIFO that it is deep enough because it never had to hold more.
    """
    deep = _frames_under_way(plan)
    return frames if deep < frames else min(deep + 2, _MOST_FRAMES if _moves(plan) else _MOST_SHORT)


def _moves(plan: Plan) -> bool:
    """Tell whether some block waits for whole frames."""
    return any(isinstance(block, Reorder) for block in plan.blocks)


def _frames_under_way(plan: Plan) -> int:
    """Return how many frames are under way at once when one comes at each interval."""
    return _roomy(plan, 1).timing(1).latency // plan.bottleneck.cycles + 1


def _size_deep(plan: Plan, frames: int) -> Plan:
    """Size the copies' FIFOs by what they hold when frames come at the bottleneck's interval.

    What suffices for one way to run at some pace suffices for running as soon as possible: all
    times are maxima of earlier times. So nothing has to be searched for.
    """
    copies = fork_copies(plan)
    roomy = _roomy(plan, frames)
    names = {stream: f"{stream}_buffer" for stream in copies}
    used = _occupancy(roomy, list(names.values()), frames, plan.bottleneck.cycles)
    for stream in copies:
        plan = with_buffer(plan, stream, max(1, used[names[stream]]))
    plan = _grow_rings(plan, frames)
    bare = plan
    for stream in copies:
        bare = _without_buffer(bare, stream) if used[names[stream]] <= 1 else bare
    return bare if _interval(bare, frames) == _interval(plan, frames) else plan


def _size_rings_alone(plan: Plan) -> Plan:
    goal = plan.bottleneck.cycles
    for segment in plan.segments:
        if segment.window is None:
            continue
        plan = plan.replaced(segment, segment.with_ring(_ring_alone(segment, goal)))
    return plan


def _ring_alone(segment: Segment, goal: int) -> int:
    """Return the smallest ring with which the segment alone takes ``goal`` cycles or fewer."""
    assert segment.window is not None
    least, most = segment.window.min_depth(), 2 * segment.window.beats_in

    def keeps_up(depth: int) -> bool:
        return _interval_alone(segment.with_ring(depth)) <= goal

    return smallest(least, max(least, most), keeps_up)


def _interval_alone(segment: Segment, frames: int = 3) -> int:
    """Return the interval of a segment between an ideal source and an ideal sink."""
    assert segment.window is not None
    alone = replace(segment, inputs=("in",), outputs=("out",))
    return run_timing([alone], {"in": segment.window.beats_in}, ["out"], frames).interval


def smallest(least: int, most: int, good: Callable[[int], bool]) -> int:
    """Return the smallest depth that is good, or ``most``; goodness grows with depth."""
    step, low = 1, least
    while low < most and not good(low):
        least, low, step = low + 1, min(most, low + step), 2 * step
    high = low
    while least < high:
        middle = (least + high) // 2
        if good(middle):
            high = middle
        else:
            least = middle + 1
    return high


def _timing(plan: Plan, frames: int) -> Timing | None:
    """Return the timing; nothing where the design deadlocks."""
    try:
        return plan.timing(frames)
    except ScheduleError:
        return None


def _interval(plan: Plan, frames: int) -> int | None:
    timing = _timing(plan, frames)
    return timing.interval if timing else None


def _keeps(plan: Plan, goal: int | None, frames: int) -> bool:
    """Tell whether a plan does not deadlock and takes no longer than ``goal``."""
    interval = _interval(plan, frames)
    return interval is not None and goal is not None and interval <= goal


def with_buffer(plan: Plan, stream: str, depth: int) -> Plan:
    """Insert a FIFO of ``depth`` beats at the end of ``stream``, or resize the one there."""
    for block in plan.blocks:
        if isinstance(block, Segment) and not block.nodes and block.inputs == (stream,):
            return plan.replaced(block, block.with_depth(depth))
    source = plan.streams[stream]
    behind = f"{stream}_buffer"
    blocks: list[Block] = []
    for block in plan.blocks:
        moved = tuple(behind if name == stream else name for name in block.inputs)
        blocks.append(replace(block, inputs=moved))
        if stream in block.outputs:
            blocks.append(Segment(behind, (stream,), (behind,), (), None, (), source.beats, depth))
    streams = {**plan.streams, behind: replace(source, name=behind)}
    outputs = tuple(behind if name == stream else name for name in plan.outputs)
    return replace(plan, blocks=tuple(blocks), streams=streams, outputs=outputs)


def fork_copies(plan: Plan) -> list[str]:
    """Return the streams that leave forks, in order."""
    return [name for b in plan.blocks if isinstance(b, Fork) for name in b.outputs]


def _size_forks(plan: Plan, frames: int) -> Plan:
    """Give every copy room for two frames, then see how much of it is ever used."""
    copies = fork_copies(plan)
    if not copies:
        return plan
    roomy = _roomy(plan, 2)
    used = _occupancy(roomy, [f"{stream}_buffer" for stream in copies], frames)
    for stream in copies:
        plan = with_buffer(plan, stream, max(1, used[f"{stream}_buffer"]))
    return plan


def _roomy(plan: Plan, frames: int) -> Plan:
    for stream in fork_copies(plan):
        plan = with_buffer(plan, stream, frames * plan.streams[stream].beats + 2)
    return plan


def _occupancy(plan: Plan, buffers: list[str], frames: int, pace: int = 0) -> dict[str, int]:
    """Return the most beats each buffer holds, a credit counting until the cycle after its pop.

    A frame is offered every ``pace`` cycles.
    """
    beats = {name: plan.streams[name].beats for name in plan.inputs}
    arrivals = {n: [f * pace for f in range(frames) for _ in range(b)] for n, b in beats.items()}
    done = plan.run(frames, arrivals)
    most = {}
    for name in buffers:
        segment = next(s for s in plan.segments if s.name == name)
        ins, outs = (np.asarray(done.moved(n)) for n in (segment.inputs[0], name))
        gone = np.searchsorted(outs, ins)
        most[name] = int((np.arange(1, len(ins) + 1) - gone).max())
    return most


def _grow_rings(plan: Plan, frames: int) -> Plan:
    """Add rows to all rings while that shortens the interval, then take back what is not needed."""
    goal = plan.bottleneck.cycles
    small, best = plan, _interval(plan, frames)
    while best is None or best > goal:
        grown = plan
        for segment in plan.segments:
            grown = grown.replaced(segment, _one_row_more(segment))
        interval = _interval(grown, frames)
        if grown == plan or (interval or 0) >= (best or 1 << 62):
            break
        plan, best = grown, interval
    if best is None:
        plan.timing(frames)  # raises with the names of the blocks that wait
    return _taken_back(small, plan, best, frames)


def _taken_back(small: Plan, plan: Plan, goal: int | None, frames: int) -> Plan:
    """Give rings of ``plan`` the depth that they have in ``small`` where that costs no time."""
    grown = [b.name for b, now in zip(small.blocks, plan.blocks, strict=True) if b != now]

    def back(names: Sequence[str]) -> Plan:
        blocks = zip(small.blocks, plan.blocks, strict=True)
        made = tuple(before if now.name in names else now for before, now in blocks)
        return replace(plan, blocks=made)

    if len(plan.blocks) > _LARGE:
        return back(grown[: _most(len(grown), lambda n: _keeps(back(grown[:n]), goal, frames))])
    for name in grown:
        if _interval(back([name]), frames) == goal:
            plan = back([name])
    return plan


def _one_row_more(segment: Segment) -> Segment:
    issuer = segment.window
    if issuer is None:
        return segment
    row = issuer.width * issuer.beats
    most = max(issuer.depth, 2 * issuer.beats_in)
    return segment.with_ring(min(issuer.depth + row, most))


def _trim_forks(plan: Plan, frames: int) -> Plan:
    """Shrink every fork's buffers to the least that keeps the interval; drop useless ones."""
    goal = _interval(plan, frames)
    copies = fork_copies(plan)
    if len(plan.blocks) > _LARGE:
        return _trim_many(plan, copies, goal, frames)
    for stream in copies:
        bare = _without_buffer(plan, stream)
        plan = bare if _interval(bare, frames) == goal else _trimmed(plan, stream, goal, frames)
    return plan


def _trim_many(plan: Plan, copies: list[str], goal: int | None, frames: int) -> Plan:
    """Drop the buffers that hold the least, as many as may go, and shrink the others to need."""
    used = _occupancy(plan, [f"{stream}_buffer" for stream in copies], frames)
    copies = sorted(copies, key=lambda stream: used[f"{stream}_buffer"])

    def bare(count: int) -> Plan:
        return _without_buffers(plan, set(copies[:count]))

    plan = bare(_most(len(copies), lambda count: _keeps(bare(count), goal, frames)))
    kept = [s for s in plan.segments if not s.nodes]
    used = _occupancy(plan, [s.name for s in kept], frames)
    for buffer in kept:
        plan = plan.replaced(buffer, buffer.with_depth(max(1, used[buffer.name])))
    return plan


def _most(count: int, good: Callable[[int], bool]) -> int:
    """Return the largest number up to ``count`` that is good; 0 is, and goodness falls."""
    low, high = 0, count
    middle = count
    while low < high:
        low, high = (middle, high) if good(middle) else (low, middle - 1)
        middle = (low + high + 1) // 2
    return low


def _trimmed(plan: Plan, stream: str, goal: int | None, frames: int) -> Plan:
    name = f"{stream}_buffer"
    buffer = next(s for s in plan.segments if s.name == name)

    def enough(depth: int) -> bool:
        return _interval(plan.replaced(buffer, buffer.with_depth(depth)), frames) == goal

    used = _occupancy(plan, [name], frames)[name]
    if used > 1 and not enough(used - 1) and enough(used):
        return plan.replaced(buffer, buffer.with_depth(used))
    return plan.replaced(buffer, buffer.with_depth(smallest(1, buffer.depth, enough)))


def _trim(plan: Plan, frames: int) -> Plan:
    """Take back every place of a ring or FIFO without which no frame is later.

    Fewer places anywhere never make anything earlier, so what could not be taken back before the
    others were trimmed cannot be taken back after.
    """
    goal = plan.timing(frames).finished()
    for segment in plan.segments:
        plan = plan.replaced(segment, _trimmed_segment(plan, segment, frames, goal))
    return plan


def _trimmed_segment(plan: Plan, segment: Segment, frames: int, goal: tuple[int, ...]) -> Segment:
    def keeps_time(smaller: Segment) -> bool:
        trial = plan.replaced(segment, smaller)
        # Frames do not wait for later ones, so few frames tell of most places that are needed.
        return all(
            _finished(trial, count) == goal[:count]
            for count in sorted({min(_FRAMES, frames), frames})
        )

    depth = _least(1, segment.depth, lambda d: keeps_time(segment.with_depth(d)))
    shallow = segment.with_depth(depth)
    window = shallow.window
    if window is None:
        return shallow
    least = window.min_depth()
    return shallow.with_ring(
        _least(least, window.depth, lambda d: keeps_time(shallow.with_ring(d)))
    )


def _finished(plan: Plan, frames: int) -> tuple[int, ...] | None:
    timing = _timing(plan, frames)
    return timing.finished() if timing else None


def _least(least: int, enough: int, good: Callable[[int], bool]) -> int:
    """Return the smallest depth that is good, near ``enough``, which is; goodness grows."""
    step, high = 1, enough
    while high > least and good(max(least, high - step)):
        high = max(least, high - step)
        step *= 2
    low = max(least, high - step + 1)
    while low < high:
        middle = (low + high) // 2
        if good(middle):
            high = middle
        else:
            low = middle + 1
    return high


def _without_buffer(plan: Plan, stream: str) -> Plan:
    return _without_buffers(plan, {stream})


def _without_buffers(plan: Plan, streams: set[str]) -> Plan:
    back = {f"{stream}_buffer": stream for stream in streams}
    blocks = [
        replace(b, inputs=tuple(back.get(n, n) for n in b.inputs))
        for b in plan.blocks
        if b.name not in back
    ]
    kept = {name: s for name, s in plan.streams.items() if name not in back}
    outputs = tuple(back.get(name, name) for name in plan.outputs)
    return replace(plan, blocks=tuple(blocks), streams=kept, outputs=outputs)
