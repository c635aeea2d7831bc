"""Commands of the system that are the same whatever the driver: boot image, Docker, toolkit; in this distribution's words.

A remark stands where the distribution has no command for it, or where it is not known: a wrong command is worse than none.
"""

from __future__ import annotations

from heimdall.doctor.facts import Facts
from heimdall.doctor.facts.driver.distribution import has_systemd, is_proxmox
from heimdall.doctor.finding import Way

Commands = tuple[str, ...]
TOOLKIT_GUIDE = "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html"
REBOOT = "sudo reboot"
LOAD = "sudo modprobe -a nvidia nvidia_uvm"
APT_UPDATE = "sudo apt-get update"


def then_reboot(commands: Commands) -> Commands:
    """The reboot as the last step; a remark where all before it are remarks, for alone it mends nothing, or makes it worse."""
    only_remarks = all(line.startswith("#") for line in commands)
    return (*commands, "# then reboot") if only_remarks else (*commands, REBOOT)


def rebuild_initramfs(facts: Facts, every_kernel: bool = False) -> Commands:
    family = facts.distribution.family
    if facts.distribution.has_apt:
        refresh = ("sudo proxmox-boot-tool refresh",) if is_proxmox(facts.host) else ()
        return (f"sudo update-initramfs -u{' -k all' if every_kernel else ''}", *refresh)
    if family == "suse" and facts.distribution.image_based:
        return ("sudo transactional-update initrd",)
    if family in ("fedora", "rhel") and facts.distribution.image_based:
        return ("sudo rpm-ostree initramfs --enable",)
    if family == "arch":
        return (_arch_initramfs(facts),)
    if family == "nixos":
        return ("sudo nixos-rebuild boot",)
    if family in ("fedora", "rhel", "suse", "gentoo", "void"):
        return ("sudo dracut -f --regenerate-all",)
    if family == "alpine":
        return ("sudo mkinitfs",)
    return ("# rebuild the initramfs, or the system's image, with your distribution's own tool",)


def drop_kernel_argument(facts: Facts, argument: str) -> Commands:
    """Without the reboot, which is the caller's last step."""
    family = facts.distribution.family
    if facts.distribution.image_based and facts.distribution.has_dnf:
        return (f"sudo rpm-ostree kargs --delete={argument}",)
    if facts.distribution.has_dnf:
        return (f"sudo grubby --update-kernel=ALL --remove-args={argument}",)
    if family == "nixos":
        return (f"# in configuration.nix: take {argument} out of boot.kernelParams; then:", "sudo nixos-rebuild boot")
    again = {
        "ubuntu": "sudo update-grub",
        "debian": "sudo update-grub",
        "suse": "sudo grub2-mkconfig -o /boot/grub2/grub.cfg",
        "arch": "sudo grub-mkconfig -o /boot/grub/grub.cfg",
    }.get(family)
    look = f"grep -rn {argument.partition('=')[0]}= /etc/default/grub /etc/default/grub.d /etc/kernel/cmdline"
    remark = f"# take {argument} out of the file that the command above names"
    return (look, f"{remark}, then:", again) if again else (look, remark)


def _arch_initramfs(facts: Facts) -> str:
    with_dracut = facts.host.find_program("dracut") and not facts.host.find_program("mkinitcpio")
    return "sudo dracut -f --regenerate-all" if with_dracut else "sudo mkinitcpio -P"


def restart_docker(facts: Facts) -> str:
    if facts.engine.rootless:
        return "systemctl --user restart docker"
    if facts.docker_is_snap:
        return "sudo snap restart docker"
    if facts.distribution.family in ("alpine", "gentoo") and not has_systemd(facts.host):
        return "sudo rc-service docker restart"
    if facts.distribution.family == "void":
        return "sudo sv restart docker"
    return "sudo systemctl restart docker" if has_systemd(facts.host) else "sudo service docker restart"


def start_docker(facts: Facts) -> str:
    if facts.distribution.family == "void":
        return "sudo sv up docker"
    return restart_docker(facts).replace("restart", "start")


