"""The wire: forms, framing, signatures, clock, replays, limits, errors, and who the caller is."""

import http.client
import json
import os
import signal
import socket
import threading
import time
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta

import pytest

from clients import ENS, STS, Answer, Prepared, Raw, exchange, nonce, timestamp
from policies import allow
from server import PUBLIC_IMAGE, wait
from shapes import REQUEST_ID
from world import IMPORT, NODE, SMALL, Caller, assert_refused, fresh_name, refusal

JSON = "application/json;charset=utf-8"
XML = "text/xml;charset=utf-8"
LIST = "DescribeSelfImages"


def assert_error(answer, status, code, message=None):
    assert (answer.status, answer.json["Code"]) == (status, code)
    if message:
        assert answer.json["Message"] == message
    assert REQUEST_ID.fullmatch(answer.json["RequestId"])
    assert answer.headers["x-acs-request-id"] == answer.json["RequestId"]
    assert "x-acs-retry-after" not in answer.headers


@pytest.fixture
def raw(world):
    return world.owner.raw


# Signatures


@pytest.mark.parametrize("algorithm", ["new", "old", "v2", "sm3"])
def test_every_way_of_signing(world, algorithm):
    sdk = world.owner.sdk(algorithm)
    # A server that has just started is still making it.
    wait("the image", lambda: sdk.call("DescribeImages", ImageId=PUBLIC_IMAGE, ImageName="centos")["TotalCount"] == 1)


@pytest.mark.parametrize(
    "text", ["a b+c", "~*'()!", "&=%/?#", "\u955c\u50cf", "\U0001f600", "\u0301e", "%41", "a=b&c=d"]
)
@pytest.mark.parametrize("algorithm", ["new", "old", "v2", "sm3"])
def test_every_character_can_be_signed(world, text, algorithm):
    assert world.owner.sdk(algorithm).call(LIST, ImageName=text)["Images"]["Image"] == []


@pytest.mark.parametrize(("method", "where"), [("GET", "query"), ("POST", "query"), ("POST", "body"), ("POST", "form")])
def test_v1_in_every_place(raw, method, where):
    answer = raw.send(raw.v1(LIST, {"PageSize": 7}, method=method, where=where))
    assert (answer.status, answer.json["PageSize"]) == (200, "7")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_acs3_in_every_place(raw, method):
    assert raw.send(raw.acs3(LIST, {"PageSize": 7}, method=method)).json["PageSize"] == "7"
    mixed = raw.send(raw.acs3(LIST, {"PageSize": 7}, form={"PageNumber": 3}))
    assert (mixed.json["PageSize"], mixed.json["PageNumber"]) == ("7", "3")


def test_a_json_body_is_a_set_of_parameters(raw):
    body = json.dumps({"PageSize": 7, "PageNumber": "2"}).encode()
    answer = raw.send(raw.acs3(LIST, body=body, change={"content-type": "application/json; charset=utf-8"}))
    assert (answer.json["PageSize"], answer.json["PageNumber"]) == ("7", "2")
    assert_error(raw.send(raw.acs3(LIST, body=b"{nonsense")), 400, "InvalidParameter.Format")


@pytest.mark.parametrize("sign", ["v1", "acs3"])
def test_chunked_bodies(raw, sign):
    params = {"ImageName": "n" * 20000, "PageSize": 7}
    prepared = raw.v1(LIST, params, where="body") if sign == "v1" else raw.acs3(LIST, form=params)
    prepared.chunked = True
    assert raw.send(prepared).json["PageSize"] == "7"
    empty = raw.acs3(LIST)
    empty.chunked = True
    assert raw.send(empty).status == 200, "a lone last chunk, as the Java SDK sends it"


def test_a_post_without_length_and_encoding(raw):
    """The older Java SDK sends a POST without a body and says nothing about its length."""
    prepared = raw.v1(LIST)
    lines = [f"POST {prepared.target} HTTP/1.1", f"Host: {raw.host}", "Connection: close", "", ""]
    with closing(socket.create_connection(("127.0.0.1", raw.port), 10)) as stream:
        stream.sendall("\r\n".join(lines).encode())
        assert stream.makefile("rb").read().startswith(b"HTTP/1.1 200 ")


def test_an_empty_parameter_means_nothing(raw):
    """One client signs without its empty values, so anybody could add one."""
    prepared = raw.v1(LIST, {"PageSize": 7})
    prepared.target += "&ImageName=&PageNumber="
    answer = raw.send(prepared)
    assert (answer.status, answer.json["PageSize"]) == (200, "7")


