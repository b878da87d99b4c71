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
# An extension that is installed already would be tested in place of the one that was built: PHP's ini files but that one's.
INIS      := $(CURDIR)/target/php-conf.d

.DEFAULT_GOAL := help
# Of `make soak`: its length, the events a second, what the choice of kills is drawn from (drawn itself where it is empty), and
# how many times as often as usual everything is killed.
SECONDS   := 60
RATE      := 1000
SEED      :=
FURY      := 1

.PHONY: help setup inis build demo check test unit system soak bench install stubs clean

help: ## List what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: ## Install what is missing on this machine (Debian: by apt-get)
	@tools/setup

build: setup ## Build the extension: target/release/libproletarier.so
	@$(CARGO) build -q $(FLAGS) -p proletarier
	@echo "built $(SO)"

demo: build inis ## Run the example application: daemon, events, stop
	@PHP_INI_SCAN_DIR=$(INIS) tools/demo $(SO)

inis: setup
	@rm -rf $(INIS) && mkdir -p $(INIS)
	@for ini in $$($(PHP) -n -r 'echo PHP_CONFIG_FILE_SCAN_DIR;')/*.ini; do \
	  case $$ini in *proletarier.ini|*'/*.ini') ;; *) ln -s $$ini $(INIS)/ ;; esac; done

check: setup inis ## Formatting, lints, Rust tests (no PHP loaded), PHP unit tests (no extension)
	$(CARGO) fmt --all --check
	$(CARGO) clippy -q --workspace --all-targets -- -D warnings
	$(CARGO) test -q -p proletarier-core -p proletarier-engine
	PHP_INI_SCAN_DIR=$(INIS) $(PHP) $(PHPUNIT) --testsuite unit

test: check build ## All that CI runs: check, then the extension, the whole daemon, and a short kill soak
	PHP_INI_SCAN_DIR=$(INIS) $(PHP) -d extension=$(ABSOLUTE) $(PHPUNIT) --testsuite extension
	PHP_INI_SCAN_DIR=$(INIS) $(PHP) -d extension=$(ABSOLUTE) $(PHPUNIT) --testsuite system
	PHP_INI_SCAN_DIR=$(INIS) $(PHP) -d extension=$(ABSOLUTE) tests/Soak/run.php --seconds=20 --rate=500

soak: build inis ## Kill everything at random for SECONDS (60) at RATE (1000) events a second, and account for each event
	PHP_INI_SCAN_DIR=$(INIS) $(PHP) -d extension=$(ABSOLUTE) tests/Soak/run.php --seconds=$(SECONDS) --rate=$(RATE) --seed=$(SEED) --fury=$(FURY)

bench: build ## Measure beside php-zmq, in one run
	$(PHP) bench/run.php $(SO)

install: build ## Install the extension for PHP's CLI and FPM
	@tools/install $(SO)

stubs: build ## Write stubs/proletarier.stub.php anew
	$(PHP) -n -d extension=$(ABSOLUTE) stubs/generate.php > stubs/proletarier.stub.php

clean: ## Remove what was built
	$(CARGO) clean
