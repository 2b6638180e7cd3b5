"""The summary table against numbers worked out by hand."""

import pytest

from jaxcnn.layers import (
    AdaptiveAvgPool,
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    MaxPool,
    Resize,
    chain,
    concat,
    residual,
    summary,
)


def rows(model, shape):
    return {row.path: row for row in summary(model, shape).rows}


def test_counts():
    net = chain(conv=Conv(10), bn=BatchNorm(), flatten=Flatten(), head=Dense(2))
    table = summary(net, (6, 5, 3))
    conv, bn, flatten, head = table.rows
    assert (conv.trainable, conv.fixed, conv.multiply_adds) == (280, 0, 6 * 5 * 10 * 27)
    assert (bn.trainable, bn.fixed, bn.multiply_adds) == (20, 20, 0)
    assert (flatten.shape, flatten.trainable) == ((300,), 0)
    assert (head.trainable, head.multiply_adds) == (602, 600)
    assert (table.trainable, table.fixed, table.multiply_adds) == (902, 20, 6 * 5 * 10 * 27 + 600)


def test_grouped_convolution_multiplies_less():
    assert summary(chain(c=Conv(8, groups=4)), (5, 5, 8)).multiply_adds == 25 * 8 * 9 * 2


@pytest.mark.parametrize(
    "layer, unseen",
    [
        (Conv(1, 3, stride=1, padding="VALID"), (0, 0)),
        (Conv(1, 3, stride=3, padding="VALID"), (1, 1)),
        (Conv(1, 3, stride=3), (0, 0)),
        (Conv(1, (1, 3), stride=2, padding="VALID"), (3, 0)),
        (MaxPool(2), (1, 1)),
        (AvgPool(2, stride=3), (3, 3)),
        (MaxPool(2, ceil_mode=True), (0, 0)),
        (MaxPool(2, stride=4, dilation=2), (3, 3)),
        (AvgPool(2, stride=4, dilation=2, divisor_override=3), (3, 3)),
        (Resize(0.5), (4, 4)),
        (Resize(0.5, method="bilinear"), (2, 2)),
        (Resize(2), (0, 0)),
    ],
)
def test_what_the_stride_leaves_unseen_of_seven(layer, unseen):
    assert summary(chain(l=layer), (7, 7, 1)).rows[0].unseen == unseen


def test_unseen_is_printed_in_words():
    text = str(summary(chain(conv=Conv(1, 3, stride=3, padding="VALID")), (7, 8, 1)))
    assert "1 row, 2 columns" in text
    assert "1 position" in str(summary(chain(pool=MaxPool(2)), (7, 1)))
    assert "1 plane" in str(summary(chain(pool=MaxPool((2, 1, 1))), (3, 4, 4, 1)))


def test_receptive_field():
    net = chain(a=Conv(1, 3), b=Conv(1, 3, stride=2), c=MaxPool(2), d=Conv(1, (3, 1), dilation=2), e=GlobalAvgPool())
    fields = [str(row.field) for row in summary(net, (32, 32, 1)).rows]
    # 3; 3+2=5, jump 2; 5+2=7, jump 4; rows 7+4·4=23, columns 7.
    assert fields == ["3×3", "5×5", "7×7", "23×7", "all"]


def test_receptive_field_through_other_sizes():
    net = chain(up=Resize(2), a=Conv(1, 3), line=Resize(2, method="bilinear"), b=Conv(1, 5), pool=AdaptiveAvgPool(4))
    table = summary(net, (6, 6, 1)).rows
    # 1; 1+2/2=2, jump 1/2; 2+1/2, jump 1/4; 2.5+4/4=3.5; bins of 6 in 24: 3.5+5/4, jump 3/2. Shown rounded up.
    assert [str(row.field) for row in table] == ["1×1", "2×2", "3×3", "4×4", "5×5"]
    assert [row.shape for row in table] == [(12, 12, 1), (12, 12, 1), (24, 24, 1), (24, 24, 1), (4, 4, 1)]


def test_receptive_field_of_branches_is_the_largest():
    body = chain(a=Conv(4, 3), b=Conv(4, 3))
    table = rows(chain(res=residual(body), cat=concat(x=Conv(1, 1), y=Conv(1, 5))), (9, 9, 4))
    assert str(table["res"].field) == "5×5"
    assert str(table["cat"].field) == "9×9"
    assert list(table) == ["res/body/a", "res/body/b", "res", "cat/x", "cat/y", "cat"]


def test_dense_after_flatten_sees_everything():
    table = rows(chain(conv=Conv(2), flatten=Flatten(), dense=Dense(3)), (5, 5, 1))
    assert [str(table[p].field) for p in ("conv", "flatten", "dense")] == ["3×3", "3×3", "all"]


def test_printed_totals():
    text = str(summary(chain(conv=Conv(10), bn=BatchNorm()), (6, 6, 3)))
    last = text.splitlines()[-2]
    assert "total" in last
    assert "320" in last and "300" in last and "20" in last and f"{36 * 270:,}" in last


def test_it_is_text_in_a_notebook_as_well(monkeypatch):
    """Where Rich would rather display a table itself, and leave print() nothing."""
    text = str(summary(Conv(10), (6, 6, 3)))
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert str(summary(Conv(10), (6, 6, 3))) == text and "9,720" in text and "\x1b" not in text


def test_an_input_that_does_not_fit_names_the_layer():
    with pytest.raises(ValueError, match=r"layer 'pool': max_pool: .*8"):
        summary(chain(conv=Conv(2), pool=MaxPool(8)), (6, 6, 1))
