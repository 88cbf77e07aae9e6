"""Small faults in Python source: what can be broken in a module, and the module so broken."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
    ast.Pow: ast.Mult,
}
# Functions to which the order of their first two arguments does not matter.
_COMMUTE = ("max", "min", "np.maximum", "np.minimum", "xp.maximum", "xp.minimum")
# Statements that can be left out: what they do shows, and nothing else is syntax around them.
_REMOVED = (ast.Expr, ast.Assign, ast.AugAssign, ast.Raise, ast.Continue, ast.Break)


@dataclass(frozen=True)
class Mutant:
    """One fault: ``variant`` of the faults of ``kind`` at the ``node``-th node of a module.

    ``around`` is the expression or statement that a constant is a part of.
    """

    module: str
    node: int
    kind: str
    variant: int
    line: int
    function: str
    offset: int
    was: str
    now: str
    around: str = ""

    @property
    def exactly(self) -> str:
        """Return the fault with what is around it, where a line has several that read the same."""
        return f"{self} in {self.around}"

    def __str__(self) -> str:
        where = f"{self.module}: {self.function}+{self.offset}"
        return f"{where}: {self.kind}: {self.was} -> {self.now}"


def mutants(module: str, source: str) -> list[Mutant]:
    """Return every fault of ``source`` that changes what the compiler reads."""
    tree = ast.parse(source)
    skipped = _skipped(tree)
    within = _functions(tree)
    parents = {id(child): node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    found = []
    for number, node in enumerate(ast.walk(tree)):
        if id(node) in skipped:
            continue
        for kind, variant, now in _faults(node):
            if ast.dump(node) != ast.dump(now):
                where, first = within.get(id(node), ("module", 0))
                place = (module, number, kind, variant, node.lineno, where, node.lineno - first)
                around = _short(parents[id(node)]) if kind == "constant" else ""
                found.append(Mutant(*place, _short(node), _short(now), around))
    return found


def apply(mutant: Mutant, source: str) -> str:
    """Return ``source`` with the fault in it."""
    tree = ast.parse(source)
    node = list(ast.walk(tree))[mutant.node]
    for kind, variant, now in _faults(node):
        if (kind, variant) == (mutant.kind, mutant.variant):
            changed = _Replace(node, now).visit(tree)
            return ast.unparse(ast.fix_missing_locations(changed)) + "\n"
    raise AssertionError(f"{mutant} is no fault of this source")


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self._new if node is self._old else self.generic_visit(node)


def _faults(node: ast.AST) -> Iterator[tuple[str, int, ast.AST]]:
    """Yield the faults of one node: kind, variant, and what stands in its place."""
    if isinstance(node, ast.Compare):
        yield from _comparisons(node)
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        yield "operator", 0, _with(node, op=_OPERATORS[type(node.op)]())
        if isinstance(node.op, ast.Sub | ast.LShift | ast.RShift | ast.FloorDiv | ast.Mod):
            yield "swap", 0, _with(node, left=node.right, right=node.left)
    elif isinstance(node, ast.AugAssign) and type(node.op) in _OPERATORS:
        yield "operator", 0, _with(node, op=_OPERATORS[type(node.op)]())
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "constant", 0, ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield "constant", 0, ast.Constant(node.value + 1)
        yield "constant", 1, ast.Constant(node.value - 1)
    elif isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield "boolean", 0, _with(node, op=other)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub | ast.Invert):
        if not isinstance(node.operand, ast.Constant):
            yield "boolean" if isinstance(node.op, ast.Not) else "operator", 0, node.operand
    elif isinstance(node, ast.Call) and len(node.args) >= 2:
        first, second, *rest = node.args
        starred = any(isinstance(arg, ast.Starred) for arg in (first, second))
        if not starred and ast.unparse(node.func) not in _COMMUTE:
            yield "swap", 0, _with(node, args=[second, first, *rest])
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        yield "negation", 0, _with(node, test=ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, _REMOVED):
        yield "removal", 0, ast.Pass()


def _comparisons(node: ast.Compare) -> Iterator[tuple[str, int, ast.AST]]:
    variant = 0
    for at, op in enumerate(node.ops):
        for other in _COMPARISONS.get(type(op), ()):
            ops = [*node.ops[:at], other(), *node.ops[at + 1 :]]
            yield "comparison", variant, _with(node, ops=ops)
            variant += 1


def _with(node: ast.AST, **changes: object) -> ast.AST:
    changed = copy.copy(node)
    for name, value in changes.items():
        setattr(changed, name, value)
    return changed


def _skipped(tree: ast.Module) -> set[int]:
    """Return what has no meaning to break: documentation, types, imports, texts of messages.

    Left out, too, are estimates of area, which no contract fixes, and examples, which are tests.
    """
    skipped: set[int] = set()
    for node in ast.walk(tree):
        parts: list[ast.AST | None] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            parts = [node.returns, *(a.annotation for a in arguments), *node.decorator_list]
            if node.name == "examples" or node.name.endswith("area"):
                parts = [node]
        elif isinstance(node, ast.AnnAssign):
            parts = [node.annotation]
        elif isinstance(node, ast.ClassDef):
            parts = list(node.decorator_list)
        elif isinstance(node, ast.JoinedStr | ast.Assert | ast.Import | ast.ImportFrom):
            parts = [node]
        elif isinstance(node, ast.Raise):
            parts = [node.exc]
        elif (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) or (
            isinstance(node, ast.Call) and ast.unparse(node.func) in ("Area", "TypeVar")
        ):
            parts = [node]
        for part in parts:
            if part is not None:
                skipped |= {id(inner) for inner in ast.walk(part)}
    return skipped


def _functions(tree: ast.Module) -> dict[int, tuple[str, int]]:
    """Return name and line of the innermost function around every node that is in one."""
    within: dict[int, tuple[str, int]] = {}
    for node in ast.walk(tree):  # outer ones come first
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            within |= {id(inner): (node.name, node.lineno) for inner in ast.walk(node)}
    return within


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 60 else text[:57] + "..."
