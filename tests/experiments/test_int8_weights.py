"""Kernels in 8 bits, on digits."""

import pytest

from experiments import int8_weights as experiment


def test_every_way_is_tried_and_printed(tmp_path, capsys):
    options = {"data": "digits", "image_size": 8, "batch_size": 128, "learning_rate": 0.02}
    (runs,) = experiment.main(["tiny"], 1, 3, tmp_path, **options).values()
    kept = runs[0]
    assert list(kept) == ["float32", "int8", "folded, int8"]
    assert kept["float32"].others == 0 and kept["float32"].accuracy > 0.4, "chance is 0.1"
    for way in ("int8", "folded, int8"):
        assert abs(kept[way].accuracy - kept["float32"].accuracy) <= kept[way].others / 360 <= 0.05
        assert kept[way].size < 0.6 * kept["float32"].size
    rows = [line.split("│")[2].strip() for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert rows == list(kept)


def test_no_seed_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="--seeds is 0; expected 1 or more"):
        experiment.main(["tiny"], 0, 1, tmp_path)
