"""The examples of `docs/lab.md`, each tried, and the pytest plugin that they are about."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from server import BINARY

pytest_plugins = ["lab_fixtures"]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/lab.md").read_text()
PLUGIN = ("-p", "calotype_lab.plugin")


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def run_pytest(folder, text, *arguments):
    """Runs tests as somebody would who has installed the plugin."""
    file = folder / "test_example.py"
    file.write_text(text)
    environment = os.environ | {"PYTHONPATH": str(ROOT / "python"), "CALOTYPE_BIN": str(BINARY.resolve())}
    environment |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-q", *arguments, "-c", os.devnull, "--rootdir", folder, file]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, cwd=folder)


def test_the_examples_in_python(tmp_path):
    examples = blocks("python")
    assert len(examples) == 2
    ended = run_pytest(tmp_path, "\n\n".join(examples), *PLUGIN)
    assert ended.returncode == 0 and "3 passed" in ended.stdout, ended.stdout + ended.stderr


def test_the_first_example_fails_without_the_lab(tmp_path):
    example = blocks("python")[0]
    body = example.split("\n")
    assert len([line for line in body if line.strip()]) == 10
    ended = run_pytest(tmp_path, example)
    assert ended.returncode == 1 and "fixture 'calotype' not found" in ended.stdout
    unheld = re.sub(r"with calotype\.hold\(.*\):", "if True:", example)
    ended = run_pytest(tmp_path, unheld, *PLUGIN)
    assert ended.returncode == 1 and "DID NOT RAISE" in ended.stdout, ended.stdout


def test_the_plugin_gives_each_test_a_world_and_removes_it(tmp_path):
    ended = run_pytest(tmp_path, PLUGIN_TESTS, *PLUGIN, "-p", "no:cacheprovider")
    assert ended.returncode == 0 and "7 passed" in ended.stdout, ended.stdout + ended.stderr


PLUGIN_TESTS = '''
import pytest
from alibabacloud_appstream_center20210901.models import ListImageRequest
from alibabacloud_ecd20200930.models import DescribeTemplatesRequest
from alibabacloud_ens20171110.models import DescribeImagesRequest, DescribeSelfImagesRequest
from calotype_lab import Problem

accounts = []

@pytest.mark.parametrize("number", [1, 2])
def test_worlds(calotype, number):
    accounts.append(calotype.account)
    assert calotype.name == f"test_worlds[{number}]"
    assert calotype.ens.describe_self_images(DescribeSelfImagesRequest()).body.total_count == "0"
    assert calotype.appstream.list_image(ListImageRequest(image_type="User")).body.count == 0
    assert calotype.ecd.describe_templates(DescribeTemplatesRequest()).body.total_count == 0

def test_gone(calotype_lab):
    assert len(set(accounts)) == 2
    assert not calotype_lab.worlds()

@pytest.fixture(scope="session")
def calotype_config():
    return "[deletion]\\ngrace = '1h'\\n"

@pytest.mark.calotype(users=[{"name": "ci"}], seed={"images": [{"name": "golden"}]})
def test_marked(calotype):
    with pytest.raises(Exception, match="NoPermission"):
        calotype.client("ens", user="ci").describe_images(DescribeImagesRequest())
    assert calotype.ens.describe_self_images(DescribeSelfImagesRequest()).body.total_count == "1"

def test_alone(calotype_alone, calotype_lab):
    calotype_alone.advance("1h")
    assert calotype_alone.clock()["ahead_ms"] == 3_600_000
    assert calotype_lab.clock()["ahead_ms"] == 0

def test_faults_end_with_their_block(calotype):
    with calotype.fault("DescribeImages", error="InternalError", times=0) as fault:
        with pytest.raises(Exception, match="InternalError"):
            calotype.ens.describe_images(DescribeImagesRequest())
        assert fault.met == 1
    calotype.ens.describe_images(DescribeImagesRequest())
    with calotype.fault(delay_ms=1) as fault:
        fault.clear()

def test_problems(calotype):
    with pytest.raises(Problem, match="no state of transition") as told:
        calotype.hold(image="m-1", state="Melting")
    assert told.value.status == 400
'''


def test_the_examples_for_the_shell(lab_shared, lab):
    """In the order of the page; the first one makes what the others are about."""
    first, *others = blocks("sh")
    environment = os.environ | {"lab": f"http://{lab.address}"}
    made = json.loads(shell(first, environment))
    things = made["things"]
    environment |= {"account": made["account"], "image": things["golden"], "web": things["web"]}
    answers = [shell(block, environment) for block in others]
    assert len(answers) == 7
    saved, record, faults, holds, regions, clock, reset = answers
    assert json.loads(saved)["ids"][things["golden"]] != things["golden"]
    assert json.loads(record)["entries"] == []
    assert faults.count('"delay_ms": 1500') == 2 and '"cleared": 3' in faults
    assert '"state": "Packing"' in holds and '"state": "ReIniting"' in holds
    assert '"store": "hanging"' in regions and '"ahead_ms": 1200000' in clock
    assert json.loads(reset) == {"faults": 0, "holds": 0, "regions": []}
    for world in lab.worlds():
        lab.request("DELETE", f"/worlds/{world['account']}")


def shell(block, environment):
    script = "set -eo pipefail\n" + block.replace("curl -s ", "curl -sSf --noproxy '*' ")
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, env=environment)
    assert ended.returncode == 0, (block, ended.stdout, ended.stderr)
    return ended.stdout


def test_the_seed_in_toml(lab_shared, lab):
    [text] = blocks("toml")
    made = lab.request("POST", "/worlds", text.replace('parent = "golden"', "").encode(), "application/toml")
    try:
        assert set(made["things"]) == {"golden", "child", "web"}
        assert len(lab.holds()) == 2
    finally:
        lab.request("DELETE", f"/worlds/{made['account']}")


@pytest.mark.parametrize("name", ["5,000", "10,000", "32 MiB", "256 MiB", "1,024"])
def test_the_limits_are_told(name):
    assert name in PAGE.split("## Limits")[1]
