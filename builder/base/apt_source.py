"""A base of our own, ``apt:SUITE``: Debian packages, and the CPython that uv provides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from builder.errors import SettingsError
from builder.transport import HttpTransport, Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from builder.base.base import AptRequest, BaseRequest
    from builder.events import EventSink
    from builder.oci.descriptor import Descriptor
    from builder.oci.platform import Platform
    from builder.process import CommandRunner
    from builder.settings import PullPolicy
    from builder.store.layout import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class AptBase:
    """``apt:SUITE``.

    Attributes:
        name: as it was written.
        suite: Debian's name of the release: ``bookworm``.
        apt: where packages come from, which Python is wanted, what is locked.
        policy: whether the archives are asked when the store has the base.
        run: starts uv and Python.
        events: told what was substituted.
        connect: opens a transport, when one is needed at all.
    """

    name: str
    suite: str
    apt: AptRequest
    policy: PullPolicy
    run: CommandRunner
    events: EventSink
    connect: Callable[[], Transport] = HttpTransport

    @classmethod
    def of(cls, request: BaseRequest, *, run: CommandRunner, events: EventSink) -> Self:
        """The source for a request.

        Raises:
            SettingsError: the suite's name is none.
        """
        suite = request.source.partition(":")[2]
        if not (suite.isascii() and suite.isalpha() and suite.islower()):
            raise SettingsError(
                f"the base {request.source!r} names no release of Debian",
                hint="write apt:bookworm or apt:trixie",
            )
        if request.apt is None:
            raise AssertionError(f"{request.source}: nobody said what is wanted of it")
        return cls(
            name=request.source,
            suite=suite,
            apt=request.apt,
            policy=request.policy,
            run=run,
            events=events,
        )

    def bring(self, platform: Platform, store: Store) -> Descriptor:
        """Compose the base, unless the store has the one that these choices gave before.

        Raises:
            ArchiveError: an archive does not give what it should.
            BaseError: there is no Python for it, or Debian lacks what that needs.
            PackageError: the packages cannot be had together, or one is not what it should be.
            TransportError: an archive cannot be reached.
            BuilderError: of the settings, content and store kinds.
        """
        # What reads archives and signatures is loaded when it is used: most bases are pulled.
        from builder.base.apt_image import bring  # noqa: PLC0415

        return bring(self, platform, store)
