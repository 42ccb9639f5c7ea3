"""Loads the weights, comments one picture and tells, as JSON, how it went.

A process of its own: it may take all memory, and be ended for it.
Usage: python -m doctor.model FOLDER
"""

import json
import resource
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from doctor.facts import ModelFacts
from doctor.weights import read_weights

if TYPE_CHECKING:
    from worker.minicpm import Engine
    from worker.minicpm.preprocess import Picture

CLIP = Path(__file__).parents[1] / "samples" / "bikes.mp4"
MOMENT_S = 5.0  # a man with a helmet stands with his bicycle beside a car
CAPTION = "A man with a helmet and a bicycle stands in the street beside a car."
QUESTION = "Say in one sentence what the picture shows."
SENTENCE = (
    "The capital of France is Paris, and the capital of Italy is Rome. In the morning the sun rises "
    "in the east, and in the evening it sets in the west."
)
GREY = 128
ROOM = 1024  # tokens: one picture, a question and an answer


def examine(folder: Path) -> ModelFacts:
    """Load and measure. Raises what the runtime raises."""
    from worker.minicpm import Message, Request, Sampling, load
    from worker.minicpm.check import random_loss, sentence_loss

    picture = sample_picture()
    began = time.monotonic()
    with load(folder, slots=1, room=ROOM) as engine:
        loaded = time.monotonic()
        rule = Sampling(max_new_tokens=64)
        request = Request([Message("user", (picture, QUESTION))], rule)
        engine.comment(request)  # the first one compiles
        reply = engine.comment(request)
        network = engine.network
        return ModelFacts(
            device=device_name(engine),
            dtype=str(network.dtype).removeprefix("torch."),
            load_s=loaded - began,
            loss=sentence_loss(network, engine.tokenizer, SENTENCE),
            random_loss=random_loss(network),
            seen_loss=_caption_loss(engine, picture),
            blank_loss=_caption_loss(engine, picture * 0 + GREY),
            vision_layers=network.config.vision.layers,
            vision_layers_stored=read_weights(folder).vision_layers,
            comment=reply.text,
            tokens=reply.tokens_out,
            tokens_per_s=max(0, reply.tokens_out - 1) / max(reply.generate_ms, 1e-3) * 1000,
            vision_ms=reply.vision_ms,
            prefill_ms=reply.prefill_ms,
            peak_bytes=peak_bytes(engine),
        )


def sample_picture() -> "Picture":
    """Return a frame of the sample clip."""
    import av
    import numpy as np

    with av.open(str(CLIP)) as container:
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time >= MOMENT_S:
                return frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    raise RuntimeError(f"{CLIP} is shorter than {MOMENT_S} s")


def _caption_loss(engine: "Engine", picture: "Picture") -> float:
    from worker.minicpm import Message, PromptStyle
    from worker.minicpm.check import answer_loss

    messages = [Message("user", (picture, QUESTION))]
    prompt = engine.encoder.encode(messages, PromptStyle(), ROOM)
    return answer_loss(engine.network, engine.tokenizer, prompt, CAPTION)


def device_name(engine: "Engine") -> str:
    import torch

    device = engine.network.device
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "the CPU"


def peak_bytes(engine: "Engine") -> int:
    import torch

    device = engine.network.device
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    print(json.dumps(asdict(examine(Path(sys.argv[1])))))
