"""Write a MiniCPM-o 4.5 of random weights: `python -m bench.synthetic_checkpoint OUT --awq|--bf16`.

Names, shapes, dtypes, sharding and config are those of the published checkpoints, so that loading,
memory and speed can be measured without them. The text it writes is meaningless. Shards are written
one by one, tensor by tensor: memory stays near the largest tensor.
"""

import argparse
import json
import re
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from torch import Tensor

HIDDEN, FFN, HEADS, KV_HEADS, HEAD_DIM, LAYERS, VOCABULARY = 4096, 12288, 32, 8, 128, 36, 151748
VISION, VISION_FFN, VISION_LAYERS, POSITIONS = 1152, 4304, 27, 4900
AUDIO, AUDIO_FFN, AUDIO_LAYERS = 1024, 4096, 24
SPEECH, SPEECH_FFN, SPEECH_LAYERS, CODES = 768, 3072, 20, 6562
GROUP, PACK = 128, 8
SHARDS = {"bf16": 4, "awq": 2}
BYTES = {"BF16": 2, "F16": 2, "I32": 4}
WORDS = 8192  # letters and learnt words
RARE = "QXZKVWJY"
ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])  # learnt from
CHUNK = 2**24  # numbers written at once
ZEROS = -2004318072  # 0x88888888: eight zero points of 8

