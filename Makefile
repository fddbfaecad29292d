# What one can ask for: `make` alone lists it. Which notebook runs when is decided by `clv report`.
.DEFAULT_GOAL := help
PARAMS ?= params/default.yaml
OUTPUTS := $(or $(CLV_OUTPUTS),outputs)
ifneq ($(words $(OUTPUTS)),1)
$(error CLV_OUTPUTS holds a space, which make takes for two folders: name another one)
endif

# `make report PYTHON=python` uses the environment that is active (conda); otherwise .venv is made and kept up to date.
ifneq ($(origin PYTHON),command line)
PYTHON := .venv/bin/python
ENV := .venv/.stamp
endif
CLV := $(PYTHON) -m clv.run
UV := $(shell uv --version >/dev/null 2>&1 && command -v uv || echo .uv/bin/uv)

# Two tests at a time, those of one file in one process: they share fits. pytest keeps what it has read of them.
TESTS = PYTHONDONTWRITEBYTECODE= $(PYTHON) -m pytest -q -n 2 --dist loadfile

# -- what one can ask for ---------------------------------------------------------------------------------------------

USERS := new-params check-data report lab refresh verify clean
AUTHORS := env smoke lint check test docs bench sbc misfit choice decisions faults rooms strip lock
listed = for target in $(1); do awk -F ':.*\#\# ' "/^$$target:.*\#\# / { printf \"  make %-10s %s\\n\", \$$1, \$$2 }" Makefile; done

.PHONY: help env report verify check-data refresh new-params lab smoke lint check test docs bench sbc misfit choice decisions faults rooms strip lock clean \
	smoke-pages smoke-cells
help: ## List what there is, for users first
	@$(call listed,$(USERS))
	@echo
	@$(call listed,$(AUTHORS))
	@echo '  Settings: PARAMS=params/default.yaml   RUN=name (clean, verify)   PYTHON=python (use the active environment)'

env: .venv/.stamp ## Set up .venv with the locked packages

report: $(ENV) ## Run what has changed of the six notebooks for PARAMS, up to report.html
	@$(CLV) report "$(PARAMS)"

verify: $(ENV) ## Say whether every file of RUN=name belongs to it, and what to do if not
	@$(CLV) verify "$(or $(RUN),$(NAME))"

check-data: $(ENV) ## Check the log of PARAMS without computing anything from it: a data-quality page
	@$(CLV) check "$(PARAMS)"

refresh: $(ENV) ## Like report, but read the source again though no file has changed: a database
	@$(CLV) refresh "$(PARAMS)"

new-params: $(ENV) ## Write a commented params file for a log of your own, DATA=file (and TABLE=name in a database)
	@$(CLV) new-params "$(DATA)" $(if $(TABLE),--table "$(TABLE)")

lab: $(ENV) ## Open JupyterLab; with PARAMS on copies of that run's notebooks and artefacts
	@$(if $(PARAMS_GIVEN),$(CLV) lab "$(PARAMS)")
	@$(if $(PARAMS_GIVEN),CLV_OUTPUTS="$(LAB)/outputs") PYTHONPATH="$(CURDIR)" \
	$(PYTHON) -m jupyterlab $(if $(PARAMS_GIVEN),"$(LAB)",notebooks)

smoke: ## Make the small run that proves everything works (params/smoke.yaml)
	@CLV_WARNINGS=error $(MAKE) --no-print-directory report PARAMS=params/smoke.yaml

lint: $(ENV) ## Lint and types, of code and notebooks
	@$(PYTHON) -m ruff check -q .
	@$(PYTHON) -m ruff format -q --check .
	@$(PYTHON) -m mypy

check: lint ## Lint, types and fast tests, a minute or two
	@$(TESTS) -m "not slow"

