"""The SDK before, V1 signatures: its classes of ENS, and CommonRequest for App Streaming, which has none."""

import json
from importlib import import_module
from importlib.metadata import version

from aliyunsdkcore.acs_exception.exceptions import ClientException, ServerException
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest

from scenario import Refused, walk

PACKAGES = ("aliyun-python-sdk-core", "aliyun-python-sdk-ens")
ENS = "2017-11-10"


class Client:
    def __init__(self, endpoint, key, secret):
        self.endpoint = f"http://{endpoint}"
        self.client = AcsClient(key, secret, "cn-hangzhou")

    def how(self, api, action):
        return "typed" if api["version"] == ENS else "CommonRequest"

    def call(self, api, action, parameters):
        request = typed(action, parameters) if api["version"] == ENS else common(api, action, parameters)
        request.set_endpoint(self.endpoint)
        try:
            return json.loads(self.client.do_action_with_exception(request))
        except (ClientException, ServerException) as error:
            raise Refused(error, error.error_code) from error


def typed(action, parameters):
    request = getattr(import_module(f"aliyunsdkens.request.v20171110.{action}Request"), f"{action}Request")()
    for name, value in parameters.items():
        getattr(request, f"set_{name}")(value)
    return request


def common(api, action, parameters):
    request = CommonRequest(version=api["version"], action_name=action)
    request.set_method("POST")
    for name, value in parameters.items():
        request.add_body_params(name, value)
    return request


walk("python-old", ", ".join(f"{package} {version(package)}" for package in PACKAGES), Client)
