#!/usr/bin/env bash
# All that is to be known of a GPU, in 14 minutes and one report: see gpu_check.py, which has the options.
# PYTHON is the interpreter (python3), which needs `pip install "jaxcnn[dev]" "jax[cuda13]"`. Where nothing can be
# downloaded WHEELS is a folder of packages to take in for this run, made elsewhere by `pip download` or `pip wheel`.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
if [ -n "${WHEELS:-}" ]; then
  site=$(mktemp -d)
  trap 'rm -rf "$site"' EXIT
  "$python" -m pip install --quiet --no-index --no-deps --no-compile --target "$site" "$WHEELS"/*.whl
  export PYTHONPATH=$site${PYTHONPATH:+:$PYTHONPATH}
fi
"$python" -m experiments.gpu_check "$@"
