"""The current SDK: its generated packages, ACS3 signatures."""

import re
from importlib.metadata import version

from alibabacloud_appstream_center20210901 import client as appstream
from alibabacloud_appstream_center20210901 import models as appstream_models
from alibabacloud_ens20171110 import client as ens
from alibabacloud_ens20171110 import models as ens_models
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from alibabacloud_tea_openapi.utils_models import Config

from scenario import Refused, walk

PACKAGES = ("alibabacloud_ens20171110", "alibabacloud_appstream_center20210901", "alibabacloud-tea-openapi")
PRODUCTS = {"2017-11-10": (ens.Client, ens_models), "2021-09-01": (appstream.Client, appstream_models)}


class Client:
    def __init__(self, endpoint, key, secret):
        self.config = Config(access_key_id=key, access_key_secret=secret, endpoint=endpoint, protocol="http")

    def how(self, api, action):
        return "typed"

    def call(self, api, action, parameters):
        product, models = PRODUCTS[api["version"]]
        request = getattr(models, f"{action}Request")().from_map(parameters)
        method = re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower()
        try:
            reply = getattr(product(self.config), method)(request)
        except AlibabaCloudException as error:
            raise Refused(error, error.code) from error
        return reply.body.to_map()


walk("python-new", ", ".join(f"{package} {version(package)}" for package in PACKAGES), Client)