@pytest.mark.parametrize("sign", ["v1", "acs3"])
def test_nothing_can_be_added_to_a_signed_request(world, sign):
    """Another image's id, before or behind the signed one, in the query or in a body, deletes nothing else."""
    owner, raw = world.owner, world.owner.raw
    signed, *others = owner.import_images(5)

    def delete():
        return getattr(raw, sign)("DeleteImage", {"ImageId": signed})

    behind, before, form, both = delete(), delete(), delete(), delete()
    behind.target += f"&ImageId={others[0]}"
    before.target = before.target.replace("/?", f"/?ImageId={others[1]}&")
    form.body = both.body = f"ImageId={others[2]}".encode()
    form.headers["Content-Type"] = "application/x-www-form-urlencoded"
    both.target = both.target.replace(f"ImageId={signed}", f"ImageId={others[3]}")
    for prepared in (behind, form, both, before):
        raw.send(prepared)
    kept = {entry["ImageId"] for entry in owner.images()}
    assert set(others) <= kept


def test_the_empty_signature_type_of_the_old_sdks(raw):
    assert raw.send(raw.v1(LIST, change={"SignatureType": ""})).status == 200
    for kind in ("PRIVATEKEY", "BEARERTOKEN"):
        assert_error(raw.send(raw.v1(LIST, change={"SignatureType": kind})), 400, "InvalidSignatureMethod")


@pytest.mark.parametrize("spelling", ["Action", "Version"])
def test_headers_must_not_contradict_parameters(raw, spelling):
    prepared = raw.v1(LIST, headers={f"x-acs-{spelling.lower()}": "Another"})
    assert_error(raw.send(prepared), 400, f"Invalid{spelling}")
    same = raw.v1(LIST, headers={"x-acs-action": LIST, "x-acs-version": ENS})
    assert raw.send(same).status == 200


def test_acs3_needs_its_headers_signed(raw):
    prepared = raw.acs3("DeleteImage", {"ImageId": "m-unknown"})
    prepared.headers["x-acs-action"] = LIST
    assert raw.send(prepared).json["Code"] == "SignatureDoesNotMatch"
    prepared = raw.acs3(LIST, change={"x-acs-content-sha256": "0" * 64})
    assert raw.send(prepared).status == 400
    prepared = raw.acs3(LIST)
    signed = prepared.headers["Authorization"]
    prepared.headers["Authorization"] = signed.replace("x-acs-date;", "")
    assert raw.send(prepared).json["Code"] in ("IncompleteSignature", "SignatureDoesNotMatch")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ACS3-HMAC-SHA256",
        "ACS3-HMAC-SHA256 Credential=",
        "ACS3-HMAC-SHA256 ,,,=,",
        "ACS3-RSA-SHA256 Credential=a,SignedHeaders=host,Signature=00",
        "ACS4-HMAC-SHA256 Credential=a,SignedHeaders=host,Signature=00",
        "Bearer x",
    ],
)
def test_authorizations_that_are_none(raw, text):
    prepared = raw.acs3(LIST)
    prepared.headers["Authorization"] = text
    answer = raw.send(prepared)
    assert 400 <= answer.status < 500
    assert_error(answer, answer.status, answer.json["Code"])


def test_anonymous_and_token_calls_are_refused(raw):
    headers = {"Host": raw.host, "x-acs-action": LIST, "x-acs-version": ENS, "accept": "application/json"}
    for more in ({}, {"x-acs-bearer-token": "token"}, {"x-acs-zero-trust-idtoken": "token"}):
        answer = raw.send(Prepared("POST", "/", headers | more))
        assert_error(answer, 400, "MissingAccessKeyId", "AccessKeyId is mandatory for this action.")


def test_a_security_token_for_a_permanent_key_is_refused(raw):
    answer = raw.send(raw.v1(LIST, change={"SecurityToken": "made-up"}))
    assert answer.status in (400, 403) and answer.json["Code"].startswith("InvalidSecurityToken.")


# Missing and wrong common parameters


@pytest.mark.parametrize("name", ["Action", "Version", "Timestamp", "SignatureNonce", "AccessKeyId", "SignatureMethod"])
def test_a_missing_common_parameter(raw, name):
    answer = raw.send(raw.v1(LIST, change={name: None}))
    assert_error(answer, 400, f"Missing{name}", f"{name} is mandatory for this action.")


