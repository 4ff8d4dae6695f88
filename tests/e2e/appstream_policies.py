"""The RAM users of accounts that call App Streaming, ECD and our own API."""

from policies import allow, deny

DELETE = "appstreaming:DeleteImage"
EXPLAIN = "calotype:ExplainDeleteImage"

USERS = {
    "nobody": [],
    "list": [allow("appstreaming:List*")],
    "delete": [allow(DELETE)],
    "delete-prefix": [allow("appstreaming:Delete*")],
    "other-case": [allow("AppStreaming:deleteimage")],
    "product": [allow("appstreaming:*")],
    "everything": [allow("*")],
    "denied": [allow("appstreaming:*"), deny(DELETE)],
    "denied-first": [deny("appstreaming:Delete*"), allow(DELETE)],
    "all-but-delete": [{"Effect": "Allow", "NotAction": DELETE, "Resource": "*"}],
    "endpoint-name": [allow("appstream-center:*")],
    "ens": [allow("ens:*")],
    "ecd": [allow("ecd:*")],
    "ecd-delete-denied": [allow("appstreaming:*"), deny("ecd:*")],
    "groups-only": [allow(DELETE, "acs:appstreaming:*:{account}:appinstancegroup/*")],
    "from-elsewhere": [allow(DELETE, Condition={"IpAddress": {"acs:SourceIp": "192.0.2.0/24"}})],
    "from-here": [allow(DELETE, Condition={"IpAddress": {"acs:SourceIp": "127.0.0.1"}})],
    "explain": [allow(EXPLAIN)],
    "own": [allow("calotype:*")],
    "no-publishing": [allow("calotype:*"), deny("calotype:PublishCommunityImage")],
}
