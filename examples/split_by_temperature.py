"""Split labelled pools by temperature, so that a study can be tested outside its range.

python examples/split_by_temperature.py LABELS.extxyz.xz LIMIT_KELVIN COLD.extxyz.xz HOT.extxyz.xz
"""

import argparse
from pathlib import Path

from zeroflux.artifacts.extxyz import read_labels, write_labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labels", type=Path)
    parser.add_argument("limit", type=float, help="temperature above which labels count as hot (K)")
    parser.add_argument("cold", type=Path)
    parser.add_argument("hot", type=Path)
    given = parser.parse_args()
    labels = read_labels(given.labels)
    is_hot = [float(label.info["temperature_kelvin"]) > given.limit for label in labels]
    for path, wanted in ((given.cold, False), (given.hot, True)):
        own = [label for label, hot in zip(labels, is_hot, strict=True) if hot == wanted]
        path.parent.mkdir(parents=True, exist_ok=True)
        write_labels(path, own)
        print(f"{len(own)} labels: {path}")


if __name__ == "__main__":
    main()
