# The short way. `make run` builds the program and trains the quickstart, or goes on with it; `make test` builds and runs every test
# but the long ones. `make run ARGS=--train.steps=100` gives qfw further options. docs/install.md: `make install`, `make package`.
# `make bench` compares speeds for an hour (docs/performance.md); `make bench ARGS=--quick` tries that.
BUILD := build/release
PREFIX ?= /usr/local
ARGS ?=

.PHONY: run test test-long bench setup programs build install package format clean

setup:
	@scripts/setup.sh test

programs:
	@scripts/setup.sh run
	@cmake --preset release --log-level=WARNING
	@cmake --build --preset release --target programs

build: setup
	@cmake --preset release --log-level=WARNING -D QFW_TESTS=ON
	@cmake --build --preset release

run: programs
	@$(BUILD)/bin/qfw run recipes/quickstart.ini $(ARGS)
	@echo "The result lies in runs/quickstart: report.html (open it in a browser), report.json (numbers), checkpoints/ and best.h5,"
	@echo "TensorBoard's events, recipe.ini. Look on while it trains: $(BUILD)/bin/qfw watch runs/quickstart"
	@echo "Evaluate it again with: $(BUILD)/bin/qfw eval runs/quickstart"

test: build
	@ctest --test-dir $(BUILD) --output-on-failure --no-tests=error -j2 --label-exclude long

test-long: build
	@ctest --test-dir $(BUILD) --output-on-failure --no-tests=error -j2

bench: programs
	@cmake --build --preset release --target bench_matmul bench_memory
	@python3 bench/compare.py --build=$(BUILD) $(ARGS)

install: programs
	@cmake --install $(BUILD) --prefix $(abspath $(PREFIX)) > $(BUILD)/install.log || { cat $(BUILD)/install.log; exit 1; }
	@echo "qfw is $(DESTDIR)$(abspath $(PREFIX))/bin/qfw; a shell finds it where $(abspath $(PREFIX))/bin is in PATH."

package: programs
	@scripts/setup.sh package
	@cmake --preset release --log-level=WARNING
	@cpack --config $(BUILD)/CPackConfig.cmake -B $(BUILD)/packages
	@ls -l $(BUILD)/packages/qfw*.tar.gz $(BUILD)/packages/qfw*.deb

format:
	@git ls-files --cached --others --exclude-standard '*.h' '*.cc' '*.js' | xargs clang-format -i

clean:
	@rm -rf build
