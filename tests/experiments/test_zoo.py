"""The zoo's gradients, here those of the two smallest networks."""

from experiments import zoo


def test_each_network_has_a_row(capsys):
    zoo.main(["two_filters", "lenet5"])
    _, first, second = capsys.readouterr().out.splitlines()
    assert first.split()[:3] == ["two_filters", "56", "2"] and second.split()[:3] == ["lenet5", "107,786", "10"]
    for row in (first, second):
        assert float(row.split()[3]) < 1e-13 and row.split()[4] == "yes"
