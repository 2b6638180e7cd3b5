"""`jaxcnn eval` and `check` on other data, and without the run's own; `jaxcnn models`; `--model FILE.py:FUNCTION`."""

import shutil

import numpy as np
import pytest
from PIL import Image

from jaxcnn import data
from jaxcnn.models import MODELS
from tests.cli.printed import rows
from tests.train.tiny import config


def pictures(root, classes, *, size=8, colour=False, seed=0):
    """Ten pictures a class, each class of another brightness."""
    rng = np.random.default_rng(seed)
    for place, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for i in range(10):
            noise = rng.integers(0, 40, (size, size, 3) if colour else (size, size))
            Image.fromarray((60 * place + noise).astype(np.uint8)).save(root / name / f"{i}.png")
    return root


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """A finished run on ant, bee and cat, whose data has another name by now."""
    from jaxcnn.train.loop import train

    root = tmp_path_factory.mktemp("pets")
    train(config(root / "run", data=str(pictures(root / "pets", ("ant", "bee", "cat"))), batch_size=8, epochs=4))
    (root / "pets").rename(root / "moved")
    return root


@pytest.fixture
def run(pets, tmp_path):
    return shutil.copytree(pets / "run", tmp_path / "run")


def test_without_its_own_data_a_run_is_evaluated_on_other(jaxcnn, run, pets):
    for command in ("eval", "check"):
        code, _, err = jaxcnn(command, run)
        assert code == 2 and err.startswith(f"error: there is no folder or table '{pets}/pets'")
        assert err.endswith(" Or take other data, with --data.\n")
        code, out, err = jaxcnn(command, run, "--data", pets / "moved")
        assert (code, err) == (0, "")
    assert "agree with jax.grad" in out and (run / "gradients.png").stat().st_size > 10_000
    code, out, _ = jaxcnn("eval", run, "--data", pets / "moved", "--checkpoint", "best")
    test = data.load(pets / "moved")
    assert {name: int(row[0]) for name, row in rows(out).items()} == {
        name: int((test.test_labels == label).sum()) for label, name in enumerate(test.classes)
    }


def test_a_model_folder_alone_is_evaluated_on_data_that_is_named(jaxcnn, run, pets, tmp_path):
    alone = shutil.copytree(run / "model/best", tmp_path / "alone")
    code, out, _ = jaxcnn("eval", alone, "--data", pets / "moved")
    assert code == 0 and "alone, checkpoint best, step" in " ".join(out.split())
    code, _, err = jaxcnn("eval", alone)
    assert code == 2 and err == (
        f"error: {alone} is a model without its run, which would say what data it was trained on. "
        "Or take other data, with --data.\n"
    )


def test_the_run_is_not_needed_beside_its_model(jaxcnn, run, pets):
    shutil.rmtree(run / "checkpoints")
    (run / "config.json").write_text("{")
    assert jaxcnn("eval", run, "--data", pets / "moved")[0] == 0
    code, _, err = jaxcnn("eval", run)
    assert code == 2 and "config.json is not the config.json of a run" in err and "with --data." in err


def test_classes_in_another_order_are_mapped_by_their_names(jaxcnn, run, pets, tmp_path, monkeypatch):
    load = data.load

    def turned(*arguments, **options):
        """The classes in the opposite order, as a CSV or TFDS may have them."""
        import dataclasses

        found = load(*arguments, **options)
        labels = {f"{part}_labels": 2 - getattr(found, f"{part}_labels") for part in ("train", "test")}
        return dataclasses.replace(found, classes=found.classes[::-1], **labels)

    _, straight, _ = jaxcnn("eval", run, "--data", pets / "moved")
    monkeypatch.setattr(data, "load", turned)
    code, out, err = jaxcnn("eval", run, "--data", pets / "moved")
    assert (code, out) == (0, straight)
    assert err == "warning: the classes of moved are in another order than the network's: their names count.\n"


def test_other_classes_are_refused_and_both_are_shown(jaxcnn, run, tmp_path):
    other = pictures(tmp_path / "insects", ("ant", "bee", "wasp"))
    for command in ("eval", "check"):
        code, _, err = jaxcnn(command, run, "--data", other)
        assert code == 2 and err == (
            "error: the dataset insects has the classes ant, bee, wasp, and the network knows ant, bee, cat: "
            "wasp is none of its own. Take data with the same names of classes.\n"
        )
    many = pictures(tmp_path / "many", [f"c{i:02}" for i in range(12)])
    _, _, err = jaxcnn("eval", run, "--data", many)
    assert (
        "c00, c01, c02, c03, c04, c05, c06, c07, c08, c09 and 2 more, and the network knows ant, bee, cat: c00," in err
    )


def test_some_of_the_classes_are_enough(jaxcnn, run, tmp_path):
    code, out, err = jaxcnn("eval", run, "--data", pictures(tmp_path / "few", ("bee", "cat")))
    assert (code, err) == (0, "warning: few has no images of these classes of the network: ant.\n")
    assert [row[0] for row in rows(out).values()] == ["0", "2", "2"]