Shapes = Iterator[tuple[str, tuple[int, ...]]]


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor of the checkpoint."""

    name: str
    shape: tuple[int, ...]
    dtype: str  # as safetensors writes it

    @property
    def numbers(self) -> int:
        count = 1
        for length in self.shape:
            count *= length
        return count

    @property
    def size(self) -> int:
        """Bytes."""
        return self.numbers * BYTES[self.dtype]


def list_entries(awq: bool, layers: int = LAYERS) -> Iterator[Entry]:
    """All tensors, audio and speech too, in the order of the published network."""
    for name, shape in _shapes(layers):
        if awq and re.fullmatch(r"llm\.model\.layers\..*_proj\.weight", name):
            yield from _pack(name.removesuffix(".weight"), shape)
        else:
            yield Entry(name, shape, "BF16")


def _pack(name: str, shape: tuple[int, ...]) -> Iterator[Entry]:
    outputs, inputs = shape
    yield Entry(f"{name}.qweight", (inputs, outputs // PACK), "I32")
    yield Entry(f"{name}.qzeros", (inputs // GROUP, outputs // PACK), "I32")
    yield Entry(f"{name}.scales", (inputs // GROUP, outputs), "F16")


def _shapes(layers: int) -> Shapes:
    yield "llm.model.embed_tokens.weight", (VOCABULARY, HIDDEN)
    for i in range(layers):
        at = f"llm.model.layers.{i}"
        yield from _decoder(at, HIDDEN, HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM, FFN)
        yield from ((f"{at}.self_attn.{n}_norm.weight", (HEAD_DIM,)) for n in "qk")
    yield "llm.model.norm.weight", (HIDDEN,)
    yield "llm.lm_head.weight", (VOCABULARY, HIDDEN)
    yield from _vision()
    yield from _resampler()
    yield from _audio()
    yield from _speech()


def _decoder(at: str, hidden: int, width: int, kv_width: int, ffn: int) -> Shapes:
    yield f"{at}.self_attn.q_proj.weight", (width, hidden)
    yield f"{at}.self_attn.k_proj.weight", (kv_width, hidden)
    yield f"{at}.self_attn.v_proj.weight", (kv_width, hidden)
    yield f"{at}.self_attn.o_proj.weight", (hidden, width)
    yield f"{at}.mlp.gate_proj.weight", (ffn, hidden)
    yield f"{at}.mlp.up_proj.weight", (ffn, hidden)
    yield f"{at}.mlp.down_proj.weight", (hidden, ffn)
    yield f"{at}.input_layernorm.weight", (hidden,)
    yield f"{at}.post_attention_layernorm.weight", (hidden,)


def _linear(at: str, outputs: int, inputs: int, bias: bool = True) -> Shapes:
    yield f"{at}.weight", (outputs, inputs)
    if bias:
        yield f"{at}.bias", (outputs,)


def _norm(at: str, width: int) -> Shapes:
    yield f"{at}.weight", (width,)
    yield f"{at}.bias", (width,)


def _vision() -> Shapes:
    yield "vpm.embeddings.patch_embedding.weight", (VISION, 3, 14, 14)
    yield "vpm.embeddings.patch_embedding.bias", (VISION,)
    yield "vpm.embeddings.position_embedding.weight", (POSITIONS, VISION)
    for i in range(VISION_LAYERS):
        at = f"vpm.encoder.layers.{i}"
        for part in ("k", "v", "q", "out"):
            yield from _linear(f"{at}.self_attn.{part}_proj", VISION, VISION)
        yield from _norm(f"{at}.layer_norm1", VISION)
        yield from _linear(f"{at}.mlp.fc1", VISION_FFN, VISION)
        yield from _linear(f"{at}.mlp.fc2", VISION, VISION_FFN)
        yield from _norm(f"{at}.layer_norm2", VISION)
    yield from _norm("vpm.post_layernorm", VISION)


def _resampler() -> Shapes:
    yield "resampler.query", (64, HIDDEN)
    yield "resampler.proj", (HIDDEN, HIDDEN)
    yield from _linear("resampler.kv_proj", HIDDEN, VISION, bias=False)
    yield "resampler.attn.in_proj_weight", (3 * HIDDEN, HIDDEN)
    yield "resampler.attn.in_proj_bias", (3 * HIDDEN,)
    yield from _linear("resampler.attn.out_proj", HIDDEN, HIDDEN)
    for part in ("q", "kv", "post"):
        yield from _norm(f"resampler.ln_{part}", HIDDEN)


def _audio() -> Shapes:
    yield "apm.conv1.weight", (AUDIO, 80, 3)
    yield "apm.conv1.bias", (AUDIO,)
    yield "apm.conv2.weight", (AUDIO, AUDIO, 3)
    yield "apm.conv2.bias", (AUDIO,)
    yield "apm.embed_positions.weight", (1500, AUDIO)
    for i in range(AUDIO_LAYERS):
        at = f"apm.layers.{i}"
        for part in ("k", "v", "q", "out"):
            yield from _linear(f"{at}.self_attn.{part}_proj", AUDIO, AUDIO, bias=part != "k")
        yield from _norm(f"{at}.self_attn_layer_norm", AUDIO)
        yield from _linear(f"{at}.fc1", AUDIO_FFN, AUDIO)
        yield from _linear(f"{at}.fc2", AUDIO, AUDIO_FFN)
        yield from _norm(f"{at}.final_layer_norm", AUDIO)
    yield from _norm("apm.layer_norm", AUDIO)
    yield from _linear("audio_projection_layer.linear1", HIDDEN, AUDIO)
    yield from _linear("audio_projection_layer.linear2", HIDDEN, HIDDEN)


def _speech() -> Shapes:
    yield "tts.emb_text.weight", (152064, SPEECH)
    yield "tts.model.embed_tokens.weight", (32000, SPEECH)
    for i in range(SPEECH_LAYERS):
        yield from _decoder(f"tts.model.layers.{i}", SPEECH, SPEECH, SPEECH, SPEECH_FFN)
    yield "tts.model.norm.weight", (SPEECH,)
    for part in ("spk", "semantic"):
        yield from _linear(f"tts.projector_{part}.linear1", SPEECH, HIDDEN)
        yield from _linear(f"tts.projector_{part}.linear2", SPEECH, SPEECH)
    yield "tts.emb_code.0.weight", (CODES, SPEECH)
    yield "tts.head_code.0.parametrizations.weight.original0", (CODES, 1)
    yield "tts.head_code.0.parametrizations.weight.original1", (CODES, SPEECH)


def describe(awq: bool, layers: int) -> dict[str, Any]:
    """config.json as published, as far as it is known."""
    config: dict[str, Any] = {
        "architectures": ["MiniCPMO"], "model_type": "minicpmo", "version": "4.5",
        "hidden_size": HIDDEN, "intermediate_size": FFN, "num_hidden_layers": layers,
        "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "head_dim": HEAD_DIM,
        "max_position_embeddings": 40960, "rms_norm_eps": 1e-6, "rope_theta": 1000000.0,
        "rope_scaling": None, "hidden_act": "silu", "attention_bias": False,
        "tie_word_embeddings": False, "vocab_size": VOCABULARY,
        "bos_token_id": 151643, "eos_token_id": 151645,
        "query_num": 64, "image_size": 448, "batch_vision_input": True,
        "drop_vision_last_layer": False, "use_image_id": True, "vision_batch_size": 16,
        "slice_config": {"model_type": "minicpmv", "patch_size": 14, "max_slice_nums": 9,
                         "scale_resolution": 448},
        "vision_config": {"model_type": "siglip", "hidden_size": VISION, "image_size": 980,
                          "intermediate_size": VISION_FFN, "num_attention_heads": 16,
                          "num_hidden_layers": VISION_LAYERS, "patch_size": 14},
        "audio_pool_step": 5, "audio_chunk_length": 1.0,
        "init_vision": True, "init_audio": True, "init_tts": True,
        "torch_dtype": "bfloat16", "transformers_version": "4.51.0",
        "auto_map": {"AutoConfig": "configuration_minicpmo.MiniCPMOConfig",
                     "AutoModel": "modeling_minicpmo.MiniCPMO",
                     "AutoModelForCausalLM": "modeling_minicpmo.MiniCPMO"},
    }  # fmt: skip
    if awq:
        config["quantization_config"] = {
            "bits": 4, "group_size": GROUP, "modules_to_not_convert": None,
            "quant_method": "awq", "version": "gemm", "zero_point": True,
        }  # fmt: skip
    return config


def split_shards(entries: Sequence[Entry], count: int) -> list[list[Entry]]:
    """Fill `count` shards in order, about equally."""
    share = sum(entry.size for entry in entries) / count
    shards: list[list[Entry]] = [[] for _ in range(count)]
    done = 0
    for entry in entries:
        shards[min(int(done // share), count - 1)].append(entry)
        done += entry.size
    return shards


class Noise:
    """Random numbers in plenty: slices, from random places, of a pool drawn once."""

    def __init__(self, seed: int) -> None:
        self._dice = torch.Generator().manual_seed(seed)
        self._normal = torch.randn(2 * CHUNK, generator=self._dice).bfloat16()
        words = torch.randint(-(2**31), 2**31, (2 * CHUNK,), generator=self._dice)
        self._words = words.to(torch.int32)

    def draw(self, entry: Entry, count: int) -> Tensor:
        """Up to CHUNK numbers of a size that keeps the network's activations in bounds."""
        name = entry.name
        if entry.dtype == "I32":
            return (
                torch.full((count,), ZEROS).int()
                if "qzeros" in name
                else self._cut(self._words, count)
            )
        if entry.dtype == "F16":
            return torch.full((count,), 0.02 / 4.6).half()  # 4.6: deviation of uniform q - 8
        if name.endswith("bias"):
            return torch.zeros(count, dtype=torch.bfloat16)
        if len(entry.shape) == 1:
            return torch.ones(count, dtype=torch.bfloat16)
        return self._cut(self._normal, count) * (HIDDEN**-0.5 if name == "resampler.proj" else 0.02)

    def _cut(self, pool: Tensor, count: int) -> Tensor:
        start = int(torch.randint(0, CHUNK, (1,), generator=self._dice))
        return pool[start : start + count]


