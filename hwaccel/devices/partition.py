"""``partition``: split a design over devices, size all buffers together, check that each fits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hwaccel.api import Design
from hwaccel.devices.cut import (
    Cuts,
    Problem,
    best_cuts,
    fullness,
    least_share,
    most_parts,
)
from hwaccel.devices.limits import Limits, described
from hwaccel.devices.links import LinkSpec, full_rate
from hwaccel.devices.named import named_cuts
from hwaccel.devices.parts import carried, parts_of
from hwaccel.devices.pieces import pieces_of
from hwaccel.devices.split import Split
from hwaccel.devices.together import depths_of, joined, ways_of
from hwaccel.errors import ConfigError
from hwaccel.ir import Graph
from hwaccel.report.text import plural
from hwaccel.schedule.buffers import size_buffers
from hwaccel.schedule.choices import Choices, choices_of, laid_out, sized
from hwaccel.schedule.estimate import end_area
from hwaccel.schedule.spatial import Found

# Without limits, how much fuller than need be the fullest device may be, for less traffic.
SLACK = 1.25
# Devices of one system.
MOST_DEVICES = 64

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: a device for each of ``limits``, links, and where to cut.

    ``interval`` is the most cycles per frame that a link may take, by default those of the design.
    ``after`` names the layers behind which to cut; then nothing is searched for.
    """

    limits: tuple[Limits, ...]
    link: LinkSpec
    interval: int | None = None
    after: tuple[str, ...] = ()


def partition(design: Design, wish: Wish, say: Say = lambda _: None) -> Split:
    """Split ``design`` over devices.

    Each part keeps the folding it has in the design, so what is computed at the same time stays
    the same; rings and FIFOs are sized for all devices and links together.

    Raises:
        ConfigError: the network cannot be cut so often, a part does not fit its device, or links
            are too slow; the message says what is nearest.
    """
    problem = problem_of(design, wish)
    _check_count(problem, len(wish.limits))
    while True:
        say("choosing where to cut")
        cuts = _named(problem, wish) if wish.after else _chosen(problem, wish)
        split = _laid(design, problem, cuts, wish.link, say)
        over = [n for n, part in enumerate(split.areas) if wish.limits[n].share(part) > 1]
        if not over:
            return split
        # What buffers take is known only now; cut again with what was found out.
        starts = (0, *cuts)
        before = dict(problem.known)
        for number in over:
            problem.known[starts[number], cuts[number]] = split.areas[number]
        if wish.after or problem.known == before:
            worst = over[0]
            raise ConfigError(
                f"device {worst}: its part takes {described(split.areas[worst])}, of "
                f"{wish.limits[worst]}; name other layers, or raise the limits"
            )


def problem_of(design: Design, wish: Wish) -> Problem:
    """Return where ``design`` can be cut and what that costs."""
    plan = design.plan
    if not any(segment.nodes for segment in plan.segments):
        raise ConfigError(f"{design.name}: computes nothing, so there is nothing to split")
    cycles = plan.timing().interval if wish.interval is None else wish.interval
    if cycles < 1:
        raise ConfigError(f"--interval is {cycles}, expected 1 cycle or more")
    values, outputs = carried(plan), plan.graph.outputs
    ends = {name: end_area(value.beats, plan.family) for name, value in values.items()}
    return Problem(pieces_of(plan), values, wish.link, cycles, outputs, ends)


def _check_count(problem: Problem, count: int) -> None:
    most = min(most_parts(problem.pieces), MOST_DEVICES)
    if count < 1 or count > most:
        raise ConfigError(
            f"{plural(count, 'device')}: this network can be cut into 1 to {most} parts; ask for "
            "that many"
        )


def _named(problem: Problem, wish: Wish) -> Cuts:
    cuts = named_cuts(problem, wish.after, len(wish.limits))
    for run in zip((0, *cuts), cuts, strict=False):
        if problem.link_cycles(run) > problem.cycles:
            _refuse_links(problem, wish, [cuts])
    return cuts


def _chosen(problem: Problem, wish: Wish) -> Cuts:
    """Return the best cuts.

    Raises:
        ConfigError: there are none.
    """
    limited = any(limits.given() for limits in wish.limits)
    least = least_share(problem, wish.limits)
    if least is None:
        _refuse_links(problem, wish)
    assert least is not None
    if limited and least > 1:
        _refuse_limits(problem, wish)
    cuts = best_cuts(problem, wish.limits, 1.0 if limited else SLACK * least)
    assert cuts is not None
    return cuts