def test_pictures_of_other_sizes_and_in_colour_are_made_to_fit(jaxcnn, run, tmp_path):
    large = pictures(tmp_path / "large", ("ant", "bee", "cat"), size=20, colour=True)
    code, _, err = jaxcnn("eval", run, "--data", large)
    assert code == 0 and err == (
        "warning: the images of large are coloured, and become grey, as the network takes them.\n"
    )
    code, _, err = jaxcnn("eval", run, "--data", large, "--image-size", "10")
    assert code == 2 and err.startswith(
        "error: the network was trained on images of 8×8 pixels, and does not fit those of large, 10×10: layer 'head'"
    )
    assert err.endswith(" Resize the images with --image-size 8.\n")


def test_own_data_that_has_another_size_by_now_is_told(jaxcnn, trained, monkeypatch):
    changed = data.load("digits", image_size=9)
    monkeypatch.setattr(data, "load", lambda *a, **k: changed)
    code, _, err = jaxcnn("eval", trained.run.path)
    assert code == 2 and err == (
        "error: the network was trained on images of 8×8 pixels, and those of digits have 9×9. "
        "Resize them with --image-size 8, or take other data, with --data.\n"
    )


def test_bad_pictures_of_other_data_are_told_in_options(jaxcnn, run, tmp_path):
    pets = pictures(tmp_path / "pets", ("ant", "bee", "cat"))
    (pets / "ant/3.png").write_text("no picture")
    code, _, err = jaxcnn("eval", run, "--data", pets)
    assert code == 2 and err.endswith("or leave them out with --skip-bad.\n")
    code, _, err = jaxcnn("eval", run, "--data", pets, "--skip-bad")
    assert code == 0 and err.startswith("warning: left out 1 of 30 pictures")


def test_a_damaged_model_is_told_in_one_line_with_the_way_on(jaxcnn, run):
    file = run / "model/last/weights.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    code, _, err = jaxcnn("eval", run)
    assert code == 2 and err.count("\n") == 1
    assert err.startswith(f"error: {file} is damaged: its SHA-256 is not what model.json says; take the other one, ")
    assert jaxcnn("eval", run, "--checkpoint", "best", "--data", "digits")[2].startswith(
        "error: the dataset digits has"
    )


def test_models_lists_every_network(jaxcnn):
    code, out, _ = jaxcnn("models")
    listed = rows(out)
    assert code == 0 and set(listed) == set(MODELS) - {"tiny"}
    assert listed["vgg16"][:2] == ["138,357,544", "224²×3"]  # torchvision's count
    assert listed["resnet20"][:2] == ["272,474", "32²×3"]
    assert all(row[2] for row in listed.values()) and len(out.splitlines()) == len(listed) + 5


NET = "from jaxcnn.layers import Dense, Flatten, chain\ndef net(n):\n    return chain(flat=Flatten(), head=Dense(n))\n"


def test_a_network_of_ones_own_is_trained_evaluated_and_gone_on_with_from_elsewhere(jaxcnn, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "here/nets.py").write_text(NET)
    monkeypatch.chdir(tmp_path / "here")
    options = ("--data", "digits", "--image-size", "8", "--batch-size", "128", "--model", "nets.py:net")
    code, out, _ = jaxcnn("train", *options, "--epochs", "1")
    assert (
        code == 0
        and out.startswith("nets.py:net, 650 parameters, on digits")
        and "run folder runs/digits-nets-net" in out
    )
    run = (tmp_path / "here/runs/digits-nets-net").rename(tmp_path / "run")
    shutil.rmtree(tmp_path / "here/runs")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here/nets.py").unlink()
    accuracy = next(line for line in out.splitlines() if line.startswith("test accuracy"))
    assert jaxcnn("eval", run)[1].splitlines()[-1] == accuracy
    assert jaxcnn("check", run)[0] == 0
    code, out, err = jaxcnn(
        "train", *options[:-1], tmp_path / "here/nets.py:net", "--epochs", "2", "--resume", "--out", run
    )
    epochs = [line.split()[0] for line in out.splitlines() if line.startswith("    ")]
    assert code == 0 and "the onecycle schedule now stretches" in err and epochs == ["2"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nets.py:ne", "nets.py has no function 'ne'; it has net."),
        ("nets.py", "--model is 'nets.py'; expected FILE.py:FUNCTION, such as nets.py:net."),
        ("none.py:net", "none.py can't be read (No such file or directory)."),
        ("text.py:net", "text.py: running it raised NameError in line 1: name 'hello' is not defined."),
    ],
)
def test_a_wrong_file_is_one_line_and_leaves_nothing(jaxcnn, tmp_path, monkeypatch, name, message):
    (tmp_path / "nets.py").write_text(NET)
    (tmp_path / "text.py").write_text("hello")
    monkeypatch.chdir(tmp_path)
    code, out, err = jaxcnn("train", "--data", "digits", "--model", name)
    assert (
        (code, out) == (2, "") and err.startswith("error: ") and err.endswith(f"{message}\n") and err.count("\n") == 1
    )
    assert {path.name for path in tmp_path.iterdir()} == {"nets.py", "text.py"}