def test_unknown_operations_and_versions(raw):
    message = "Specified api is not found, please check your url and method."
    for action in ("NoSuchAction", "deleteimage", "DeleteImage ", "GetCallerIdentity", "../x", "\u955c"):
        assert_error(raw.send(raw.v1(action)), 404, "InvalidAction.NotFound", message)
    for version in ("2017-11-11", "2014-05-26", "1", "x" * 200):
        answer = raw.send(raw.v1(LIST, version=version))
        assert_error(answer, 400, "InvalidVersion", "Specified parameter Version is not valid.")
    assert_error(raw.send(raw.acs3("NoSuchAction")), 404, "InvalidAction.NotFound", message)


def test_strangers_do_not_learn_what_exists(raw):
    stranger = Raw(raw.port, raw.key, "wrong")
    for action in (LIST, "NoSuchAction"):
        assert_error(stranger.send(stranger.v1(action)), 400, "SignatureDoesNotMatch")


def test_unknown_parameters_are_ignored(raw):
    params = {"RegionId": "cn-hangzhou", "SourceIp": "192.0.2.1", "SecureTransport": "true", "NoSuch.1.Thing": "x"}
    assert raw.send(raw.v1(LIST, params)).status == 200


# Clock and replay


@pytest.mark.parametrize("minutes", [-60, -16, 16, 60, 60 * 24 * 365])
def test_a_time_outside_the_window(raw, minutes):
    at = timestamp(datetime.now(UTC) + timedelta(minutes=minutes))
    message = "Specified time stamp or date value is expired."
    assert_error(raw.send(raw.v1(LIST, change={"Timestamp": at})), 400, "InvalidTimeStamp.Expired", message)
    assert_error(raw.send(raw.acs3(LIST, change={"x-acs-date": at})), 400, "InvalidTimeStamp.Expired", message)


@pytest.mark.parametrize("minutes", [-14, 14])
def test_a_time_inside_the_window(raw, minutes):
    at = timestamp(datetime.now(UTC) + timedelta(minutes=minutes))
    assert raw.send(raw.v1(LIST, change={"Timestamp": at})).status == 200
    assert raw.send(raw.acs3(LIST, change={"x-acs-date": at})).status == 200


@pytest.mark.parametrize(
    "form",
    [
        "yesterday", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M:%S+00:00",
        "%Y-%m-%dT%H:%M:%S.0Z", "%Y-%m-%d %H:%M:%SZ", "%Y-%m-%dt%H:%M:%SZ", "%Y-%m-%dT%H:%M:%Sz",
        "%Y%m%dT%H%M%S.000Z", "%Y-%m-%dT%H%M%S.0Z", "%Y-%m-%dT24:%M:%SZ", "%Y-13-%dT%H:%M:%SZ",
        "+%Y-%m-%dT%H:%M:%SZ", "%s",
    ],
)  # fmt: skip
def test_a_time_that_is_written_in_another_way(raw, form):
    text = datetime.now(UTC).strftime(form)
    message = "Specified time stamp or date value is not well formatted."
    assert_error(raw.send(raw.v1(LIST, change={"Timestamp": text})), 400, "InvalidTimeStamp.Format", message)
    assert_error(raw.send(raw.acs3(LIST, change={"x-acs-date": text})), 400, "InvalidTimeStamp.Format", message)


REPLAYED = (400, "SignatureNonceUsed", "Specified signature nonce was used already.")


@pytest.mark.parametrize("sign", ["v1", "acs3"])
def test_a_replayed_request_is_refused(raw, sign):
    prepared = getattr(raw, sign)(LIST)
    assert raw.send(prepared).status == 200
    for _ in range(3):
        assert_error(raw.send(prepared), *REPLAYED)


def test_of_replays_at_once_one_is_carried_out(world, raw):
    prepared = raw.v1("ImportImage", IMPORT | {"ImageName": "once", "OSSObject": world.server.put(SMALL)})
    barrier, answers = threading.Barrier(8), []

    def send():
        barrier.wait(10)
        answers.append(raw.send(prepared).status)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, *[400] * 7]
    assert len(world.owner.images(ImageName="once")) == 1


