"""How the parts that only some commentators need are looked at: a network's folder, an endpoint."""

from doctor.facts import EndpointFacts, NetworkFacts
from settings import Settings


def look_at_network(settings: Settings) -> NetworkFacts:
    """Look whether the folder of TRANSFORMERS_MODEL can comment; its files alone are read."""
    from worker.transformers.folder import architecture, trouble

    folder = settings.transformers_folder
    reason = trouble(folder) if settings.transformers_model else "TRANSFORMERS_MODEL names none"
    stored = 0 if reason else sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    return NetworkFacts(settings.transformers_model, folder, reason, architecture(folder), stored)


def look_at_endpoint(settings: Settings) -> EndpointFacts:
    """Ask the endpoint of OPENAI_URL for its networks; that costs nothing."""
    import httpx

    from worker.commentators import check_openai
    from worker.openai.endpoint import Endpoint, EndpointError, Refused

    check_openai(settings)
    endpoint = Endpoint(settings.openai_url, settings.openai_key, at_once=1)
    model, has_key = settings.openai_model, settings.openai_key != ""
    try:
        listed = tuple(endpoint.networks())
    except EndpointError as error:
        is_away = isinstance(error.__cause__, httpx.HTTPError)
        key_refused = isinstance(error, Refused) and error.status in (401, 403)
        reason = _without(settings.secrets, str(error))
        return EndpointFacts(endpoint.host, model, has_key, None, reason, is_away, key_refused)
    finally:
        endpoint.close()
    return EndpointFacts(endpoint.host, model, has_key, listed)


def _without(secrets: tuple[str, ...], text: str) -> str:
    """Take out what an endpoint may quote of what it was sent."""
    for secret in secrets:
        text = text.replace(secret, "…")
    return text
