from __future__ import annotations

from pathlib import Path

import pytest

from proa.apiserver.plugins import UnknownPluginError
from proa.apiserver.plugins.context import ConfigurationError
from proa.cluster.admission import configuration

HEAD = "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins:\n"


def test_a_plugin_is_configured_in_the_file_or_in_one_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "limits.yaml").write_text("limits: [{type: Server, qps: 1, burst: 1}]")
    main = tmp_path / "admission.yaml"
    main.write_text(
        HEAD
        + "- {name: EventRateLimit, path: limits.yaml}\n"
        + "- {name: PodSecurity, configuration: {defaults: {enforce: baseline}}}\n- {name: Priority}\n"
    )
    assert configuration(str(main)) == {
        "EventRateLimit": {"limits": [{"type": "Server", "qps": 1, "burst": 1}]},
        "PodSecurity": {"defaults": {"enforce": "baseline"}},
    }
    assert configuration("") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: Other", "it must be an AdmissionConfiguration"),
        ("- 1", "it must be one YAML document"),
        (HEAD + "- {path: x}", "a plugin without a name"),
        (HEAD + "- {name: EventRateLimit, path: nowhere}", "nowhere"),
        ("{", "admission.yaml"),
    ],
)
def test_a_file_that_makes_no_sense_is_an_error(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "admission.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        configuration(str(file))


def test_a_plugin_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "admission.yaml"
    file.write_text(HEAD + "- {name: Nonsense}")
    with pytest.raises(UnknownPluginError, match="Nonsense"):
        configuration(str(file))