def test_a_nonce_is_spent_once_per_key(world, raw):
    spent = nonce()
    assert raw.send(raw.v1(LIST, change={"SignatureNonce": spent})).status == 200
    assert_error(raw.send(raw.v1("DescribeImages", change={"SignatureNonce": spent})), *REPLAYED)
    assert_error(raw.send(raw.acs3(LIST, change={"x-acs-signature-nonce": spent})), *REPLAYED)
    other = world.other.raw
    assert other.send(other.v1(LIST, change={"SignatureNonce": spent})).status == 200


def test_a_nonce_is_not_spent_by_a_wrong_signature(raw):
    spent = nonce()
    assert_error(raw.send(raw.v1(LIST, secret="wrong", change={"SignatureNonce": spent})), 400, "SignatureDoesNotMatch")
    assert raw.send(raw.v1(LIST, change={"SignatureNonce": spent})).status == 200


def test_a_nonce_has_a_limit(raw):
    assert raw.send(raw.v1(LIST, change={"SignatureNonce": "n" * 128})).status == 200
    assert_error(raw.send(raw.v1(LIST, change={"SignatureNonce": "n" * 129})), 400, "InvalidSignatureNonce")


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_an_accepted_write_is_not_carried_out_again_after_a_restart(private, end):
    world = private()
    owner, server = world.owner, world.server
    doomed = owner.import_image()
    raw = owner.raw
    source = server.put(SMALL)
    writes = {
        "ImportImage": raw.v1("ImportImage", IMPORT | {"ImageName": "once", "OSSObject": source}),
        "DeleteImage": raw.v1("DeleteImage", {"ImageId": doomed}),
        "RunInstances": raw.v1(
            "RunInstances", {"ImageId": PUBLIC_IMAGE, "InstanceType": "ens.sn1.small", "EnsRegionId": NODE}
        ),
    }
    for prepared in writes.values():
        assert raw.send(prepared).status == 200
    getattr(server, end)()
    server.start()
    for prepared in writes.values():
        # V1 signs no host, so the same bytes are good at the new port.
        answer = raw.send(prepared, port=server.port)
        assert (answer.status, answer.json["Code"], answer.json["Message"]) == REPLAYED
    assert len(owner.images(ImageName="once")) == 1
    assert owner.call("DescribeInstances")["TotalCount"] == 1


# Replies


def test_reply_headers(raw):
    answer = raw.send(raw.v1(LIST))
    assert answer.headers["content-type"] == JSON
    assert answer.headers["x-acs-request-id"] == answer.json["RequestId"]
    assert REQUEST_ID.fullmatch(answer.json["RequestId"])
    assert len(answer.headers["x-acs-trace-id"]) == 32
    assert int(answer.headers["content-length"]) == len(answer.raw)
    assert answer.headers["access-control-allow-origin"] == "*"


def test_error_members(raw):
    answer = raw.send(raw.v1("DeleteImage", {"ImageId": "m-unknown"}))
    assert_error(answer, 400, "Error.DeleteImage", "The image is not exist.")
    assert answer.headers["content-type"] == JSON
    body = answer.json
    assert list(body) and set(body) == {"RequestId", "HostId", "Code", "Message", "Recommend"}
    assert body["HostId"] == raw.host
    about = f"q=Error.DeleteImage&product=Ens&requestId={body['RequestId']}"
    assert body["Recommend"] == f"https://api.aliyun.com/troubleshoot?{about}"
    elsewhere = raw.send(raw.v1("DeleteImage", {"ImageId": "m-unknown"}, headers={"Host": "ens.aliyuncs.com"}))
    assert elsewhere.json["HostId"] == "ens.aliyuncs.com"


@pytest.mark.parametrize("spelling", ["JSON", "json", "Json"])
def test_json_on_demand(raw, spelling):
    assert raw.send(raw.v1(LIST, change={"Format": spelling})).json["TotalCount"] == "0"


@pytest.mark.parametrize("spelling", ["XML", "xml", None])
def test_xml_on_demand_and_by_default(world, raw, spelling):
    image = world.owner.import_image(ImageName="a<b>&\"c'\u955c")
    answer = raw.send(raw.v1(LIST, {"ImageId": image}, change={"Format": spelling}))
    assert answer.headers["content-type"] == XML
    assert answer.raw.startswith(b'<?xml version="1.0" encoding="UTF-8"?><DescribeSelfImagesResponse>')
    root = answer.xml
    assert root.tag == "DescribeSelfImagesResponse"
    assert root.findtext("RequestId") == answer.headers["x-acs-request-id"]
    assert root.findtext("Code") == "0"
    [entry] = root.findall("Images/Image")
    assert entry.findtext("ImageId") == image
    assert entry.findtext("ImageName") == "a<b>&\"c'\u955c"
    assert entry.findtext("DiskDeviceMappings/DiskDeviceMapping/imageId") == image


