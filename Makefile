# Two commands for a newcomer: `make demo` and `make test`. Everything goes into .venv.
PYTHON ?= python3
BIN := .venv/bin
DEMO := demo-output

# The other binding of Qt, beside PyQt6: what the viewer uses of it. pyproject.toml says the same of its versions
PYSIDE := PySide6_Essentials>6.7,!=6.11.0,!=6.11.1,!=6.12.0
UNDER_PYSIDE := QT_API=pyside6 PYTEST_QT_API=pyside6
PYSIDE_TESTS := $(patsubst %,tests/viewer/test_%.py,binding closing session progressive writers \
	patient_tables slice_config_dock roi_drawing galvo_inspector batch_export_form plugin tutorial)

# Software OpenGL draws the same everywhere, and machines without a graphics card have no other
export LIBGL_ALWAYS_SOFTWARE = 1

.PHONY: demo test slow pyside proof bench lint pictures sample-data clean

.venv/.core: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[fast]"
	@touch $@

.venv/.dev: pyproject.toml .venv/.core
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@

.venv/.pyside: .venv/.dev Makefile
	$(BIN)/pip install --quiet --disable-pip-version-check "$(PYSIDE)"
	@touch $@

demo: .venv/.core
	rm -rf $(DEMO)
	$(BIN)/slicemap sample $(DEMO)/sample
	$(BIN)/slicemap info $(DEMO)/sample
	$(BIN)/slicemap export $(DEMO)/sample --output-folder $(DEMO) --scale-bar --masks cell \
		--maps 01 --rois all --fovs s03_r0c1 --cells s01_r0c1:10,s01_r0c1:20,s01_r0c1:30 --cell-size 64
	$(BIN)/slicemap export $(DEMO)/sample --output-folder $(DEMO) --scale-bar \
		--maps 04 --downsample 2 --format pdf,ome-tiff
	$(BIN)/slicemap export $(DEMO)/sample --output-folder $(DEMO) --scale-bar --masks cell --legend \
		--cell-query "area > 90" --cell-size 48 --contact-sheet
	$(BIN)/slicemap export $(DEMO)/sample --output-folder $(DEMO) --scale-bar \
		--slices all --format gif --option fps=2
	$(BIN)/slicemap sample --sections $(DEMO)/sections
	$(BIN)/slicemap slices quality $(DEMO)/sections/mosaics $(DEMO)/scored.csv --min-quality 0.75 --report $(DEMO)
	$(BIN)/slicemap slices auto-exclude $(DEMO)/sections/pairs $(DEMO)/slice_config.csv --config $(DEMO)/scored.csv
	$(BIN)/slicemap slices show $(DEMO)/slice_config.csv
	$(BIN)/slicemap slices report $(DEMO)/slice_config.csv $(DEMO)/report.html --mosaics $(DEMO)/sections/mosaics
	@echo "Look into $(DEMO)/: the pictures, a record of how each was made beside it, and export_results.csv;"
	@echo "quality_report.html and report.html say which of the sample sections to keep, and why"

test: .venv/.dev
	scripts/system-packages
	$(BIN)/python -m pytest -n auto --dist loadfile $(PYTEST_ARGS)

# the long proofs, at a reduced count
slow: .venv/.dev
	scripts/system-packages
	$(BIN)/python -m pytest -n auto --dist loadfile --timeout 1800 -m slow $(PYTEST_ARGS)

# the viewer's main tests under PySide6; `make proof` runs all of them
pyside: .venv/.pyside
	scripts/system-packages
	$(UNDER_PYSIDE) $(BIN)/python -m pytest -n auto --dist loadfile $(PYSIDE_TESTS) $(PYTEST_ARGS)

# all proofs at full count; run before a release
proof: .venv/.pyside
	scripts/system-packages
	SLICEMAP_KILLS=20 HYPOTHESIS_PROFILE=full $(BIN)/python -m pytest -n auto --dist loadfile --timeout 1800 -m "slow or not slow" $(PYTEST_ARGS)
	$(UNDER_PYSIDE) SLICEMAP_KILLS=20 $(BIN)/python -m pytest -n auto --dist loadfile --timeout 1800 -m "slow or not slow" tests/viewer

# what the docs promise of speed and memory, each beside its reference; needs 10 GB in build/bench
bench: .venv/.dev
	$(BIN)/python benchmarks/bench.py $(BENCH_ARGS)

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/npe2 validate napari-slicemap --imports

# the pictures of README and docs, from the real program
pictures: .venv/.dev
	scripts/system-packages
	xvfb-run -a -s "-screen 0 1600x1000x24" $(BIN)/python scripts/pictures.py
	xvfb-run -a -s "-screen 0 1600x1000x24" $(BIN)/python scripts/slice_pictures
	xvfb-run -a -s "-screen 0 1600x1000x24" $(BIN)/python scripts/tutorial

# sample_data/ is what the generator makes; a test holds the two together
sample-data: .venv/.core
	rm -rf build/sample && $(BIN)/slicemap sample build/sample
	find sample_data -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
	cp -r build/sample/. sample_data/

clean:
	rm -rf .venv $(DEMO) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
