"""Signs of health for weights that nobody has seen run."""

import math

import torch

from worker.minicpm.network import Network
from worker.minicpm.prompt import EncodedPrompt
from worker.minicpm.tokenizer import TextTokenizer


def sentence_loss(network: Network, tokenizer: TextTokenizer, sentence: str) -> float:
    """How much each token of a sentence surprises the network, in nats, on average.

    Plain English costs a trained network a few; weights that are garbage, or read wrongly, cost
    about `random_loss` or more.
    """
    begin = EncodedPrompt((tokenizer.token("<|endoftext|>"),), ())
    return answer_loss(network, tokenizer, begin, sentence)


@torch.inference_mode()
def answer_loss(
    network: Network, tokenizer: TextTokenizer, prompt: EncodedPrompt, answer: str
) -> float:
    """How much each token of an answer surprises the network after a prompt, in nats, on average.

    The same answer after two pictures tells whether the pictures are seen.
    """
    ids = tokenizer.encode(answer)
    cache = network.new_cache(1, len(prompt.ids) + len(ids))
    slot = torch.zeros(1, dtype=torch.long, device=network.device)
    scores = network.prefill([prompt], network.look(prompt.views), cache, [0])
    loss = 0.0
    for place, token in enumerate(ids, start=len(prompt.ids)):
        loss -= float(scores.log_softmax(-1)[0, token])
        read = torch.tensor([token], device=network.device)
        scores = network.decode_step(read, slot, slot + place, cache)
    return loss / len(ids)


def random_loss(network: Network) -> float:
    """What each token costs, in nats, where nothing was learned: every word is as likely."""
    return math.log(network.config.language.vocab_size)
