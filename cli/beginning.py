"""What the commands that run the server see to before anything else."""

from models.commentators import check_known
from models.errors import InvalidRequest
from models.parameters import parse_parameters
from settings import BadSetting, Settings


def checked(settings: Settings) -> Settings:
    """Refuse defaults that no job could have. Raises BadSetting."""
    check_known(settings)
    try:
        for commentator in settings.commentators:
            parse_parameters({"commentator": commentator}, settings)
    except InvalidRequest as refusal:
        raise BadSetting(f"COMMENTATOR or a job's settings can't be used. {refusal}") from refusal
    return settings
