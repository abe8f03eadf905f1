"""Writes small labels of others as the text that DCMTK's dump2dcm reads.

usage: label_seeds.py segmentation|labelmap|structures
"""

import sys

FRAME_OF_REFERENCE, IMAGES = "2.25.1", ["2.25.11", "2.25.12"]
CLASSES = {
    "segmentation": "1.2.840.10008.5.1.4.1.1.66.4", "labelmap": "1.2.840.10008.5.1.4.1.1.66.7",
    "structures": "1.2.840.10008.5.1.4.1.1.481.3",
}


def element(tag, vr, value):
    return f"({tag}) {vr} {value if vr in ('US', 'OB') else f'[{value}]'}"


def sequence(tag, *items):
    lines = [f"({tag}) SQ"]
    for item in items:
        lines += ["(fffe,e000) na", *item, "(fffe,e00d) na"]
    return lines + ["(fffe,e0dd) na"]


def code(tag, value):
    return sequence(tag, [
        element("0008,0100", "SH", value), element("0008,0102", "SH", "SCT"), element("0008,0104", "LO", "Part"),
    ])


def header(kind):
    return [
        element("0008,0016", "UI", CLASSES[kind]), element("0008,0018", "UI", "2.25.2"),
        element("0008,0060", "CS", "RTSTRUCT" if kind == "structures" else "SEG"),
        element("0020,000d", "UI", "2.25.3"), element("0020,000e", "UI", "2.25.4"),
        element("0020,0052", "UI", FRAME_OF_REFERENCE),
    ]


def plane(slice_number):
    return sequence("0020,9113", [element("0020,0032", "DS", f"0\\0\\{2 * slice_number}")])


def labels(kind):
    is_map = kind == "labelmap"
    segments = [[
        element("0062,0004", "US", number), element("0062,0005", "LO", f"Part {number}"),
        *code("0062,0003", "91723000"), *code("0062,000f", f"1000{number}"),
    ] for number in (1, 2)]
    frames = [
        [*plane(place), *([] if is_map else sequence("0062,000a", [element("0062,000b", "US", segment)]))]
        for segment in ([1] if is_map else [1, 2]) for place in (0, 1)
    ]
    pixels = [number % 3 for number in range(128)] if is_map else [0x3C, 0x18] * 8 + [0x42, 0x24] * 8
    return [
        element("0028,0002", "US", 1), element("0028,0004", "CS", "MONOCHROME2"),
        element("0028,0008", "IS", len(frames)), element("0028,0010", "US", 8), element("0028,0011", "US", 8),
        element("0028,0100", "US", 8 if is_map else 1), element("0028,0101", "US", 8 if is_map else 1),
        element("0028,0102", "US", 7 if is_map else 0), element("0028,0103", "US", 0),
        element("0062,0001", "CS", "LABELMAP" if is_map else "BINARY"), *sequence("0062,0002", *segments),
        *sequence("5200,9229", [
            *sequence("0020,9116", [element("0020,0037", "DS", "1\\0\\0\\0\\1\\0")]),
            *sequence("0028,9110", [
                element("0018,0050", "DS", 2), element("0018,0088", "DS", 2), element("0028,0030", "DS", "1\\1"),
            ]),
        ]),
        *sequence("5200,9230", *frames),
        element("7fe0,0010", "OB", "\\".join(f"{value:02x}" for value in pixels)),
    ]


def structures():
    def contour(place, corners):
        points = "\\".join(f"{x}\\{y}\\{2 * place}" for x, y in corners)
        image = sequence("3006,0016", [
            element("0008,1150", "UI", "1.2.840.10008.5.1.4.1.1.2"), element("0008,1155", "UI", IMAGES[place]),
        ])
        return [
            *image, element("3006,0042", "CS", "CLOSED_PLANAR"), element("3006,0046", "IS", len(corners)),
            element("3006,0050", "DS", points),
        ]

    outline, hole = [(1, 1), (6.5, 1), (6.5, 6), (1, 6)], [(3, 3), (4, 3), (4, 4.25)]
    return [
        *sequence("3006,0020", [
            element("3006,0022", "IS", 1), element("3006,0024", "UI", FRAME_OF_REFERENCE),
            element("3006,0026", "LO", "Part 1"),
        ]),
        *sequence("3006,0039", [
            *sequence("3006,0040", *[contour(place, corners) for place in (0, 1) for corners in (outline, hole)]),
            element("3006,0084", "IS", 1),
        ]),
        *sequence("3006,0080", [
            element("3006,0082", "IS", 1), element("3006,0084", "IS", 1), *code("3006,0086", "10001"),
        ]),
    ]


kind = sys.argv[1]
print("\n".join(header(kind) + (structures() if kind == "structures" else labels(kind))))
