# The commands of this repository. `make demo` shows everything, `make test` proves it, `make run` serves.
BUILD := swift build -c release
BIN := .build/release

.PHONY: deps build demo bench run test unit peers fuzz lint format proto device clean

deps:            ## Install what building and testing need (Debian packages, Python packages in .venv).
	scripts/install-deps

build: deps
	$(BUILD)

demo: build      ## The whole flow on this machine; DEMO_FLAGS=--once ends after the update.
	$(BIN)/apus demo $(DEMO_FLAGS)

bench: build     ## Apus beside mosquitto: messages a second, and what each costs the broker.
	scripts/bench $(CURDIR)/$(BIN)

run: build       ## Serve with the data in ./apus-data.
	$(BIN)/apus serve $(SERVE_FLAGS)

test: deps unit peers fuzz

unit:
	$(BUILD) --build-tests
	swift test -c release --skip-build --disable-testable-imports

peers:           ## Black-box tests with boto3, paho, mosquitto and raw sockets against the real binaries.
	APUS_BIN=$(CURDIR)/$(BIN)/apus .venv/bin/python -m pytest -q Tests/Peers

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
