"""Three ways to call a server: the vendor's SDKs of both generations, and bare signed HTTP.

All three take wire names and give wire values, so that one test body runs through any of them:
`client.call("DeleteImage", ImageId=...)` gives a `Reply` or raises `Refused` or `Unanswered`.
"""

import http.client
import json
import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from types import SimpleNamespace
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

from alibabacloud_ens20171110 import models
from alibabacloud_ens20171110.client import Client as EnsClient
from alibabacloud_tea_openapi.client import Client as OpenApiClient
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from alibabacloud_tea_openapi.utils import Utils
from alibabacloud_tea_openapi.utils_models import Config, OpenApiRequest, Params
from aliyunsdkcore.acs_exception.exceptions import ClientException as OldClientException
from aliyunsdkcore.acs_exception.exceptions import ServerException as OldServerException
from aliyunsdkcore.auth.credentials import StsTokenCredential
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest
from darabonba.exceptions import UnretryableException
from darabonba.runtime import RuntimeOptions

from met import note_answer, noting

ENS = "2017-11-10"
STS = "2015-04-01"
TIMEOUT_S = 30

# The parameters that the vendor's own clients put into the form body.
IN_THE_BODY = {"ReinitInstance"}


@dataclass
class Reply:
    """A success: its JSON, its headers (lower case) and, from the new SDK, its typed model."""

    body: dict
    headers: dict
    typed: object = None
    status: int = 200

    def __getitem__(self, name):
        return self.body[name]


class Refused(Exception):
    """A refusal. `code` and `message` are what the client shows, `body` is what the server sent."""

    def __init__(self, status, code, message, body, shown=None):
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message, self.body, self.shown = status, code, message, body, shown


class Unanswered(Exception):
    """No answer came: the request may have been carried out or not."""


class NewSdk:
    """The current SDK: alibabacloud_ens20171110, ACS3 signatures (or V1 with the algorithm `v2`)."""

    def __init__(self, port, key, secret, algorithm=None, token=None, **more):
        config = Config(
            access_key_id=key,
            access_key_secret=secret,
            security_token=token,
            endpoint=f"127.0.0.1:{port}",
            protocol="http",
            signature_algorithm=algorithm,
            connect_timeout=TIMEOUT_S * 1000,
            read_timeout=TIMEOUT_S * 1000,
        )
        for name, value in more.items():
            setattr(config, name, value)
        self._protocol = config.protocol.upper()
        self._ens = _RecordingEnsClient(config)
        self._generic = OpenApiClient(config)

    def call(self, action, **params):
        """Calls an operation of ENS; parameters that are None are left out."""
        params = {name: value for name, value in params.items() if value is not None}
        request = getattr(models, f"{action}Request")().from_map(params)
        unknown = params.keys() - request.to_map().keys()
        assert not unknown, f"the SDK's {action} has no {unknown}"
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower()
        method = getattr(self._ens, f"{name}_with_options")
        with noting(ENS, action):
            typed = self._send(lambda: method(request, RuntimeOptions()))
        return Reply(self._ens.answer["body"], self._ens.answer["headers"], typed.body)

    def call_other(self, version, action, **params):
        """Calls an operation that this SDK has no classes for."""
        call = Params(
            action=action, version=version, protocol=self._protocol, pathname="/", method="POST", auth_type="AK",
            style="RPC", req_body_type="formData", body_type="json",
        )  # fmt: skip
        with noting(version, action):
            answer = self._send(lambda: self._generic.call_api(call, OpenApiRequest(query=params), RuntimeOptions()))
        return Reply(answer["body"], answer["headers"])

    @staticmethod
    def _send(call):
        try:
            return call()
        except AlibabaCloudException as error:
            body = {name: value for name, value in error.data.items() if name != "statusCode"}
            raise Refused(error.status_code, error.code, body.get("Message"), body, error.message) from error
        except UnretryableException as error:
            raise Unanswered(str(error)) from error


class _RecordingEnsClient(EnsClient):
    """Keeps the answer as it was before the SDK made it a model."""

    answer = None

    def call_api(self, params, request, runtime):
        self.answer = super().call_api(params, request, runtime)
        return self.answer


class OldSdk:
    """The SDK before: aliyun-python-sdk-ens, V1 signatures with HMAC-SHA1."""

    def __init__(self, port, key, secret, token=None, ca=None):
        self._protocol = "https" if ca else "http"
        self._endpoint = f"{self._protocol}://127.0.0.1:{port}"
        credential = StsTokenCredential(key, secret, token) if token else None
        key, secret = (None, None) if token else (key, secret)
        self._client = _RecordingAcsClient(
            key, secret, "cn-hangzhou", auto_retry=False, connect_timeout=TIMEOUT_S, timeout=TIMEOUT_S,
            credential=credential, verify=ca,
        )  # fmt: skip

    def call(self, action, **params):
        """Calls an operation of ENS; parameters that are None are left out."""
        module = import_module(f"aliyunsdkens.request.v20171110.{action}Request")
        request = getattr(module, f"{action}Request")()
        for name, value in params.items():
            if value is None:
                continue
            setter = getattr(request, f"set_{name}", None) or getattr(request, f"set_{name}s", None)
            if setter is None:
                request.add_query_param(name, value)
            elif name == "DiskDeviceMapping":
                setter(json.dumps(value))
            else:
                setter(value)
        request.set_protocol_type(self._protocol)
        with noting(ENS, action):
            return self._send(request)

    def call_other(self, version, action, **params):
        """Calls an operation that this SDK has no classes for."""
        request = CommonRequest(domain=self._endpoint, version=version, action_name=action)
        request.set_method("POST")
        for name, value in params.items():
            request.add_query_param(name, value)
        with noting(version, action):
            return self._send(request)

    def _send(self, request):
        request.set_endpoint(self._endpoint)
        try:
            self._client.do_action_with_exception(request)
        except OldServerException as error:
            body = json.loads(self._client.answer[2])
            raise Refused(error.http_status, error.error_code, error.message, body, str(error)) from error
        except OldClientException as error:
            if error.error_code != "SDK.HttpError":
                raise
            raise Unanswered(str(error)) from error
        _, headers, body = self._client.answer
        return Reply(json.loads(body), {name.lower(): value for name, value in headers.items()})