def test_xml_stays_well_formed_whatever_text_is_in_it(world, raw):
    odd = "\0\x01\x1b\x7f\ufffe<![CDATA[x]]>&#0;\r\n\t"
    image = world.owner.import_image(OSVersion=odd)
    answer = raw.send(raw.v1(LIST, {"ImageId": image}, change={"Format": "XML"}))
    assert answer.xml.findtext("Images/Image/OsVersion").endswith("<![CDATA[x]]>&#0;\r\n\t")
    assert world.owner.image(image)["OsVersion"] == odd
    refused = raw.send(raw.v1(f"No{odd}Action", change={"Format": "XML"}))
    assert refused.status == 404 and refused.xml.findtext("Code") == "InvalidAction.NotFound"


def test_xml_errors(raw):
    answer = raw.send(raw.v1("DeleteImage", {"ImageId": "m-unknown"}, change={"Format": "XML"}))
    assert (answer.status, answer.headers["content-type"]) == (400, XML)
    root = answer.xml
    assert root.tag == "Error"
    assert [child.tag for child in root][:4] == ["RequestId", "HostId", "Code", "Message"]
    assert root.findtext("Code") == "Error.DeleteImage"
    assert root.findtext("Message") == "The image is not exist."
    assert root.findtext("HostId") == raw.host


def test_acs3_is_answered_in_json_unless_told_otherwise(raw):
    assert raw.send(raw.acs3(LIST)).headers["content-type"] == JSON
    assert raw.send(raw.acs3(LIST, {"Format": "XML"})).headers["content-type"] == XML


def test_an_unknown_format(raw):
    answer = raw.send(raw.v1(LIST, change={"Format": "YAML"}))
    assert (answer.status, answer.headers["content-type"]) == (400, XML), "in the default format"
    assert answer.xml.findtext("Code") == "InvalidParameter.Format"
    assert answer.xml.findtext("Message") == "Specified parameter format is not valid."
    assert_error(raw.send(raw.acs3(LIST, {"Format": "YAML"})), 400, "InvalidParameter.Format")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_other_methods(raw, method):
    answer = raw.send(raw.v1(LIST, method=method))
    assert_error(answer, 403, "UnsupportedHTTPMethod", "This http method is not supported.")


def test_head(raw):
    answer = raw.send(raw.v1(LIST, method="HEAD"))
    assert (answer.status, answer.raw) == (403, b"")


@pytest.mark.parametrize("path", ["/other", "//", "/../", "/metadata.db", "/%2e%2e/", "/console"])
def test_other_paths(raw, path):
    prepared = raw.v1(LIST)
    prepared.target = path + prepared.target[1:]
    assert 400 <= raw.send(prepared).status < 500


# Limits


def fill(count):
    return {f"Filler.{number}": "x" for number in range(count)}


@pytest.mark.parametrize("where", ["query", "form"])
def test_the_limit_of_200_parameters(raw, where):
    common = 9  # With the signature.
    assert raw.send(raw.v1(LIST, fill(200 - common), where=where)).status == 200
    answer = raw.send(raw.v1(LIST, fill(201 - common), where=where))
    assert_error(answer, 400, "InvalidParameter.Format", "Specified parameter format is not valid.")
    assert raw.send(raw.v1(LIST, fill(3000), where="form")).status == 400


def test_the_limit_counts_query_and_body_together(raw):
    prepared = raw.acs3(LIST, fill(120), form=fill(120))
    assert_error(raw.send(prepared), 400, "InvalidParameter.Format")


def test_a_name_and_a_value_have_limits(raw):
    assert raw.send(raw.v1(LIST, {"n" * 128: "x"})).status == 200
    assert_error(raw.send(raw.v1(LIST, {"n" * 129: "x"})), 400, "InvalidParameter.Format")


