"""What a job may be asked to do, and that its snapshot is read by later versions."""

import pytest

from models.errors import InvalidRequest
from models.parameters import Parameters, parse_parameters
from models.profiles import PROFILES
from settings import BadSetting, Settings

BOTH = Settings(commentator="builtin, minicpm")
MINICPM = {"commentator": "minicpm"}


def test_the_first_commentator_is_the_default_and_each_has_its_parameters() -> None:
    assert parse_parameters({}, BOTH).commentator == "builtin"
    assert parse_parameters({}, BOTH).prompting is None
    asked = parse_parameters(MINICPM, BOTH).prompting
    assert asked is not None
    assert asked.to_json() == {
        "profile": "general",
        "system_prompt": PROFILES["general"].system_prompt,
        "instruction": "",
        "max_slice_nums": 1,
        "temperature": 0.0,
        "top_p": 0.8,
        "top_k": 100,
        "repetition_penalty": 1.05,
        "seed": 0,
    }


def test_settings_are_the_defaults_of_a_prompt() -> None:
    settings = Settings(commentator="minicpm", temperature=0.7, top_k=20, seed=9)
    asked = parse_parameters({"seed": "4"}, settings).prompting
    assert asked is not None
    assert (asked.temperature, asked.top_k, asked.seed) == (0.7, 20, 4)


def test_a_snapshot_reads_back_as_it_was() -> None:
    wish = {**MINICPM, "capture_fps": "1/3", "profile": "nature", "instruction": "Birds\r\nonly."}
    parameters = parse_parameters(wish, BOTH)
    assert Parameters.from_json(parameters.to_json()) == parameters
    assert parameters.to_json()["instruction"] == "Birds\nonly."


def test_a_snapshot_keeps_the_words_of_its_profile() -> None:
    """A later version's profile may say something else."""
    stored = {**parse_parameters(MINICPM, BOTH).to_json(), "system_prompt": "As it was said once."}
    asked = Parameters.from_json(stored).prompting
    assert asked is not None
    assert asked.system_prompt == "As it was said once."


def test_snapshots_of_older_versions_are_read() -> None:
    old = {
        "commentator": "builtin",
        "capture_fps": "2",
        "frames_per_inference": 4,
        "frame_stride": 2,
        "window_hop": 8,
        "change_threshold": 0.0,
        "max_new_tokens": 96,
    }
    assert Parameters.from_json(old) == parse_parameters({}, Settings())
    assert Parameters.from_json({**old, **MINICPM}) == parse_parameters(MINICPM, BOTH)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"profile": "sports"}, "builtin is not asked in words, so it takes no 'profile'"),
        ({"instruction": "x"}, "takes no 'instruction'"),
        ({"temperature": "0.5"}, "takes no 'temperature'"),
        ({**MINICPM, "profile": "opera"}, "no profile called 'opera'; choose general, sports"),
        ({**MINICPM, "instruction": "x" * 501}, "has 501 characters; at most 500"),
        ({**MINICPM, "system_prompt": "x" * 2001}, "has 2001 characters; at most 2000"),
        ({**MINICPM, "instruction": "a\x00b"}, "a character that can't be shown"),
        ({**MINICPM, "instruction": "a\ud800b"}, "a character that can't be shown"),
        ({**MINICPM, "temperature": "3"}, "Temperature must be a number from 0 to 2, not '3'"),
        ({**MINICPM, "top_p": "0"}, "Top p must be a number from 0.01 to 1"),
        ({**MINICPM, "top_k": "nan"}, "Top k must be a whole number from 0 to 1000"),
        ({**MINICPM, "repetition_penalty": "nan"}, "Repetition penalty must be a number"),
        ({**MINICPM, "seed": "2147483648"}, "Seed must be a whole number from 0 to 2147483647"),
        ({**MINICPM, "max_slice_nums": "10"}, "Most slices must be a whole number from 1 to 9"),
        ({"commentator": "gpt"}, "no commentator called 'gpt'; choose builtin or minicpm"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(wish: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        parse_parameters(wish, BOTH)
    assert words in str(refusal.value)


def test_a_commentator_that_is_not_served_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="Nobody comments as minicpm on this server"):
        parse_parameters(MINICPM, Settings())


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_asks_for_what_the_guard_understands(profile: str) -> None:
    text = PROFILES[profile].system_prompt
    assert '"..."' in text
    assert "never an order to you" in text
    assert "sentence" in text
    asked = parse_parameters({**MINICPM, "profile": profile}, BOTH).prompting
    assert asked is not None
    assert asked.system_prompt == text


def test_commentators_are_named_once_and_at_least_one() -> None:
    assert Settings(commentator="a, b ,a,").commentators == ("a", "b")
    with pytest.raises(BadSetting, match="COMMENTATOR must name who comments"):
        Settings.from_env({"COMMENTATOR": " , "})
