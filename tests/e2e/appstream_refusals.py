"""The error table of App Streaming's DeleteImage, and the checks of a delete that is refused or not."""

from appstream_shapes import check_deleted, check_error
from server import wait
from world import assert_refused, refusal

NOT_EXIST = (400, "Image.NotExist", "The image does not exist.")
NOT_ALLOW = (400, "ImageDeleteFailed.NotAllow", "The image is not allowed to be deleted.")
COMMUNITY_PARENT = (
    400, "ImageDeleteFailed.NotAllowCommunityParent",
    "The parent image of a community image is not allowed to be deleted.",
)  # fmt: skip
SHARED_IN = (400, "ImageDeleteFailed.NotAllowSharedImage", "The shared image is not allowed to be deleted.")
IN_USE = (
    400, "ImageNotAllowDelete",
    "The image cannot be deleted, because shared cloud computers already exist.",
)  # fmt: skip
CREATING = (400, "InvalidImageOperation.ImageIsCreating", "Failed to operation the image, it is creating.")
SHARED_OUT = (400, "ImageDeleteFailed.HasSharedImage", "The shared image is not allowed to be deleted.")
UNAVAILABLE = (500, "ServiceUnavailable", "Service unavailable. Please try again later.")
NO_PERMISSION = (403, "NoPermission", "You are not authorized to do this action.")
MISSING_PARAMETER = (
    400, "MissingParameter",
    "The input parameters that is mandatory for processing this request is not supplied.",
)  # fmt: skip


def invalid(name):
    return (400, f"InvalidParameter.{name}", f"The parameter {name} is invalid.")


def delete_must_fail(caller, image, expected, algorithm="acs3"):
    """Checks that a delete is refused in these words, and that it changed nothing at all (D47)."""
    before = caller.server.print_of(image)
    refused = refusal(caller.sdk(algorithm).call, "DeleteImage", ImageId=image)
    assert_refused(refused, *expected)
    check_error(refused.body, caller)
    assert refused.shown == f"code: {expected[0]}, {expected[2]} request id: {refused.body['RequestId']}"
    assert caller.server.print_of(image) == before
    return refused


def delete_must_succeed(caller, image, algorithm="acs3"):
    """Checks that a delete succeeds, and that nothing of the image is left in the end."""
    reply = caller.sdk(algorithm).call("DeleteImage", ImageId=image)
    check_deleted(reply.body)
    assert caller.image(image) is None
    wait("the bytes to be erased", lambda: caller.server.is_erased(image))
    return reply
