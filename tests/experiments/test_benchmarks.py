"""The tables of BENCHMARKS.md say what the report says."""

import json

from experiments import benchmarks


def timing(ms):
    return {"median": 1e-3 * ms, "low": 0.9e-3 * ms, "high": 1.1e-3 * ms, "compile": ms / 50}


def row(by, ms, ratio, precision="float32", section="training step", share=None):
    timings = {} if ms is None else {"step": timing(ms)}
    seconds = None if ms is None else 1e-3 * ms
    made = {"section": section, "task": "net", "by": by, "precision": precision, "timings": timings}
    return made | {"seconds": seconds, "ratio": ratio, "share": share}


REPORT = {
    "machine": {
        "device": "A CPU",
        "cores": 2,
        "instructions": ["avx2"],
        "load": 0.1,
        "versions": {"jax": "0.10"},
        "date": "2026-01-01",
        "command": "jaxcnn bench",
    },
    "peaks": {"float32": 3e11, "memory": 2e10},
    "rows": [
        row("jaxcnn", 100, 1.0, share=0.5),
        row("Flax NNX", 312.34, 3.1234),
        row("Keras", None, None),
        row("jaxcnn", 50, 1.0, "bfloat16"),
        row("jaxcnn", 1.234, 1.0, section="inference"),
        row("jaxcnn", 8, 1.0, section="operation") | {"timings": {"forward": timing(5), "dx": timing(3)}},
    ],
}


def test_every_time_has_its_place_its_spread_and_its_ratio(tmp_path, monkeypatch, capsys):
    file = tmp_path / "report.json"
    file.write_text(json.dumps(REPORT))
    monkeypatch.setattr("sys.argv", ["benchmarks.py", str(file)])
    benchmarks.main()
    assert capsys.readouterr().out.splitlines() == [
        "`jaxcnn bench`, 2026-01-01  ",
        "A CPU, 2 cores, avx2; jax 0.10  ",
        "Measured peaks: float32 300 GFLOP/s, memory 20 GB/s. Other programs that wanted a core: 0.1.",
        "",
        "| training step | jaxcnn | Flax NNX | of peak |",
        "|---|---:|---:|---:|",
        "| net, float32 | 100 ± 10% | 312 ± 10% (3.12×) | 50% |",
        "| net, bfloat16 | 50 ± 10% |  |  |",
        "",
        "| seconds to compile it | jaxcnn | Flax NNX |",
        "|---|---:|---:|",
        "| net, float32 | 2.0 | 6.2 |",
        "| net, bfloat16 | 1.0 |  |",
        "",
        "| inference | jaxcnn | of peak |",
        "|---|---:|---:|",
        "| net, float32 | 1.23 ± 10% |  |",
        "",
        "| operation | jaxcnn | of peak |",
        "|---|---:|---:|",
        "| net, float32 | 8 = 5 + 3 ± 10% |  |",
        "",
    ]
