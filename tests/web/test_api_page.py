"""docs/api.md names what there is: every address, field and kind of error."""

import re
from pathlib import Path
from typing import get_type_hints

from flask import Flask

from models.errors import AppError
from models.parameters import PARAMETER_FIELDS
from tests.web.test_errors import kinds
from web import shapes
from web.errors import STATUSES

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()


def test_it_names_every_address_of_the_api(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(("/api/", "/media/")):
            last_word = re.split(r"[/.]", re.sub(r"<.*?>", "", rule.rule).rstrip("/."))[-1]
            assert last_word in PAGE, rule.rule


def test_it_names_every_field() -> None:
    shown = [shapes.JobShape, shapes.VideoShape, shapes.SegmentShape, shapes.TimingsRecord]
    shown += [shapes.NetworkRecord, shapes.WritingShape, shapes.CommentatorShape]
    shown += [shapes.ProfileShape, shapes.OfferShape, shapes.UploadShape, shapes.UploadListShape]
    shown += [shapes.PresetShape, shapes.PresetListShape]
    shown += [shapes.RunShape, shapes.RunListShape, shapes.ComparisonShape, shapes.RowShape]
    shown += [shapes.SideShape, shapes.StretchShape, shapes.BriefSegmentShape]
    shown += [shapes.HitShape, shapes.PieceShape, shapes.FindShape]
    shown += [shapes.OutcomeShape, shapes.BatchShape, shapes.WebhookSecretShape]
    shown += [shapes.WebhookListShape, shapes.DeliveryListShape, shapes.DeliveryShape]
    shown += [shapes.AttemptShape]
    shown += [shapes.AdditionShape, shapes.SummaryShape, shapes.SummaryRecord]
    shown += [shapes.ChapterRecord, shapes.EffortRecord]
    for shape in (*shown, shapes.JobListShape, shapes.SegmentListShape):
        for name in get_type_hints(shape):
            assert f'"{name}"' in PAGE, name
    for name in PARAMETER_FIELDS:
        assert f"| `{name}` |" in PAGE, name


def test_it_names_every_kind_of_error_with_its_status() -> None:
    for kind in kinds(AppError):
        if kind in STATUSES:
            assert f"| `{kind.kind}` | {STATUSES[kind].value} |" in PAGE
        assert f"`{kind.kind}`" in PAGE