@pytest.mark.parametrize("chunked", [False, True])
def test_the_limit_of_one_mebibyte(raw, chunked):
    def sized(length):
        body = b"Filler=" + b"x" * (length - 7)
        prepared = raw.acs3(LIST, body=body, change={"content-type": "application/x-www-form-urlencoded"})
        prepared.chunked = chunked
        return prepared

    assert_error(raw.send(sized(1 << 20)), 400, "InvalidParameter.Format")  # A value has a limit of its own.
    for length in ((1 << 20) + 1, 3 << 20):
        with closing(http.client.HTTPConnection("127.0.0.1", raw.port, timeout=10)) as connection:
            answer = exchange_while_refused(connection, sized(length))
            assert 400 <= answer.status < 500 and answer.json["Code"] and answer.json["Message"]
            assert answer.headers["content-type"] == JSON
            assert answer.headers["x-acs-request-id"] == answer.json["RequestId"]
            # Good for another request, or closed; what was left of the body is no request of its own.
            try:
                assert exchange(connection, raw.v1(LIST)).status == 200
            except (http.client.HTTPException, OSError):
                pass
        assert raw.send(raw.v1(LIST)).status == 200


def exchange_while_refused(connection, prepared):
    """Sends a body that the server need not read to its end, and reads the answer all the same."""
    try:
        return exchange(connection, prepared)
    except (BrokenPipeError, ConnectionResetError):
        response = http.client.HTTPResponse(connection.sock)
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())


def test_a_huge_body_is_refused_before_all_of_it_came(raw):
    head = f"POST / HTTP/1.1\r\nHost: {raw.host}\r\nContent-Length: 1099511627776\r\n\r\n"
    with closing(socket.create_connection(("127.0.0.1", raw.port), 10)) as stream:
        stream.sendall(head.encode() + b"x" * ((1 << 20) + 1))
        assert stream.recv(100).startswith(b"HTTP/1.1 413 ")


def test_expect_100_continue(raw):
    """What curl sends before a body of some size."""
    prepared = raw.v1(LIST, {"PageSize": 7, "ImageName": "n" * 5000}, where="form")
    head = f"POST / HTTP/1.1\r\nHost: {raw.host}\r\nContent-Length: {len(prepared.body)}\r\nExpect: 100-continue\r\n"
    with closing(socket.create_connection(("127.0.0.1", raw.port), 10)) as stream:
        stream.sendall(f"{head}Connection: close\r\n\r\n".encode())
        assert stream.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        stream.sendall(prepared.body)
        assert stream.makefile("rb").read().startswith(b"HTTP/1.1 200 ")


def test_a_connection_is_used_again(raw):
    with closing(http.client.HTTPConnection("127.0.0.1", raw.port, timeout=10)) as connection:
        statuses = [
            exchange(connection, prepared).status
            for prepared in (
                raw.v1(LIST),
                raw.v1("DeleteImage", {"ImageId": "m-unknown"}),
                raw.v1(LIST, secret="wrong"),
                raw.acs3(LIST, form={"PageSize": 1}),
                raw.v1(LIST, method="PUT"),
                raw.v1(LIST, where="form"),
            )
        ]
    assert statuses == [200, 400, 400, 200, 403, 200]


@pytest.mark.parametrize(
    "noise",
    [
        b"\0" * 100,
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
        b"GET /" + b"x" * 400_000,
    ],
)
def test_noise_ends_one_connection_and_nothing_else(raw, noise):
    with closing(socket.create_connection(("127.0.0.1", raw.port), 10)) as stream:
        stream.settimeout(10)
        try:
            stream.sendall(noise)
            stream.shutdown(socket.SHUT_WR)
            stream.recv(65536)
        except OSError:
            pass
    assert raw.send(raw.v1(LIST)).status == 200


def test_bytes_that_are_no_text(raw):
    for tail in ("&ImageName=%ff%fe", "&%00=%00", "&=x", "&&&", "&a", "&ImageName=%"):
        prepared = raw.v1(LIST)
        prepared.target += tail
        answer = raw.send(prepared)
        assert answer.status in (200, 400) and answer.json["RequestId"]


# STS


@pytest.mark.parametrize("generation", ["new", "old", "v2"])
def test_get_caller_identity_of_an_account(world, generation):
    reply = world.owner.sdk(generation).call_other(STS, "GetCallerIdentity")
    account = world.owner.account
    assert reply["AccountId"] == account
    assert reply["Arn"] == f"acs:ram::{account}:root"
    assert (reply["IdentityType"], reply["UserId"], reply["PrincipalId"]) == ("Account", account, account)
    assert REQUEST_ID.fullmatch(reply["RequestId"])
    assert all(type(value) is str for value in reply.body.values())
    assert set(reply.body) <= {"AccountId", "Arn", "IdentityType", "PrincipalId", "RequestId", "RoleId", "UserId"}


