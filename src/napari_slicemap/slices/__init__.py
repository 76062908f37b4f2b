"""What was decided: the slice table, quality, shifts, exclusion, interpolation, and what is made of them.

Slices are handed to all of this as images in folders, ``find_volumes``, and decisions as rows of the table.

==============================  ==========================================================================
:mod:`.slice_config`            the table ``slice_config.csv``: read, stamp, filter, merge, write
:mod:`.table_file`              changing it on disk: one writer, an audit trail
:mod:`.generate`                a new table, of mosaics, raw tiles or shifts
:mod:`.review`                  what people decide: leave slices out, put them back in
:mod:`.summary`                 which slices are used, which are not, and why; two tables compared
:mod:`.volumes`                 the image of each slice in a folder
:mod:`.choice`                  the slices that a table uses, of those that have an image
:mod:`.quality`                 scores from agreement with the neighbours
:mod:`.galvo`                   the mirror's return in raw tiles: found, scored, rolled to the end
:mod:`.shifts`                  the shifts file, places by summing it, stage artefacts undone
:mod:`.aligning`                mosaics in one common space
:mod:`.exclusion`               stretches of slices that fit their neighbours badly
:mod:`.interpolation`           single missing slices, made of their neighbours
:mod:`.stacking`                all slices to use, as one volume
:mod:`.diagnostics`             ``slice_<id>.json``: the raw numbers
:mod:`.reports`                 pages for people, JSON for programs
==============================  ==========================================================================
"""
