"""A live PyTorch model, through ``torch.export``, as a ``Program``."""

from __future__ import annotations

import inspect
import io
import logging
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TypeAlias

import torch
from numpy.typing import NDArray
from torch.export.graph_signature import InputKind, OutputKind, OutputSpec, TensorArgument
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

from hwaccel.errors import FrontendError
from hwaccel.frontend.ao_export import switched
from hwaccel.frontend.brevitas_export import frozen, layers_only, uses_brevitas
from hwaccel.frontend.program import Arg, Call, Constant, Placeholder, Program, Ref, reason, shown

# Fake tensors cost nothing, and a batch of this size shows which calls touch the batch axis.
_BATCH = 7
# Another size, to see what depends on it.
_FEWER = 5
_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
_RESULTS = (torch.Tensor, tuple, list)

Example: TypeAlias = "NDArray[Any] | torch.Tensor | Sequence[Any] | Mapping[str, Any]"


def export(model: torch.nn.Module, example: Example) -> Program:
    """Return what ``exported`` gives as plain data.

    Raises:
        FrontendError: the example does not fit, or ``torch.export`` cannot trace the model.
    """
    modules = tuple(path for path, _ in model.named_modules(remove_duplicate=False))
    program = read(exported(model, example), type(model).__name__, modules)
    return layers_only(program) if uses_brevitas(model) else program


def exported(model: torch.nn.Module, example: Example) -> torch.export.ExportedProgram:
    """Export ``model`` in eval mode and leave it as it was.

    ``example`` is one array per input of ``forward``, each with a leading batch axis; only its
    shape matters. A mapping gives inputs by name; tuples, lists and mappings inside are passed on
    as they are.

    Raises:
        FrontendError: the example does not fit, or ``torch.export`` cannot trace the model.
    """
    given = example if isinstance(example, Mapping) else _listed(example)
    leaves, spec = tree_flatten(_by_parameter(model, given))
    like = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(0))
    inputs = tuple(_zeros(array, like) for array in _examples(leaves))
    made = tree_unflatten(inputs, spec)
    args, keywords = ((), made) if isinstance(given, Mapping) else (made, {})
    with (
        _evaluating(model),
        _quiet(),
        _plain_attention(),
        switched(model),
        frozen(model, args, keywords),
    ):
        try:
            return torch.export.export(model, args, keywords)
        except Exception as error:
            raise _failure(model, inputs, error) from None


def check_frames(model: torch.nn.Module, program: Program) -> None:
    """Refuse a model whose result for a frame depends on how many frames come with it.

    The program holds the size of the batch it was exported with wherever ``forward`` reads it, so
    this asks the model itself: two batches that begin alike must give results that do.
    """
    like = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(0))
    rng = torch.Generator().manual_seed(0)
    xs = [torch.randn(value.shape, generator=rng).to(like) for value in program.inputs]
    with _evaluating(model), _quiet(), torch.no_grad():
        try:
            many = tree_leaves(model(*(x.clone() for x in xs)))
            few = tree_leaves(model(*(x[:_FEWER].clone() for x in xs)))
        except Exception:  # what cannot be run cannot be asked
            return
    for a, b in zip(many, few, strict=False):
        start = a[: len(b)] if a.shape[:1] == (_BATCH,) else a
        if start.shape != b.shape or _differ(start, b):
            raise FrontendError(
                f"{type(model).__name__}: the result for a frame depends on the size of the batch; "
                "let forward read no more of it than shapes need"
            )


def _differ(a: torch.Tensor, b: torch.Tensor) -> bool:
    # Other sizes take other kernels, whose last bits may turn a rounding or two, hence the mean.
    a, b = a.double().nan_to_num(), b.double().nan_to_num()
    return bool((a - b).abs().mean() > 1e-2 * b.abs().mean())


def read(
    exported: torch.export.ExportedProgram, name: str = "model", modules: tuple[str, ...] = ()
) -> Program:
    """Turn an exported program into plain data; ``modules`` are all module paths, if known."""
    signature = exported.graph_signature
    tensors = {**exported.state_dict, **exported.constants}
    targets = {spec.arg.name: spec for spec in signature.input_specs}
    inputs: list[Placeholder] = []
    constants: dict[str, Constant] = {}
    for node in exported.graph.find_nodes(op="placeholder"):
        spec = targets[node.name]
        if spec.kind is InputKind.USER_INPUT:
            inputs.append(_placeholder(node))
        else:
            constants[node.name] = Constant(str(spec.target), tensors[spec.target].detach())
    calls = tuple(_calls(exported.graph))
    outputs = tuple(_output(spec) for spec in signature.output_specs)
    modules = modules or module_prefixes(call.path for call in calls)
    return Program(name, tuple(inputs), constants, calls, outputs, modules)


def _listed(example: Example) -> tuple[Any, ...]:
    return (example,) if hasattr(example, "shape") else tuple(example)


def _by_parameter(model: torch.nn.Module, given: Any) -> Any:
    """Return inputs given by name in the order of the parameters of ``forward``."""
    if not isinstance(given, Mapping):
        return given
    parameters = list(inspect.signature(model.forward).parameters)
    unknown = [name for name in given if name not in parameters]
    if unknown:
        raise FrontendError(
            f"{type(model).__name__}: forward has no parameter {shown(str(unknown[0]))}; it has "
            f"{', '.join(map(shown, parameters))}"
        )
    return {name: given[name] for name in parameters if name in given}


