"""`jaxcnn show`: the file that it writes, and those that it does not write over."""

import pytest

from jaxcnn.report.show import page


def test_it_writes_a_page_named_after_the_operation_and_again_over_it(jaxcnn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert jaxcnn("show", "relu")[:2] == (0, "page relu.html\n")
    assert (tmp_path / "relu.html").read_text(encoding="utf-8") == page(["relu"])


def test_all_are_on_one_page(jaxcnn, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("jaxcnn.report.show.page", lambda names: asked.extend(names) or "")
    assert jaxcnn("show", "--all", "--out", tmp_path / "course.html")[1] == f"page {tmp_path / 'course.html'}\n"
    assert len(asked) > 60 and {"conv", "triplet"} <= set(asked)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["max_pol"], "error: 'max_pol' is no operation; did you mean max_pool? The operations are adaptive_avg_pool,"),
        (["conv2d"], "error: 'conv2d' is no operation; did you mean conv? The"),
        (["nosuch"], "error: 'nosuch' is no operation; the operations are adaptive_avg_pool,"),
        (["attention"], "error: 'attention' is no operation; the operations are"),  # flatten has much of it
        (["???"], "error: '???' is no operation; the operations are"),
        ([], "error: expected one operation, as in jaxcnn show conv, or --all instead."),
        (["conv", "--all"], "error: expected one operation, as in jaxcnn show conv, or --all instead."),
        (["relu", "--out", "nowhere/relu.html"], "error: --out is nowhere/relu.html, but its folder"),
        (["relu", "--out", "."], "error: . is there already, and is no page of jaxcnn show; choose another --out."),
        (["elu"], "error: elu.html is there already, and is no page of jaxcnn show; choose another --out."),
    ],
)
def test_what_it_refuses(jaxcnn, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elu.html").write_text("<p>my notes on elu</p>")
    code, out, err = jaxcnn("show", *words)
    assert code == 2 and not out and err.startswith(message)
    assert (tmp_path / "elu.html").read_text() == "<p>my notes on elu</p>"
