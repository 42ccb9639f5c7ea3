"""A checkpoint folder → the network on its device.

Every tensor outside the audio and speech parts must fit the network, and the other way round.
"""

import logging
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from worker.minicpm.awq import GROUP, KERNELS, PACK, AwqLinear, Kernel, best_kernel
from worker.minicpm.config import Config
from worker.minicpm.errors import CheckpointError
from worker.minicpm.host_table import lend, new_table
from worker.minicpm.network import Network
from worker.minicpm.shards import DTYPES, StoredTensor, read_index, read_tensors

log = logging.getLogger(__name__)

SKIPPED = ("apm.", "audio_projection_layer.", "tts.")  # audio and speech
FUSED = {"gate_up_proj": ("gate_proj", "up_proj"), "qkv_proj": ("q_proj", "k_proj", "v_proj")}
AWQ_PARTS = ("qweight", "qzeros", "scales")
VISION_LAYER = re.compile(r"vpm\.encoder\.layers\.(\d+)\.")
ON_HOST = "llm.model.embed_tokens.weight"
FLOATS = ("F64", "F32", "F16", "BF16")


def load_network(
    folder: Path,
    config: Config,
    device: torch.device,
    dtype: torch.dtype,
    kernel: str | None = None,
) -> Network:
    """Build the network of `folder` on `device`, its float tensors cast to `dtype`.

    On a GPU the table of token vectors stays in the host's memory, where the GPU reads it.
    Raises CheckpointError if anything is missing, left over, truncated or of another shape.
    """
    stored = _read_stored(folder)
    config = replace(config, vision=replace(config.vision, layers=_vision_layers(config, stored)))
    with torch.device("meta"):
        network = Network(config).to(dtype)
        quantise(network, stored, KERNELS[kernel or best_kernel(device)])
    wanted = _match(network, stored, config)
    _materialise(network, device)
    _fill(network, wanted)
    for module in network.modules():
        if isinstance(module, AwqLinear):
            module.pack()
    if device.type == "cuda":
        embedding = network.llm.model.embed_tokens
        embedding.weight = nn.Parameter(lend(embedding.weight.detach(), device))
    return network.eval().requires_grad_(False)


def weight_bytes(folder: Path, dtype: torch.dtype) -> int:
    """Memory of a GPU that a checkpoint's network takes with its float tensors cast to `dtype`."""
    total = 0
    for name, tensor in _read_stored(folder).items():
        if name == ON_HOST:
            continue
        kept = name.endswith(AWQ_PARTS)  # as stored
        total += math.prod(tensor.shape) * (DTYPES[tensor.dtype] if kept else dtype).itemsize
    return total


def _read_stored(folder: Path) -> dict[str, StoredTensor]:
    """List the tensors that are of use here; refuse those that can't be read as what they are."""
    stored = {
        name: tensor for name, tensor in read_index(folder).items() if not name.startswith(SKIPPED)
    }
    for name, tensor in stored.items():
        if tensor.dtype not in DTYPES:
            raise CheckpointError(f"{name} is stored as {tensor.dtype}")
        if name.endswith(AWQ_PARTS) and len(tensor.shape) != 2:
            raise CheckpointError(
                f"{name} should have rows and columns and is {list(tensor.shape)}"
            )
    return stored


def _vision_layers(config: Config, stored: Iterable[str]) -> int:
    """Count the tower's layers by the tensors; the config may ask to leave out the last one."""
    found = [int(match[1]) for name in stored if (match := VISION_LAYER.match(name))]
    if not found:
        raise CheckpointError("there is no vision tower among the tensors (vpm.encoder.layers)")
    layers = 1 + max(found)
    if config.vision.drop_last_layer and layers == config.vision.layers:
        log.warning("the last vision layer is left out, as the config asks")
        return layers - 1
    return layers


def quantise(network: Network, stored: Mapping[str, StoredTensor], kernel: Kernel) -> None:
    """Replace the Linears whose `.qweight` is stored; nothing else decides."""
    for name, module in list(network.named_modules()):
        if not isinstance(module, nn.Linear):
            continue
        sources = source_names(f"{name}.qweight")
        present = [source in stored for source in sources]
        if any(present) != all(present):
            raise CheckpointError(f"only some of {', '.join(sources)} are there")
        if all(present):
            _check_awq([stored[source] for source in sources], module, name, stored)
            network.set_submodule(name, AwqLinear(module.in_features, module.out_features, kernel))


