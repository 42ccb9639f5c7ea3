"""Tiny networks of the hub's families with random weights, written as folders that load from disk.

Their tokenizer knows bytes and control tokens; what they say is noise, but really computed.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import AutoModelForImageTextToText, PreTrainedTokenizerFast, set_seed

BEGIN, END, PAD = "<|begin|>", "<|end|>", "<|pad|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ '<|' ~ message.role ~ '|>' }}"
    "{% for part in message.content %}{% if part.type == 'image' %}IMAGE"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}{{ '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
NO_SYSTEM = TEMPLATE.replace(
    "{{ '<|' ~", "{% if message.role == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ '<|' ~"
)  # fmt: skip


def write_tokenizer(image_tokens: dict[str, str], template: str) -> PreTrainedTokenizerFast:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bpe = Tokenizer(
        BPE(vocab={letter: number for number, letter in enumerate(alphabet)}, merges=[])
    )
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        extra_special_tokens=image_tokens,
        chat_template=template,
    )
    tokenizer.add_special_tokens(
        {"additional_special_tokens": list(ROLES)}, replace_extra_special_tokens=False
    )
    return tokenizer


VOICE = "abcdefghijklmnopqrstuvwxyz."

TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "bos_token_id": 256,
    "eos_token_id": 257,
    "pad_token_id": 258,
}


def _ends(tokenizer: Any) -> dict[str, int]:
    return {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def _idefics3(template: str) -> tuple[Any, Any]:
    from transformers import Idefics3Config, Idefics3ImageProcessorPil, Idefics3Processor

    names = {"image_token": "<image>", "fake_image_token": "<fake>", "global_image_token": "<global-img>"}  # fmt: skip
    tokenizer = write_tokenizer(names, template.replace("IMAGE", "<image>"))
    pictures = Idefics3ImageProcessorPil(
        size={"longest_edge": 56}, max_image_size={"longest_edge": 28}
    )
    processor = Idefics3Processor(pictures, tokenizer, image_seq_len=4, chat_template=tokenizer.chat_template)  # fmt: skip
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 28, "patch_size": 7}  # fmt: skip
    text = {**TEXT, "model_type": "llama", "vocab_size": len(tokenizer), **_ends(tokenizer)}
    config = Idefics3Config(
        vision_config=vision,
        text_config=text,
        scale_factor=2,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        **_ends(tokenizer),
    )
    return config, processor


def _gemma3(template: str) -> tuple[Any, Any]:
    from transformers import Gemma3Config, Gemma3ImageProcessorPil, Gemma3Processor

    names = {"image_token": "<image_soft_token>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>"}  # fmt: skip
    tokenizer = write_tokenizer(names, template.replace("IMAGE", "<start_of_image>"))
    pictures = Gemma3ImageProcessorPil(size={"height": 28, "width": 28})
    processor = Gemma3Processor(pictures, tokenizer, image_seq_length=4, chat_template=tokenizer.chat_template)  # fmt: skip
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 28, "patch_size": 7}  # fmt: skip
    text = {**TEXT, "vocab_size": len(tokenizer), "head_dim": 8, "sliding_window": 64, **_ends(tokenizer)}  # fmt: skip
    config = Gemma3Config(
        vision_config=vision,
        text_config=text,
        mm_tokens_per_image=4,
        boi_token_index=tokenizer.convert_tokens_to_ids("<start_of_image>"),
        eoi_token_index=tokenizer.convert_tokens_to_ids("<end_of_image>"),
        image_token_index=tokenizer.convert_tokens_to_ids("<image_soft_token>"),
        **_ends(tokenizer),
    )
    return config, processor


def _llava_next(template: str) -> tuple[Any, Any]:
    from transformers import LlavaNextConfig, LlavaNextImageProcessorPil, LlavaNextProcessor

    tokenizer = write_tokenizer({"image_token": "<image>"}, template.replace("IMAGE", "<image>"))
    grid = [[28, 56], [56, 28], [56, 56]]
    pictures = LlavaNextImageProcessorPil(
        size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}, image_grid_pinpoints=grid
    )
    processor = LlavaNextProcessor(
        pictures,
        tokenizer,
        patch_size=7,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=tokenizer.chat_template,
    )
    vision = {"model_type": "clip_vision_model", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "image_size": 28, "patch_size": 7, "projection_dim": 32}  # fmt: skip
    text = {**TEXT, "model_type": "llama", "vocab_size": len(tokenizer), **_ends(tokenizer)}
    config = LlavaNextConfig(
        vision_config=vision,
        text_config=text,
        image_grid_pinpoints=grid,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        **_ends(tokenizer),
    )
    return config, processor


def _qwen2_vl(template: str) -> tuple[Any, Any]:
    from transformers import Qwen2VLConfig, Qwen2VLImageProcessorPil, Qwen2VLProcessor
    from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

    names = {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>", "vision_start": "<|vision_start|>", "vision_end": "<|vision_end|>"}  # fmt: skip
    mark = "<|vision_start|><|image_pad|><|vision_end|>"
    tokenizer = write_tokenizer(names, template.replace("IMAGE", mark))
    bounds = {"shortest_edge": 28 * 28, "longest_edge": 56 * 56}
    pictures = Qwen2VLImageProcessorPil(size=bounds)
    processor = Qwen2VLProcessor(
        pictures, tokenizer, Qwen2VLVideoProcessor(), chat_template=tokenizer.chat_template
    )
    vision = {"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 4, "mlp_ratio": 2}
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
    text = {**TEXT, "vocab_size": len(tokenizer), "rope_parameters": rope, **_ends(tokenizer)}
    config = Qwen2VLConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<|video_pad|>"),
        vision_start_token_id=tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=tokenizer.convert_tokens_to_ids("<|vision_end|>"),
        **_ends(tokenizer),
    )
    return config, processor


def _llava_onevision(template: str) -> tuple[Any, Any]:
    from transformers import (
        LlavaOnevisionConfig,
        LlavaOnevisionImageProcessorPil,
        LlavaOnevisionProcessor,
    )
    from transformers.models.llava_onevision.video_processing_llava_onevision import (
        LlavaOnevisionVideoProcessor,
    )

    names = {"image_token": "<image>", "video_token": "<video>"}
    tokenizer = write_tokenizer(names, template.replace("IMAGE", "<image>"))
    grid = [[28, 56], [56, 28], [56, 56]]
    pictures = LlavaOnevisionImageProcessorPil(
        size={"height": 28, "width": 28}, image_grid_pinpoints=grid
    )
    processor = LlavaOnevisionProcessor(
        pictures,
        tokenizer,
        LlavaOnevisionVideoProcessor(size={"height": 28, "width": 28}),
        num_image_tokens=16,
        vision_feature_select_strategy="full",
        chat_template=tokenizer.chat_template,
    )
    vision = {"model_type": "siglip_vision_model", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 28, "patch_size": 7}  # fmt: skip
    text = {**TEXT, "model_type": "qwen2", "vocab_size": len(tokenizer), **_ends(tokenizer)}
    config = LlavaOnevisionConfig(
        vision_config=vision,
        text_config=text,
        image_grid_pinpoints=grid,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        **_ends(tokenizer),
    )
    return config, processor


FAMILIES: dict[str, Callable[[str], tuple[Any, Any]]] = {
    "idefics3": _idefics3,
    "gemma3": _gemma3,
    "llava_next": _llava_next,
    "qwen2_vl": _qwen2_vl,
    "llava_onevision": _llava_onevision,
}


def write_network(folder: Path, family: str, template: str = TEMPLATE, ends: bool = False) -> Path:
    """Write a network that says letters, spaces and full stops; only one that ends ever stops."""
    set_seed(7)
    config, processor = FAMILIES[family](template)
    config.tie_word_embeddings = config.text_config.tie_word_embeddings = False
    model = AutoModelForImageTextToText.from_config(config, dtype=torch.float32).eval()
    sayable = [*VOICE, "Ġ", *([END] if ends else [])]
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1:
                weight.normal_(0, 1.0 if "embed_tokens" in name else 0.15)
        said = torch.tensor(processor.tokenizer.convert_tokens_to_ids(sayable))
        heads = model.get_output_embeddings().weight
        kept = heads[said].clone()
        heads.zero_()
        heads[said] = kept
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
