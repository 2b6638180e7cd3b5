"""A server as a process: slow clients, its end by a signal, and a hundred malformed requests."""

import json
import os
import signal
import sys
import threading
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPResponse
from itertools import islice

import numpy as np
import psutil
import pytest

from experiments import serve_malformed
from tests.serve.conftest import head, photo, received, running

PICTURE = photo(1, 8, 8)
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def ask(server, content=PICTURE, kind="image/png"):
    """(status, body) of one prediction, over a connection of its own."""
    last = head("/predict", len(content), kind).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with server.connect() as connection:
        connection.sendall(last + content)
        return received(connection)


@pytest.fixture(scope="module")
def server(trained):
    yield from running("tests.train.tiny", "serve", trained.run.path, "--port", 0)


@pytest.fixture(scope="module")
def impatient(trained):
    yield from running("tests.serve.impatient", trained.run.path)


def test_it_says_where_it_is_and_ends_by_ctrl_c_with_0(started):
    server = started()
    assert ask(server)[0] == 200
    assert ask(server, kind="multipart/form-data")[0] == 400  # for want of a boundary: nothing to print
    chunked = head("/predict", 0, "video/mp4").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    with server.connect() as connection:
        connection.sendall(chunked + b"no chunk\r\n")
        assert received(connection)[0] == 400
    with server.connect() as connection:
        connection.sendall(chunked)
        assert connection.recv(12) == b"HTTP/1.1 415"
        connection.sendall(b"no chunk\r\n")
        assert b"HTTP" not in connection.makefile("rb").read()
    code, err = server.end(signal.SIGINT)
    said = "compiling tiny, for batches of up to 32 pictures\n\nfinishing what has been asked"
    assert (code, err) == (0, f"{said}; press Ctrl-C again to stop at once\n")
    with pytest.raises(ConnectionRefusedError):
        server.connect()


def test_what_has_been_asked_is_answered_before_the_end(started):
    server = started()
    with ExitStack() as stack:
        half = [stack.enter_context(server.connect()) for _ in range(5)]
        for connection in half:
            connection.sendall(head("/predict", len(PICTURE)) + PICTURE[:-9])
        while "jaxcnn_requests_at_work 5.0" not in metrics(server):
            pass
        server.process.send_signal(signal.SIGTERM)
        assert ending(server) == "finishing what has been asked\n"
        for connection in half:
            connection.sendall(PICTURE[-9:])
        answers = [received(connection) for connection in half]
    assert [(status, len(body["pictures"])) for status, body in answers] == [(200, 1)] * 5
    assert server.process.wait(timeout=60) == 0


def ending(server):
    """The line that says that it will end, once it is there."""
    return next(line for line in server.process.stderr if line.startswith("finishing"))


def metrics(server):
    with server.connect() as connection:
        request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        connection.sendall(request)
        return connection.makefile("rb").read().decode()


def test_a_second_signal_ends_at_once(started):
    server = started()
    with server.connect() as half:
        half.sendall(head("/predict", len(PICTURE)) + PICTURE[:-9])
        while "jaxcnn_requests_at_work 1.0" not in metrics(server):
            pass
        server.process.send_signal(signal.SIGINT)
        assert "Ctrl-C again to stop at once" in ending(server)
        assert server.end(signal.SIGINT)[0] == 130


def test_slow_clients_are_left_and_others_served_meanwhile(impatient):
    with impatient.connect() as silent, impatient.connect() as in_head, impatient.connect() as in_body:
        in_head.sendall(b"POST /predict HTTP/1.1\r\nHost: local")
        in_body.sendall(head("/predict", 1000) + PICTURE[:20])
        assert ask(impatient)[0] == 200
        assert silent.recv(1) == b""  # closed
        assert in_head.recv(1) == b""
        status, body = received(in_body)
    assert status == 408
    assert body["error"]["message"] == "20 bytes of the body came in 0.5 seconds; expected all of it."
    assert ask(impatient)[0] == 200


