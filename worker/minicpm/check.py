"""A sign of health for weights that nobody has seen run."""

import torch

from worker.minicpm.network import Network
from worker.minicpm.prompt import EncodedPrompt
from worker.minicpm.tokenizer import TextTokenizer


@torch.inference_mode()
def sentence_loss(network: Network, tokenizer: TextTokenizer, sentence: str) -> float:
    """How much each token of a sentence surprises the network, in nats, on average.

    Plain English costs a trained network a few; weights that are garbage, or read wrongly, cost
    about the logarithm of the vocabulary, 12, or more.
    """
    ids = [tokenizer.token("<|endoftext|>"), *tokenizer.encode(sentence)]
    cache = network.new_cache(1, len(ids))
    scores = network.prefill([EncodedPrompt((ids[0],), ())], network.look([]), cache, [0])
    loss = 0.0
    for place, token in enumerate(ids[1:], start=1):
        loss -= float(scores.log_softmax(-1)[0, token])
        here = torch.tensor([place], device=network.device)
        scores = network.decode_step(torch.tensor([token]), here, cache, len(ids))
    return loss / (len(ids) - 1)
