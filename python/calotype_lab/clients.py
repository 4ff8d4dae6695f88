"""Clients of the official SDKs, pointed at a server. An SDK is needed only where it is used."""

import os
from importlib import import_module

MODULES = {
    "ens": "alibabacloud_ens20171110",
    "appstream": "alibabacloud_appstream_center20210901",
    "ecd": "alibabacloud_ecd20200930",
    "sts": "alibabacloud_sts20150401",
}
TIMEOUT_MS = 30_000


def client(api, server, access_key_id, access_key_secret, **more):
    """A client of `ens`, `appstream`, `ecd` or `sts` for the server at this host and port."""
    without_proxy()
    config = import_module("alibabacloud_tea_openapi.models").Config(
        access_key_id=access_key_id,
        access_key_secret=access_key_secret,
        endpoint=server,
        protocol="http",
        region_id="cn-hangzhou",
        connect_timeout=TIMEOUT_MS,
        read_timeout=TIMEOUT_MS,
    )
    for name, value in more.items():
        setattr(config, name, value)
    return import_module(f"{MODULES[api]}.client").Client(config)


def without_proxy():
    """The SDKs would send requests for this machine through a proxy of the environment."""
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in os.environ.get(name, "").split(",") if host]
        if "127.0.0.1" not in hosts:
            os.environ[name] = ",".join([*hosts, "127.0.0.1"])
