"""A process that times one revision of jaxcnn as it is told to: lines of JSON in, lines of JSON out.

Run as a file, with that revision first in PYTHONPATH. The revision's own bench is put aside for the one that this file
lies in, so that both sides measure by the same code, and only what is measured differs.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import IO, Any

MEASURING = Path(__file__).resolve().parents[1]


def main() -> None:
    """Say who is here, then answer until the input ends, as it does when the other process is gone."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    try:
        said: dict[str, Any] = {"jaxcnn": _start(), "kernels": _kernels()}
    except Exception as error:  # whatever an older revision lacks
        said = _failed(error)
    _say(answers, said)
    held = None
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            if "task" in asked:
                held = None  # the last one's arrays go before the next one's come
                held, said = _prepared(asked["task"], asked["evidence"])
            else:
                from jaxcnn.bench.measure import sample

                said = {"seconds": sum(sample(run, calls)[0] for run, calls in held or [])}
        except Exception as error:  # a revision's failure is a finding about it
            said = _failed(error)
        _say(answers, said)


def _start() -> str:
    """Import jaxcnn with the measuring bench in it; where it lies."""
    import jaxcnn

    spec = importlib.util.spec_from_file_location(
        "jaxcnn.bench", MEASURING / "__init__.py", submodule_search_locations=[str(MEASURING)]
    )
    assert spec is not None and spec.loader is not None
    jaxcnn.bench = sys.modules["jaxcnn.bench"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["jaxcnn.bench"])
    import jaxcnn.bench.against.task

    return str(Path(jaxcnn.__file__).resolve().parents[1])


def _kernels() -> str:
    """Who computes convolutions on this revision's CPU."""
    from jaxcnn.kernels import library

    found = library.find()
    return f"oneDNN {found.version}" if isinstance(found, library.Library) else f"XLA's own kernels: {found.reason}"


def _prepared(task: dict[str, Any], evidence: str) -> tuple[list[Any], dict[str, Any]]:
    """Its runs, each with how many calls a sample takes; what they returned lies in the file `evidence`."""
    import numpy as np

    from jaxcnn.bench.against.task import Task
    from jaxcnn.bench.contest import arrays_of
    from jaxcnn.bench.measure import calls_of, first

    prepared = Task(**task).entrant.prepare()
    results = {part: first(run)[1] for part, run in prepared.runs.items()}
    np.savez(evidence, *arrays_of(prepared.evidence(results)))
    return [(run, calls_of(run)) for run in prepared.runs.values()], {}


def _failed(error: Exception) -> dict[str, str]:
    return {"error": f"{type(error).__name__}: {error}".strip().splitlines()[0]}


def _say(answers: IO[str], said: dict[str, Any]) -> None:
    print(json.dumps(said), file=answers, flush=True)


if __name__ == "__main__":
    main()