class _RecordingAcsClient(AcsClient):
    """Keeps status, headers and body of the last answer."""

    answer = None

    def _handle_single_request(self, *args):
        result = super()._handle_single_request(*args)
        self.answer = result[:3]
        return result


@dataclass
class Answer:
    """What came back over bare HTTP. Names of headers are lower case."""

    status: int
    headers: dict
    raw: bytes

    @property
    def json(self):
        return json.loads(self.raw)

    @property
    def xml(self):
        return ElementTree.fromstring(self.raw)


@dataclass
class Prepared:
    """A signed request, ready to be sent, once or again."""

    method: str
    target: str
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    chunked: bool = False


class Raw:
    """Bare HTTP, signed with the SDK's own functions, for what no SDK sends or shows."""

    def __init__(self, port, key, secret):
        self.port, self.key, self.secret = port, key, secret
        self.host = f"127.0.0.1:{port}"

    def call(self, action, params=None, **how):
        """Calls as Terraform does: V1, POST, API parameters in the form body. Gives a `Reply` or raises."""
        answer = self.send(self.v1(action, params, **{"where": "body", **how}))
        if answer.status >= 400:
            body = answer.json
            raise Refused(answer.status, body["Code"], body["Message"], body)
        return Reply(answer.json, answer.headers, status=answer.status)

    def v1(
        self, action, params=None, *, method="POST", where="query", version=ENS, secret=None, change=None, headers=None
    ):
        """A request signed with HMAC-SHA1.

        `where` says where the parameters are: all in the `query`, all in the `form`, or, as Terraform has
        it, those of the API in the `body`. `change` replaces common parameters; None leaves one out.
        """
        change = change or {}
        common = {
            "Action": action,
            "Version": version,
            "Format": "JSON",
            "AccessKeyId": self.key,
            "SignatureMethod": "HMAC-SHA1",
            "SignatureVersion": "1.0",
            "SignatureNonce": nonce(),
            "Timestamp": timestamp(),
        } | change
        common = {name: value for name, value in common.items() if value is not None}
        params = {name: str(value) for name, value in (params or {}).items()}
        if "Signature" not in change:
            common["Signature"] = Utils.get_rpcsignature(common | params, method, secret or self.secret)
        query, form = {"query": (common | params, {}), "body": (common, params), "form": ({}, common | params)}[where]
        prepared = Prepared(method, f"/?{urlencode(query)}" if query else "/", {"Host": self.host, **(headers or {})})
        if form:
            prepared.body = urlencode(form).encode()
            prepared.headers["Content-Type"] = "application/x-www-form-urlencoded"
        return prepared

    def acs3(
        self, action, params=None, *, method="POST", form=None, body=None, version=ENS, algorithm="ACS3-HMAC-SHA256",
        secret=None, change=None,
    ):  # fmt: skip
        """A request signed with ACS3. `change` replaces headers before they are signed."""
        body = urlencode(form).encode() if form else body or b""
        digest = Utils.hex_encode(Utils.hash(body, algorithm))
        headers = {
            "host": self.host,
            "accept": "application/json",
            "x-acs-action": action,
            "x-acs-version": version,
            "x-acs-date": timestamp(),
            "x-acs-signature-nonce": nonce(),
            "x-acs-content-sha256": digest,
        }
        if form:
            headers["content-type"] = "application/x-www-form-urlencoded"
        headers = {name: value for name, value in (headers | (change or {})).items() if value is not None}
        query = {name: str(value) for name, value in (params or {}).items()}
        request = SimpleNamespace(method=method, pathname="/", query=query, headers=headers)
        secret = secret or self.secret
        headers["Authorization"] = Utils.get_authorization(request, algorithm, digest, self.key, secret)
        target = "/?" + urlencode(query, quote_via=quote) if query else "/"
        return Prepared(method, target, headers, body)

    def send(self, prepared, port=None):
        """Sends a prepared request over a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=TIMEOUT_S)
        try:
            return exchange(connection, prepared)
        finally:
            connection.close()


def exchange(connection, prepared):
    """Sends a request over a connection and reads the whole answer."""
    connection.putrequest(prepared.method, prepared.target, skip_host=True, skip_accept_encoding=True)
    for name, value in prepared.headers.items():
        connection.putheader(name, value)
    if prepared.chunked:
        connection.putheader("Transfer-Encoding", "chunked")
        pieces = [prepared.body[at : at + 7000] for at in range(0, len(prepared.body), 7000)]
        connection.endheaders(pieces, encode_chunked=True)
    else:
        if prepared.body or prepared.method not in ("GET", "HEAD"):
            connection.putheader("Content-Length", str(len(prepared.body)))
        connection.endheaders(prepared.body or None)
    response = connection.getresponse()
    raw = response.read()
    answer = Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, raw)
    note_answer(prepared, answer)
    return answer


def timestamp(at=None):
    """A time as the protocol writes it; the present one if none is given."""
    return (at or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


def nonce():
    return uuid.uuid4().hex
