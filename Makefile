# Everything runs in .venv/, which the first of these commands makes from requirements.lock.
# Needed: make, and Python 3.11 or newer (another one than `python3`: make run PYTHON=python3.12).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Two modules of tests at a time: many tests wait, for a browser or for a kernel. Each computes with one thread, as
# threads of both on two cores would wait for each other; that is a fifth of a lesson's CPU seconds.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadscope --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help run lab test test-quick test-versions test-widgets-old lint format links lock clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F '\t' '{ printf "  make %-16s %s\n", $$1, $$2 }'

run: $(READY) ## run the first lesson headless and say where the result lies
	$(BIN)/tl-course run 01_birds --source rendered --param folder=runs/my_pictures

lab: $(READY) ## open the lessons in JupyterLab
	$(BIN)/tl-course lab

test: $(READY) ## all tests
	$(PYTEST)

test-quick: $(READY) ## the tests that take seconds
	$(PYTEST) -m "not slow"

test-versions: $(READY) ## the quick tests with the oldest versions, Colab's, Kaggle's (SET=colab: only those)
	$(BIN)/python tools/test_versions.py $(SET)

# A student's browser and kernel as in Colab; the tests themselves, and what is not named here, stay those of .venv.
OLD := .venv-old
test-widgets-old: $(READY) $(OLD)/.ready ## the widgets in a browser with Colab's ipywidgets 7.7 and ipykernel 6.17
	TL_COURSE_BROWSER_PYTHON=$(CURDIR)/$(OLD)/bin/python $(BIN)/pytest tests/browser/test_widgets.py tests/browser/test_try_it.py

$(OLD)/.ready: | $(READY)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(OLD)
	$(BIN)/uv pip install --quiet --python $(OLD)/bin/python \
	  ipywidgets==7.7.1 ipykernel==6.17.1 anywidget==0.9.21 'jupyterlab_widgets<3' 'jupyterlab==3.6.*' 'setuptools<80'
	$(BIN)/python -c 'import site; print(site.getsitepackages()[0])' \
	  > "$$($(OLD)/bin/python -c 'import site; print(site.getsitepackages()[0])')/zz_everything_else.pth"
	@touch $@

lint: $(READY) ## ruff, mypy and the order of the rooms, nothing changed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## let ruff format and mend what it can, and take outputs out of notebooks
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/python -c 'import sys, pathlib; from tools.clean_notebooks import clean; [clean(pathlib.Path(p)) for p in sys.argv[1:]]' \
	  $(wildcard lessons/*.ipynb assignments/source/*/*.ipynb)

links: $(READY) ## write the project's address into the README and the lessons
	$(BIN)/python -m tools.links

lock: $(READY) ## resolve requirements.lock again, to the newest versions
	$(BIN)/uv pip compile --no-config --quiet --upgrade --universal --python-version 3.11 --all-extras \
	  --custom-compile-command "make lock" --generate-hashes --output-file requirements.lock pyproject.toml

clean: ## remove .venv/ and everything else that can be made again
	rm -rf $(VENV) $(OLD) build dist runs .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The file $(READY) appears last, so an install that was interrupted is never taken for a finished one: without it the
# next command starts from nothing, and where it is only older than the lock, the environment is brought up to date.
# uv installs the lock in 0:42 where pip takes 2:06 (two cores, nothing cached) and removes what has left it; pip, which
# reads a school's pip.conf with its mirror and certificates, takes over where uv cannot reach an index. uv compiles what
# it installs only where it is told to (45 s): otherwise the first lesson does, and takes 95 s instead of 84 s.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "tl-course needs Python 3.11 or newer, and '$(PYTHON)' is not. Name one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { \
	  echo "This Python cannot make environments. On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	@test -e $@ || rm -rf $(VENV)
	@rm -f $@
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet "$$(sed -n 's/^\(uv==[^ ]*\).*/\1/p' requirements.lock)"
	@echo "Some 240 packages. When they are there they are compiled, which says nothing and can take some minutes."
	$(BIN)/uv pip sync --compile-bytecode --python $(BIN)/python requirements.lock || $(BIN)/pip install --requirement requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-build-isolation --no-deps --editable .
	@touch $@