def install_toolkit(facts: Facts) -> Commands:
    """With what makes Docker know it; the restart is the last step."""
    family, source = facts.distribution.family, f"# NVIDIA's package source must be set up once: {TOOLKIT_GUIDE}"
    if family == "nixos":
        return (
            "# in configuration.nix: hardware.nvidia-container-toolkit.enable = true; then:",
            "sudo nixos-rebuild switch",
        )
    if family == "arch":
        return ("sudo pacman -S --needed nvidia-container-toolkit", *configure_docker(facts))
    package = "nvidia-container-toolkit"
    if facts.distribution.image_based:
        tool = "transactional-update pkg install" if family == "suse" else "rpm-ostree install"
        after = f"# after the reboot: {' && '.join(configure_docker(facts))}"
        return (source, f"sudo {tool} {package}", REBOOT, after)
    tools = {"ubuntu": "apt-get", "debian": "apt-get", "fedora": "dnf", "rhel": "dnf", "suse": "zypper"}
    if family not in tools:
        return (f"# install {package} the way your distribution does: {TOOLKIT_GUIDE}", *configure_docker(facts))
    return (source, f"sudo {tools[family]} install {package}", *configure_docker(facts))


def configure_docker(facts: Facts) -> Commands:
    """Rootless Docker reads its own daemon.json, and may not write device rules."""
    if facts.engine.rootless:
        return (
            "nvidia-ctk runtime configure --runtime=docker --config=$HOME/.config/docker/daemon.json",
            "sudo nvidia-ctk config --set nvidia-container-cli.no-cgroups --in-place",
            restart_docker(facts),
        )
    return ("sudo nvidia-ctk runtime configure --runtime=docker", restart_docker(facts))


def generate_cdi(facts: Facts, path: str = "/etc/cdi/nvidia.yaml") -> Commands:
    """On NixOS a service of the system writes the specification anew."""
    if facts.distribution.family == "nixos":
        return ("sudo systemctl restart nvidia-container-toolkit-cdi-generator",)
    return (f"sudo nvidia-ctk cdi generate --output={path}",)


def purge_inside_wsl(facts: Facts) -> Commands:
    """The Linux driver's packages that hide the libraries Windows lends."""
    if facts.is_runfile:
        return ("sudo nvidia-uninstall", "sudo ldconfig")
    if facts.distribution.has_apt:
        names = "'nvidia-driver-*' 'nvidia-dkms-*' 'nvidia-utils-*' 'libnvidia-*'"
        debian = "nvidia-driver nvidia-smi libcuda1 libnvidia-ml1"
        return (f"sudo apt-get purge {names if facts.distribution.family == 'ubuntu' else debian}", "sudo ldconfig")
    tools = {
        "fedora": "dnf remove 'nvidia-driver*' 'akmod-nvidia*' 'xorg-x11-drv-nvidia*'",
        "rhel": "dnf remove 'nvidia-driver*'",
        "suse": "zypper remove 'nvidia-*'",
        "arch": "pacman -Rs nvidia-utils",
    }
    tool = tools.get(facts.distribution.family)
    return (f"sudo {tool}", "sudo ldconfig") if tool else ("# remove the Linux driver's libraries inside WSL",)


def prevention(facts: Facts, packages: dict[str, str]) -> tuple[Way, ...]:
    """How the driver is kept from changing under a running module.

    Only a driver that is compiled for whatever kernel comes (DKMS) may be held: a prebuilt module that is held would be
    missing for the next kernel, and a rolling distribution has no part that may stay behind.
    """
    name = "so that it does not come back"
    prebuilt = any(package.startswith(("linux-modules-nvidia", "linux-objects-nvidia")) for package in packages)
    if facts.distribution.has_apt and any("dkms" in package for package in packages) and not prebuilt:
        return (Way(name, (f"sudo apt-mark hold {' '.join(packages)}",)),)
    if facts.distribution.has_apt:
        line = 'Unattended-Upgrade::Automatic-Reboot "true";'
        return (Way(name, (f"# upgrade the driver only where a reboot follows, as with {line}",)),)
    return (Way(name, ("# upgrade the driver only where a reboot follows at once",)),)
