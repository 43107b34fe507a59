"""What can go wrong with an image, each with the waiting reason a kubelet shows for it.

One class for each thing a caller may treat differently. `reason` is a container's `state.waiting.reason` (core/v1
ContainerStateWaiting); the message is for people and says what was wrong and what would be right.
"""

from __future__ import annotations

from proa.base.errors import ProaError


class ImageError(ProaError):
    """An image cannot be had or used."""

    reason = "ErrImagePull"


class InvalidImageNameError(ImageError):
    """The reference does not follow the grammar of image names."""

    reason = "InvalidImageName"


class ImageNotFoundError(ImageError):
    """The store holds no such image (locally; a registry that has none answers with ManifestUnknownError)."""

    reason = "ImageInspectError"


class CorruptContentError(ImageError):
    """Bytes do not have the digest or size they were announced with, or a document is malformed."""


class UnsafeLayerError(CorruptContentError):
    """A layer tries to write outside its own root, or holds an entry that cannot be unpacked."""


class PlatformError(ImageError):
    """The image exists, but not for this machine's operating system and architecture."""


class ManifestUnknownError(ImageError):
    """The registry has no such repository or tag."""


class UnauthorizedError(ImageError):
    """The registry wants credentials, or refuses those it got."""


class RateLimitedError(ImageError):
    """The registry answered 429. `retry_after` is seconds, when it said so."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RegistryUnavailableError(ImageError):
    """No endpoint of the registry could be reached, or all failed with a server error."""

    reason = "RegistryUnavailable"


class PackError(ImageError):
    """A program of the host cannot be packed: not found, not executable, or a shared library is missing."""

    reason = "ImageInspectError"
