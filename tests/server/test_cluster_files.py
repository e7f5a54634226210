"""The files that an operator copies to three machines."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.server

ROOT = Path(__file__).parents[2]
ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]


def write(*arguments):
    command = [sys.executable, "-m", "deploy.cluster.files", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    done = write(folder, *ADDRESSES)
    assert done.returncode == 0, done.stderr
    return folder


def test_each_machine_gets_the_same_files_with_its_own_address(folder):
    names = {node.name: sorted(path.name for path in node.iterdir()) for node in folder.iterdir()}
    templates = sorted(path.name for path in (ROOT / "deploy" / "cluster" / "templates").iterdir())
    assert names == {"node1": templates, "node2": templates, "node3": templates}
    assert "listen: 10.0.0.2:5432" in (folder / "node2" / "patroni.yml").read_text()


def test_passwords_are_the_same_on_all_machines_and_new_each_time(folder, tmp_path):
    write(tmp_path, *ADDRESSES)
    lists = [(place / node / "userlist.txt").read_text() for place, node in ((folder, "node1"), (folder, "node3"))]
    assert lists[0] == lists[1] != (tmp_path / "node1" / "userlist.txt").read_text()


def test_files_are_readable_only_by_their_owner(folder):
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder / "node1").iterdir()}
    assert modes.pop("post_init.sh") == 0o700
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("arguments", [(), ("folder", "10.0.0.1"), ("folder", "10.0.0.1", "10.0.0.2", "nonsense")])
def test_anything_but_a_folder_and_three_addresses_is_refused(tmp_path, arguments):
    assert write(*(tmp_path / part if part == "folder" else part for part in arguments)).returncode == 1


def test_a_missing_program_is_reported_with_its_package():
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cluster.run"], cwd=ROOT, env={"PATH": ""}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "patroni is missing; Debian's package patroni has it." in done.stderr.splitlines()