def _examples(arrays: Sequence[Any]) -> tuple[Any, ...]:
    for i, array in enumerate(arrays):
        if not hasattr(array, "shape"):
            raise FrontendError(
                f"example {i} is a {type(array).__name__}; give one array or tensor per input"
            )
        if len(array.shape) < 2:
            raise FrontendError(
                f"example {i} has shape {tuple(array.shape)}, expected (N, ...); "
                "the first axis is the batch"
            )
        if 0 in array.shape[1:]:
            raise FrontendError(f"example {i} has shape {tuple(array.shape)}; no axis may be empty")
    if not arrays:
        raise FrontendError("the example is empty; give one array or tensor per input")
    return tuple(arrays)


def _zeros(array: Any, like: torch.Tensor) -> torch.Tensor:
    """Return a batch of zeros for an example: indices where it holds integers."""
    whole = (
        array.dtype in _INTEGERS if isinstance(array, torch.Tensor) else array.dtype.kind in "iu"
    )
    return like.new_zeros(_BATCH, *array.shape[1:], dtype=torch.int64 if whole else None)


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Let attention be traced as the steps it is made of, not as one fused call."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


@contextmanager
def _evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Switch to eval mode; restore modes and plain attributes, which hooks of pruning replace."""
    modules = list(model.modules())
    training = [module.training for module in modules]
    plain = [_plain_tensors(module) for module in modules]
    model.eval()
    try:
        yield
    finally:
        for module, mode, attributes in zip(modules, training, plain, strict=True):
            module.training = mode
            for name in _plain_tensors(module).keys() - attributes.keys():
                delattr(module, name)
            vars(module).update(attributes)


def _plain_tensors(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {k: v for k, v in vars(module).items() if isinstance(v, torch.Tensor)}


def _failure(
    model: torch.nn.Module, inputs: tuple[torch.Tensor, ...], error: Exception
) -> FrontendError:
    name = type(model).__name__
    if "data-dependent" in str(error):
        return FrontendError(
            f"{name}: forward decides by the values of tensors, which a fixed circuit cannot; "
            "remove the branch or the loop"
        )
    if uses_brevitas(model) and "has no attribute" in str(error):
        return FrontendError(
            f"{name}: forward reads more of a quantized tensor than its numbers ({reason(error)}); "
            "let it use the tensor itself"
        )
    shapes = " and ".join(str(tuple(x.shape[1:])) for x in inputs)
    return FrontendError(
        f"{name}: forward does not run on {_BATCH} frames of shape {shapes}: {reason(error)}; "
        "check the shape of the example, whose first axis is the batch"
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch from logging, warning and printing what is reported as an error anyway."""
    sink = io.StringIO()
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(sink), redirect_stderr(sink):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _shape(value: Any) -> tuple[int, ...]:
    # A symbolic size carries the size of the example it was traced with.
    return tuple(s if isinstance(s, int) else int(s.node.hint) for s in value.shape)


def _placeholder(node: torch.fx.Node) -> Placeholder:
    value = node.meta["val"]
    if not isinstance(value, torch.Tensor):
        raise FrontendError(
            f"input {shown(node.name)} is a {type(value).__name__}; only tensors can be inputs"
        )
    return Placeholder(node.name, _shape(value))


def _output(spec: OutputSpec) -> str:
    if spec.kind is not OutputKind.USER_OUTPUT:
        raise FrontendError(
            f"the model changes {shown(str(spec.target))} in forward; keep no state between frames"
        )
    if not isinstance(spec.arg, TensorArgument):
        raise FrontendError("the model returns something that is no tensor; return tensors only")
    return str(spec.arg.name)


def _calls(graph: torch.fx.Graph) -> Iterator[Call]:
    for node in graph.nodes:
        if node.op == "call_function":
            yield from _call(node)


def _call(node: torch.fx.Node) -> Iterator[Call]:
    value = node.meta.get("val")
    if getattr(node.target, "__name__", "") == "getitem" or not isinstance(value, _RESULTS):
        # Parts of results have names already; checks and arithmetic on sizes are not needed.
        return
    path = _path(node.meta.get("nn_module_stack"))
    if isinstance(value, tuple | list):
        # Parts that nobody reads stay in the graph; they may be anything, empty too.
        parts = {user.args[1]: user.name for user in node.users if user.users}
        results = tuple(parts.get(i, "") for i in range(len(value)))
        shapes = tuple(_shape(v) if isinstance(v, torch.Tensor) else () for v in value)
    else:
        results = (node.name,)
        shapes = (_shape(value),)
    yield Call(str(node.target), _arguments(node), results, shapes, path)


def _arguments(node: torch.fx.Node) -> Mapping[str, Arg]:
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return {}
    args: dict[str, Arg] = {}
    for i, argument in enumerate(schema.arguments):
        if i < len(node.args):
            args[argument.name] = _arg(node.args[i])
        elif argument.name in node.kwargs:
            args[argument.name] = _arg(node.kwargs[argument.name])
        else:
            args[argument.name] = _arg(argument.default_value)
    return args


def _arg(value: Any) -> Arg:
    if isinstance(value, torch.fx.Node):
        return Ref(value.name)
    if isinstance(value, list | tuple):
        return tuple(_arg(v) for v in value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def _path(stack: Mapping[str, Any] | None) -> str:
    # torch marks the second call of one module with "@1".
    path = str(list(stack.values())[-1][0]) if stack else ""
    return re.sub(r"@\d+$", "", path)


def module_prefixes(paths: Iterable[str]) -> tuple[str, ...]:
    """Return ``paths`` and all modules that contain them."""
    parts = [path.split(".") for path in paths]
    return tuple(sorted({".".join(p[:n]) for p in parts for n in range(len(p) + 1)}))
