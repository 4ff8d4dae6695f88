"""The RAM users that accounts with users have: name to policy statements. `{account}` is the account's id."""


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action, resource="*", **more):
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


USERS = {
    "nobody": [],
    "describe": [allow("ens:Describe*")],
    "describe-images": [allow("ens:DescribeImages")],
    "delete": [allow("ens:DeleteImage")],
    "delete-in-a-list": [allow(["ens:CreateImage", "ens:DeleteImage"])],
    "delete-prefix": [allow("ens:Delete*")],
    "other-case": [allow("ENS:deleteimage")],
    "ens": [allow("ens:*")],
    "everything": [allow("*")],
    "denied": [allow("ens:*"), deny("ens:DeleteImage")],
    "denied-first": [deny("ens:Delete*"), allow("ens:DeleteImage")],
    "denied-on-images": [allow("ens:*"), deny("ens:DeleteImage", "acs:ens:*:{account}:image/*")],
    "all-but-delete": [{"Effect": "Allow", "NotAction": "ens:DeleteImage", "Resource": "*"}],
    "other-product": [allow("ecs:*")],
    "any-image": [allow("ens:DeleteImage", "acs:ens:*:{account}:image/*")],
    "any-image-of-any-account": [allow("ens:DeleteImage", "acs:ens:*:*:image/*")],
    "other-image": [allow("ens:DeleteImage", "acs:ens::{account}:image/m-another")],
    "other-account": [allow("ens:DeleteImage", "acs:ens:*:1999999999999999:image/*")],
    "instances-only": [allow("ens:DeleteImage", "acs:ens::{account}:instance/*")],
    "all-instances-only": [allow("ens:DeleteImage", "acs:ens:*:*:instance/*")],
    "from-here": [allow("ens:DeleteImage", Condition={"IpAddress": {"acs:SourceIp": "127.0.0.0/8"}})],
    "from-elsewhere": [allow("ens:DeleteImage", Condition={"IpAddress": {"acs:SourceIp": "192.0.2.0/24"}})],
    "not-from-here": [allow("*"), deny("*", Condition={"NotIpAddress": {"acs:SourceIp": "192.0.2.0/24"}})],
    "over-tls": [allow("ens:DeleteImage", Condition={"Bool": {"acs:SecureTransport": "true"}})],
    "over-plain-http": [allow("ens:DeleteImage", Condition={"Bool": {"acs:SecureTransport": "false"}})],
    "with-mfa": [allow("ens:DeleteImage", Condition={"Bool": {"acs:MFAPresent": "true"}})],
    "until-2020": [allow("ens:DeleteImage", Condition={"DateLessThan": {"acs:CurrentTime": "2020-01-01T00:00:00Z"}})],
    "until-2090": [allow("ens:DeleteImage", Condition={"DateLessThan": {"acs:CurrentTime": "2090-01-01T00:00:00Z"}})],
    "one-condition-of-two": [
        allow(
            "ens:DeleteImage",
            Condition={
                "IpAddress": {"acs:SourceIp": "127.0.0.1"},
                "DateLessThan": {"acs:CurrentTime": "2020-01-01T00:00:00Z"},
            },
        )
    ],
}
