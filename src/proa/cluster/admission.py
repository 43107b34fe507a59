"""The admission plugins of an API server as its arguments choose and configure them.

The configuration file is upstream's AdmissionConfiguration: for each plugin a document, or the name of a file that has
it, relative to the first. Not here: what a plugin makes of its document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from proa.apiserver.admission import Plugin
from proa.apiserver.plugins import check_names, default_plugins
from proa.apiserver.plugins.context import ConfigurationError, PluginContext
from proa.cluster.api_arguments import ApiArguments

_GROUP = "apiserver.config.k8s.io/"


def plugins(context: PluginContext, arguments: ApiArguments) -> Sequence[Plugin]:
    """Raises UnknownPluginError, ConfigurationError."""
    configured = replace(context, configuration=configuration(arguments.admission_control_config_file))
    return default_plugins(
        configured, enable=arguments.enable_admission_plugins, disable=arguments.disable_admission_plugins
    )


def configuration(file: str) -> Mapping[str, Mapping[str, Any]]:
    """The document of each plugin that has one. Raises ConfigurationError."""
    if not file:
        return {}
    path = Path(file)
    document = _document(path)
    if document.get("kind") != "AdmissionConfiguration" or not str(document.get("apiVersion")).startswith(_GROUP):
        raise ConfigurationError(f"{path}: it must be an AdmissionConfiguration of {_GROUP}v1")
    found: dict[str, Mapping[str, Any]] = {}
    for each in document.get("plugins") or ():
        name = each.get("name") if isinstance(each, dict) else None
        if not name:
            raise ConfigurationError(f"{path}: a plugin without a name")
        check_names((name,), ())
        if each.get("configuration") is not None:
            found[name] = each["configuration"]
        elif each.get("path"):
            found[name] = _document(path.parent / each["path"])
    return found


def _document(path: Path) -> dict[str, Any]:
    from proa.lang import yaml  # not before there is a file: every server would wait for its import

    try:
        document = yaml.load(path.read_bytes())
    except (OSError, yaml.YamlError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path}: it must be one YAML document")
    return document