def _check_awq(
    words: list[StoredTensor], module: nn.Linear, name: str, stored: Mapping[str, StoredTensor]
) -> None:
    """Refuse anything but 4 bits in groups of 128."""
    inputs, outputs = words[0].shape[0], PACK * sum(tensor.shape[1] for tensor in words)
    if (inputs, outputs) != (module.in_features, module.out_features):
        raise CheckpointError(
            f"{name} packs {inputs} × {outputs} numbers of 4 bits and should pack "
            f"{module.in_features} × {module.out_features}"
        )
    if module.bias is not None:
        raise CheckpointError(f"{name} is quantised and has a bias, which is not known")
    for source in source_names(f"{name}.scales"):
        groups = stored[source].shape[0] if source in stored else inputs // GROUP
        if groups * GROUP != inputs:
            raise CheckpointError(
                f"{source} has {groups} groups for {inputs} inputs, not of {GROUP}"
            )


def source_names(name: str) -> list[str]:
    """Names in the checkpoint of what is stacked, along the outputs, to the network's `name`."""
    for fused, parts in FUSED.items():
        if f".{fused}." in name:
            return [name.replace(fused, part) for part in parts]
    return [name]


def _match(
    network: Network, stored: Mapping[str, StoredTensor], config: Config
) -> dict[str, list[StoredTensor]]:
    """Find for each tensor of the network what is stored of it; all must be used."""
    left = {name for name in stored if not _is_dropped(name, config)}
    wanted: dict[str, list[StoredTensor]] = {}
    missing = []
    for name, tensor in _tensors(network):
        sources = source_names(name)
        missing += [source for source in sources if source not in stored]
        left -= set(sources)
        wanted[name] = [stored[source] for source in sources if source in stored]
        if not missing:
            _check_shape(name, tensor, wanted[name])
    if missing:
        raise CheckpointError(f"tensors are missing: {_some(missing)}")
    if left:
        raise CheckpointError(f"tensors are not known to MiniCPM-o 4.5: {_some(left)}")
    return wanted


def _is_dropped(name: str, config: Config) -> bool:
    match = VISION_LAYER.match(name)
    return match is not None and int(match[1]) >= config.vision.layers


def _check_shape(name: str, tensor: Tensor, parts: list[StoredTensor]) -> None:
    axis = stacking_axis(name)
    first = parts[0].shape
    stacked = list(first)
    if len(first) == tensor.dim() and len(parts) > 1:
        stacked[axis] = sum(part.shape[axis] for part in parts if len(part.shape) == len(first))
    if tuple(stacked) != tuple(tensor.shape):
        shapes = " + ".join(str(list(part.shape)) for part in parts)
        raise CheckpointError(f"{name} should be {list(tensor.shape)} and is {shapes}")
    for part in parts:
        if part.dtype not in (("I32",) if tensor.dtype == torch.int32 else FLOATS):
            raise CheckpointError(f"{name} is stored as {part.dtype}")


def stacking_axis(name: str) -> int:
    """Outputs are the rows of a float weight, and the columns of AWQ's tensors."""
    return 1 if name.endswith(AWQ_PARTS) else 0


def _tensors(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from network.named_parameters()
    yield from network.named_buffers()


def _materialise(network: Network, device: torch.device) -> None:
    embedding = network.llm.model.embed_tokens
    if device.type == "cuda":
        embedding.weight = nn.Parameter(new_table(embedding.weight.shape, embedding.weight.dtype))
    for module in network.modules():
        if module is not embedding or device.type != "cuda":
            module.to_empty(device=device, recurse=False)


def _fill(network: Network, wanted: Mapping[str, list[StoredTensor]]) -> None:
    """Read every tensor straight to where it belongs."""
    read_tensors(
        (stored, piece)
        for name, tensor in _tensors(network)
        for stored, piece in zip(
            wanted[name],
            tensor.detach().split(
                [stored.shape[stacking_axis(name)] for stored in wanted[name]],
                dim=stacking_axis(name),
            ),
            strict=True,
        )
    )


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return ", ".join(listed[:3]) + more
