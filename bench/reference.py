"""The same network as one would run it without this project: transformers' classes and `generate`."""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import Qwen3Config, Qwen3ForCausalLM, SiglipVisionConfig
from transformers.models.qwen3.modeling_qwen3 import Qwen3RotaryEmbedding
from transformers.models.siglip.modeling_siglip import SiglipEncoder

from worker.minicpm.network import Network
from worker.minicpm.preprocess import to_patches
from worker.minicpm.prompt import EncodedPrompt


class Reference:
    """Shares the weights of a network that is not quantised. Resampler and patches are ours."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._language = _language(network)
        self._vision = _vision(network)

    @torch.inference_mode()
    def answer(self, prompts: Sequence[EncodedPrompt], new_tokens: int) -> Tensor:
        """Greedy ids (B, new_tokens) of prompts of one length, in one `generate`."""
        ids = torch.tensor([prompt.ids for prompt in prompts], device=self._network.device)
        x = self._language.get_input_embeddings()(ids)
        for row, prompt in enumerate(prompts):
            seen = self._look(prompt)
            for start, vectors in zip(prompt.view_starts, seen, strict=True):
                x[row, start : start + len(vectors)] = vectors
        answer = self._language.generate(
            inputs_embeds=x,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=new_tokens,
            min_new_tokens=new_tokens,
            do_sample=False,
        )
        ids_only: Tensor = answer[:, -new_tokens:]
        return ids_only

    def _look(self, prompt: EncodedPrompt) -> Tensor:
        """The views of one window together. (views, queries, hidden)"""
        tower = self._network.vpm
        grid = prompt.views[0].grid
        patches = to_patches(prompt.views, self._network.device, self._network.dtype)
        x = self._vision(inputs_embeds=tower.embeddings(patches, grid)).last_hidden_state
        seen: Tensor = self._network.resampler(tower.post_layernorm(x), grid)
        return seen


def _language(network: Network) -> Qwen3ForCausalLM:
    ours = network.config.language
    config = Qwen3Config(
        vocab_size=ours.vocab_size,
        hidden_size=ours.hidden_size,
        intermediate_size=ours.intermediate_size,
        num_hidden_layers=ours.layers,
        num_attention_heads=ours.heads,
        num_key_value_heads=ours.kv_heads,
        head_dim=ours.head_dim,
        rms_norm_eps=ours.norm_eps,
        rope_parameters={"rope_type": "default", "rope_theta": ours.rope_theta},
        max_position_embeddings=ours.context,
        tie_word_embeddings=False,
        attn_implementation="sdpa",
    )
    with torch.device("meta"):
        model = Qwen3ForCausalLM(config)
    weights: dict[str, Tensor] = {}
    width = ours.kv_heads * ours.head_dim
    for name, tensor in network.llm.named_parameters():
        if ".qkv_proj." in name:
            parts = tensor.split([ours.heads * ours.head_dim, width, width])
            weights |= {
                name.replace("qkv_proj", f"{p}_proj"): w for p, w in zip("qkv", parts, strict=True)
            }
        elif ".gate_up_proj." in name:
            gate, up = tensor.chunk(2)
            weights |= {name.replace("gate_up", "gate"): gate, name.replace("gate_up", "up"): up}
        else:
            weights[name] = tensor
    table = "model.embed_tokens.weight"  # ours lies on the host
    weights[table] = weights[table].clone()
    model.load_state_dict(weights, assign=True)
    model.model.rotary_emb = Qwen3RotaryEmbedding(config).to(network.device)
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    return model.eval()


def _vision(network: Network) -> SiglipEncoder:
    ours = network.config.vision
    config = SiglipVisionConfig(
        hidden_size=ours.hidden_size,
        intermediate_size=ours.intermediate_size,
        num_hidden_layers=ours.layers,
        num_attention_heads=ours.heads,
        patch_size=ours.patch_size,
        hidden_act="gelu_pytorch_tanh",
        attn_implementation="sdpa",
    )
    with torch.device("meta"):
        encoder = SiglipEncoder(config)
    weights: dict[str, Tensor] = {}
    for name, tensor in network.vpm.encoder.named_parameters():
        if ".qkv_proj." in name:
            weights |= {
                name.replace("qkv_proj", f"{part}_proj"): piece
                for part, piece in zip("qkv", tensor.chunk(3), strict=True)
            }
        else:
            weights[name] = tensor
    encoder.load_state_dict(weights, assign=True)
    return encoder.eval()
