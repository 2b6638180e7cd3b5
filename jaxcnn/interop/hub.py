"""Weights by their names on Hugging Face's hub, such as timm/resnet50.a1_in1k.

They are fetched once and lie in the hub's own cache (`HF_HOME`), where they are found without a network, too.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

NAME = r"(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")


class Fetched(NamedTuple):
    """A repository's weights.

    Attributes:
      file: in the cache; what it holds has the hash that the hub gives for it.
      config, preprocessor: of its config.json and preprocessor_config.json, empty where it has none.
      name: of the repository, such as timm/resnet50.a1_in1k.
      revision: the commit that the weights are of.
    """

    file: Path
    config: Mapping[str, Any]
    preprocessor: Mapping[str, Any]
    name: str
    revision: str


def is_name(text: str) -> bool:
    """Whether this is OWNER/NAME or OWNER/NAME@REVISION, and no file that is there."""
    return re.fullmatch(NAME, text) is not None and not Path(text).exists()


def fetch(name: str) -> Fetched:
    """The weights of OWNER/NAME, or of a branch, tag or commit of it: OWNER/NAME@REVISION.

    Raises ValueError, naming what to do, without huggingface_hub, without a network where they are not in the cache,
    for a repository or revision that does not exist or is closed, one without weights, and for a damaged file.
    """
    match = re.fullmatch(NAME, name)
    if match is None:
        raise ValueError(f"{name!r} is no name on the hub; expected OWNER/NAME or OWNER/NAME@REVISION.")
    repository, revision = match["repository"], match["revision"]
    local = not _is_reached(repository, revision)
    file = _file(repository, revision, WEIGHTS, local)
    if file is None:
        raise ValueError(f"{repository} on the hub holds no {' and no '.join(WEIGHTS)}.")
    commit = file.parent.name
    config, preprocessor = (
        json.loads(found.read_bytes()) if (found := _file(repository, commit, (part,), local)) else {}
        for part in ("config.json", "preprocessor_config.json")
    )
    _verify(file)
    return Fetched(file, config, preprocessor, repository, commit)


def sha256(file: Path) -> str:
    """Of the file's bytes, as 64 hex digits."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _is_reached(repository: str, revision: str | None) -> bool:
    """Whether the hub answers, whatever it does: asked once, where a download would try for half a minute."""
    try:
        from huggingface_hub import errors, get_hf_file_metadata, hf_hub_url
    except ImportError as error:
        raise ValueError(
            f'there is no file {repository}; to fetch it from Hugging Face\'s hub: pip install "jaxcnn[hub]".'
        ) from error
    try:
        get_hf_file_metadata(hf_hub_url(repository, "config.json", revision=revision))
    except errors.HfHubHTTPError:
        return True
    except Exception:  # of whatever speaks HTTP for this version of huggingface_hub
        return False
    return True


def _file(repository: str, revision: str | None, names: tuple[str, ...], local: bool) -> Path | None:
    """The first of these files that the repository has; the first in the cache if that is all to look in (`local`)."""
    import huggingface_hub
    from huggingface_hub import errors

    at = f"{repository}@{revision}" if revision else repository
    unreached = None
    for name in names:
        try:
            return Path(
                huggingface_hub.hf_hub_download(
                    repository, name, revision=revision, local_files_only=local or unreached is not None
                )
            )
        except errors.LocalEntryNotFoundError as error:
            unreached = error
        except errors.EntryNotFoundError:
            continue
        except errors.GatedRepoError as error:
            where = f"https://huggingface.co/{repository}"
            raise ValueError(f"{at} is open to those who asked: do so at {where} and set HF_TOKEN.") from error
        except errors.RepositoryNotFoundError as error:
            said = f"there is no file {at}, and no such name on the hub, or it is private: then set HF_TOKEN"
            raise ValueError(f"{said}.") from error
        except errors.RevisionNotFoundError as error:
            raise ValueError(f"{repository} on the hub has no revision {revision}.") from error
        except Exception as error:  # of whatever speaks HTTP for this version of huggingface_hub
            raise ValueError(f"{at} could not be fetched from the hub: {type(error).__name__}: {error}") from error
    if unreached is not None and names == WEIGHTS:
        raise ValueError(
            f"{at} is neither a file nor in the hub's cache, and the hub can't be reached. Where there is a network: "
            f"hf download {repository}; or take a file."
        ) from unreached
    return None


def _verify(file: Path) -> None:
    """ValueError if the file is another than the hub's: in the cache it is a link to what is named by its hash."""
    expected = file.readlink().name if file.is_symlink() else ""
    if re.fullmatch("[0-9a-f]{64}", expected) and sha256(file) != expected:
        raise ValueError(
            f"{file} is damaged: its hash is not {expected}, which the hub gives. Remove it, fetch it anew."
        )
