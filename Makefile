# The commands of this repository. `make demo` shows everything, `make test` proves it, `make run` serves.
BUILD := swift build -c release
BIN := .build/release
# What the last runs of `unit` and `peers` found, for `conformance`.
RESULTS := $(CURDIR)/.build/conformance

.PHONY: deps build demo bench bench-scale run test unit peers conformance check-conformance fuzz lint format proto device clean

deps:            ## Install what building and testing need (Debian packages, Python packages in .venv).
	scripts/install-deps

build: deps
	$(BUILD)

demo: build      ## The whole flow on this machine; DEMO_FLAGS=--once ends after the update.
	$(BIN)/apus demo $(DEMO_FLAGS)

bench: build     ## Apus beside mosquitto: rates, latencies, memory, and what each costs the broker.
	scripts/bench $(CURDIR)/$(BIN)

bench-scale: build  ## What shadow updates cost with up to a million shadows stored; minutes.
	scripts/bench-shadows-scale $(CURDIR)/$(BIN)

run: build       ## Serve with the data in ./apus-data.
	$(BIN)/apus serve $(SERVE_FLAGS)

test: deps unit peers fuzz check-conformance

unit:
	$(BUILD) --build-tests
	mkdir -p $(RESULTS)
	swift test -c release --skip-build --disable-testable-imports \
		--event-stream-output-path $(RESULTS)/unit.jsonl --event-stream-version 0

peers:           ## Black-box tests with boto3, paho, mosquitto and raw sockets against the real binaries.
	APUS_BIN=$(CURDIR)/$(BIN)/apus .venv/bin/python -m pytest -q Tests/Peers --junitxml=$(RESULTS)/peers.xml

conformance:     ## Rewrite docs/*-conformance.md from the results of the last `make unit peers`.
	scripts/conformance

check-conformance: ## Fail where a rule has no proof, or a page is not what those results give.
	scripts/conformance --check

fuzz:            ## The MQTT codec and broker sessions under libFuzzer, 20 s each; FUZZ_SECONDS=3600 for long.
	scripts/fuzz

lint:
	swift format lint --strict --recursive --parallel Sources Tests Fuzz Package.swift

format:
	swift format --in-place --recursive --parallel Sources Tests Fuzz Package.swift

device:          ## Build the modules of the device dialect for riscv32.
	scripts/build-device-modules

proto:           ## Regenerate the Protocol Buffers code (needs protobuf-compiler).
	scripts/generate-proto

clean:
	rm -rf .build .build-protoc .build-device .build-fuzz .venv
