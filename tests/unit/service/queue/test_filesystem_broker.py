"""The embedded broker delivers each message once and never shows half of one."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from queue import Empty

import pytest
from kombu import Connection, Exchange, Queue

from heimdall.service.queue import filesystem_broker


@pytest.fixture
def connection(tmp_path):
    with Connection(
        f"{filesystem_broker.SCHEME}://localhost", transport_options=filesystem_broker.transport_options(tmp_path)
    ) as connection:
        yield connection


# kombu remembers the queues it has declared for the whole process, so each test names its own.
def drain(connection, name):
    queue, found = connection.SimpleQueue(name), []
    try:
        while True:
            message = queue.get(block=False)
            message.ack()
            found.append(message.payload)
    except Empty:
        return found
    finally:
        queue.close()


def test_messages_arrive_once_in_their_order(connection):
    queue = connection.SimpleQueue("work.one")
    for number in range(20):
        queue.put({"number": number})
    assert [message["number"] for message in drain(connection, "work.one")] == list(range(20))
    assert drain(connection, "work.one") == []


def test_each_of_many_readers_gets_other_messages(connection, tmp_path):
    queue = connection.SimpleQueue("shared")
    for number in range(40):
        queue.put(number)

    def read(_):
        options = filesystem_broker.transport_options(tmp_path)
        with Connection(f"{filesystem_broker.SCHEME}://localhost", transport_options=options) as own:
            return drain(own, "shared")

    with ThreadPoolExecutor(4) as pool:
        found = [number for part in pool.map(read, range(4)) for number in part]
    assert sorted(found) == list(range(40))


def test_a_message_still_being_written_is_not_seen(connection, tmp_path):
    (tmp_path / "messages" / "1_x.half.msg.abc.new").write_text('{"half')
    connection.SimpleQueue("half").put("whole")
    assert drain(connection, "half") == ["whole"]


def test_a_broadcast_reaches_every_bound_queue_though_they_are_bound_at_once(connection, tmp_path):
    exchange = Exchange("all", type="fanout")

    def bind(number):
        options = filesystem_broker.transport_options(tmp_path)
        with Connection(f"{filesystem_broker.SCHEME}://localhost", transport_options=options) as own:
            Queue(f"listener{number}", exchange, channel=own.default_channel).declare()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(bind, range(16)))
    connection.Producer().publish({"x": 1}, exchange=exchange, declare=[exchange])
    assert all(drain(connection, f"listener{number}") == [{"x": 1}] for number in range(16))


def test_what_nobody_fetched_for_long_is_cleared(connection, tmp_path):
    connection.SimpleQueue("forgotten").put(1)
    (message,) = (tmp_path / "messages").iterdir()
    past_s = time.time() - filesystem_broker.STALE_S - 1
    os.utime(message, (past_s, past_s))
    filesystem_broker.clear_stale(tmp_path)
    assert list((tmp_path / "messages").iterdir()) == []
