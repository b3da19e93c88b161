"""The names of the Python framework's client, on OpenFeature."""

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext


class FeatureFlagClient:
    """Asks the service at `url` for the flags of a project; always returns a value."""

    def __init__(self, project_name, url="http://127.0.0.1:8080", api_key=None, timeout=5.0):
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        provider = OFREPProvider(
            f"{url}/projects/{project_name}", headers_factory=lambda: headers, timeout=timeout
        )
        api.set_provider(provider, domain=project_name)
        self._client = api.get_client(domain=project_name)

    def get_flag_boolean(self, flag_name, instance_id, default_value):
        """The value of a `feature` flag, or the default."""
        key = f"feature/{flag_name}"
        return self._client.get_boolean_value(key, default_value, EvaluationContext(instance_id))

    def get_flag_string(self, flag_name, instance_id, default_value):
        """The value of a `data` flag, or the default."""
        key = f"data/{flag_name}"
        return self._client.get_string_value(key, default_value, EvaluationContext(instance_id))
