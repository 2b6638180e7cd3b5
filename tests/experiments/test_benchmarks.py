"""The tables of BENCHMARKS.md say what the report says."""

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import benchmarks


def timing(ms):
    return {"median": 1e-3 * ms, "low": 0.9e-3 * ms, "high": 1.1e-3 * ms, "compile": ms / 50}


def row(by, ms, ratio, precision="float32", section="training step", share=None):
    timings = {} if ms is None else {"step": timing(ms)}
    seconds = None if ms is None else 1e-3 * ms
    made = {"section": section, "task": "net, 8×4×4×3", "by": by, "precision": precision, "timings": timings}
    return made | {"seconds": seconds, "ratio": ratio, "share": share}


REPORT = {
    "machine": {
        "device": "A CPU",
        "cores": 2,
        "instructions": ["avx2"],
        "load": 0.1,
        "versions": {"jax": "0.10"},
        "date": "2026-01-01",
        "command": "jaxcnn bench --ops all --json out.json",
    },
    "peaks": {"float32": 3e11, "memory": 2e10},
    "left_out": ["inference: net, 64×4×4×3"],
    "rows": [
        row("jaxcnn", 100, 1.0, share=0.5),
        row("Flax NNX", 312.34, 3.1234),
        row("Keras", None, None),
        row("jaxcnn", 50, 1.0, "bfloat16"),
        row("jaxcnn", 1.234, 1.0, section="inference"),
        row("jaxcnn", 8, 1.0, section="operation") | {"timings": {"forward": timing(5), "dx": timing(3)}},
    ],
}


MEMORY = {
    "machine": REPORT["machine"] | {"date": "2026-01-02", "command": "memory_peak.py"},
    "memory": [{"task": "net, 8×4×4×3", "precision": "float32", "by": "jaxcnn", "megabytes": 123.4}],
}


def printed(capsys, monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["benchmarks.py", *map(str, words)])
    benchmarks.main()
    return capsys.readouterr().out.splitlines()


def test_every_time_has_its_place_its_spread_and_its_ratio(tmp_path, monkeypatch, capsys):
    one, two = tmp_path / "report.json", tmp_path / "memory.json"
    one.write_text(json.dumps(REPORT))
    two.write_text(json.dumps(MEMORY))
    assert printed(capsys, monkeypatch, "Times", one, "Memory", two) == [
        "# Benchmarks on A CPU",
        "",
        "A CPU, 2 cores, avx2; jax 0.10  ",
        "2026-01-01 to 2026-01-02",
        "",
        "## Times",
        "",
        "`jaxcnn bench --ops all`  ",
        "Measured peaks: float32 300 GFLOP/s, memory 20 GB/s. Other programs that wanted a core: 0.1. "
        "Left out, for want of time: inference: net, 64×4×4×3.",
        "",
        "| training step | jaxcnn | Flax NNX | of peak | images a second |",
        "|---|---:|---:|---:|---:|",
        "| net, 8×4×4×3, float32 | 100 ± 10% | 312 ± 10% (3.12×) | 50% | 80 |",
        "| net, 8×4×4×3, bfloat16 | 50 ± 10% |  |  | 160 |",
        "",
        "| seconds to compile it | jaxcnn | Flax NNX |",
        "|---|---:|---:|",
        "| net, 8×4×4×3, float32 | 2.0 | 6.2 |",
        "| net, 8×4×4×3, bfloat16 | 1.0 |  |",
        "",
        "| inference | jaxcnn | of peak | images a second |",
        "|---|---:|---:|---:|",
        "| net, 8×4×4×3, float32 | 1.23 ± 10% |  | 6,483 |",
        "",
        "| operation | jaxcnn | of peak |",
        "|---|---:|---:|",
        "| net, 8×4×4×3, float32 | 8 = 5 + 3 ± 10% |  |",
        "",
        "## Memory",
        "",
        "`memory_peak.py`  ",
        "Other programs that wanted a core: 0.1.",
        "",
        "| megabytes that a step adds | jaxcnn |",
        "|---|---:|",
        "| net, 8×4×4×3, float32 | 123 |",
    ]


def test_files_under_one_title_are_one_table(tmp_path, monkeypatch, capsys):
    files = []
    for n in (8, 32):
        report = copy.deepcopy(REPORT)
        report["rows"] = [row("jaxcnn", n, 1.0) | {"task": f"net, {n}×4×4×3"}]
        files.append(tmp_path / f"{n}.json")
        files[-1].write_text(json.dumps(report))
    lines = printed(capsys, monkeypatch, *files)
    assert not any(line.startswith("##") for line in lines)
    (start,) = (place for place, line in enumerate(lines) if line.startswith("| training step"))
    assert [line.split(" |")[0] for line in lines[start + 2 : start + 4]] == [
        "| net, 8×4×4×3, float32", "| net, 32×4×4×3, float32"
    ]  # fmt: skip


def test_two_machines_make_no_tables(tmp_path):
    other = MEMORY | {"machine": REPORT["machine"] | {"versions": {"jax": "0.12"}}}
    with pytest.raises(ValueError, match=r"the files are of several machines or versions: .*jax 0\.10.*jax 0\.12"):
        benchmarks.markdown([("", [REPORT, other])])


PYTHON = """#!/bin/sh
# Writes down what would be measured, and "measures" it; makes the tables by Python.
case "$*" in *experiments.benchmarks*) exec {python} "$@" ;; esac
echo "$*" >> {log}
for word in "$@"; do last=$word; done
case "$*" in *memory_peak*) cp {memory} "$last" ;; *) cp {report} "$last" ;; esac
"""


@pytest.mark.skipif(not shutil.which("sh") or os.name != "posix", reason="needs a shell")
def test_one_command_measures_everything_and_not_twice(tmp_path):
    files = {"report": tmp_path / "report", "memory": tmp_path / "memory", "log": tmp_path / "log"}
    files["report"].write_text(json.dumps(REPORT))
    files["memory"].write_text(json.dumps(MEMORY))
    python = tmp_path / "python"
    python.write_text(PYTHON.format(python=sys.executable, **files))
    python.chmod(0o755)
    script = Path(benchmarks.__file__).with_name("benchmarks.sh")
    assert subprocess.run([script, "--help"], capture_output=True).returncode == 2
    for options, measured in (([], 18), ([], 0), (["--rehearse"], 7)):
        files["log"].write_text("")
        folder = tmp_path / ("rehearsed" if options else "real")
        words = [script, *options, folder.name]
        subprocess.run(words, check=True, cwd=tmp_path, env=os.environ | {"PYTHON": str(python)})
        asked = files["log"].read_text().splitlines()
        assert len(asked) == measured
        text = (folder / "BENCHMARKS.md").read_text()
        titles = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
        assert titles == [
            "Operations", "Training steps", "Training steps in bfloat16", "Inference", "By batch size",
            "By image size", "Memory",
        ]  # fmt: skip
        if measured == 18:
            minutes = [float(line.split("--minutes ")[1].split()[0]) for line in asked if "--minutes" in line]
            assert len(minutes) == 16
            assert sum(minutes) == 47.5, "and memory takes a few more"
        if options:
            networks = [line for line in asked if "--ops" not in line]
            assert all("--image-size 32" in line or "--image-size 16" in line for line in networks)
