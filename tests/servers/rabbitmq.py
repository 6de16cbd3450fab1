"""The session's private RabbitMQ, and virtual hosts made and removed in milliseconds.

Careful    ``rabbitmqctl`` takes a second per command; a session makes hundreds of virtual hosts. So
           an Erlang process beside the tests keeps a line open and calls the same functions.
"""

from __future__ import annotations

import itertools
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from shuniu.node import PrivateNode
from shuniu.node_identity import identity_in
from shuniu.node_install import environment, plain_path
from tests.servers.keeper import Facts

__all__ = ["VirtualHosts", "serving"]

# Of all lines of this process: a name is not used again while its host is being removed.
_numbers = itertools.count(1)
_WORD = re.compile(r"[a-z]+")
_NAME = re.compile(r"[a-z0-9-]+")
# Reads "verb name" lines, answers each with a line.
_LINE = r"""
    Node = list_to_atom(os:getenv("SHUNIU_NODE")),
    User = list_to_binary(os:getenv("SHUNIU_USER")),
    true = net_kernel:connect_node(Node),
    Call = fun(M, F, A) -> rpc:call(Node, M, F, A, 30000) end,
    Serve = fun Serve() ->
        case io:get_line("") of
            eof -> halt(0);
            Line ->
                [Verb, Text] = string:lexemes(string:trim(Line), " "),
                Name = list_to_binary(Text),
                Answer = case Verb of
                    "add" ->
                        [Call(rabbit_vhost, add, [Name, User]),
                         Call(rabbit_auth_backend_internal, set_permissions,
                              [User, Name, <<".*">>, <<".*">>, <<".*">>, User])];
                    "delete" -> spawn(fun() -> Call(rabbit_vhost, delete, [Name, User]) end), [];
                    "cut" ->
                        Ours = [element(2, hd(I)) || P <- Call(rabbit_networking, connections, []),
                                (I = Call(rabbit_networking, connection_info, [P, [pid, vhost]]))
                                    =/= [], is_list(I), proplists:get_value(vhost, I) =:= Name],
                        [Call(rabbit_networking, close_connection, [P, "cut by a test"])
                            || P <- Ours]
                end,
                io:format("~0p~n", [Answer]),
                Serve()
        end
    end,
    Serve().
"""


@contextmanager
def serving(folder: Path) -> Iterator[Facts]:
    """The node of the session. The facts are its folder and the address of its own host."""
    node = PrivateNode(folder / "node")
    node.start_now()
    try:
        yield {"folder": str(folder / "node"), "url": node.url}
    finally:
        node.stop_now()


class VirtualHosts:
    """A line to a node for making, removing and cutting virtual hosts."""

    def __init__(self, folder: Path) -> None:
        identity = identity_in(folder)
        assert identity is not None
        self._identity = identity
        surroundings = environment(plain_path(folder), identity)
        self._line = subprocess.Popen(
            [
                *(
                    "erl",
                    "-noinput",
                    "-noshell",
                    "-hidden",
                    "-sname",
                    f"tests-{os.getpid()}@localhost",
                ),
                *surroundings["RABBITMQ_CTL_ERL_ARGS"].split(),
                *("-eval", _LINE.replace("\n", " ")),
            ],
            env=surroundings | {"SHUNIU_NODE": identity.name, "SHUNIU_USER": identity.user},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._line.stdin is not None
        assert self._line.stdout is not None
        self._line.stdin.close()
        self._line.wait(10)
        self._line.stdout.close()

    def add(self) -> str:
        """Make a fresh virtual host; its address."""
        name = f"test-{os.getpid()}-{next(_numbers)}"
        self._ask("add", name)
        return self._identity.url(name)

    def delete(self, url: str) -> None:
        """Remove a virtual host and all that is in it; its connections are closed. The next test
        does not wait for it."""
        self._ask("delete", urlsplit(url).path[1:])

    def cut(self, url: str) -> None:
        """Close all connections to a virtual host, as an operator or a failing network would."""
        self._ask("cut", urlsplit(url).path[1:])

    def _ask(self, verb: str, name: str) -> None:
        assert _NAME.fullmatch(name)
        assert self._line.stdin is not None
        assert self._line.stdout is not None
        self._line.stdin.write(f"{verb} {name}\n")
        answer = self._line.stdout.readline().strip()
        assert answer.startswith("["), answer
        assert not {"badrpc", "error"} & set(_WORD.findall(answer)), answer
