"""Commands about what this machine has: weights, packages, devices."""

from collections.abc import Mapping

import click

from cli.failing import fails_with
from doctor import report
from pull import PullFailed
from pull import pull as run_pull
from settings import read_settings


@click.command(cls=fails_with(PullFailed))
@click.argument("repository", required=False)
def pull(repository: str | None) -> None:
    """Fetch a network's weights into DATA_DIR/models; the one of MODEL_PATH, or REPOSITORY.

    Goes on where it was interrupted; checks every file's hash.
    """
    settings = read_settings()
    wanted = repository or settings.model_path
    folder = run_pull(wanted, settings.data_dir / "models", settings.hub_url, settings.hub_token)
    if folder not in (settings.model_folder, settings.transformers_folder):
        name = folder.relative_to(settings.data_dir / "models")
        click.echo(
            f"To use it: MODEL_PATH={name} if it is a MiniCPM-o 4.5, else TRANSFORMERS_MODEL={name}"
        )


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.option(
    "--check-model",
    is_flag=True,
    help="Also load the weights, try them on a picture and judge them.",
)
def doctor(as_json: bool, check_model: bool) -> int:
    """Say what this machine can run and what to do next.

    Exit status 1 if anything is wrong for the chosen COMMENTATOR. `python -m doctor` does the same
    where packages are missing.
    """
    return report(as_json, check_model)


COMMANDS: Mapping[str, click.Command] = {
    command.name: command for command in (pull, doctor) if command.name
}
