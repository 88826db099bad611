"""Which servers are asked for a repository, and how they are spoken with."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from builder.errors import ReferenceFormatError, SettingsError
from builder.oci.reference import DOCKER_HUB, Reference
from builder.registry.certs import CertDirectories
from builder.registry.docker_conf import DockerConf
from builder.registry.endpoint import (
    EITHER,
    HTTPS,
    Endpoint,
    mirror_endpoint,
    schemes_of,
    server_of,
)
from builder.registry.insecure import InsecureHosts
from builder.registry.registries_conf import Namespace, RegistriesConf
from builder.settings import RegistrySettings
from builder.transport import Tls

__all__ = ["Endpoint", "Hosts", "mirror_endpoint"]

_ETC = Path("/etc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """Everything that says which servers are asked and how, read once.

    Attributes:
        conf: the ``registries.conf`` of containers' tools.
        docker: what Docker's daemon is told.
        certs: certificates by host.
        insecure: hosts that the user's own settings do not want to be verified.
    """

    conf: RegistriesConf = field(default_factory=RegistriesConf)
    docker: DockerConf = field(default_factory=DockerConf)
    certs: CertDirectories = field(default_factory=CertDirectories)
    insecure: InsecureHosts = field(default_factory=InsecureHosts)

    @classmethod
    def read(
        cls, settings: RegistrySettings, environ: Mapping[str, str], *, etc: Path = _ETC
    ) -> Self:
        """What settings and this machine's files say.

        Args:
            settings: the user's.
            environ: for ``CONTAINERS_REGISTRIES_CONF``, ``XDG_CONFIG_HOME`` and ``HOME``.
            etc: where the system keeps its configuration.

        Raises:
            SettingsError: one of the files cannot be read, or says what cannot be.
        """
        home = _config_home(environ)
        own = home / "containers" if home else None
        named = settings.conf or environ.get("CONTAINERS_REGISTRIES_CONF") or None
        return cls(
            conf=RegistriesConf.at(named, own, etc / "containers"),
            docker=DockerConf.at(*([home / "docker"] if home else []), etc / "docker"),
            certs=CertDirectories.of(settings.certs, own, etc),
            insecure=InsecureHosts.of(settings.insecure),
        )

    def pull_endpoints(self, reference: Reference) -> tuple[Endpoint, ...]:
        """Where an image may be pulled from, in the order in which to ask: the origin is last.

        Raises:
            SettingsError: ``registries.conf`` blocks it, or leads to no repository.
        """
        namespace = self._allowed(reference.name)
        origin = namespace.at(namespace.location, reference.name)
        mirrors = [
            self._endpoint(
                namespace,
                namespace.at(mirror.location, reference.name),
                insecure=mirror.insecure,
            )
            for mirror in namespace.mirrors
            if (mirror.digests if reference.digest else mirror.tags)
        ]
        if origin.startswith(f"{DOCKER_HUB}/"):
            repository = origin.removeprefix(f"{DOCKER_HUB}/")
            mirrors += [self.mirror(address, repository) for address in self.docker.mirrors]
        return (*mirrors, self._endpoint(namespace, origin, insecure=namespace.insecure))

    def push_endpoint(self, reference: Reference) -> Endpoint:
        """Where an image is pushed: to the registry that its name says, never to another place.

        Raises:
            SettingsError: ``registries.conf`` blocks it.
        """
        namespace = self._allowed(reference.name)
        return self._endpoint(namespace, reference.name, insecure=namespace.insecure)

    def mirror(self, address: str, repository: str) -> Endpoint:
        """As ``mirror_endpoint``, with what is configured for that server.

        Raises:
            SettingsError: the address names no server.
        """
        plain = mirror_endpoint(address, repository)
        namespace = self.conf.find(f"{plain.host}/{plain.repository}")
        insecure = namespace is not None and namespace.insecure
        schemes, tls = self._spoken(plain.host, insecure=insecure)
        return replace(plain, schemes=plain.schemes if "://" in address else schemes, tls=tls)

    def _allowed(self, name: str) -> Namespace:
        namespace = self.conf.find(name)
        if namespace is None:
            return Namespace(path=Path(), prefix=name)
        if namespace.blocked:
            raise SettingsError(
                f"{name} is blocked: {namespace.path} says so of {namespace.prefix}",
                hint="ask who looks after that file, or name an image at another registry",
            )
        return namespace

    def _endpoint(self, namespace: Namespace, name: str, *, insecure: bool) -> Endpoint:
        found = _parsed(namespace, name)
        schemes, tls = self._spoken(found.registry, insecure=insecure)
        return Endpoint(
            schemes=schemes, host=server_of(found.registry), repository=found.repository, tls=tls
        )

    def _spoken(self, host: str, *, insecure: bool) -> tuple[tuple[str, ...], Tls]:
        """By which schemes a host is spoken with, and how TLS is."""
        certs = self.certs.find(host)
        if insecure or self.insecure.hold(host) or self.docker.insecure.hold(host):
            return EITHER, replace(certs or Tls(), verify=False)
        return (schemes_of(host), Tls()) if certs is None else (HTTPS, certs)


def _parsed(namespace: Namespace, name: str) -> Reference:
    """A name that a namespace led to."""
    attempt = f"{namespace.path}: registry {namespace.prefix} leads to {name}"
    try:
        found = Reference.parse(name)
    except ReferenceFormatError as error:
        raise SettingsError(f"{attempt}: {error.message}", hint=error.hint) from None
    # What has no host would mean Docker Hub, and a tag stands with the image's name alone.
    if found.name != name and not name.startswith(f"{DOCKER_HUB}/"):
        raise SettingsError(
            f"{attempt}; expected a registry and a repository",
            hint="a location is host[:port][/path]; the host has a dot or a port, or is localhost",
        )
    return found


def _config_home(environ: Mapping[str, str]) -> Path | None:
    if named := environ.get("XDG_CONFIG_HOME"):
        return Path(named)
    return Path(home, ".config") if (home := environ.get("HOME")) else None