test: lint ## Everything: lint, all tests, the smoke run, and its notebooks a second time
	@$(TESTS)
	@$(MAKE) --no-print-directory smoke
	@$(MAKE) --no-print-directory verify RUN=smoke
	@rm -rf $(OUTPUTS)/.again && mkdir -p $(OUTPUTS)/.again && cp $(OUTPUTS)/smoke/notebooks/*.ipynb $(OUTPUTS)/.again
	@$(MAKE) --no-print-directory -j2 smoke-pages smoke-cells
	@rm -rf $(OUTPUTS)/.again

smoke-pages:
	@CLV_RUN="$(OUTPUTS)/smoke" $(PYTHON) -m pytest -q -k run tests/report/test_browser.py

smoke-cells:
	@CLV_OUTPUTS="$(abspath $(OUTPUTS))/.again/outputs" PYTHONPATH="$(CURDIR):$(CURDIR)/tests" $(PYTHON) -m pytest -q \
	-o filterwarnings=default -o addopts= -p no:cacheprovider -p sockets --nbval-lax --nbval-current-env $(OUTPUTS)/.again

docs: $(ENV) .venv/.docs ## Build the site of docs/, which needs no network: site/index.html
	@NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build -q --strict
	@echo "site/index.html is built; with its search: $(PYTHON) -m http.server -d site"

bench: $(ENV) ## Measure against pymc-marketing, and with up to a million customers, about half an hour
	@PYTHONPATH="$(CURDIR):$(CURDIR)/tests" $(PYTHON) tests/studies/bench.py --folder "$(OUTPUTS)/bench"

sbc: $(ENV) ## Calibration by simulation: are posteriors and forecasts as sure as they should be, about a quarter of an hour
	@PYTHONPATH="$(CURDIR):$(CURDIR)/tests" $(PYTHON) tests/studies/sbc.py --folder "$(OUTPUTS)/sbc"

misfit: $(ENV) ## Do totals hold in worlds the model knows nothing of, about twenty minutes
	@PYTHONPATH="$(CURDIR):$(CURDIR)/tests" $(PYTHON) tests/studies/misfit.py --folder "$(OUTPUTS)/misfit"

choice: $(ENV) ## Is the right model of purchases chosen in shops of known truth, about half an hour
	@PYTHONPATH="$(CURDIR):$(CURDIR)/tests" $(PYTHON) tests/studies/choice.py --folder "$(OUTPUTS)/choice"

faults: $(ENV) ## Kills, full disks, mixtures: does anything on disk ever mislead anyone? About half an hour
	@PYTHONPATH="$(CURDIR):$(CURDIR)/tests" $(PYTHON) tests/studies/faults.py --folder "$(OUTPUTS)/faults"

decisions: $(ENV) ## Do campaigns earn what is forecast, and more than rules without a model, about half an hour
	@PYTHONPATH="$(CURDIR):$(CURDIR)/tests" $(PYTHON) tests/studies/decisions.py --folder "$(OUTPUTS)/decisions"

rooms: $(ENV) ## Say which room of the package imports which
	@PYTHONPATH="$(CURDIR)" $(PYTHON) tests/rooms.py

strip: $(ENV) ## Remove outputs and metadata from notebooks/
	@$(CLV) strip

lock: | $(UV) ## Choose the newest allowed packages anew and write requirements.lock
	@$(UV) lock -q --upgrade
	@$(UV) export -q --all-groups --no-group docs --no-emit-project --no-annotate --no-header --format requirements.txt \
	-o requirements.lock > /dev/null
	@$(UV) pip compile -q --group docs -c requirements.lock --generate-hashes --universal --no-annotate --no-header \
	--python-version 3.12 --upgrade -o docs/requirements.lock > /dev/null

clean: ## Remove the outputs of RUN=name, or of all runs; earlier forecasts, too, with FORECASTS=1
	@case "$(RUN)" in (*[!A-Za-z0-9_-]*) echo "RUN must be a run's name" >&2; exit 2;; esac
	@for run in $(OUTPUTS)/$(or $(RUN),$(if $(PARAMS_GIVEN),$(NAME)),*); do [ ! -d "$$run" ] || { \
	find "$$run" -mindepth 1 -depth $(if $(FORECASTS),,! -path "$$run/forecasts.parquet") -delete; rmdir "$$run" 2>/dev/null || true; }; done

# -- the run that is meant ----------------------------------------------------------------------------------------------

PARAMS_GIVEN := $(filter-out file,$(origin PARAMS))
NAME := $(basename $(lastword $(subst /, ,$(PARAMS))))
LAB := $(abspath $(OUTPUTS)/$(NAME)/lab)

# -- the environment ----------------------------------------------------------------------------------------------------

.uv/bin/uv:
	@python3 -m venv .uv && .uv/bin/pip install -q uv || \
	{ echo "uv could not be installed: Python needs its venv module (on Debian: apt install python3-venv)" >&2; exit 1; }

# What is compiled here is compiled once, not at the first start, or at every one where Python may write no bytecode.
.venv/.stamp: requirements.lock pyproject.toml .python-version | $(UV)
	@$(UV) venv -q --allow-existing .venv
	@$(UV) pip sync -q -p .venv/bin/python --require-hashes --compile-bytecode requirements.lock
	@$(UV) pip install -q -p .venv/bin/python --no-deps --no-build-isolation -e .
	@touch $@

# What builds the site is added to the same environment, at the versions it has, by who asks for it.
.venv/.docs: docs/requirements.lock .venv/.stamp
	@$(UV) pip install -q -p .venv/bin/python --require-hashes -r docs/requirements.lock
	@touch $@
