"""CUDA C++ compiled when it is needed, by the compiler that PyTorch's CUDA builds bring along.

Importable only where `cuda.bindings` is; that comes with PyTorch, too.
"""

import ctypes
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from cuda.bindings import driver, nvrtc
from torch import Tensor

POINTER, INT32, INT64, FLOAT = ctypes.c_void_p, ctypes.c_int, ctypes.c_longlong, ctypes.c_float

Argument = tuple[Tensor | int | float, Any]
"""A value and which of the four types above it has; a tensor stands for its address."""


def compile_source(
    source: str,
    headers: Mapping[str, str],
    defines: Mapping[str, int],
    capability: tuple[int, int],
) -> bytes:
    """Return the binary for GPUs of this compute capability; takes seconds and leaves Python's lock alone.

    `headers` are what it includes, by name. Raises RuntimeError with the compiler's words.
    """
    options = [
        f"--gpu-architecture=sm_{capability[0]}{capability[1]}",
        "--std=c++17",
        *(f"-D{key}={value}" for key, value in defines.items()),
    ]
    encoded = [option.encode() for option in options]
    names, texts = (
        [text.encode() for text in texts] for texts in (headers.keys(), headers.values())
    )
    program = _checked(
        nvrtc.nvrtcCreateProgram(source.encode(), b"kernel.cu", len(names), texts, names)
    )
    try:
        (status,) = nvrtc.nvrtcCompileProgram(program, len(encoded), encoded)
        if status != nvrtc.nvrtcResult.NVRTC_SUCCESS:
            log = bytes(_checked(nvrtc.nvrtcGetProgramLogSize(program)))
            _checked(nvrtc.nvrtcGetProgramLog(program, log))
            raise RuntimeError(log.decode(errors="replace"))
        binary = bytes(_checked(nvrtc.nvrtcGetCUBINSize(program)))
        _checked(nvrtc.nvrtcGetCUBIN(program, binary))
    finally:
        nvrtc.nvrtcDestroyProgram(program)
    return binary


class Kernel:
    """A function of a binary, on one device. All its blocks are there at once, so that they can wait
    for each other."""

    def __init__(self, binary: bytes, name: str, device: torch.device, shared_bytes: int) -> None:
        self._device, self._shared_bytes = device, shared_bytes
        with torch.cuda.device(device):
            torch.cuda.synchronize()  # makes sure that PyTorch has taken the device up
            self._module = _checked(driver.cuModuleLoadData(binary))
            self._function = _checked(driver.cuModuleGetFunction(self._module, name.encode()))
            most = driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            _checked(driver.cuFuncSetAttribute(self._function, most, shared_bytes))

    def launch(self, blocks: int, threads: int, arguments: Sequence[Argument]) -> None:
        """Launch on PyTorch's stream. Raises RuntimeError where there is no room for all blocks at once."""
        values = tuple(
            value.data_ptr() if isinstance(value, Tensor) else value for value, _ in arguments
        )
        types = tuple(kind for _, kind in arguments)
        stream = torch.cuda.current_stream(self._device).cuda_stream
        _checked(
            driver.cuLaunchCooperativeKernel(
                self._function, blocks, 1, 1, threads, 1, 1,
                self._shared_bytes, stream, (values, types),
            )
        )  # fmt: skip


def _checked(answer: tuple[Any, ...]) -> Any:
    """Return what a call gave, or raise what went wrong."""
    status, *rest = answer
    if int(status):
        raise RuntimeError(f"CUDA said {status!r}")
    return rest[0] if rest else None
