"""Checks replies of App Streaming and ECD against the models of the vendor's SDKs."""

from types import NoneType, UnionType
from typing import Union, get_args, get_origin, get_type_hints

from appstream_clients import appstream_models, ecd_models
from shapes import REQUEST_ID

DELETED = {"Data": True, "Success": True, "Code": "200", "Message": "successful"}


def check(action, body, members=None, models=appstream_models):
    """Checks a success; `members` is exactly the set of members at its top level.

    A reply that survives the way through a model and back has no member too many and no null.
    """
    if members is not None:
        assert set(body) == set(members.split()), sorted(body)
    assert REQUEST_ID.fullmatch(body["RequestId"])
    model = getattr(models, f"{action}ResponseBody")().from_map(body)
    assert model.to_map() == body
    _check_types(model, action)


def check_ecd(action, body, members=None):
    check(action, body, members, ecd_models)


def check_template_envelope(action, body, members=""):
    """Checks the envelope that the operations on templates answer in."""
    check_ecd(action, body, f"Code HttpStatusCode Message RequestId Success {members}")
    assert (body["Code"], body["HttpStatusCode"], body["Success"]) == ("success", 200, True)
    assert type(body["HttpStatusCode"]) is int and type(body["Success"]) is bool


def check_deleted(body):
    """Checks the success of DeleteImage: exactly five members, of these types."""
    rest = {name: value for name, value in body.items() if name != "RequestId"}
    assert rest == DELETED
    assert type(rest["Data"]) is bool and type(rest["Success"]) is bool and type(rest["Code"]) is str
    assert REQUEST_ID.fullmatch(body["RequestId"])


def check_error(body, caller, product="appstream-center", extra=True):
    """Checks the shape of an error; App Streaming says `Success` and `Data` false in it."""
    texts = {"RequestId", "HostId", "Code", "Message", "Recommend"}
    assert set(body) - {"AccessDeniedDetail"} == texts | ({"Success", "Data"} if extra else set())
    assert all(type(body[name]) is str and body[name] for name in texts)
    if extra:
        assert body["Success"] is False and body["Data"] is False
    assert REQUEST_ID.fullmatch(body["RequestId"])
    assert body["HostId"] == f"127.0.0.1:{caller.server.port}"
    about = f"q={body['Code']}&product={product}&requestId={body['RequestId']}"
    assert body["Recommend"] == f"https://api.aliyun.com/troubleshoot?{about}"


def _check_types(model, where):
    for name, kind in get_type_hints(type(model).__init__).items():
        value = getattr(model, name, None)
        if value is not None:
            _check_type(value, kind, f"{where}.{name}")


def _check_type(value, kind, where):
    if get_origin(kind) in (Union, UnionType):
        [kind] = [argument for argument in get_args(kind) if argument is not NoneType]
    if get_origin(kind) is list:
        assert isinstance(value, list), f"{where} is {value!r}"
        for item in value:
            _check_type(item, get_args(kind)[0], f"{where}[]")
    elif hasattr(value, "to_map"):
        _check_types(value, where)
    else:
        # bool is a subclass of int, so compare the types themselves.
        assert type(value) is kind, f"{where} is {value!r}, not a {kind.__name__}"
