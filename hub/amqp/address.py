"""Addresses of a broker's nodes, as one line of configuration names them.

Form       ``amqp://user:password@host-1,host-2:5673,host-3/vhost``: the nodes of one cluster,
           comma separated, with one user and one virtual host (as libpq writes several hosts)
"""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from schemas.errors import Misconfigured

__all__ = ["PORTS", "node_urls", "place"]

PORTS = {"amqp": 5672, "amqps": 5671}


def node_urls(url: str) -> tuple[str, ...]:
    """
    The address of each node that *url* names, in its order.

    Raises `Misconfigured` ``broker.url`` where one of them is no address.
    """
    told = urlsplit(url)
    user, at, hosts = told.netloc.rpartition("@")
    urls = tuple(told._replace(netloc=f"{user}{at}{host}").geturl() for host in hosts.split(","))
    if len(urls) > 1 and not all(hosts.split(",")):
        raise Misconfigured("broker.url", "Not a broker's address", scheme=told.scheme[:16])
    for each in urls:
        place(urlsplit(each))
    return urls


def place(told: SplitResult) -> tuple[str, int]:
    """Host and port of one node. Raises as `node_urls`."""
    try:
        default = PORTS[told.scheme]
        return told.hostname or "localhost", told.port or default
    except (KeyError, ValueError) as error:
        raise Misconfigured(
            "broker.url", "Not a broker's address", scheme=told.scheme[:16]
        ) from error
