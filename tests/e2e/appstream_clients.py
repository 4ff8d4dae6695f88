"""Calls of App Streaming, ECD and our own API: the vendor's SDKs, and bare signed HTTP.

As in `clients.py`, all take wire names and give wire values.
"""

import re
from types import SimpleNamespace

from alibabacloud_appstream_center20210901 import models as appstream_models
from alibabacloud_appstream_center20210901.client import Client as AppStreamClient
from alibabacloud_ecd20200930 import models as ecd_models
from alibabacloud_ecd20200930.client import Client as EcdClient
from alibabacloud_tea_openapi.client import Client as OpenApiClient
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from alibabacloud_tea_openapi.utils_models import Config, OpenApiRequest, Params
from darabonba.exceptions import UnretryableException
from darabonba.runtime import RuntimeOptions

from clients import TIMEOUT_S, Refused, Reply, Unanswered
from met import noting

APPSTREAM = "2021-09-01"
ECD = "2020-09-30"
OWN = "2026-11-21"
ALGORITHMS = {"acs3": None, "v1": "v2", "sm3": "ACS3-HMAC-SM3"}


class _Recording:
    """Keeps the answer as it was before the SDK made it a model."""

    answer = None

    def call_api(self, params, request, runtime):
        self.answer = super().call_api(params, request, runtime)
        return self.answer


class _RecordingAppStream(_Recording, AppStreamClient):
    pass


class _RecordingEcd(_Recording, EcdClient):
    pass


class Sdk:
    """The current SDKs of App Streaming and ECD, and their generic call for our own API."""

    def __init__(self, port, key, secret, algorithm="acs3"):
        config = Config(
            access_key_id=key,
            access_key_secret=secret,
            endpoint=f"127.0.0.1:{port}",
            protocol="http",
            region_id="cn-shanghai",
            signature_algorithm=ALGORITHMS[algorithm],
            connect_timeout=TIMEOUT_S * 1000,
            read_timeout=TIMEOUT_S * 1000,
        )
        self._appstream = SimpleNamespace(client=_RecordingAppStream(config), models=appstream_models)
        self._ecd = SimpleNamespace(client=_RecordingEcd(config), models=ecd_models)
        self._generic = OpenApiClient(config)

    def call(self, action, **params):
        """Calls an operation of App Streaming; parameters that are None are left out."""
        with noting(APPSTREAM, action):
            return self._typed(self._appstream, action, params)

    def ecd(self, action, **params):
        """Calls an operation of ECD; parameters that are None are left out."""
        with noting(ECD, action):
            return self._typed(self._ecd, action, params)

    def own(self, action, **params):
        """Calls an operation of our own API."""
        call = Params(
            action=action, version=OWN, protocol="HTTP", pathname="/", method="POST", auth_type="AK",
            style="RPC", req_body_type="formData", body_type="json",
        )  # fmt: skip
        with noting(OWN, action):
            answer = _send(lambda: self._generic.call_api(call, OpenApiRequest(query=params), RuntimeOptions()))
        return Reply(answer["body"], answer["headers"])

    @staticmethod
    def _typed(product, action, params):
        params = {name: value for name, value in params.items() if value is not None}
        request = getattr(product.models, f"{action}Request")().from_map(params)
        unknown = params.keys() - request.to_map().keys()
        assert not unknown, f"the SDK's {action} has no {unknown}"
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower()
        method = getattr(product.client, f"{name}_with_options")
        typed = _send(lambda: method(request, RuntimeOptions()))
        return Reply(product.client.answer["body"], product.client.answer["headers"], typed.body)


def _send(call):
    try:
        return call()
    except AlibabaCloudException as error:
        body = {name: value for name, value in error.data.items() if name != "statusCode"}
        raise Refused(error.status_code, error.code, body.get("Message"), body, error.message) from error
    except UnretryableException as error:
        raise Unanswered(str(error)) from error
