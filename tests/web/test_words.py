"""The catalogue of the pages' words: whole, used, and in agreement with what the API says."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from models.commentators import OWN
from models.parameters import RANGES, SWITCHES
from models.profiles import PROFILES
from models.prompting import PROMPT_RANGES
from models.search import Source
from models.tables import AdditionKind, JobState
from web import words
from web.exports import GROUPS, WRITERS
from web.renders import RENDERINGS

WEB = Path(words.__file__).parent
ENGLISH = json.loads((words.LANGUAGES / "en.json").read_text())
ALL = {**ENGLISH["pages"], **ENGLISH["scripts"]}
BEGUN = r"""(?:state|step|verb|unit|segment|field|counts|commentator|profile|format|key|copy)[.]|job[.]silence-|batch[.]done-|exports[.]no-|format[.]group-|find[.]source[.]|activity[.]adding[.]"""


def keys_in(pattern: str) -> set[str]:
    """Return the whole keys that templates or scripts name."""
    found: set[str] = set()
    for path in WEB.glob(pattern):
        text = path.read_text()
        found |= set(re.findall(r"""["'`]([a-z-]+[.][\w.-]+)["'`]""", text))
    return found


def test_no_key_stands_in_both_parts() -> None:
    assert ENGLISH["pages"].keys() & ENGLISH["scripts"].keys() == set()


def test_scripts_name_only_keys_that_they_are_sent() -> None:
    named = set()
    for path in (WEB / "static").glob("*.js"):
        named |= set(re.findall(r"""\bsay\(\s*"([^"]+)\"""", path.read_text()))
    assert len(named) > 80
    assert named - ENGLISH["scripts"].keys() == set()


def test_templates_name_only_keys_that_there_are() -> None:
    named = set()
    for path in (WEB / "templates").glob("*.html"):
        named |= set(re.findall(r"""\bsay\("([^"]+)"(?! ~)""", path.read_text()))
    assert len(named) > 120
    assert named - ALL.keys() == set()


def test_every_key_is_named_somewhere() -> None:
    named = keys_in("static/*.js") | keys_in("templates/*.html")
    made_up = re.compile(BEGUN)
    assert [key for key in ALL if key not in named and not made_up.match(key)] == []


def test_what_the_server_knows_by_name_has_words_and_the_same_as_the_api() -> None:
    for name, about in OWN.items():
        assert ALL[f"commentator.{name}"] == about.label
        assert f"counts.{about.counts}" in ALL
    for name, profile in PROFILES.items():
        assert ALL[f"profile.{name}"] == profile.title
    for name, limits in {**RANGES, **SWITCHES, **PROMPT_RANGES}.items():
        assert ALL[f"field.{name}"] == limits.what
    told = {name: (it.title, it.purpose) for name, it in WRITERS.items()}
    told |= {name: (it.title, it.purpose) for name, it in RENDERINGS.items()}
    for name, (title, purpose) in told.items():
        assert (ALL[f"format.{name}"], ALL[f"format.{name}.purpose"]) == (title, purpose)
    for number, group in enumerate(GROUPS, 1):
        assert ALL[f"format.group-{number}"] == group
    for state in JobState:
        assert ALL[f"state.{state}"] == state
    for kind in AdditionKind:
        assert f"activity.adding.{kind}" in ALL
    for source in Source:
        assert ALL[f"find.source.{source}"] == source


@pytest.fixture
def bilingual(app: Flask, tmp_path: Path) -> FlaskClient:
    """Return a client of a server that speaks a little German, too."""
    german = {"pages": {"find.title": "Suche <&>"}, "scripts": {"state.done": "fertig"}}
    (tmp_path / "de.json").write_text(json.dumps(german))
    (tmp_path / "en.json").write_text(json.dumps(ENGLISH))
    words.install(app, tmp_path)
    return app.test_client()


@pytest.mark.parametrize(
    ("wish", "language"),
    [("de-AT,en;q=0.5", "de"), ("fr,en;q=0.5", "en"), ("fr", "en"), ("en-GB,de", "en"), ("", "en")],
)
def test_the_browser_chooses_the_language(bilingual: FlaskClient, wish: str, language: str) -> None:
    page = bilingual.get("/find", headers={"Accept-Language": wish}).text
    assert f'<html lang="{language}">' in page
    assert f"/words/{language}.js" in page
    assert ("<h1>Suche &lt;&amp;&gt;</h1>" in page) == (language == "de")


def test_an_added_commentator_brings_its_own_words(app: Flask) -> None:
    say: Callable[..., str] = app.jinja_env.globals["say"]  # type: ignore[assignment]
    with app.test_request_context():
        assert say("commentator.builtin", "unused") == OWN["builtin"].label
        assert say("commentator.added", "counts <cats> {here}") == "counts &lt;cats&gt; {here}"


def test_what_a_language_lacks_is_said_in_english(bilingual: FlaskClient) -> None:
    page = bilingual.get("/find", headers={"Accept-Language": "de"}).text
    assert ENGLISH["pages"]["find.any"] in page
    answer = bilingual.get("/words/de.js")
    assert answer.mimetype == "text/javascript"
    sent = json.loads(answer.text.removeprefix("export default ").removesuffix(";\n"))
    assert (sent["state.done"], sent["state.failed"]) == ("fertig", "failed")
    again = bilingual.get("/words/de.js", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert bilingual.get("/words/..%2fen.js").status_code == 404
    assert bilingual.get("/words/fr.js").status_code == 404
