"""Commands of maintainer scripts that change nothing an image needs, and why."""

from collections.abc import Mapping

_SERVICES = "starts or stops services: an image has none that run"
_UPGRADES = "moves what an earlier version of the package left"
_BYTECODE = "compiles Debian's own Python modules, which run without"
_CACHES = "caches what programs find without it, only slower, or is for an X server"
_MENUS = "lists programs for a desktop or a reader of manuals"
_BOOT = "prepares the start of a machine: an image does not boot"
_DONE = "is done for the root as a whole"
_SAME = "does nothing for the defaults of debconf's questions"

REASONS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("deb-systemd-helper", "deb-systemd-invoke", "systemctl", "invoke-rc.d", "service"),
            *("update-rc.d", "start-stop-daemon", "dbus-send", "pidof", "kill", "killall"),
            *("runlevel", "initctl", "telinit", "ps", "ss"),
        ),
        _SERVICES,
    ),
    **dict.fromkeys(
        ("apt-config", "apt-key", "ischroot"), _UPGRADES
    ),
    **dict.fromkeys(("py3compile", "py3clean", "pycompile", "pyclean"), _BYTECODE),
    **dict.fromkeys(
        ("fc-cache", "gtk-update-icon-cache", "gtk-update-icon-cache-3.0", "update-icon-caches",
         "gio-querymodules", "iconvconfig", "gtk-query-immodules-3.0", "update-fonts-alias",
         "update-fonts-dir", "update-fonts-scale"),
        _CACHES,
    ),
    **dict.fromkeys(
        ("mandb", "update-menus", "install-info", "update-info-dir", "install-docs",
         "update-desktop-database", "appstreamcli", "update-mime"),
        _MENUS,
    ),
    **dict.fromkeys(
        ("update-initramfs", "update-grub", "udevadm", "modprobe", "sysctl", "restorecon",
         "dbus-uuidgen", "systemd-tmpfiles", "journalctl", "getcap", "aa-enabled", "aa-status",
         "apparmor_parser", "systemd-machine-id-setup", "mountpoint"),
        _BOOT,
    ),
    **dict.fromkeys(("ldconfig", "dpkg-trigger", "update-ca-certificates"), _DONE),
    **dict.fromkeys(("locale-gen", "update-locale"), _SAME),
}  # fmt: skip