def test_a_head_that_comes_bit_by_bit_gets_no_more_time(impatient):
    with impatient.connect() as connection:
        closed, over = threading.Event(), []

        def drip():
            while not closed.wait(0.05):
                try:
                    connection.sendall(b"G")
                except OSError as error:
                    over.append(error)

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            ended = connection.recv(1)
        except ConnectionResetError:
            ended = b""
        closed.set()
        thread.join()
    assert ended == b""


def test_who_reads_no_answer_is_left(impatient):
    bundle = b"GET /static-offline-docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
    process = psutil.Process(impatient.process.pid)
    with impatient.connect() as connection:
        connection.sendall(20 * bundle)  # 28 MB, more than any system keeps for a client
        assert connection.recv(1) == b"H"
        while any(kept.raddr == connection.getsockname() for kept in process.net_connections()):
            pass


def test_more_connections_than_there_may_be_are_asked_to_come_again(impatient):
    with ExitStack() as stack:
        idle = [stack.enter_context(impatient.connect()) for _ in range(4)]
        status, body = ask(impatient)
        assert status == 503 and body["error"]["message"] == "4 connections are open already; try again later."
        assert [connection.recv(1) for connection in idle] == [b""] * 4  # closed after half a second
    assert ask(impatient)[0] == 200


def test_what_will_be_refused_is_not_waited_for(impatient):
    for kind, length, expected in (("video/mp4", 1000, 415), ("image/png", 10**9, 413)):
        with impatient.connect() as connection:
            connection.sendall(head("/predict", length, kind))
            answer = HTTPResponse(connection)
            answer.begin()
            assert answer.status == expected


def test_who_is_refused_may_send_to_the_end_and_then_reads_why(server):
    connection = HTTPConnection(server.host, server.port, timeout=60)
    for kind, expected in (("video/mp4", 415), ("image/png", 413), ("image/jpeg", 413)):
        connection.request("POST", "/predict", bytes(30 * 2**20), {"Content-Type": kind})
        answer = connection.getresponse()
        assert answer.status == json.load(answer)["error"]["status"] == expected
    connection.close()


def test_head_is_get_without_the_body(server):
    requests = b"".join(
        method + b" /health HTTP/1.1\r\nHost: localhost\r\nConnection: " + then + b"\r\n\r\n"
        for method, then in ((b"HEAD", b"keep-alive"), (b"GET", b"close"))
    )
    with server.connect() as connection:
        connection.sendall(requests)
        first, second, body = connection.makefile("rb").read().split(b"\r\n\r\n")
    assert body == b'{"live":true,"ready":true,"waiting":0}'
    for answer in (first, second):
        assert answer.startswith(b"HTTP/1.1 200 OK") and b"content-length: %d" % len(body) in answer.split(b"\r\n")


def test_what_is_no_http_is_told_like_all_else(server):
    with server.connect() as connection:
        connection.sendall(b"how do you do\r\n\r\n")
        status, body = received(connection)
    assert status == 400 and body["error"]["message"].startswith("this is no HTTP/1.1: ")


@pytest.mark.parametrize("kind", ["image/png", "text/plain"])
def test_a_body_that_is_no_http_is_answered_once(server, kind):
    top = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
    with server.connect() as connection:
        connection.sendall(top.encode() + b"zz\r\nhello\r\n")
        assert received(connection)[0] == 400


def test_a_hundred_malformed_requests_change_nothing(server):
    """Memory: a bomb may unpack 32 MB, by each of 4 threads, and malloc keeps some of it; a leak grows always.

    The last of the server's tests, since it ends it: none has left a traceback.
    """
    process = psutil.Process(server.process.pid)
    before = ask(server)
    sizes = []
    for part in range(5):
        for case in islice(serve_malformed.cases(part), 20):
            status, body = serve_malformed.answer(server.port, case)
            assert serve_malformed.wrong(status, body) is None, case.kind
        sizes.append(process.memory_info().rss)
    assert ask(server) == before
    assert min(np.diff(sizes)) < 2e6
    assert process.num_fds() < 64 and process.num_threads() < 64 + (os.cpu_count() or 1)
    code, err = server.end()
    assert code == 0 and "Traceback" not in err
