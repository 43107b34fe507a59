"""kubeconfig files: merged as kubectl merges them, written without losing anybody's entries."""

from __future__ import annotations

import base64
import stat
import threading

import pytest
import yaml

from proa.client.connection import Connection
from proa.client.kubeconfig import KubeconfigError, add_cluster, edit, load, read, remove_cluster

CONNECTION = Connection(server="https://127.0.0.1:6443", ca=b"CA", certificate=b"CERT", key=b"KEY")


def test_a_cluster_written_is_the_cluster_read(tmp_path):
    path = tmp_path / "config"
    edit(path, lambda document: add_cluster(document, "dev", CONNECTION, namespace="team"))
    connection = load([path]).connection()
    assert (connection.server, connection.ca, connection.certificate, connection.key) == (
        "https://127.0.0.1:6443", b"CA", b"CERT", b"KEY")  # fmt: skip
    assert connection.namespace == "team"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    edit(path, lambda document: remove_cluster(document, "dev"))
    assert read(path)["clusters"] == []
    assert read(path)["current-context"] == ""


def test_the_first_file_that_names_a_thing_wins(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    edit(first, lambda d: add_cluster(d, "a", Connection(server="https://first")))
    edit(second, lambda d: add_cluster(d, "a", Connection(server="https://second")))
    edit(second, lambda d: add_cluster(d, "b", Connection(server="https://other")))
    merged = load([tmp_path / "missing", first, second])
    assert merged.current_context == "a"
    assert merged.connection().server == "https://first"
    assert merged.connection("b").server == "https://other"


def test_paths_are_relative_to_their_file_and_inline_data_wins(tmp_path):
    (tmp_path / "ca.pem").write_bytes(b"FROM FILE")
    path = tmp_path / "config"
    cluster = {"server": "https://x", "certificate-authority": "ca.pem"}
    path.write_text(yaml.dump({"clusters": [{"name": "c", "cluster": cluster}]}))
    assert load([path]).connection(cluster="c").ca == b"FROM FILE"
    cluster["certificate-authority-data"] = base64.b64encode(b"INLINE").decode()
    path.write_text(yaml.dump({"clusters": [{"name": "c", "cluster": cluster}]}))
    assert load([path]).connection(cluster="c").ca == b"INLINE"


def test_unknown_content_survives_an_edit(tmp_path):
    path = tmp_path / "config"
    path.write_text("apiVersion: v1\nkind: Config\nextensions: [{name: x}]\npreferences: {colors: true}\n")
    edit(path, lambda document: add_cluster(document, "dev", CONNECTION))
    assert read(path)["extensions"] == [{"name": "x"}]
    assert read(path)["preferences"] == {"colors": True}


def test_two_writers_do_not_lose_each_others_entries(tmp_path):
    path = tmp_path / "config"
    names = [f"cluster-{number}" for number in range(12)]
    threads = [
        threading.Thread(target=edit, args=(path, lambda document, name=name: add_cluster(document, name, CONNECTION)))
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(load([path]).clusters) == set(names)
    assert not path.with_name("config.lock").exists()


@pytest.mark.parametrize(
    ("user", "says"),
    [
        ({"exec": {"command": "aws"}}, "credential plugins (exec) are not implemented"),
        ({"client-certificate": "nowhere.pem"}, "nowhere.pem: No such file"),
        ({"client-key-data": "%%%"}, "client-key-data is not base64"),
    ],
)
def test_credentials_that_cannot_be_used_are_refused_by_name(tmp_path, user, says):
    path = tmp_path / "config"

    def change(document):
        add_cluster(document, "dev", CONNECTION)
        document["users"][0]["user"] = user

    edit(path, change)
    with pytest.raises(KubeconfigError) as refused:
        load([path]).connection()
    assert 'user "dev"' in str(refused.value)
    assert says in str(refused.value)


def test_missing_names_are_told(tmp_path):
    path = tmp_path / "config"
    with pytest.raises(KubeconfigError, match="no context is current"):
        load([path]).connection()
    edit(path, lambda document: add_cluster(document, "dev", CONNECTION))
    with pytest.raises(KubeconfigError, match='context "prod" does not exist'):
        load([path]).connection("prod")
