"""What do malformed uploads do to `jaxcnn serve`? They must crash nothing and leak nothing.

    python -m experiments.serve_malformed runs/demo [--number 1000] [--seed 0]

starts the server and sends so many requests that are wrong, drawn by seed: fuzzed, cut and false PNGs, JPEGs and forms,
broken JSON, wrong types and parameters, pictures that grow beyond all measure when they are decoded, bytes that are no
HTTP, clients that stop in the midst. After each hundred a good picture must be told as before. It prints what was
answered, and the server's memory, threads and open files after a tenth of the requests, after half, and at the end; the
exit code is 1 if an answer is none of 200, 4xx, or a closed connection, or comes in another form than errors have, and
if the server tells of an error of its own.
"""

import json
import random
import socket
import struct
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import psutil
import tyro
from PIL import Image

AT_ONCE = 8  # clients
PATIENCE = 60  # seconds for an answer


class Case(NamedTuple):
    """A request: what it is, its bytes, and whether its client goes away instead of reading the answer."""

    kind: str
    sent: bytes
    leaves: bool = False


@dataclass(frozen=True)
class Config:
    """Malformed requests to a server, and its memory before and after."""

    run: tyro.conf.Positional[Path]
    """A run folder, or a model folder."""
    number: int = 1000
    """How many requests."""
    seed: int = 0
    """Of what is drawn."""


def request(body: bytes, kind: str, target: str = "/predict", method: str = "POST", length: int | None = None) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close", f"Content-Type: {kind}"]
    lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def picture(rng: random.Random, form: str) -> bytes:
    width, height = rng.randint(1, 60), rng.randint(1, 60)
    file = BytesIO()
    Image.frombytes("RGB", (width, height), rng.randbytes(3 * width * height)).save(file, form)
    return file.getvalue()


def fuzzed(rng: random.Random, content: bytes) -> bytes:
    """With some bytes exchanged, left out or doubled."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 20)):
        at = rng.randrange(len(changed))
        match rng.randrange(3):
            case 0:
                changed[at] = rng.randrange(256)
            case 1:
                del changed[at : at + rng.randint(1, 8)]
            case _:
                changed[at:at] = changed[at : at + rng.randint(1, 8)]
        changed = changed or bytearray(b"\0")
    return bytes(changed)


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in (head, *chunks, (b"IEND", b"")))


ZEROS = zlib.compress(bytes(2**25), 9)  # 32 MB in 32 kB


def bomb(rng: random.Random) -> bytes:
    """A small file that claims to be large, or is when it is unpacked."""
    match rng.randrange(4):
        case 0:
            return png(rng.choice([10**5, 2**31 - 1]), rng.choice([10**5, 2**31 - 1]), (b"IDAT", ZEROS))
        case 1:
            return png(8000, 8000, (b"IDAT", ZEROS))
        case 2:
            return png(8, 8, (b"zTXt", b"a\0\0" + ZEROS), (b"IDAT", zlib.compress(bytes(72))))
        case _:
            return b"GIF89a" + struct.pack("<HH", 65535, 65535) + rng.randbytes(40)


def broken_json(rng: random.Random) -> bytes:
    return rng.choice(
        [
            b"[" * rng.randint(1, 10**5),
            b'{"pictures": ' + b'{"a": ' * 10**4,
            json.dumps({"pictures": [rng.randrange(10), None, {}]}).encode(),
            json.dumps({"pictures": "x" * rng.randrange(10**5)}).encode(),
            json.dumps({"pictures": ["A" * rng.randrange(1, 10**4)] * rng.randint(1, 50)}).encode(),
            json.dumps({"picture": ["aGVsbG8="]}).encode()[: rng.randint(1, 25)],
            b'{"pictures": ["' + rng.randbytes(50) + b'"]}',
            b"1" * 10**5,
            b"\xff\xfe" + rng.randbytes(20),
            b"",
        ]
    )


def broken_form(rng: random.Random) -> bytes:
    part = b'--x\r\nContent-Disposition: form-data; name="picture"; filename="a.png"\r\n\r\n'
    whole = part + picture(rng, "PNG") + b"\r\n--x--\r\n"
    return rng.choice(
        [
            whole[: rng.randrange(len(whole))],
            fuzzed(rng, whole[:200]) + whole[200:],
            part * rng.randint(33, 500) + b"\r\n--x--\r\n",
            part.replace(b"name", b"nome") + b"a\r\n--x--\r\n",
            b"--x\r\n" + b"A: b\r\n" * 1000 + b"\r\n\r\n--x--\r\n",
            rng.randbytes(100),
        ]
    )


def parameters(rng: random.Random) -> str:
    path = rng.choice(["/predict", "/explain", "/features", "/preprocess", "/nothing", "/static/../app.py", "/model"])
    names = ["top", "cover", "class", "layer", "method", "output", "channels", "preprocessed"]
    values = ["-1", "0", "1e9", "9" * 400, "ü", "\0", "../../etc/passwd", "<script>", "1,2,3,4,5", "", "true", "null"]
    return f"{path}?{'&'.join(f'{rng.choice(names)}={quote(rng.choice(values))}' for _ in range(rng.randint(1, 4)))}"


def no_http(rng: random.Random) -> bytes:
    return rng.choice(
        [
            rng.randbytes(rng.randint(1, 300)) + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"a" * 10**5 + b"\r\n\r\n",
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
            b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\nConnection: close\r\n\r\n",
            b"BREW /predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        ]
    )


def cases(seed: int) -> Iterator[Case]:
    """Wrong requests without end, each kind in its turn; a fuzzed picture may be one all the same."""
    rng = random.Random(seed)
    while True:
        yield Case("fuzzed PNG", request(fuzzed(rng, picture(rng, "PNG")), "image/png"))
        yield Case("fuzzed JPEG", request(fuzzed(rng, picture(rng, "JPEG")), "image/jpeg", "/explain"))
        cut = picture(rng, rng.choice(["PNG", "JPEG", "GIF", "TIFF", "WEBP"]))
        yield Case("cut picture", request(cut[: rng.randrange(len(cut))], "image/png"))
        yield Case("no picture", request(rng.randbytes(rng.randrange(2000)), "application/octet-stream"))
        kind = rng.choice(
            ["text/html", "video/mp4", "application/x-www-form-urlencoded", "x", "image", "multipart/mixed"]
        )
        yield Case("wrong type", request(picture(rng, "PNG"), kind))
        yield Case("broken JSON", request(broken_json(rng), "application/json"))
        yield Case("broken form", request(broken_form(rng), "multipart/form-data; boundary=x"))
        yield Case("bomb", request(bomb(rng), "image/png"))
        target = parameters(rng)
        yield Case("wrong parameters", request(picture(rng, "PNG"), "image/png", target, rng.choice(["POST", "PUT"])))
        yield Case("no HTTP", no_http(rng))
        stopped = request(picture(rng, "PNG"), "image/png", length=10**6)
        yield Case("too large", request(b"", "image/png", length=10**9))
        yield Case("gone in the midst", stopped[: rng.randrange(1, len(stopped))], leaves=True)


def slow(seed: int) -> Iterator[Case]:
    """Clients that stop in the head, or in the body, and wait."""
    rng = random.Random(seed)
    while True:
        whole = request(picture(rng, "PNG"), "image/png", length=10**6)
        yield Case("stops in the head", whole[: rng.randrange(1, 60)])
        yield Case("stops in the body", whole)


def answer(port: int, case: Case) -> tuple[int | None, bytes]:
    """The status and the body; None where the connection was closed without an answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        received = b""
        try:
            connection.sendall(case.sent)
            while not case.leaves and (part := connection.recv(2**16)):
                received += part
        except ConnectionError:  # the server did not read to the end
            pass
    head, _, body = received.partition(b"\r\n\r\n")
    return (int(head.split()[1]), body) if head.startswith(b"HTTP/1.1 ") else (None, b"")


