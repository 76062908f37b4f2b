"""Slice tables as people and programs write them: those that are accepted, and those that are refused and how."""

from __future__ import annotations

from typing import Any

ACCEPTED: dict[str, tuple[str | bytes, list[dict[str, Any]]]] = {
    "only ids: every slice is used": (
        "slice_id\n00\n01\n",
        [{"slice_id": "00", "use": True}, {"slice_id": "01", "use": True}],
    ),
    "ids and use": (
        "slice_id,use\n00,true\n01,false\n",
        [{"slice_id": "00", "use": True}, {"slice_id": "01", "use": False}],
    ),
    "columns in another order": ("use,slice_id\nfalse,07\n", [{"slice_id": "07", "use": False}]),
    "a header only": ("slice_id,use\n", []),
    "byte-order mark": (b"\xef\xbb\xbfslice_id,use\n00,true\n", [{"slice_id": "00", "use": True}]),
    "CRLF line ends": ("slice_id,use\r\n00,no\r\n", [{"slice_id": "00", "use": False}]),
    "no line end at the end": ("slice_id,use\n00,1", [{"slice_id": "00", "use": True}]),
    "blank lines and blanks around cells": (
        "slice_id , use\n\n 00 , True \n,\n",
        [{"slice_id": "00", "use": True}],
    ),
    "ids are padded to two digits": ("slice_id,use\n3,yes\n", [{"slice_id": "03", "use": True}]),
    "long ids stay": (
        "slice_id,use\n100,0\n007,1\n",
        [{"slice_id": "100", "use": False}, {"slice_id": "007", "use": True}],
    ),
    "quoted comma and quotes": (
        'slice_id,use,notes\n00,true,"a, ""b"""\n',
        [{"slice_id": "00", "use": True, "notes": 'a, "b"'}],
    ),
    "quoted line break": (
        'slice_id,use,notes\n00,true,"a\nb"\n01,no,\n',
        [{"slice_id": "00", "use": True, "notes": "a\nb"}, {"slice_id": "01", "use": False, "notes": ""}],
    ),
    "unknown columns are text": (
        "slice_id,use,depth,NA\n00,true,085,NaN\n",
        [{"slice_id": "00", "use": True, "depth": "085", "NA": "NaN"}],
    ),
    "a quality score has three decimals": (
        "slice_id,use,quality_score\n00,1,0.12345\n01,1,1\n02,1,\n03,1,5e-1\n",
        [
            {"slice_id": "00", "use": True, "quality_score": 0.123},
            {"slice_id": "01", "use": True, "quality_score": 1.0},
            {"slice_id": "02", "use": True, "quality_score": None},
            {"slice_id": "03", "use": True, "quality_score": 0.5},
        ],
    ),
    "a galvo confidence has all its digits": (
        "slice_id,use,galvo_confidence\n00,1,0.12345678\n",
        [{"slice_id": "00", "use": True, "galvo_confidence": 0.12345678}],
    ),
    "quotes where none are needed": ('"slice_id","use"\n"03","no"\n', [{"slice_id": "03", "use": False}]),
    "a quote within a note": (
        'slice_id,use,notes\n00,true,5" cut\n',
        [{"slice_id": "00", "use": True, "notes": '5" cut'}],
    ),
    "lines that end as on old Macs": ("slice_id,use\r00,yes\r", [{"slice_id": "00", "use": True}]),
    "an empty decision is None": (
        "slice_id,use,rehomed,auto_excluded\n00,true,,\n",
        [{"slice_id": "00", "use": True, "rehomed": None, "auto_excluded": None}],
    ),
}

