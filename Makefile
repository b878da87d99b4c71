# What one does with Proletarier's sources. `make` alone lists it.
#
# `make test` is exactly what CI runs; `make check` is the part of it that needs no daemon and no second build.

PHP       ?= php
PROFILE   ?= release
SO        := target/$(PROFILE)/libproletarier.so
CARGO     := cargo
FLAGS     := $(if $(filter release,$(PROFILE)),--release,)
# Looked for when it is needed: `setup` may have installed it only then.
PHPUNIT    = $(shell command -v phpunit 2>/dev/null || echo vendor/bin/phpunit)
ABSOLUTE  := $(CURDIR)/$(SO)

.DEFAULT_GOAL := help
.PHONY: help setup build demo check test unit system bench install stubs clean

help: ## List what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: ## Install what is missing on this machine (Debian: by apt-get)
	@tools/setup

build: setup ## Build the extension: target/release/libproletarier.so
	@$(CARGO) build -q $(FLAGS) -p proletarier
	@echo "built $(SO)"

demo: build ## Run the example application: daemon, events, stop
	@tools/demo $(SO)

check: setup ## Formatting, lints, Rust tests (no PHP loaded), PHP unit tests (no extension)
	$(CARGO) fmt --all --check
	$(CARGO) clippy -q --workspace --all-targets -- -D warnings
	$(CARGO) test -q -p proletarier-core -p proletarier-engine
	$(PHP) $(PHPUNIT) --testsuite unit

test: check build ## All that CI runs: check, then the extension and the whole daemon
	$(PHP) -d extension=$(ABSOLUTE) $(PHPUNIT) --testsuite extension
	$(PHP) -d extension=$(ABSOLUTE) $(PHPUNIT) --testsuite system

bench: build ## Measure beside php-zmq, in one run
	$(PHP) bench/run.php $(SO)

install: build ## Install the extension for PHP's CLI and FPM
	@tools/install $(SO)

stubs: build ## Write stubs/proletarier.stub.php anew
	$(PHP) -n -d extension=$(ABSOLUTE) stubs/generate.php > stubs/proletarier.stub.php

clean: ## Remove what was built
	$(CARGO) clean
