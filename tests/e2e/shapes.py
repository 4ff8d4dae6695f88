"""Checks replies against the models of the vendor's SDK: member names and JSON types.

The SDK drops what it does not know, so a reply that survives the way through a model and back has no
member too many, no null, and every list that belongs to it.
"""

import re
from datetime import datetime
from typing import get_args, get_origin, get_type_hints

from alibabacloud_ens20171110 import models

REQUEST_ID = re.compile(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}")


def check(action, body, members):
    """Checks a success; `members` is exactly the set of members at its top level."""
    assert set(body) == set(members.split()), sorted(body)
    assert REQUEST_ID.fullmatch(body["RequestId"])
    if "Code" in body:
        assert type(body["Code"]) is int and body["Code"] == 0
    model = getattr(models, f"{action}ResponseBody")().from_map(body)
    assert model.to_map() == body
    _check_types(model, action)


def check_entry(entry, members):
    """Checks that an entry of a list has exactly these members."""
    assert set(entry) == set(members.split()), sorted(entry)


def is_time(text):
    """Tells whether a text is a time as every reply writes it."""
    return bool(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")) and len(text) == 20


def _check_types(model, where):
    for name, kind in get_type_hints(type(model).__init__).items():
        value = getattr(model, name)
        if value is not None:
            _check_type(value, kind, f"{where}.{name}")


def _check_type(value, kind, where):
    if get_origin(kind) is list:
        assert isinstance(value, list), f"{where} is {value!r}"
        for item in value:
            _check_type(item, get_args(kind)[0], f"{where}[]")
    elif hasattr(value, "to_map"):
        _check_types(value, where)
    else:
        # bool is a subclass of int, so compare the types themselves.
        assert type(value) is kind, f"{where} is {value!r}, not a {kind.__name__}"
