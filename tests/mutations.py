"""What the tests notice: mistakes made in the source, one at a time, and the test that finds each.

    python tests/mutations.py [--only NAME ...] [--list] [--own-tests-only] [--json FILE]

The mistakes are those of `mutants.py`. They are made in a copy of the repository, and each meets the tests that its row
names. Those that pass go to the whole suite, all at once since they are independent; whatever then fails is run again
with each of them alone. Last, the tests that found something run without any mistake, where they must pass. Printed is
a line for each, and how many were found; the exit code is 1 where one survives.

Takes half an hour on 2 cores, and as long as the suite for those that their own tests do not find.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # for a run as a script

from tests.mutants import MUTATIONS, Mutation  # noqa: E402

SOURCES = ("jaxcnn", "experiments")
LEFT_OUT = (".venv", ".git", "__pycache__", ".*_cache", "build", "dist", "runs", "*.egg-info")
SUITE = "-n auto --maxprocesses 8 --dist worksteal --ignore tests/test_mutations.py"  # which wants the source unchanged
PATIENCE = 1200  # seconds for a mistake's own tests, which may now run for ever


@dataclass(frozen=True)
class Finding:
    """What became of one mistake: the test that fails with it and passes without, or none."""

    mutation: Mutation
    file: str
    test: str | None = None
    suite: bool = False  # whether it took the whole suite to find it

    def __str__(self) -> str:
        found = "SURVIVES" if self.test is None else "found"
        by = "" if self.test is None else f"by {self.test}" + " in the whole suite" * self.suite
        return f"{found:<9} {self.mutation.name:<36} {self.mutation.kind:<11} {self.file}  {by}".rstrip()


def place(mutation: Mutation, root: Path = ROOT) -> Path:
    """The file that holds the mutation's old text; ValueError unless that stands in one place of all the source."""
    files = [file for folder in SOURCES for file in sorted((root / folder).rglob("*.py"))]
    found = [file for file in files for _ in range(file.read_text().count(mutation.old))]
    if len(found) != 1:
        where = ", ".join(str(file.relative_to(root)) for file in found) or "nowhere"
        raise ValueError(f"{mutation.name}: {mutation.old!r} stands in {where}; expected one place.")
    return found[0]


@contextmanager
def made(mutations: Sequence[Mutation], root: Path) -> Iterator[None]:
    """While inside, the source under `root` has these mistakes."""
    before: dict[Path, str] = {}
    try:
        for mutation in mutations:
            file = place(mutation, root)
            text = file.read_text()
            before.setdefault(file, text)
            file.write_text(text.replace(mutation.old, mutation.new))
        yield
    finally:
        for file, text in before.items():
            file.write_text(text)


def failing(root: Path, arguments: Sequence[str], patience: float | None = None) -> list[str]:
    """The tests under `root` that fail, of those that pytest takes for these arguments."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=no", "-rfE", *arguments]
    # No bytecode, which Python takes for that of the other source if both were written within a second.
    environment = os.environ | {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=patience)
    except subprocess.TimeoutExpired:
        return [f"a timeout of {patience} s"]
    if done.returncode == 5:
        print(f"no test is selected by {shlex.join(arguments)}", flush=True)
        return []
    tests = re.findall(r"^(?:FAILED|ERROR) (\S.*?)(?: - .*)?$", done.stdout, re.MULTILINE)
    if done.returncode == 4 or any("::" not in test for test in tests):  # usage, or a file that can't be imported
        raise RuntimeError(f"{shlex.join(command)} can't run:\n{done.stdout}{done.stderr}")
    return tests if done.returncode in (0, 1) else [*tests, f"the end of the process ({done.returncode})"]


def with_own_tests(mutation: Mutation, root: Path) -> Finding:
    """What the mutation's own tests find."""
    file = str(place(mutation, root).relative_to(root))
    with made([mutation], root):
        tests = failing(root, ["-x", *shlex.split(mutation.tests)], PATIENCE)
    return Finding(mutation, file, next(iter(tests), None))


def with_suite(survivors: Sequence[Finding], root: Path) -> list[Finding]:
    """What the whole suite finds of those that survived their own tests."""
    with made([s.mutation for s in survivors], root):
        tests = [test for test in failing(root, shlex.split(SUITE)) if "::" in test]
    if not tests:
        return list(survivors)
    found = []
    for survivor in survivors:
        with made([survivor.mutation], root):
            alone = failing(root, ["-x", *tests])
        found.append(Finding(survivor.mutation, survivor.file, next(iter(alone), None), suite=bool(alone)))
    return found


def confirmed(findings: Sequence[Finding], root: Path) -> list[Finding]:
    """The findings, without those by a test that fails on the right source as well."""
    tests = sorted({f.test for f in findings if f.test and "::" in f.test})
    broken = failing(root, tests) if tests else []
    for test in broken:
        print(f"fails without any mistake, too: {test}", flush=True)
    return [Finding(f.mutation, f.file) if f.test in broken else f for f in findings]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[m.name for m in MUTATIONS], help="these mistakes")
    parser.add_argument("--list", action="store_true", help="print the mistakes and where they are made, and stop")
    parser.add_argument("--own-tests-only", action="store_true", help="leave out the whole suite")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found")
    options = parser.parse_args()
    chosen = [m for m in MUTATIONS if not options.only or m.name in options.only]
    if options.list:
        for mutation in chosen:
            print(f"{mutation.name:<36} {mutation.kind:<11} {place(mutation).relative_to(ROOT)}")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
        findings = []
        for mutation in chosen:
            findings.append(with_own_tests(mutation, copy))
            print(findings[-1], flush=True)
        survivors = [f for f in findings if f.test is None]
        if survivors and not options.own_tests_only:
            by_suite = {f.mutation: f for f in with_suite(survivors, copy)}
            findings = [by_suite.get(f.mutation, f) for f in findings]
            print(*by_suite.values(), sep="\n", flush=True)
        findings = confirmed(findings, copy)
    if options.json:
        options.json.write_text(json.dumps([asdict(f) for f in findings], indent=2) + "\n")
    alive = [f.mutation.name for f in findings if f.test is None]
    print(f"{len(findings) - len(alive)} of {len(findings)} mistakes found" + "".join(f"\nSURVIVES {n}" for n in alive))
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