BOOLEAN = "expected true, 1 or yes, or false, 0 or no"
SCORE = "expected a number from 0 to 1, or nothing"
DIGITS = "expected digits only, at least two"
REFUSED: dict[str, tuple[str | bytes, str]] = {
    "empty file": ("", r"slice_config.csv: the file is empty; expected a header with slice_id"),
    "blank file": ("\n \n", r"the file is empty; expected a header with slice_id"),
    "no slice_id": ("id,use\n00,true\n", r"line 1: no column slice_id \(there is id, use\)"),
    "semicolons": ("slice_id;use\n00;true\n", r"line 1: no column slice_id .*separated by ';' or tabs"),
    "tabs": ("slice_id\tuse\n00\ttrue\n", r"line 1: no column slice_id .*separated by ';' or tabs"),
    "semicolons after a byte-order mark": (
        b"\xef\xbb\xbfslice_id;use\n00;true\n",
        r"line 1: no column slice_id .*separated by ';' or tabs",
    ),
    "text after a closed quote": ('slice_id,use,notes\n00,true,"a" b\n', r"line 2"),
    "blanks between columns": ("slice_id use\n00 true\n", r"line 1: no column slice_id \(there is slice_id use\)"),
    "a comment above the header": ("# by Ada\nslice_id,use\n00,true\n", r"line 1: no column slice_id"),
    "a header twice": ("slice_id,use\nslice_id,use\n00,true\n", rf"line 2 .*slice_id is 'slice_id', {DIGITS}"),
    "a cell without end": (
        f"slice_id,use,notes\n00,true,{'x' * 200_000}\n",
        r"line 2: field larger than field limit \(131072\)",
    ),
    "semicolons below a good header": ("slice_id,use\n00;true\n", r"line 2: 1 cells, expected 2"),
    "Latin-1": ("slice_id,use,notes\n00,true,\xb5m\n".encode("latin-1"), r"line 2: not UTF-8 text"),
    "UTF-16": ("slice_id,use\n00,true\n".encode("utf-16"), r"line 1: not UTF-8 text"),
    "a column twice": ("slice_id,use,use\n00,true,true\n", r"line 1: column 'use' stands twice"),
    "a column without name": ("slice_id,use,\n00,true,\n", r"header: column 3 has no name"),
    "the index of a data frame": (",slice_id,use\n0,00,true\n", r"header: column 1 has no name"),
    "a known column in capitals": ("slice_id,Use\n00,no\n", r"header: column 'Use', expected .* 'use'"),
    "a known column with blanks": (
        "slice_id,use,Quality score\n00,no,1\n",
        r"header: column 'Quality score', expected it to be called 'quality_score'",
    ),
    "a name of two lines": ('slice_id,use,"a\nb"\n00,no,1\n', r"header: column 'a\\nb', expected one line"),
    "long row": ("slice_id,use\n00,true\n01,true,x\n", r"line 3: 3 cells, expected 2"),
    "short row": ("slice_id,use,notes\n00,true\n", r"line 2: 2 cells, expected 3"),
    "unquoted comma in a note": ("slice_id,use,notes\n00,true,a, b\n", r"line 2: 4 cells, expected 3"),
    "open quote": ('slice_id,use,notes\n00,true,"a\n', r"line 2: unexpected end of data"),
    "id twice": (
        "slice_id,use\n00,true\n01,true\n00,true\n",
        r"line 4: slice_id is '00', expected each slice once; it stands in .*line 2 already",
    ),
    "id twice, once padded": ("slice_id,use\n3,true\n03,true\n", r"line 3: .*each slice once.*line 2"),
    "id twice, once longer": ("slice_id,use\n003,true\n03,true\n", r"line 3: .*each slice once.*line 2"),
    "id 1.7": ("slice_id,use\n1.7,true\n", rf"line 2 .*slice_id is '1.7', {DIGITS}"),
    "id 0.0": ("slice_id,use\n0.0,true\n", rf"line 2 .*slice_id is '0.0', {DIGITS}"),
    "id 1e1": ("slice_id,use\n1e1,true\n", rf"line 2 .*slice_id is '1e1', {DIGITS}"),
    "id in single quotes": ("slice_id,use\n'03',true\n", rf"line 2 .*slice_id is \"'03'\", {DIGITS}"),
    "id -1": ("slice_id,use\n-1,true\n", rf"line 2 .*slice_id is '-1', {DIGITS}"),
    "id z03": ("slice_id,use\nz03,true\n", rf"line 2 .*slice_id is 'z03', {DIGITS}"),
    "id of other digits": ("slice_id,use\n٠٣,true\n", rf"line 2 .*slice_id is '٠٣', {DIGITS}"),
    "id empty": ("slice_id,use\n00,true\n,true\n", rf"line 3 .*slice_id is empty, {DIGITS}"),
    "use empty": (
        "slice_id,use\n00,true\n01,\n",
        rf"slice_config.csv, line 3 \(slice 01\): use is empty, {BOOLEAN}",
    ),
    "use unknown": ("slice_id,use\n00,maybe\n", rf"line 2 \(slice 00\): use is 'maybe', {BOOLEAN}"),
    "use t": ("slice_id,use\n00,t\n", rf"use is 't', {BOOLEAN}"),
    "use 2": ("slice_id,use\n00,2\n", rf"use is '2', {BOOLEAN}"),
    "use 1.0": ("slice_id,use\n00,1.0\n", rf"use is '1.0', {BOOLEAN}"),
    "boolean unknown": (
        "slice_id,use,galvo_fix\n00,true,0.9\n",
        rf"line 2 \(slice 00\): galvo_fix is '0.9', {BOOLEAN}",
    ),
    "score is text": ("slice_id,use,quality_score\n00,1,good\n", rf"quality_score is 'good', {SCORE}"),
    "score above 1": ("slice_id,use,quality_score\n00,1,1.001\n", rf"quality_score is '1.001', {SCORE}"),
    "score below 0": ("slice_id,use,galvo_confidence\n00,1,-0.1\n", rf"confidence is '-0.1', {SCORE}"),
    "score NaN": ("slice_id,use,galvo_confidence\n00,1,nan\n", rf"galvo_confidence is 'nan', {SCORE}"),
    "score infinite": ("slice_id,use,quality_score\n00,1,inf\n", rf"quality_score is 'inf', {SCORE}"),
    "score in percent": ("slice_id,use,quality_score\n00,1,87%\n", rf"quality_score is '87%', {SCORE}"),
    "decimal comma": ('slice_id,use,quality_score\n00,1,"0,87"\n', rf"quality_score is '0,87', {SCORE}"),
    "digits grouped": ("slice_id,use,quality_score\n00,1,0_0.5\n", rf"quality_score is '0_0.5', {SCORE}"),
    "method unknown": (
        "slice_id,use,interpolation_method_used\n00,1,linear\n",
        r"line 2 \(slice 00\): interpolation_method_used is 'linear', "
        r"expected zmorph, weighted, average, or nothing",
    ),
    "reason unknown": (
        "slice_id,use,interpolation_fallback_reason\n00,1,bad\n",
        r"interpolation_fallback_reason is 'bad', expected low_overlap_ncc, no_foreground_planes, ",
    ),
}
