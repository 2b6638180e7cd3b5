"""JPEGs decoded at a smaller scale, against whole ones."""

from experiments import jpeg_draft


def test_scales_leave_enough_pixels():
    assert [jpeg_draft.scale_of(shorter, 64, 2) for shorter in (100, 255, 256, 511, 512, 4000)] == [1, 1, 2, 2, 4, 8]


def test_a_line_for_each_scale_below_1(monkeypatch, capsys):
    monkeypatch.setattr(jpeg_draft, "WIDTHS", (640,))
    monkeypatch.setattr(jpeg_draft, "REPEATS", 1)
    jpeg_draft.main()
    rows = [line.split("│")[1:-1] for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert [[cell.strip() for cell in row[:4]] for row in rows] == [
        ["640 × 427", "64", "2", "1/2"],
        ["640 × 427", "64", "3", "1/2"],
    ]
    assert all(0.1 < float(row[6]) < 5 for row in rows)
