"""Child program: tell what can be spoken here: {"voices": [[language, name], ...]} or {"missing": why}."""

import json
import sys

from worker.render.espeak import NoSynthesiser, Synthesiser


def main() -> None:
    try:
        offer: dict[str, object] = {
            "voices": [[voice.language, voice.name] for voice in Synthesiser().voices()]
        }
    except NoSynthesiser as missing:
        offer = {"missing": str(missing)}
    json.dump(offer, sys.stdout)


if __name__ == "__main__":
    main()
