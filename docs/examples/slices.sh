#!/usr/bin/env bash
# From the mosaics of a run to one volume: each step takes a slice table and writes the next one.
#
#   slices.sh RUN OUT
#
# RUN holds mosaics/, shifts_xy.csv and pairs/ (such as `slicemap sample --sections run` makes); OUT must not exist.
# Numbers that belong to your microscope can be set from outside: TILE_FOV_MM=1.6 MIN_QUALITY=0.6 slices.sh RUN OUT
set -euo pipefail

run=${1:?usage: slices.sh RUN OUT}
out=${2:?usage: slices.sh RUN OUT}
min_quality=${MIN_QUALITY:-0.75}  # look at the scores of your own runs first
tile_fov_mm=${TILE_FOV_MM:-1.28}  # what the stage moves from one tile to the next
mkdir "$out"

# what is there, and that the first slice was for calibration
slicemap slices generate "$run/mosaics" "$out/t0.csv"

# how much each slice is like its neighbours; those below the limit are left out from here on
slicemap slices quality "$run/mosaics" "$out/t1.csv" --config "$out/t0.csv" \
  --min-quality "$min_quality" --diagnostics "$out/diagnostics" --report "$out/quality"

# steps of the stage that nobody made
slicemap slices rehoming "$run/shifts_xy.csv" "$out/t2.csv" --config "$out/t1.csv" \
  --tile-fov-mm "$tile_fov_mm" --shifts-out "$out/shifts_xy_rehomed.csv"

# all slices that are still in, on one canvas
slicemap slices align "$run/mosaics" "$out/shifts_xy_rehomed.csv" "$out/aligned" --config "$out/t2.csv"

# runs of slices that do not fit the ones before them
slicemap slices auto-exclude "$run/pairs" "$out/t3.csv" --config "$out/t2.csv"

# single slices that are missing or out are made from their neighbours; longer gaps stay
slicemap slices interpolate "$out/aligned" "$out/interpolated" --config "$out/t3.csv"
slicemap slices finalise "$out/interpolated" "$out/slice_config_final.csv" --config "$out/t3.csv"

slicemap slices stack "$out/aligned" "$out/stack.ome.zarr" --config "$out/slice_config_final.csv" \
  --interpolated "$out/interpolated"
slicemap slices report "$out/slice_config_final.csv" "$out/report.html" \
  --diagnostics "$out/diagnostics" --mosaics "$run/mosaics"
