"""The JSON schema of configuration files, by which editors complete and check them."""

from typing import Any

from crossres.settings.config import Config
from crossres.settings.runs import Runs


def schema() -> dict[str, Any]:
    """Return the JSON schema of a configuration file, in which `run` may also stand for several runs."""
    found = Config.model_json_schema()
    description = found["properties"]["run"].pop("description")
    found["properties"]["run"] = {
        "description": description, "anyOf": [found["properties"]["run"], Runs.model_json_schema()]
    }  # fmt: skip
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}
