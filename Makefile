# The short way. `make run` trains the quickstart, or goes on with it; `make test` builds and runs every test but the long ones.
BUILD := build/release

.PHONY: run test test-long setup build format clean

setup:
	@scripts/setup.sh

build: setup
	@cmake --preset release --log-level=WARNING
	@cmake --build --preset release

run: build
	@$(BUILD)/bin/qfw run recipes/quickstart.ini
	@echo "The result lies in runs/quickstart: report.html (open it in a browser), report.json (numbers), checkpoints/ and best.h5,"
	@echo "TensorBoard's events, recipe.ini. Look on while it trains: $(BUILD)/bin/qfw watch runs/quickstart"
	@echo "Evaluate it again with: $(BUILD)/bin/qfw eval runs/quickstart"

test: build
	@ctest --test-dir $(BUILD) --output-on-failure -j2 --label-exclude long

test-long: build
	@ctest --test-dir $(BUILD) --output-on-failure -j2

format:
	@git ls-files --cached --others --exclude-standard '*.h' '*.cc' '*.js' | xargs clang-format -i

clean:
	@rm -rf build
