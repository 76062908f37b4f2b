#!/usr/bin/env nextflow
// From the mosaics of a run to one volume, as slices.sh does it: the slice table goes from process to process, each
// takes one and gives the next, and what is missing is interpolated slice by slice, side by side.
//
//   nextflow run slices.nf --run /data/run12 --out results
//
// Every process needs `slicemap` (pip install "napari-slicemap[register]"), in an environment or a container.

params.run = 'run'                // holds mosaics/, shifts_xy.csv and pairs/
params.out = 'results'
params.min_quality = 0.75         // look at the scores of your own runs first
params.tile_fov_mm = 1.28         // what the stage moves from one tile to the next
params.max_shift_mm = 0.5
params.min_correlation = 0.4
params.slice_thickness_um = 120

process GENERATE {
    publishDir params.out, mode: 'copy'

    input:
    path mosaics

    output:
    path 't0.csv'

    script:
    """
    slicemap slices generate ${mosaics} t0.csv
    """
}

process QUALITY {
    publishDir params.out, mode: 'copy'
    cpus 2
    memory '4 GB'
    time '2h'

    input:
    path mosaics
    path table

    output:
    path 't1.csv', emit: table
    path 'diagnostics', emit: diagnostics
    path 'quality'

    script:
    """
    slicemap slices quality ${mosaics} t1.csv --config ${table} --min-quality ${params.min_quality} \\
        --diagnostics diagnostics --report quality --workers ${task.cpus}
    """
}

process REHOMING {
    publishDir params.out, mode: 'copy'

    input:
    path shifts
    path table

    output:
    path 't2.csv', emit: table
    path 'shifts_xy_rehomed.csv', emit: shifts
    path 'rehoming_report.json'

    script:
    """
    slicemap slices rehoming ${shifts} t2.csv --config ${table} --tile-fov-mm ${params.tile_fov_mm} \\
        --max-shift-mm ${params.max_shift_mm} --shifts-out shifts_xy_rehomed.csv
    """
}

process ALIGN {
    publishDir params.out, mode: 'copy'
    cpus 2
    memory '8 GB'
    time '4h'

    input:
    path mosaics
    path shifts
    path table

    output:
    path 'aligned'

    script:
    """
    slicemap slices align ${mosaics} ${shifts} aligned --config ${table} --workers ${task.cpus}
    """
}

process AUTO_EXCLUDE {
    publishDir params.out, mode: 'copy'

    input:
    path pairs
    path table

    output:
    path 't3.csv'

    script:
    """
    slicemap slices auto-exclude ${pairs} t3.csv --config ${table} --threshold ${params.min_correlation}
    """
}

process INTERPOLATE {
    tag "slice ${slice_id}"
    publishDir params.out, mode: 'copy'
    memory '4 GB'
    time '1h'

    input:
    val slice_id
    path aligned
    path table

    output:
    path 'interpolated/*'         // the fragment, and the volume unless a check refused it

    script:
    """
    slicemap slices interpolate ${aligned} interpolated --config ${table} --slices ${slice_id}
    """
}

process FINALISE {
    publishDir params.out, mode: 'copy'

    input:
    path 'interpolated/*'
    path table

    output:
    path 'slice_config_final.csv'

    script:
    """
    mkdir -p interpolated
    slicemap slices finalise interpolated slice_config_final.csv --config ${table}
    """
}

process STACK {
    publishDir params.out, mode: 'copy'
    memory '8 GB'
    time '4h'

    input:
    path aligned
    path 'interpolated/*'
    path table

    output:
    path 'stack.ome.zarr'

    script:
    """
    mkdir -p interpolated
    slicemap slices stack ${aligned} stack.ome.zarr --config ${table} --interpolated interpolated \\
        --slice-thickness-um ${params.slice_thickness_um}
    """
}

process REPORT {
    publishDir params.out, mode: 'copy'

    input:
    path mosaics
    path diagnostics
    path table

    output:
    path 'report.html'
    path 'report.json'

    script:
    """
    slicemap slices report ${table} report.html --diagnostics ${diagnostics} --mosaics ${mosaics}
    """
}

workflow {
    mosaics = file("${params.run}/mosaics", checkIfExists: true)
    shifts = file("${params.run}/shifts_xy.csv", checkIfExists: true)
    pairs = file("${params.run}/pairs", checkIfExists: true)

    GENERATE(mosaics)
    QUALITY(mosaics, GENERATE.out)
    REHOMING(shifts, QUALITY.out.table)
    ALIGN(mosaics, REHOMING.out.shifts, REHOMING.out.table)
    AUTO_EXCLUDE(pairs, REHOMING.out.table)

    // single gaps between slices that are in: one task each
    gaps = AUTO_EXCLUDE.out
        .splitCsv(header: true)
        .filter { row -> row.use == 'true' && row.auto_excluded != 'true' }
        .map { row -> row.slice_id.toInteger() }
        .toSortedList()
        .flatMap { used -> used.findAll { n -> !(n + 1 in used) && n + 2 in used }.collect { n -> n + 1 } }
    INTERPOLATE(gaps, ALIGN.out, AUTO_EXCLUDE.out)

    fragments = INTERPOLATE.out.flatten().collect(sort: true).ifEmpty([])
    FINALISE(fragments, AUTO_EXCLUDE.out)
    STACK(ALIGN.out, fragments, FINALISE.out)
    REPORT(mosaics, QUALITY.out.diagnostics, FINALISE.out)
}