def _refuse_limits(problem: Problem, wish: Wish) -> None:
    """Say what comes nearest to the limits: the same number of devices with more, or more."""
    count, limits = len(wish.limits), wish.limits
    share = least_share(problem, limits)
    assert share is not None
    nearest = best_cuts(problem, limits, share)
    assert nearest is not None
    runs = list(zip((0, *nearest), nearest, strict=False))
    worst = max(range(count), key=lambda n: fullness(problem.area(runs[n]), limits[n]))
    need = described(problem.area(runs[worst]))
    text = (
        f"{count} devices of {limits[worst]}: no cut makes every part fit; the nearest needs "
        f"{need} on device {worst}"
    )
    if len(set(limits)) == 1:
        more = range(count + 1, min(most_parts(problem.pieces), MOST_DEVICES) + 1)
        for other in more:
            found = least_share(problem, limits[:1] * other)
            if found is not None and found <= 1:
                raise ConfigError(f"{text}, or {other} devices do")
        text += ", and more devices do not help"
    raise ConfigError(text)


def _refuse_links(problem: Problem, wish: Wish, only: Sequence[Cuts] = ()) -> None:
    """Say which links would be fast enough."""
    link = wish.link
    text = (
        f"links of {plural(link.width, 'bit')}, {plural(link.latency, 'cycle')} and "
        f"{plural(link.credits, 'credit')} are too "
        f"slow for a frame every {problem.cycles:,} cycles"
    )

    def enough(other: LinkSpec) -> bool:
        changed = replace(problem, link=other)
        if only:
            runs = [run for cuts in only for run in zip((0, *cuts), cuts, strict=False)]
            return all(changed.link_cycles(run) <= changed.cycles for run in runs)
        return least_share(changed, wish.limits) is not None

    widest = max(way.bits for way in problem.values.values())
    full = LinkSpec(
        width=link.width, latency=link.latency, credits=max(link.credits, full_rate(link.latency))
    )
    for kind, base in (("", link), (f" and {full.credits} credits", full)):
        wider = LinkSpec(width=max(widest, link.width), latency=link.latency, credits=base.credits)
        if enough(wider):
            width = _least_width(base, wider.width, enough)
            raise ConfigError(f"{text}; {plural(width, 'bit')}{kind} are enough")
    slowest = min(_slowest(replace(problem, link=wider), wish, only), 1 << 53)
    raise ConfigError(f"{text}, at any width; allow {slowest:,} cycles (--interval {slowest})")


def _least_width(link: LinkSpec, most: int, enough: Callable[[LinkSpec], bool]) -> int:
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        if enough(LinkSpec(width=middle, latency=link.latency, credits=link.credits)):
            high = middle
        else:
            low = middle + 1
    return low


def _slowest(problem: Problem, wish: Wish, only: Sequence[Cuts]) -> int:
    """Return the least interval at which the links are fast enough."""
    if only:
        runs = [run for cuts in only for run in zip((0, *cuts), cuts, strict=False)]
        return max(problem.link_cycles(run) for run in runs)
    count = len(problem.pieces)
    every = {problem.link_cycles((a, b)) for a in range(count) for b in range(a + 1, count + 1)}
    for cycles in sorted(every):
        if least_share(replace(problem, cycles=cycles), wish.limits) is not None:
            return cycles
    return max(every)


def _laid(design: Design, problem: Problem, cuts: Cuts, link: LinkSpec, say: Say) -> Split:
    """Lay the parts out, size all buffers together, and return the system."""
    say("laying out the parts")
    parts = parts_of(design.graph, problem.pieces, cuts)
    whole = choices_of(design.plan)
    known = Found(products=design.plan.found.products)
    choices = [_restricted(whole, graph) for graph in parts.graphs]
    bare = [
        laid_out(graph, chosen, design.config, known)
        for graph, chosen in zip(parts.graphs, choices, strict=True)
    ]
    say("sizing the buffers of all devices together")
    together = size_buffers(joined(design.graph, bare, parts, ways_of(bare, parts, link)))
    designs = []
    for number, (plan, chosen) in enumerate(zip(bare, choices, strict=True)):
        depths = depths_of(together, number, chosen)
        designs.append(Design(plan.graph, sized(plan, depths), design.config))
    return Split(design.graph, design.config, tuple(designs), parts, link)


def _restricted(choices: Choices, graph: Graph) -> Choices:
    """Return the folding of the nodes of ``graph``; depths come later."""
    names = {node.name for node in graph.nodes}
    return Choices(
        folds={n: f for n, f in choices.folds.items() if n in names},
        rings={},
        fifos={},
        buffers={},
        styles={n: s for n, s in choices.styles.items() if n in names},
        packs={n: p for n, p in choices.packs.items() if n in names},
        skips=[n for n in choices.skips if n in names],
    )
