"""Seeds together and apart, for a few steps of the smallest network."""

from experiments import seeds_together as experiment


def test_both_ways_train_alike_and_are_timed(capsys):
    (result,) = experiment.main((("perceptron", 8, 64),), seeds=3, steps=4, repeats=1)
    assert 0 <= result.difference < 1e-6
    assert result.alone > 0 and result.together > 0
    assert result.work == 64 * (64 * 64 + 64 * 10)
    row = next(line for line in capsys.readouterr().out.splitlines() if "perceptron" in line)
    assert "303,104" in row and f"{result.together:.2f}" in row
