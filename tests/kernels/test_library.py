"""Finding oneDNN: what is said where a part of it is missing, and who is told."""

import pytest

from jaxcnn import kernels
from jaxcnn.kernels import library

built = pytest.mark.skipif(isinstance(library.find(), library.Missing), reason=f"no oneDNN here: {library.find()}")
look = library.find.__wrapped__  # what `find` does the first time


def test_handlers_that_were_never_built(monkeypatch):
    monkeypatch.setattr(library.importlib.util, "find_spec", lambda name: None)
    assert look().part == "handlers"


@built
def test_a_library_that_does_not_load(monkeypatch):
    def fail(handlers):
        raise OSError("libgomp.so.1: cannot open shared object file")

    monkeypatch.setattr(library, "_load", fail)
    assert look() == library.Missing("oneDNN can't be loaded: libgomp.so.1: cannot open shared object file", "oneDNN")


@built
@pytest.mark.parametrize("spoken", [(0, 0), (1, 99)], ids=str)
def test_handlers_of_another_ffi_are_not_registered(monkeypatch, spoken):
    """XLA's CPU would not start with them."""
    monkeypatch.setattr(library, "_ffi_version", lambda: spoken)
    monkeypatch.setattr(library.jax.ffi, "register_ffi_target", lambda *_, **__: pytest.fail("registered"))
    assert look().part == "jaxlib"


@built
def test_handlers_of_another_jaxcnn_are_not_registered(monkeypatch):
    """A source tree was updated, and not installed again."""
    monkeypatch.setattr(library, "TARGETS", (*library.TARGETS, "jaxcnn_tomorrow"))
    monkeypatch.setattr(library.jax.ffi, "register_ffi_target", lambda *_, **__: pytest.fail("registered"))
    missing = "the oneDNN kernels were built from another jaxcnn, without jaxcnn_tomorrow"
    assert look() == library.Missing(missing, "handlers")


def test_asking_for_oneDNN_where_it_is_not(monkeypatch):
    monkeypatch.setattr(library, "find", lambda: library.Missing("it was not built", "handlers"))
    with pytest.raises(ValueError, match=r"\"onednn\" can't be had: it was not built\. `jaxcnn doctor` says how"):
        kernels.use("onednn")


def test_an_unknown_choice():
    with pytest.raises(ValueError, match=r'kernels is \'mkl\'; expected "auto", "fast", "onednn" or "xla"'):
        kernels.use("mkl")
