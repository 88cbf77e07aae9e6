from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hwaccel.report.columns import LIMIT, split_columns
from hwaccel.report.isotonic import spread
from hwaccel.report.layout import BoxSize, Edge, place
from hwaccel.report.svg import line, rounded

SIZE = BoxSize(200.0, 70.0)


@st.composite
def dags(draw):
    """Boxes in an order in which every one but the first has a source before it."""
    count = draw(st.integers(1, 24))
    edges = []
    for target in range(1, count):
        sources = draw(st.lists(st.integers(max(0, target - 6), target - 1), max_size=3))
        edges += [Edge(s, target, draw(st.sampled_from([0.0, 60.0, 120.0])), 26.0) for s in sources]
    return count, edges


@given(dags())
def test_boxes_never_overlap(graph):
    count, edges = graph
    placed = place([SIZE] * count, edges)
    corners = placed.boxes
    for i, (ax, ay) in enumerate(corners):
        assert ax >= 0
        assert ay >= 0
        assert ax + SIZE.width <= placed.width
        assert ay + SIZE.height <= placed.height
        for bx, by in corners[i + 1 :]:
            assert abs(ax - bx) >= SIZE.width or abs(ay - by) >= SIZE.height


@given(dags())
def test_edges_run_at_right_angles_between_their_boxes_and_through_none(graph):
    count, edges = graph
    placed = place([SIZE] * count, edges)
    for edge, route in zip(edges, placed.routes, strict=True):
        (sx, sy), (tx, ty) = placed.boxes[edge.source], placed.boxes[edge.target]
        first, last = route.points[0], route.points[-1]
        assert first == (sx + SIZE.width / 2, sy + SIZE.height)
        assert tx < last[0] < tx + SIZE.width
        assert last[1] == ty
        for (ax, ay), (bx, by) in pairwise(route.points):
            assert ax == bx or ay == by
            for x, y in placed.boxes:
                inside = max(ax, bx) > x and min(ax, bx) < x + SIZE.width
                assert not (inside and max(ay, by) > y and min(ay, by) < y + SIZE.height)


@given(dags())
def test_the_same_graph_gives_the_same_picture(graph):
    count, edges = graph
    assert place([SIZE] * count, edges) == place([SIZE] * count, edges)


def test_a_chain_is_one_straight_line():
    placed = place([SIZE] * 3, [Edge(0, 1), Edge(1, 2)])
    assert len({x for x, _ in placed.boxes}) == 1
    assert all(len(route.points) == 2 for route in placed.routes)


def test_a_residual_leaves_the_main_line_straight():
    placed = place([SIZE] * 4, [Edge(0, 1), Edge(1, 2), Edge(0, 2), Edge(2, 3)])
    assert len({x for x, _ in placed.boxes}) == 1
    main, _, around, _ = placed.routes
    assert len({x for x, _ in main.points}) == 1
    assert max(x for x, _ in around.points) > placed.boxes[1][0] + SIZE.width
    assert len(placed.forks) == 1


def test_a_long_chain_continues_in_the_next_column():
    edges = [Edge(i, i + 1) for i in range(19)]
    placed = place([SIZE] * 20, edges)
    assert len({x for x, _ in placed.boxes}) == 4
    assert placed.width <= LIMIT


def test_no_column_ends_inside_a_residual():
    edges = [Edge(i, i + 1) for i in range(19)] + [Edge(0, 19)]
    placed = place([SIZE] * 20, edges)
    assert len({x for x, _ in placed.boxes}) == 1


def test_an_input_that_is_needed_late_stands_above_its_reader():
    placed = place([SIZE] * 4, [Edge(0, 2), Edge(2, 3), Edge(1, 3)])
    assert placed.boxes[1][1] == placed.boxes[2][1]


def test_columns_are_balanced():
    columns = split_columns([1.0] * 12, range(1, 12), lambda _: 10.0)
    assert [len(column) for column in columns] == [4, 4, 4]
    assert split_columns([1.0] * 12, [], lambda _: 10.0) == (range(12),)
    assert split_columns([1.0] * 12, range(1, 12), lambda _: LIMIT) == (range(12),)


def test_positions_stay_where_they_are_wanted_or_share_the_shift():
    assert spread([0, 100], [1, 1], [50]) == [0, 100]
    assert spread([0, 0], [1, 1], [50]) == [-25, 25]
    assert spread([0, 0], [1000, 1], [50]) == [0, 50]
    assert spread([], [], []) == []


def test_paths():
    assert line((0, 0), (10, 0.25)) == "M0 0 L10 0.2"
    corner = rounded([(0, 0), (0, 20), (20, 20)], 5)
    assert corner == "M0 0 L0 15 Q0 20 5 20 L20 20"
    assert rounded([(0, 0), (0, 0), (0, 9)]) == "M0 0 L0 9"
