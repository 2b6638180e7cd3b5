"""Write a small dataset as TFDS prepares it (array_record files), without TensorFlow."""

import io
import json

import numpy as np
from array_record.python.array_record_module import ArrayRecordWriter
from PIL import Image
from tensorflow_datasets.proto import tf_example_pb2

IMAGE, LABEL, TEXT = (
    f"tensorflow_datasets.core.features.{path}"
    for path in ("image_feature.Image", "class_label_feature.ClassLabel", "text_feature.Text")
)


def png(pixels):
    """An (h, w) or (h, w, 3) uint8 array as the bytes of a PNG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def features_of(classes):
    """The usual pair: an image of any size, and a label."""
    image = {"dtype": "uint8", "shape": {"dimensions": ["-1", "-1", "3"]}, "encodingFormat": "png"}
    return {
        "image": {"pythonClassName": IMAGE, "image": image},
        "label": {"pythonClassName": LABEL, "classLabel": {"numClasses": str(len(classes))}},
    }


def prepare(data_dir, name, classes, splits, *, features=None, supervised=None, file_format="array_record"):
    """Write `splits`, a dict of lists of (pixels, label), to data_dir/name/1.0.0.

    `supervised` is the pair of keys that TFDS calls supervised_keys.
    """
    folder = data_dir / name / "1.0.0"
    folder.mkdir(parents=True)
    infos = []
    for split, examples in splits.items():
        file = f"{name}-{split}.{file_format}-00000-of-00001"
        writer = ArrayRecordWriter(str(folder / file), "group_size:1")
        for pixels, label in examples:
            example = tf_example_pb2.Example()
            example.features.feature["image"].bytes_list.value.append(png(np.asarray(pixels)))
            example.features.feature["label"].int64_list.value.append(label)
            writer.write(example.SerializeToString())
        writer.close()
        template = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
        counts = {"shardLengths": [str(len(examples))], "numBytes": "1"}
        infos.append({"name": split, "filepathTemplate": template, **counts})
    info = {"name": name, "version": "1.0.0", "fileFormat": file_format, "splits": infos}
    if supervised:
        info["supervisedKeys"] = {"tuple": {"items": [{"featureKey": key} for key in supervised]}}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    tree = {
        "pythonClassName": "tensorflow_datasets.core.features.features_dict.FeaturesDict",
        "featuresDict": {"features": features or features_of(classes)},
    }
    (folder / "features.json").write_text(json.dumps(tree))
    (folder / "label.labels.txt").write_text("\n".join(classes) + "\n")