def wrong(status: int | None, body: bytes) -> str | None:
    """What is wrong with an answer, or None."""
    if status is None or status == 200:
        return None
    try:
        told = json.loads(body)["error"]["status"]
    except (ValueError, KeyError, TypeError):
        told = None
    return None if told == status and 400 <= status < 500 else f"{status}: {body[:200]!r}"


def taken(process: psutil.Process) -> str:
    memory = process.memory_full_info()
    own = f"RSS {memory.rss / 1e6:.0f} MB, USS {memory.uss / 1e6:.0f} MB"
    return f"{own}, {process.num_threads()} threads, {process.num_fds()} open files"


def main(config: Config) -> int:
    drawn = cases(config.seed)
    statuses: Counter[tuple[str, int | None]] = Counter()
    bad: list[str] = []
    command = [sys.executable, "-m", "jaxcnn", "serve", str(config.run), "--port", "0"]
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True) as server,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        assert server.stdout is not None
        port = int(server.stdout.readline().rpartition(":")[2])
        good = Case("good", request(picture(random.Random(0), "PNG"), "image/png"))
        before = answer(port, good)

        def send(some: list[Case]) -> None:
            for case, (status, body) in zip(some, pool.map(lambda case: answer(port, case), some), strict=True):
                statuses[case.kind, status] += 1
                if problem := wrong(status, body):
                    bad.append(f"{case.kind}: {problem}")
            if answer(port, good) != before:
                bad.append("the good picture is told otherwise than before")

        process = psutil.Process(server.pid)
        slowly = [case for case, _ in zip(slow(config.seed), range(config.number // 50), strict=False)]
        sent = 0
        for until in (config.number // 10, config.number // 2, config.number - len(slowly)):
            while sent < until:
                size = min(100, until - sent)
                send([next(drawn) for _ in range(size)])
                sent += size
            print(f"after {sent:,}: {taken(process)}", flush=True)
        send(slowly)
        print(f"after {sent + len(slowly):,}, the last of them slow: {taken(process)}")
        server.terminate()
        server.wait()
        said.seek(0)
        bad += [f"the server's own output: {line}" for line in said.read().splitlines() if "Error" in line]
    print(f"exit code {server.returncode} after SIGTERM")
    for kind in dict.fromkeys(kind for kind, _ in statuses):
        counts = [f"{status or 'closed'} × {n}" for (of, status), n in sorted(statuses.items(), key=str) if of == kind]
        print(f"{kind}: {', '.join(counts)}")
    print("\n".join(bad) or "no answer was wrong")
    return 1 if bad or server.returncode else 0


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Config)))