def write_shard(path: Path, entries: Sequence[Entry], noise: Noise) -> None:
    """Write a safetensors file without holding more than a part of one tensor."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for entry in entries:
        offsets = [end, end := end + entry.size]
        header[entry.name] = {"dtype": entry.dtype, "shape": entry.shape, "data_offsets": offsets}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for entry in entries:
            for start in range(0, entry.numbers, CHUNK):
                numbers = noise.draw(entry, min(CHUNK, entry.numbers - start))
                file.write(numbers.view(torch.uint8).numpy().data)


def write_checkpoint(out: Path, awq: bool, layers: int = LAYERS, seed: int = 0) -> int:
    """Write config, tokenizer and shards into `out`; return the bytes of all tensors."""
    out.mkdir(parents=True, exist_ok=True)
    entries = list(list_entries(awq, layers))
    shards = split_shards(entries, SHARDS["awq" if awq else "bf16"])
    noise = Noise(seed)
    places: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        places |= {entry.name: name for entry in shard}
        write_shard(out / name, shard, noise)
    size = sum(entry.size for entry in entries)
    index = {"metadata": {"total_size": size}, "weight_map": places}
    _write_json(out / "model.safetensors.index.json", index)
    _write_json(out / "config.json", describe(awq, layers))
    write_tokenizer(out)
    return size


KNOWN_TOKENS = {
    "<unk>": 128244, "<|endoftext|>": 151643, "<|im_start|>": 151644, "<|im_end|>": 151645,
    "<think>": 151667, "</think>": 151668, "<image>": 151669, "</image>": 151670,
    "<slice>": 151679, "</slice>": 151680, "<image_id>": 151681, "</image_id>": 151682,
    "<|tts_bos|>": 151703, "<|tts_eos|>": 151704,
}  # fmt: skip


def write_tokenizer(out: Path) -> None:
    """A tokenizer of the published size: letters have the published ids, words ids of their own.

    Its words are learnt from this project's pages, so that a prompt in plain English has about as
    many tokens as with the published one; all other ids are made-up words, so that an answer can be
    read again in as many tokens, and judged.
    """
    merges = learn_merges(PAGES)
    vocabulary = {letter: number for number, letter in enumerate(byte_letters())}
    for number, (first, second) in enumerate(merges, start=len(vocabulary)):
        vocabulary.setdefault(first + second, number)
    taken = {*vocabulary.values(), *KNOWN_TOKENS.values()}
    words = (pair for pair in made_up_words() if "".join(pair) not in vocabulary)
    for number in (n for n in range(VOCABULARY) if n not in taken):
        if number % 12 == 0:
            vocabulary["".join(merges[-1]) + "."] = number  # now and then a sentence ends
        else:
            merges.append(pair := next(words))
            vocabulary["".join(pair)] = number
    added = {str(number): {"content": text} for text, number in KNOWN_TOKENS.items()}
    _write_json(out / "vocab.json", vocabulary)
    lines = ["#version: 0.2", *(f"{first} {second}" for first, second in merges)]
    (out / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    _write_json(out / "tokenizer_config.json", {"added_tokens_decoder": added})


def made_up_words() -> Iterator[tuple[str, str]]:
    """Pairs that make up words of letters that English never joins: the shortest first."""
    words = ["\u0120"]  # a space
    while True:
        words = [word + letter for word in words for letter in RARE]
        yield from ((word[:-1], word[-1]) for word in words)


def learn_merges(pages: Sequence[Path]) -> list[tuple[str, str]]:
    """Pairs that byte-level BPE joins, the most frequent first."""
    bpe = Tokenizer(BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = BpeTrainer(
        vocab_size=WORDS, initial_alphabet=byte_letters(), min_frequency=2, show_progress=False
    )
    bpe.train_from_iterator((page.read_text(encoding="utf-8") for page in pages), trainer)
    return [(first, second) for first, second in json.loads(bpe.to_str())["model"]["merges"]]


def byte_letters() -> list[str]:
    """The 256 letters of byte-level BPE: printable bytes first, then the rest from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [*map(chr, printable), *(chr(0x100 + n) for n in range(256 - len(printable)))]


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.synthetic_checkpoint", description=__doc__
    )
    parser.add_argument("out", type=Path, help="folder to write; AWQ takes 8.5 GB, BF16 18.8 GB")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--awq", action="store_true", help="decoder Linears in 4 bits")
    kind.add_argument("--bf16", action="store_true", help="everything in bfloat16")
    parser.add_argument(
        "--layers", type=int, default=LAYERS, help="of the decoder; default %(default)s"
    )
    parser.add_argument("--seed", type=int, default=0, help="default %(default)s")
    options = parser.parse_args(arguments)
    size = write_checkpoint(options.out, options.awq, options.layers, options.seed)
    print(f"{options.out}: {size / 1e9:.2f} GB of tensors")
    return 0


if __name__ == "__main__":
    sys.exit(main())
