"""Networks of lookup tables: what is learned, what an edit rebuilds, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hwaccel.compress.checkpoint import Checkpoint
from hwaccel.compress.cost import hardware
from hwaccel.compress.data import Data, Samples, load_data
from hwaccel.compress.lookup import (
    ENTRIES,
    INPUTS,
    Lookup,
    LookupNetwork,
    Settings,
    distinct,
    learned,
    middle,
)
from hwaccel.compress.training import evaluate, outputs_of
from hwaccel.config import Config
from hwaccel.errors import ConfigError


@pytest.fixture(scope="module")
def data() -> Data:
    torch.set_num_threads(1)
    return load_data("digits")


@pytest.fixture(scope="module")
def network(data: Data) -> LookupNetwork:
    return learned(data.train, 10, Settings(units=200, epochs=8, batch=64, shift=0))


def test_it_learns(network: LookupNetwork, data: Data) -> None:
    assert evaluate(network, data.valid).accuracy > 75


def test_a_seed_gives_the_same_tables(network: LookupNetwork, data: Data) -> None:
    again = learned(data.train, 10, Settings(units=200, epochs=8, batch=64, shift=0))
    for a, b in zip(network.tables(), again.tables(), strict=True):
        assert torch.equal(a, b)


def test_no_unit_reads_an_input_twice(network: LookupNetwork, data: Data) -> None:
    nothing = data.example[0].numel()
    for row in network.tables()[0].tolist():
        read = [wire for wire in row if wire != nothing]
        assert len(set(read)) == len(read)


def test_distinct_units_are_the_same_functions() -> None:
    draw = torch.Generator().manual_seed(1)
    wires = torch.randint(6, (40, INPUTS), generator=draw)
    entries = torch.randint(2, (40, ENTRIES), generator=draw)
    x = torch.rand((200, 5), generator=draw)
    before = LookupNetwork(wires, entries, 4)
    after = LookupNetwork(*distinct(wires, entries, 5), 4)
    assert torch.equal(before(x), after(x))


@pytest.mark.parametrize("style", ["spatial", "stream"])
def test_the_hardware_is_the_network(network: LookupNetwork, data: Data, style: str) -> None:
    design = hardware(network, data, Config(style=style, target="xcup"))
    x = data.test.x[:100]
    want = outputs_of(network, x).double().numpy()
    assert np.array_equal(design.golden(x.numpy()), want)


def test_an_edit_and_a_state_dict_make_it_again(network: LookupNetwork, data: Data) -> None:
    edit = Lookup(units=200, classes=10, threshold=network.threshold)
    made = edit.apply(nn.Flatten(), data.example)
    made.load_state_dict(network.state_dict())
    assert torch.equal(made(data.test.x), network(data.test.x))
    assert Checkpoint(nn.Flatten()).then(made, edit).edits == (edit,)


@pytest.mark.parametrize(
    ("values", "expected"),
    [((0.0, 255 / 256), 0.5), ((0.0, 255.0), 128.0), ((-1.0, 1.0), 0.0), ((-8.0, 0.0), -4.0)],
)
def test_inputs_are_compared_with_the_middle_of_their_range(
    values: tuple[float, float], expected: float
) -> None:
    assert middle(torch.tensor(values)) == expected


def test_images_are_moved_and_other_inputs_are_not() -> None:
    x = torch.zeros(64, 12)
    x[:, 3] = 1
    y = torch.arange(64) % 2
    made = learned(Samples(x, y), 2, Settings(units=4, epochs=1, batch=16))
    assert made.tables()[0].min() >= 3


@pytest.mark.parametrize(("units", "classes"), [(1, 1), (3, 4), (1 << 17, 2)])
def test_impossible_networks(units: int, classes: int) -> None:
    with pytest.raises(ConfigError) as error:
        Lookup(units=units, classes=classes)
    assert str(error.value) == (
        f"lookup: {units} units for {classes} classes; expected two classes or more, and 1 to "
        "65,536 units, at least one for every class"
    )
