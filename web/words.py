"""The words of the pages: one catalogue for each language, for templates and scripts alike.

languages/CODE.json holds {"pages": {key: words}, "scripts": {key: words}}; scripts are sent the second part only.
Words may hold {places}. Where a count decides, they are {"one": …, "other": …}, by the names of Unicode's plural
rules, which the browser knows (Intl): so counts are told by scripts, never by a template.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Flask, Response, abort, current_app, request
from markupsafe import Markup, escape

bp = Blueprint("words", __name__)

LANGUAGES = Path(__file__).parent / "languages"
FALLBACK = "en"

Words = str | dict[str, str]


@dataclass(frozen=True, slots=True)
class Catalogue:
    pages: Mapping[str, Words]
    scripts: Mapping[str, Words]

    def say(self, key: str, otherwise: str | None = None, **values: object) -> Markup:
        """Return the words of a key, safe in HTML; `values` are escaped unless they are Markup.

        `otherwise` are the words where no catalogue has the key: an added commentator brings its own.
        Without them the key shows, which beats a page that can't be shown.
        """
        words = self.pages.get(key) or self.scripts.get(key)
        if words is None:
            return escape(otherwise or key)
        return Markup(escape(words)).format(**values)


def install(app: Flask, folder: Path = LANGUAGES) -> None:
    """Offer every language of the folder; what one lacks is said in English."""
    read = {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}
    english = read[FALLBACK]
    app.extensions["reelnotes-words"] = {
        language: Catalogue(
            *({**english[part], **catalogue.get(part, {})} for part in ("pages", "scripts"))
        )
        for language, catalogue in read.items()
    }
    app.jinja_env.globals.update(say=_say, language=language)


def _catalogues() -> dict[str, Catalogue]:
    catalogues: dict[str, Catalogue] = current_app.extensions["reelnotes-words"]
    return catalogues


def language() -> str:
    """Return the first of the languages that the browser asks for, also without its region, that there is."""
    known = {name.lower(): name for name in _catalogues()}
    for wish in request.accept_languages.values():
        for name in (wish.lower(), wish.lower().partition("-")[0]):
            if name in known:
                return known[name]
    return FALLBACK


def _say(key: str, otherwise: str | None = None, **values: object) -> Markup:
    return _catalogues()[language()].say(key, otherwise, **values)


@bp.get("/words/<name>.js")
def module(name: str) -> Response:
    """Send the scripts' part of a catalogue, as a module."""
    catalogue = _catalogues().get(name) or abort(404)
    content = json.dumps(catalogue.scripts, ensure_ascii=False)
    answer = Response(f"export default {content};\n", mimetype="text/javascript")
    answer.cache_control.no_cache = True
    answer.add_etag()
    answer.make_conditional(request)
    return answer
