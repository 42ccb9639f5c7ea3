"""From what loaded weights did to lines: are they sound? Pure, as advice.py is."""

from doctor.facts import ModelFacts
from doctor.lines import Line, gigabytes

# As shares of what weights cost that have learned nothing. Trained networks of this size are known
# to spend 1-4 nats on a token of plain English, a third of 11.9 at most.
TRAINED, DOUBTFUL = 0.45, 0.65
SEEN_GAIN = 0.1  # nats by which a caption must cost less after its own picture


def judge_model(model: ModelFacts) -> list[Line]:
    """Say of loaded weights whether they are sound."""
    return [
        language := _judge_language(model),
        _judge_sight(model, language.level != "problem"),
        _judge_layers(model),
        Line("ok", "comment", f"{model.comment!r} (read it: does it describe the picture?)"),
        Line(
            "ok",
            "speed",
            f"{model.tokens_per_s:.1f} tokens/s ({model.tokens} tokens, one window alone), vision "
            f"{model.vision_ms:.0f} ms, prefill {model.prefill_ms:.0f} ms, loaded in "
            f"{model.load_s:.1f} s, {model.dtype} on {model.device}",
        ),
        Line("ok", "memory", f"{gigabytes(model.peak_bytes)} at its peak"),
    ]


def _judge_language(model: ModelFacts) -> Line:
    share = model.loss / model.random_loss
    text = (
        f"plain English costs {model.loss:.2f} nats a token; weights that have learned nothing "
        f"cost {model.random_loss:.1f}"
    )
    if share < TRAINED:
        return Line("ok", "language", text)
    step = (
        "pull the weights again, so that their hashes are checked, and check again; if they stay "
        "so, they are not trained ones, or they are read wrongly here: please report it"
    )
    if share < DOUBTFUL:
        return Line("note", "language", f"{text}: more than a trained network should", step)
    return Line("problem", "language", f"{text}: these weights don't know English", step)


def _judge_sight(model: ModelFacts, speaks: bool) -> Line:
    """Judge by a caption; a network that doesn't know English says nothing about the tower."""
    gain = model.blank_loss - model.seen_loss
    text = (
        f"the right caption costs {model.seen_loss:.2f} nats a token after its picture, "
        f"{model.blank_loss:.2f} after a grey one"
    )
    if speaks and gain >= SEEN_GAIN:
        return Line("ok", "sight", text)
    step = (
        "if English is well and captions are not, try the tower without its last layer: set "
        f'"drop_vision_last_layer": true in config.json, so that {model.vision_layers_stored - 1} '
        "layers are run, and check again"
    )
    if not speaks:
        return Line("note", "sight", f"{text}; that means nothing while English is wrong", step)
    return Line("problem", "sight", f"{text}: the picture is not made use of", step)


def _judge_layers(model: ModelFacts) -> Line:
    text = f"{model.vision_layers} of {model.vision_layers_stored} stored layers are run"
    if model.vision_layers == model.vision_layers_stored:
        return Line("ok", "vision", text)
    step = 'set "drop_vision_last_layer": false in config.json if captions are garbage'
    return Line("note", "vision", f"{text}, as config.json asks", step)
