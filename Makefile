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
	@echo "The result lies in runs/quickstart: report.json (numbers), checkpoints/ and best.h5, TensorBoard's events, recipe.ini."
	@echo "Look at it with: $(BUILD)/bin/qfw eval runs/quickstart"

test: build
	@ctest --test-dir $(BUILD) --output-on-failure -j2 --label-exclude long

test-long: build
	@ctest --test-dir $(BUILD) --output-on-failure -j2

format:
	@git ls-files --cached --others --exclude-standard '*.h' '*.cc' | xargs clang-format -i

clean:
	@rm -rf build