@pytest.mark.parametrize("user", ["ens", "nobody", "not-from-here"])
def test_get_caller_identity_of_a_user_needs_no_permission(ram_world, user, generation):
    reply = ram_world.user(user).sdk(generation).call_other(STS, "GetCallerIdentity")
    assert reply["AccountId"] == ram_world.owner.account
    assert reply["Arn"] == f"acs:ram::{ram_world.owner.account}:user/{user}"
    assert reply["IdentityType"] == "RAMUser" and reply["UserId"] and reply["PrincipalId"]


def test_other_sts_errors_name_their_product(raw):
    answer = raw.send(raw.v1("NoSuchAction", version=STS))
    assert_error(answer, 404, "InvalidAction.NotFound")
    assert "product=Sts&" in answer.json["Recommend"]


# The process


def test_a_stop_lets_requests_finish_and_exits_with_0(private):
    world = private()
    connection = http.client.HTTPConnection("127.0.0.1", world.server.port, timeout=10)
    raw = world.owner.raw
    assert exchange(connection, raw.v1(LIST)).status == 200
    assert world.server.stop() == 0, "an idle connection does not hold up the stop"
    connection.close()
    assert "panicked" not in world.server.stderr()
    world.server.start()
    assert Caller(world.server, world.owner.key).images() == []


def test_a_stop_right_after_the_start_is_as_clean(private):
    """Who prints that it listens can be stopped, and reloaded."""
    world = private()
    for _ in range(20):
        assert world.server.stop() == 0
        world.server.start()


def test_a_stop_comes_through_when_all_connections_are_taken(private):
    """Design: requests that are being served finish, and the process has ended, within 10 s.

    Who connects and says nothing keeps nobody out: the one that has been waiting longest makes room.
    """
    world = private()
    address = ("127.0.0.1", world.server.port)
    with ExitStack() as connections:
        for _ in range(1500):
            connections.enter_context(closing(socket.create_connection(address, 10)))
        stream = connections.enter_context(closing(socket.create_connection(address, 10)))
        stream.sendall(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n")
        assert stream.recv(100).startswith(b"HTTP/1.1 200 ")
        since = time.monotonic()
        assert world.server.stop() == 0
        assert time.monotonic() - since < 10


def test_a_second_process_is_kept_off_the_folder(private):
    world = private()
    twin = type(world.server)(world.server.folder, world.server.accounts)
    with pytest.raises(AssertionError, match="did not start"):
        twin.start()
    assert world.owner.images() == []


def test_accounts_are_reloaded_on_sighup_all_or_nothing(private):
    world = private()
    server, image = world.server, world.owner.import_image()
    world.accounts[0].users["late"] = [allow("ens:DescribeSelfImages")]
    late = world.user("late")
    assert_refused(refusal(late.images), 404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.")

    config = server.write_config()
    os.kill(server.process.pid, signal.SIGHUP)
    wait("the new user", lambda: not is_unknown(late))
    assert late.image(image)["ImageId"] == image

    good = config.read_text()
    config.write_text("account = 'nonsense'\n")
    os.kill(server.process.pid, signal.SIGHUP)
    wait("the refusal in the log", lambda: "the old accounts stay" in server.stderr())
    assert late.image(image)["ImageId"] == image
    config.write_text(good)


def is_unknown(caller):
    raw = caller.raw
    return raw.send(raw.v1(LIST)).json.get("Code") == "InvalidAccessKeyId.NotFound"


def test_secrets_are_kept_out_of_log_and_metadata(private):
    world = private({"ens": [allow("ens:*")]})
    user = world.user("ens")
    user.import_image()
    raw = Raw(world.server.port, user.key.id, "a wrong secret")
    assert raw.send(raw.v1(LIST)).status == 400
    assert refusal(world.other.launch, "m-unknown").status == 400
    user.launch(InstanceName=fresh_name("server"))
    assert world.server.stop() == 0
    texts = [world.server.log.read_bytes(), *world.server.metadata.texts()]
    for secret in (user.key.secret, world.owner.key.secret, "a wrong secret"):
        assert all(secret.encode() not in text for text in texts)
