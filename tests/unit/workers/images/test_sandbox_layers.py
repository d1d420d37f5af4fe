"""The layers of the decoder's sandbox on kernels and processors that lack some."""

from __future__ import annotations

import errno
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from workers.images import landlock, sandbox, seccomp
from workers.images.limits import NoMetrics
from workers.images.pool import report_sandbox

ALLOWED, REFUSED, UNKNOWN, KILLED = 0x7FFF_0000, 0x5_0000 | errno.EPERM, 0x5_0000 | errno.ENOSYS, 0x8000_0000
PROCESS = 4711


@pytest.mark.parametrize(
    ("version", "layers", "rights"),
    [
        (1, {"landlock"}, [0x1FFF]),
        (2, {"landlock"}, [0x3FFF]),
        (3, {"landlock"}, [0x7FFF]),
        (4, {"landlock", "landlock_tcp"}, [0x7FFF, 3]),
        (5, {"landlock", "landlock_tcp"}, [0xFFFF, 3]),
        (6, {"landlock", "landlock_tcp", "landlock_scopes"}, [0xFFFF, 3, 3]),
        (9, {"landlock", "landlock_tcp", "landlock_scopes"}, [0xFFFF, 3, 3]),
    ],
)
def test_landlock_asks_for_what_a_version_knows(version: int, layers: set[str], rights: Sequence[int]) -> None:
    """Each version gets the rights that it knows, and no others: an unknown one is an error."""
    assert landlock.ruleset(version) == (frozenset(layers), struct.pack(f"={len(rights)}Q", *rights))


def run(program: Sequence[seccomp.Instruction], audit: int, number: int, arguments: Sequence[int] = ()) -> int:
    """Return what a filter decides about a system call, by the rules of classic BPF."""
    data = struct.pack("=IIQ6Q", number, audit, 0, *arguments, *[0] * (6 - len(arguments)))
    at = accumulator = 0
    while True:
        code, if_true, if_false, value = program[at]
        at += 1
        if code == 0x06:
            return value
        if code == 0x20:
            accumulator = struct.unpack_from("=I", data, value)[0]
        else:
            passed = accumulator == value if code == 0x15 else bool(accumulator & value)
            at += if_true if passed else if_false


@pytest.mark.parametrize("name", seccomp.ARCHITECTURES)
def test_the_filter_of_each_processor(name: str) -> None:
    """On each processor the same calls are allowed, some by their arguments, and those of other processors kill."""
    architecture = seccomp.ARCHITECTURES[name]
    program = seccomp.assemble(architecture, PROCESS)

    def decide(call: str, *arguments: int) -> int:
        return run(program, architecture.audit, architecture.calls[call], arguments)

    assert decide("read", 0) == decide("futex") == decide("exit_group") == ALLOWED
    assert decide("mmap", 0, 4096, 3) == decide("mprotect", 0, 4096, 1) == ALLOWED
    assert decide("mmap", 0, 4096, 7) == decide("mprotect", 0, 4096, 5) == REFUSED
    assert (decide("clone", 0x3D0F00), decide("clone", 0x1200011), decide("clone3")) == (ALLOWED, REFUSED, UNKNOWN)
    assert (decide("tgkill", PROCESS), decide("tgkill", 1)) == (ALLOWED, REFUSED)
    assert [decide("prlimit64", *arguments) for arguments in ((0, 0), (0, 9), (1, 0))] == [ALLOWED, REFUSED, REFUSED]
    assert run(program, 0x4000_0003, architecture.calls["read"]) == KILLED
    allowed = set(architecture.calls.values())
    assert all(run(program, architecture.audit, number) == REFUSED for number in range(600) if number not in allowed)


@pytest.mark.parametrize(
    ("name", "header", "prefix"),
    [
        ("x86_64", "/usr/include/x86_64-linux-gnu/asm/unistd_64.h", ("__NR_",)),
        ("aarch64", "/usr/include/asm-generic/unistd.h", ("__NR_", "__NR3264_")),
    ],
)
def test_the_numbers_are_those_of_the_kernel(name: str, header: str, prefix: tuple[str, ...]) -> None:
    """The numbers of system calls are those of the kernel's own headers."""
    if not Path(header).exists():
        pytest.skip("the headers of the kernel are not installed")
    numbers: dict[str, int] = {}
    for line in Path(header).read_text().splitlines():
        match line.split():
            case ["#define", symbol, number] if symbol.startswith(prefix) and number.isdigit():
                numbers.setdefault(symbol.split("_", 3)[-1].removeprefix("NR_"), int(number))
    calls = seccomp.ARCHITECTURES[name].calls
    assert {call: numbers.get(call) for call in calls} == dict(calls)


class Recorded(NoMetrics):
    """Metrics that are kept."""

    def __init__(self) -> None:
        self.layers: Mapping[str, bool] = {}

    def decoder_sandboxed(self, layers: Mapping[str, bool]) -> None:
        """Keep the layers."""
        self.layers = layers


def test_a_missing_layer_is_reported() -> None:
    """The log has one line with the missing layers and what that means; the metric has all of them."""
    metrics = Recorded()
    with capture_logs() as logs:
        report_sandbox(frozenset(sandbox.LAYERS) - {"landlock_tcp"}, metrics)
    assert [(entry["event"], entry["missing"]) for entry in logs] == [("decoder_sandbox_incomplete", ["landlock_tcp"])]
    assert "by seccomp alone" in logs[0]["detail"]
    assert metrics.layers == {layer: layer != "landlock_tcp" for layer in sandbox.LAYERS}


def test_a_complete_sandbox_is_not_logged() -> None:
    """Nothing is logged if no layer is missing."""
    with capture_logs() as logs:
        report_sandbox(frozenset(sandbox.LAYERS), Recorded())
    assert logs == []


def test_without_both_main_layers_the_log_says_what_is_open() -> None:
    """Without Landlock and seccomp the line says that a fault in a codec gives access to everything."""
    assert "gives access to all" in sandbox.explain(set(sandbox.LAYERS) - {"rlimits"})
